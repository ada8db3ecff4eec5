//! A resource that only one may work on at a time, and the record of who did.

use super::findings::Findings;
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Something that only the holder of one thing may work on: it counts who is at it, and refuses who
/// comes with an older token than it has seen.
///
/// A piece of work counts if its guard said before and after it that the thing is held for certain:
/// no guard can know that its thread will be held up between its word and the deed, and for that
/// there is the token.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    name: Arc<str>,
    record: Arc<Mutex<Record>>,
    findings: Findings,
}

/// Tokens whose keys were taken from their owners by force: these may learn of it too late.
#[derive(Clone, Debug, Default)]
pub(super) struct Forgiven(Arc<Mutex<HashSet<i64>>>);

/// Somebody who works at this moment; dropped, the work did not count.
pub(super) struct Work {
    stage: Stage,
    number: u64,
}

#[derive(Debug, Default)]
struct Record {
    newest: i64,
    pieces: u64,
    /// The most who were at it at once, counted or not.
    most: usize,
    /// How often somebody came with a token that was too old.
    refused: u64,
    holders: u64,
    going_on: BTreeMap<u64, Piece>,
    counted: Vec<Piece>,
    forgiven: Forgiven,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    token: i64,
    begun: Instant,
    ended: Instant,
}

/// What cannot overlap with anything that still goes on.
const OLD: Duration = Duration::from_secs(60);

// === impl Stage ===

impl Stage {
    pub(super) fn new(name: &str, findings: &Findings, forgiven: &Forgiven) -> Self {
        let record = Record {
            forgiven: forgiven.clone(),
            ..Record::default()
        };
        Self {
            name: name.into(),
            record: Arc::new(Mutex::new(record)),
            findings: findings.clone(),
        }
    }

    /// Somebody works with this token; nothing if it is too old.
    pub(super) fn enter(&self, token: i64) -> Option<Work> {
        let mut record = self.lock();
        if token < record.newest {
            record.refused += 1;
            return None;
        }
        record.holders += u64::from(token > record.newest);
        record.newest = token;
        record.pieces += 1;
        let (number, now) = (record.pieces, Instant::now());
        let piece = Piece {
            token,
            begun: now,
            ended: now,
        };
        record.going_on.insert(number, piece);
        record.most = record.most.max(record.going_on.len());
        Some(Work {
            stage: self.clone(),
            number,
        })
    }

    /// Somebody who was refused is certain all the same that this token is good.
    pub(super) fn insists(&self, token: i64) {
        let record = self.lock();
        if !record.forgiven.contains(token) {
            let (name, newest) = (&self.name, record.newest);
            self.findings.add(format_args!(
                "{name}: the guard with token {token} says that it is held after {newest} was given out"
            ));
        }
    }

    /// How many pieces of work were begun.
    pub(super) fn pieces(&self) -> u64 {
        self.lock().pieces
    }

    /// What happened here, in a line.
    pub(super) fn summary(&self) -> String {
        let record = self.lock();
        format!(
            "{}: {} holders, {} pieces of work, at most {} at a time, {} refused by token",
            self.name, record.holders, record.pieces, record.most, record.refused
        )
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Work ===

impl Work {
    /// It is done, and the guard says that the thing is still held.
    pub(super) fn counts(self) {
        let mut record = self.stage.lock();
        let Some(mut piece) = record.going_on.remove(&self.number) else {
            return;
        };
        piece.ended = Instant::now();
        if let Some(other) = record.clash(&piece) {
            let (name, one, other) = (&self.stage.name, piece.token, other.token);
            self.stage.findings.add(format_args!(
                "{name}: two acted at once, with tokens {one} and {other}"
            ));
        }
        record.keep(piece);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.stage.lock().going_on.remove(&self.number);
    }
}

// === impl Record ===

impl Record {
    /// A piece of work by somebody else that counts, at the same time, if that is nobody's fault.
    fn clash(&self, piece: &Piece) -> Option<Piece> {
        let at_once = |other: &&Piece| {
            let older = piece.token.min(other.token);
            other.token != piece.token
                && other.begun < piece.ended
                && piece.begun < other.ended
                && !self.forgiven.contains(older)
        };
        self.counted.iter().find(at_once).copied()
    }

    fn keep(&mut self, piece: Piece) {
        self.counted
            .retain(|old| piece.ended.duration_since(old.ended) < OLD);
        self.counted.push(piece);
    }
}

// === impl Forgiven ===

impl Forgiven {
    pub(super) fn add(&self, token: i64) {
        self.lock().insert(token);
    }

    fn contains(&self, token: i64) -> bool {
        self.lock().contains(&token)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const MS: Duration = Duration::from_millis(1);

    fn stage() -> (Stage, Findings, Forgiven) {
        let (findings, forgiven) = (Findings::default(), Forgiven::default());
        (Stage::new("s", &findings, &forgiven), findings, forgiven)
    }

    #[tokio::test(start_paused = true)]
    async fn two_that_act_at_once_are_found_out_unless_one_was_robbed_or_not_certain() {
        for (robbed, certain, found) in [
            (false, true, true),
            (true, true, false),
            (false, false, false),
        ] {
            let (stage, findings, forgiven) = stage();
            let one = stage.enter(5).unwrap();
            advance(MS).await;
            let other = stage.enter(7).unwrap();
            advance(MS).await;
            if robbed {
                forgiven.add(5);
            }
            if certain {
                one.counts();
            } else {
                drop(one);
            }
            advance(MS).await;
            other.counts();
            assert_eq!(findings.all().is_some(), found);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_after_the_other_is_well_and_an_old_token_is_refused() {
        let (stage, findings, _) = stage();
        for token in [5, 5, 7] {
            let work = stage.enter(token).unwrap();
            advance(MS).await;
            work.counts();
        }
        assert!(stage.enter(6).is_none());
        assert_eq!(findings.all(), None);
        stage.insists(6);
        assert!(findings.all().is_some());
        assert_eq!(stage.pieces(), 3);
        assert!(stage.summary().contains("2 holders"));
    }
}
