//! What a connection is allowed, and how patient it is.

use std::{fmt, time::Duration};
use ziggurat_core::{Backoff, InvalidSetting};

mod keepalive;
#[cfg(test)]
mod tests;

pub(crate) use self::keepalive::Keepalive;

/// How connections are made and kept.
///
/// # Defaults
///
/// | setting | default |
/// |---|---|
/// | [`connect_timeout`](Self::connect_timeout) | 10 s |
/// | [`backoff`](Self::backoff) | gRPC's: 1 s, times 1.6, up to 120 s, 20 % either way |
/// | [`keepalive`](Self::keepalive) | a PING every 6 min while a call is open, answered within 20 s |
/// | [`tcp_timeout`](Self::tcp_timeout) | 30 s |
/// | [`nodelay`](Self::nodelay) | yes |
/// | [`windows`](Self::windows) | 2 MiB a stream, 256 MiB a connection |
/// | [`max_frame_size`](Self::max_frame_size) | 16 KiB |
/// | [`max_header_list_size`](Self::max_header_list_size) | 64 KiB |
/// | [`max_waiting`](Self::max_waiting) | 1024 calls |
/// | [`more_connections`](Self::more_connections) | 1 |
/// | [`idle_close`](Self::idle_close) | never |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub(crate) connect_timeout: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) tcp_timeout: Option<Duration>,
    pub(crate) nodelay: bool,
    pub(crate) windows: Windows,
    pub(crate) max_frame_size: u32,
    pub(crate) max_header_list_size: u32,
    pub(crate) max_waiting: usize,
    pub(crate) spares: u8,
    pub(crate) idle_close: Option<Duration>,
}

/// How much may be on its way to us, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windows {
    Fixed { stream: u32, connection: u32 },
    Adaptive,
}

