//! What Redis is asked, and what it answers.

use redis::{ErrorKind, RedisError, Script, ServerErrorKind, Value, aio::MultiplexedConnection};
use std::{sync::OnceLock, time::Duration};
use ziggurat_limit::Rate;

/// How a limit is kept in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Layout {
    /// GCRA: a string with one number, the time in microseconds when the bucket would be full again.
    /// It expires a second after that.
    #[default]
    Gcra,
    /// The token bucket of gochat's Go services: a hash with `tokens`, `last_refill_ts` (nanoseconds),
    /// `total_requests` and `allowed_requests`; but by the clock of Redis, and it expires when it was
    /// not used for a day, or for as long as it takes to fill if that is longer. The counts are of what
    /// Redis was asked for: what a process refuses by itself is not in `total_requests`.
    Gochat,
}

/// What to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) rate: Rate,
    /// If there are that many.
    pub(super) most: u32,
    /// Or else nothing.
    pub(super) least: u32,
}

/// What was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) granted: u32,
    /// How long until what was refused could be had, or another one if all was taken that was there.
    pub(super) wait: Duration,
}

/// Why nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Redis is out of reach, or does not do what it is told.
    Down,
    /// Redis did not answer in time.
    Slow,
    /// Of this key alone: it holds something else, or the answer makes no sense.
    Malformed,
    /// Of this key alone: another node of a cluster has it.
    Elsewhere,
}

// === impl Layout ===

impl Layout {
    /// Takes what is wanted of the limit under `key`, in one call; in two if Redis does not know the
    /// script, be it that it was started anew or that its scripts were flushed.
    pub(super) async fn take(
        self,
        connection: &mut MultiplexedConnection,
        key: &str,
        want: Want,
    ) -> Result<Grant, Trouble> {
        let short = self.ask(connection, "EVALSHA", self.script().get_hash(), key, want);
        let answer = match short.await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.ask(connection, "EVAL", self.code(), key, want).await
            }
            answer => answer,
        };
        let value = answer.map_err(|error| trouble(&error))?;
        self.read(&value, want).ok_or(Trouble::Malformed)
    }

    async fn ask(
        self,
        connection: &mut MultiplexedConnection,
        command: &str,
        script: &str,
        key: &str,
        want: Want,
    ) -> Result<Value, RedisError> {
        let micros = want.rate.period().as_nanos() as f64 / 1_000.0;
        let mut command = redis::cmd(command);
        command.arg(script).arg(1).arg(key);
        command.arg(want.rate.count()).arg(micros);
        command.arg(want.rate.at_once());
        command.arg(want.most).arg(want.least);
        command.query_async(connection).await
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Gcra => include_str!("gcra.lua"),
            Self::Gochat => include_str!("gochat.lua"),
        }
    }

    fn script(self) -> &'static Script {
        static GCRA: OnceLock<Script> = OnceLock::new();
        static GOCHAT: OnceLock<Script> = OnceLock::new();
        let script = match self {
            Self::Gcra => &GCRA,
            Self::Gochat => &GOCHAT,
        };
        script.get_or_init(|| Script::new(self.code()))
    }

    /// What an answer means, if it means anything.
    fn read(self, answer: &Value, want: Want) -> Option<Grant> {
        let Value::Array(values) = answer else {
            return None;
        };
        let number = |value: &Value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        let (granted, wait) = match (self, values.as_slice()) {
            (Self::Gcra, [granted, _left, wait]) => (granted, wait),
            (Self::Gochat, [granted, _left, _total, _allowed, wait]) => (granted, wait),
            _ => return None,
        };
        let granted = u32::try_from(number(granted)?).ok()?;
        let plausible = granted == 0 || (want.least..=want.most).contains(&granted);
        plausible.then_some(Grant {
            granted,
            wait: Duration::from_micros(number(wait)?),
        })
    }
}

fn trouble(error: &RedisError) -> Trouble {
    match error.code() {
        Some("WRONGTYPE" | "BADBUCKET") => Trouble::Malformed,
        Some("MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN") => Trouble::Elsewhere,
        _ if error.is_timeout() => Trouble::Slow,
        _ => Trouble::Down,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want() -> Want {
        let rate = Rate::per_second(10).unwrap();
        let (most, least) = (5, 2);
        Want { rate, most, least }
    }

    #[test]
    fn an_answer_of_another_shape_means_nothing() {
        let ints = |values: &[i64]| Value::Array(values.iter().copied().map(Value::Int).collect());
        let good = Layout::Gcra.read(&ints(&[5, 0, 7]), want()).unwrap();
        assert_eq!((good.granted, good.wait), (5, Duration::from_micros(7)));
        assert!(
            Layout::Gochat
                .read(&ints(&[2, 0, 9, 8, 7]), want())
                .is_some()
        );
        assert!(Layout::Gcra.read(&ints(&[0, 1, 7]), want()).is_some());
        for bad in [
            Value::Nil,
            Value::Okay,
            Value::Int(1),
            ints(&[]),
            ints(&[1]),
            ints(&[2, 0]),
            ints(&[2, 0, 0, 0]),
            // More than was asked for, less than is of use, and less than nothing.
            ints(&[6, 0, 0]),
            ints(&[1, 0, 0]),
            ints(&[-1, 0, 0]),
            ints(&[2, 0, -1]),
            ints(&[i64::MAX, 0, 0]),
            Value::Array(vec![Value::Nil, Value::Int(0), Value::Int(0)]),
            Value::Array(vec![Value::Double(f64::NAN), Value::Int(0), Value::Int(0)]),
        ] {
            assert_eq!(Layout::Gcra.read(&bad, want()), None, "{bad:?}");
            assert_eq!(Layout::Gochat.read(&bad, want()), None, "{bad:?}");
        }
    }
}
