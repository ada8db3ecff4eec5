//! Unique ids of 63 bits, ordered by time, made without asking anybody.

mod error;
mod generate;
mod parts;

use self::generate::Sequence;
use super::{
    instance_id::InstanceId,
    session::Lost,
    store::StoreError,
    wall_clock::{SystemClock, WallClock},
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{task, time};
use ziggurat_core::clock;

pub use self::{error::SnowflakeError, parts::SnowflakeParts};

/// Makes unique ids; share it by reference or in an `Arc`, and have only one for a node.
///
/// ```text
///   0 | 41 bits: ms since the epoch | 10 bits: node           | 12 bits: sequence
///                                   | 5 datacenter | 5 worker |
/// ```
///
/// The layout is that of Twitter's snowflake, and so of bwmarrin's and gochat's Go packages. The node
/// is an [`InstanceId`]; one that is unique across all services whose ids meet, such as
/// [`IdLayout::MachineIds`](super::IdLayout::MachineIds), makes the ids so.
///
/// | question | answer |
/// |---|---|
/// | How many? | 4 096 a millisecond; then the next millisecond is waited for |
/// | Clock set back? | the time gone back is waited for, up to a limit; nothing is ever made twice |
/// | Node lost? | no more ids: the node is checked after the clock is read, so an id never has a time at which somebody else had its node |
/// | Threads? | one generator for all: ids rise strictly, whichever thread asks |
/// | Started again? | another node, most likely; clocks that differ by more than a restart takes are beyond it |
///
/// # Defaults
///
/// The epoch 1 288 834 974 657 ms (2010-11-04), the system's clock, and a second of waiting for a
/// clock that was set back.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use ziggurat::coord::{IdLayout, InstanceIds, MemoryStore, Snowflake};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(MemoryStore::new());
/// let ids = InstanceIds::new(store, "im-logic")?.layout(IdLayout::MachineIds);
/// let snowflake = Snowflake::new(ids.acquire().await?)?;
///
/// let (first, second) = (snowflake.next_id().await?, snowflake.next_id().await?);
/// assert!(first < second);
/// assert_eq!(snowflake.decode(first).node, snowflake.node()?);
/// # Ok(())
/// # }
/// ```
pub struct Snowflake {
    node: Node,
    epoch: u64,
    clock: Arc<dyn WallClock>,
    max_wait: Duration,
    sequence: Sequence,
}

#[derive(Debug)]
enum Node {
    Held(Arc<InstanceId>),
    Fixed(u16),
}

/// Twitter's, in milliseconds.
const EPOCH: u64 = 1_288_834_974_657;
/// How often others are let go first before a whole millisecond is slept: the next one is near, and a
/// timer would overshoot it by another one, which eight threads at the ceiling pay with a quarter of
/// their ids. About a millisecond where nobody else has anything to do.
const YIELDS: u32 = 16_384;

// === impl Snowflake ===

impl Snowflake {
    /// Makes ids for as long as the instance id is held. A clone of the `Arc` may be used elsewhere,
    /// but never for another generator: the two would make the same ids.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if its number is above 1023, or if there was a generator for
    /// this instance id before.
    pub fn new(id: impl Into<Arc<InstanceId>>) -> Result<Self, StoreError> {
        let id = id.into();
        check(id.id_unchecked())?;
        if !id.claim() {
            let rule = "must not have had a generator before";
            return Err(StoreError::invalid("id", id.key(), rule));
        }
        Ok(Self::with(Node::Held(id)))
    }

    /// Makes ids for a node that somebody else takes care of.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if it is above 1023.
    pub fn fixed(node: u16) -> Result<Self, StoreError> {
        check(node)?;
        Ok(Self::with(Node::Fixed(node)))
    }

    fn with(node: Node) -> Self {
        Self {
            node,
            epoch: EPOCH,
            clock: Arc::new(SystemClock),
            max_wait: Duration::from_secs(1),
            sequence: Sequence::default(),
        }
    }

    /// Counts time from here, in milliseconds since 1970.
    #[must_use]
    pub fn epoch(self, unix_millis: u64) -> Self {
        let epoch = unix_millis;
        Self { epoch, ..self }
    }

    /// Reads the time of day from this clock.
    #[must_use]
    pub fn clock(self, clock: impl WallClock) -> Self {
        let clock = Arc::new(clock);
        Self { clock, ..self }
    }

    /// Waits this long at most in one call of [`next_id`](Self::next_id); zero for not at all.
    #[must_use]
    pub fn max_wait(self, max_wait: Duration) -> Self {
        Self { max_wait, ..self }
    }

    /// The node, while it is held for certain.
    ///
    /// # Errors
    ///
    /// Why it is not held any more.
    pub fn node(&self) -> Result<u16, Lost> {
        match &self.node {
            Node::Held(id) => id.id(),
            Node::Fixed(node) => Ok(*node),
        }
    }

    /// The next id, which is above zero and above all before it, if there is one right now.
    ///
    /// # Errors
    ///
    /// All of [`SnowflakeError`]; nothing is lost by them, and the next call may succeed.
    pub fn try_next_id(&self) -> Result<i64, SnowflakeError> {
        let (time, sequence) = self.sequence.next(|| self.millis())?;
        Ok(parts::compose(time.millis, time.node, sequence))
    }

    /// The next id; waits for the next millisecond if all ids of this one are made, and for a clock
    /// that was set back.
    ///
    /// # Errors
    ///
    /// [`SnowflakeError::Lost`] and [`SnowflakeError::OutOfRange`] at once, the others if it would
    /// wait too long.
    pub async fn next_id(&self) -> Result<i64, SnowflakeError> {
        let begun = clock::now();
        let mut yields = 0;
        loop {
            let wait = match self.try_next_id() {
                Err(SnowflakeError::Busy) => Duration::from_millis(1),
                Err(SnowflakeError::ClockWentBack { by }) => by,
                done => return done,
            };
            if begun.elapsed() + wait > self.max_wait {
                return self.try_next_id();
            }
            if yields < YIELDS && wait <= Duration::from_millis(1) {
                yields += 1;
                task::yield_now().await;
            } else {
                time::sleep(wait).await;
            }
        }
    }

    /// What an id that was made with this epoch says.
    #[must_use]
    pub const fn decode(&self, id: i64) -> SnowflakeParts {
        SnowflakeParts::decode(id, self.epoch)
    }

    /// The time now, and the node that is ours at that time.
    fn millis(&self) -> Result<generate::Time, SnowflakeError> {
        let now = self.clock.since_unix_epoch().as_millis();
        // In this order: a thread that is held up in between finds the node lost, and one that is
        // held up later makes an id of the time when it was not.
        let node = self.node()?;
        let millis = u64::try_from(now).unwrap_or(u64::MAX);
        let since = millis.checked_sub(self.epoch);
        match since.filter(|since| *since <= parts::MAX_MILLIS) {
            Some(millis) => Ok(generate::Time { millis, node }),
            None => Err(SnowflakeError::OutOfRange {
                unix_millis: millis,
            }),
        }
    }
}

impl fmt::Debug for Snowflake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snowflake")
            .field("node", &self.node)
            .field("epoch", &self.epoch)
            .field("max_wait", &self.max_wait)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

fn check(node: u16) -> Result<(), StoreError> {
    if node <= parts::MAX_NODE {
        return Ok(());
    }
    Err(StoreError::invalid("node", node, "must be from 0 to 1023"))
}