/// RFC 9113, 6.5.2: what SETTINGS_INITIAL_WINDOW_SIZE is unless somebody says otherwise.
const SMALLEST_WINDOW: u32 = 65_535;
/// RFC 9113, 6.9.1: the largest window there is.
pub(crate) const LARGEST_WINDOW: u32 = 0x7fff_ffff;
/// RFC 9113, 6.5.2: what SETTINGS_MAX_FRAME_SIZE can be.
const SMALLEST_FRAME: u32 = 1 << 14;
const LARGEST_FRAME: u32 = (1 << 24) - 1;
/// Below it a proxy's ordinary error page has no room; above it one answer costs a lot of memory.
const HEADER_LISTS: std::ops::RangeInclusive<u32> = 1 << 10..=16 << 20;
/// As good as never (about 30 years), and short enough to be added to any clock.
const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);
/// Connecting again must not cost more than was saved.
const SHORTEST_IDLE: Duration = Duration::from_secs(1);
const SHORTEST_SILENCE: Duration = Duration::from_secs(6);
const LONGEST_SILENCE: Duration = Duration::from_secs(3_600);

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            backoff: Backoff::GRPC_CONNECT,
            // A server of grpc-go's allows one in 5 min, unless it is told otherwise.
            keepalive: Some(Keepalive {
                interval: Duration::from_secs(360),
                timeout: Duration::from_secs(20),
            }),
            tcp_timeout: Some(Duration::from_secs(30)),
            nodelay: true,
            windows: Windows::Fixed {
                stream: 2 << 20,
                connection: 256 << 20,
            },
            max_frame_size: SMALLEST_FRAME,
            max_header_list_size: 64 << 10,
            max_waiting: 1024,
            spares: 1,
            idle_close: None,
        }
    }

    /// One try to connect takes at most this long: looking the name up, TCP over all its addresses,
    /// and the server's SETTINGS.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn connect_timeout(mut self, timeout: Duration) -> Result<Self, InvalidSetting> {
        above_zero("connect_timeout", timeout)?;
        self.connect_timeout = timeout;
        Ok(self)
    }

    /// Waits so between two tries that failed.
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Asks the server by PING every `interval` while a call is open, and takes the connection for
    /// lost when it has not answered within `timeout`: so a process is noticed that hangs, though
    /// its machine still answers.
    ///
    /// Below 5 min by default servers of grpc-go's close the connection; gRPC's other servers have
    /// limits of their own. A server that answers with GOAWAY and ENHANCE_YOUR_CALM is asked half as
    /// often from then on. More than about 30 years are as many.
    ///
    /// # Errors
    ///
    /// If either is zero.
    pub fn keepalive(
        mut self,
        interval: Duration,
        timeout: Duration,
    ) -> Result<Self, InvalidSetting> {
        above_zero("keepalive interval", interval)?;
        above_zero("keepalive timeout", timeout)?;
        self.keepalive = Some(Keepalive {
            interval: interval.min(NEVER),
            timeout: timeout.min(NEVER),
        });
        Ok(self)
    }

    /// Never asks by PING: a process that hangs is noticed by its calls alone.
    #[must_use]
    pub const fn no_keepalive(mut self) -> Self {
        self.keepalive = None;
        self
    }

    /// Takes the connection for lost when the peer's machine has not answered for so long, with
    /// calls or without: TCP asks it after half of this time without a word (keepalive), and sends
    /// nothing again for longer (user timeout). `None`: what the system is set to, often hours.
    ///
    /// A whole number of seconds that 6 divides is kept exactly. Only Linux, Android and Fuchsia
    /// have a user timeout; elsewhere what was sent may be sent again for longer.
    ///
    /// # Errors
    ///
    /// If it is below 6 s or above 1 h.
    pub fn tcp_timeout(
        mut self,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Self, InvalidSetting> {
        let timeout = timeout.into();
        let sane = |time: Duration| (SHORTEST_SILENCE..=LONGEST_SILENCE).contains(&time);
        let rule = "must be from 6 s to 1 h";
        check(
            timeout.is_none_or(sane),
            "tcp_timeout",
            timeout.unwrap_or_default(),
            rule,
        )?;
        self.tcp_timeout = timeout;
        Ok(self)
    }

    /// So many bytes may be on their way to us or not read yet: on one stream, and on the whole
    /// connection.
    ///
    /// An answer that nobody reads holds up to the first of the second, and when nothing of that is
    /// left no answer on the connection goes on: it should be many times the first.
    ///
    /// The second is also as much unread answer as a server can make one connection hold in memory: for
    /// servers that are not trusted it is lowered, to as many times the first as there are large answers
    /// at once. A channel has a connection an instance, and with
    /// [`more_connections`](Self::more_connections) so many more.
    ///
    /// # Errors
    ///
    /// If one is below 65 535 or above 2 147 483 647 bytes.
    pub fn windows(mut self, stream: u32, connection: u32) -> Result<Self, InvalidSetting> {
        is_window("stream window", stream)?;
        is_window("connection window", connection)?;
        self.windows = Windows::Fixed { stream, connection };
        Ok(self)
    }

    /// Lets the windows grow from 64 KiB with what the way there carries (bandwidth times delay, up
    /// to 16 MiB a stream, and 128 times as much a connection) instead of being fixed: for few
    /// connections over long ways. It is measured by PINGs while answers come in, which a server that
    /// counts PINGs may count.
    #[must_use]
    pub const fn adaptive_windows(mut self) -> Self {
        self.windows = Windows::Adaptive;
        self
    }

    /// The peer may send frames of this many bytes.
    ///
    /// # Errors
    ///
    /// If it is below 16 384 or above 16 777 215 bytes.
    pub fn max_frame_size(mut self, bytes: u32) -> Result<Self, InvalidSetting> {
        let rule = "must be from 16384 to 16777215 bytes";
        let sane = (SMALLEST_FRAME..=LARGEST_FRAME).contains(&bytes);
        check(sane, "max_frame_size", bytes, rule)?;
        self.max_frame_size = bytes;
        Ok(self)
    }

    /// The headers, and the trailers, of an answer may have so many bytes, each of them counted with
    /// 32 more (RFC 9113, 6.5.2); a call whose answer has more fails.
    ///
    /// # Errors
    ///
    /// If it is below 1 KiB or above 16 MiB.
    pub fn max_header_list_size(mut self, bytes: u32) -> Result<Self, InvalidSetting> {
        let rule = "must be from 1024 to 16777216 bytes";
        let sane = HEADER_LISTS.contains(&bytes);
        check(sane, "max_header_list_size", bytes, rule)?;
        self.max_header_list_size = bytes;
        Ok(self)
    }

    /// Sends what there is at once (`true`), or has the system collect small packets (Nagle's
    /// algorithm), which costs calls time and saves packets.
    #[must_use]
    pub const fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// While calls wait for a stream, for the server allows no more on a connection, up to so many
    /// further connections are made to the endpoint; gRPC knows it as gRFC A105. Calls go to them
    /// when the first is full, so that they fall idle and are closed, after a minute without a call.
    ///
    /// # Errors
    ///
    /// If there are more than 9.
    pub fn more_connections(mut self, connections: u8) -> Result<Self, InvalidSetting> {
        let rule = "must be from 0 to 9";
        check(connections <= 9, "more_connections", connections, rule)?;
        self.spares = connections;
        Ok(self)
    }

    /// Closes a connection that had no call for so long (and up to a quarter more); the endpoint is
    /// [`Idle`](ziggurat_core::State::Idle) then, and the next call connects it. `None`: never. A stream
    /// is a call for as long as it is open, also one by which an endpoint is asked how it does.
    ///
    /// # Errors
    ///
    /// If it is below 1 s.
    pub fn idle_close(
        mut self,
        after: impl Into<Option<Duration>>,
    ) -> Result<Self, InvalidSetting> {
        let after = after.into();
        let sane = after.is_none_or(|after| after >= SHORTEST_IDLE);
        let (field, rule) = ("idle_close", "must be at least 1 s");
        check(sane, field, after.unwrap_or_default(), rule)?;
        self.idle_close = after.map(|after| after.min(NEVER));
        Ok(self)
    }

    /// So many calls may wait for a free stream of an endpoint; more are refused at once.
    #[must_use]
    pub const fn max_waiting(mut self, calls: usize) -> Self {
        self.max_waiting = calls;
        self
    }
}

fn above_zero(field: &'static str, value: Duration) -> Result<(), InvalidSetting> {
    let rule = "must be above zero";
    check(!value.is_zero(), field, value, rule)
}

fn is_window(field: &'static str, value: u32) -> Result<(), InvalidSetting> {
    let rule = "must be from 65535 to 2147483647 bytes";
    let sane = (SMALLEST_WINDOW..=LARGEST_WINDOW).contains(&value);
    check(sane, field, value, rule)
}

fn check(
    sane: bool,
    field: &'static str,
    value: impl fmt::Debug,
    rule: &'static str,
) -> Result<(), InvalidSetting> {
    if sane {
        return Ok(());
    }
    let of = "connection settings";
    Err(InvalidSetting::new(of, field, value, rule))
}
