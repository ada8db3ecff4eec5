//! What PINGs tell: whether the peer lives, and how much the way to it carries.

use crate::{
    bandwidth::Bandwidth,
    heard::{Hearing, Read},
    settings::Keepalive,
};
use bytes::Bytes;
use h2::{Ping, PingPong, client::Connection};
use std::{
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::time::{Sleep, sleep_until};
use ziggurat_core::clock::{self, Instant};

/// Asks by PING, one at a time.
pub(crate) struct Pulse {
    pings: PingPong,
    /// When the PING went out that is not answered yet.
    asked_at: Option<Instant>,
    life: Option<Life>,
    bandwidth: Option<Bandwidth>,
}

/// What there is to be done about it.
pub(crate) enum Beat {
    /// The peer did not answer in time.
    Lost,
    /// So many bytes should be allowed to be on their way.
    Wider(u32),
}

/// Asks whether the peer lives, when nothing was heard of it while a call is open.
struct Life {
    keepalive: Keepalive,
    heard_at: Instant,
    timer: Pin<Box<Sleep>>,
    /// Whom the timer wakes.
    waker: Option<Waker>,
    wait: Wait,
}

/// What the timer is set for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Nothing: there was no call.
    Idle,
    /// The peer is to be asked.
    Silence,
    /// It is to be given up.
    Answer,
}

enum Due {
    Ask,
    GiveUp,
}

// === impl Pulse ===

impl Pulse {
    /// `None`: nobody wants to know anything.
    pub(crate) fn new(
        connection: &mut Connection<Hearing, Bytes>,
        keepalive: Option<Keepalive>,
        adaptive: bool,
    ) -> Option<Self> {
        if keepalive.is_none() && !adaptive {
            return None;
        }
        let now = clock::now();
        Some(Self {
            pings: connection.ping_pong()?,
            asked_at: None,
            life: keepalive.map(|keepalive| Life::new(keepalive, now)),
            bandwidth: adaptive.then(|| Bandwidth::new(now)),
        })
    }

    /// After the connection was polled, and so much was read of it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, read: Read, in_use: bool) -> Poll<Beat> {
        let answered = self.poll_answer(cx);
        let mut wider = None;
        if read.all > 0 || answered.is_some() {
            let now = clock::now();
            if let Some(life) = &mut self.life {
                life.heard_at = now;
            }
            if let Some(bandwidth) = &mut self.bandwidth {
                // Only of data: a server of gRPC's counts the PINGs that come while it sends none.
                // And first: the answer came behind it.
                let measures = in_use && read.data > 0 && bandwidth.read(read.data, now);
                wider = answered.and_then(|asked_at| bandwidth.answered(asked_at, now));
                if measures && answered.is_none() {
                    self.ask(now);
                }
            }
        }
        // Also when the window is to be wider: what was answered is told once.
        if self.poll_life(cx, in_use, answered.is_some()).is_ready() {
            return Poll::Ready(Beat::Lost);
        }
        wider.map_or(Poll::Pending, |window| Poll::Ready(Beat::Wider(window)))
    }

    /// Ready when there is none.
    fn poll_life(&mut self, cx: &mut Context<'_>, in_use: bool, answered: bool) -> Poll<()> {
        let Some(life) = &mut self.life else {
            return Poll::Pending;
        };
        match ready!(life.poll(cx, in_use, answered)) {
            Due::GiveUp => Poll::Ready(()),
            Due::Ask => {
                self.ask(clock::now());
                // Again, for the timer is set anew.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// When the PING went out that was answered.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Option<Instant> {
        self.asked_at?;
        match self.pings.poll_pong(cx) {
            // The error is that of a connection that is gone.
            Poll::Pending | Poll::Ready(Err(_)) => None,
            Poll::Ready(Ok(_)) => self.asked_at.take(),
        }
    }

    fn ask(&mut self, now: Instant) {
        // One that is on its way asks for both.
        if self.asked_at.is_none() && self.pings.send_ping(Ping::opaque()).is_ok() {
            self.asked_at = Some(now);
        }
    }
}

// === impl Life ===

impl Life {
    fn new(keepalive: Keepalive, now: Instant) -> Self {
        Self {
            keepalive,
            heard_at: now,
            timer: Box::pin(sleep_until(now)),
            waker: None,
            wait: Wait::Idle,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, in_use: bool, answered: bool) -> Poll<Due> {
        match self.wait {
            Wait::Idle if !in_use => return Poll::Pending,
            Wait::Idle => self.wait_for_silence(),
            Wait::Answer if answered => self.wait_for_silence(),
            Wait::Silence | Wait::Answer => {}
        }
        while self.is_over(cx) {
            match self.wait {
                // Behind what comes the answer may stand: who sends anything lives.
                Wait::Answer if self.heard_at + self.keepalive.timeout > clock::now() => {
                    self.set(self.heard_at + self.keepalive.timeout);
                }
                Wait::Answer => return Poll::Ready(Due::GiveUp),
                _ if self.heard_at + self.keepalive.interval > clock::now() => {
                    self.wait_for_silence();
                }
                // Servers take a PING without a call for abuse; TCP looks after idle connections.
                _ if !in_use => {
                    self.wait = Wait::Idle;
                    return Poll::Pending;
                }
                _ => {
                    self.wait = Wait::Answer;
                    self.set(clock::now() + self.keepalive.timeout);
                    return Poll::Ready(Due::Ask);
                }
            }
        }
        Poll::Pending
    }

    fn wait_for_silence(&mut self) {
        self.wait = Wait::Silence;
        self.set(self.heard_at + self.keepalive.interval);
    }

    fn set(&mut self, at: Instant) {
        self.timer.as_mut().reset(at);
        self.waker = None;
    }

    /// Is what the timer was set for over?
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.timer.is_elapsed() {
            return true;
        }
        let waker = cx.waker();
        // The timer is asked once for every time that it is set: this is every poll of the socket.
        if self.waker.as_ref().is_some_and(|set| set.will_wake(waker)) {
            return false;
        }
        self.waker = Some(waker.clone());
        self.timer.as_mut().poll(cx).is_ready()
    }
}
