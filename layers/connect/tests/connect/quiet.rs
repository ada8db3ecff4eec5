//! Connections on which nothing happens for long, in virtual time: by the hour.

use crate::support::{Bytesful, Plain, finish, make, pass, quick, request, sent};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tower::ServiceExt;
use ziggurat_connect::{Connection, Settings};
use ziggurat_core::{
    BoxError, Code, Endpoint, Sent, State,
    clock::{self, Instant},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// What a server of grpc-go's makes of PINGs when it is not told otherwise: one in 5 minutes with a
/// call, one in 2 hours without; of one too early it takes note, and after two it hangs up.
#[derive(Default)]
struct Police {
    pings: usize,
    strikes: usize,
    last: Option<Instant>,
}

/// What the server does about calls.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    /// Nothing at all.
    Nothing,
    /// It sends the head, and no more.
    Head,
    /// It answers no PING either, from the first call on.
    Hang,
}

impl Police {
    /// False: it hangs up.
    fn ping(&mut self, calls: bool) -> bool {
        let now = clock::now();
        let least = if calls { 5 * MINUTE } else { 2 * HOUR };
        self.pings += 1;
        if self.last.is_some_and(|last| now - last < least) {
            self.strikes += 1;
        }
        self.last = Some(now);
        self.strikes <= 2
    }

    fn answered(&mut self) {
        self.strikes = 0;
    }
}

async fn served(answer: Answer) -> (std::net::SocketAddr, Arc<Mutex<Police>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let police = Arc::<Mutex<Police>>::default();
    let told = Arc::clone(&police);
    #[allow(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        // The first is the only one: one that is lost is not made again.
        drop(listener);
        let _ = serve(socket, answer, &told).await;
    });
    (address, police)
}

async fn serve(
    mut socket: TcpStream,
    answer: Answer,
    police: &Mutex<Police>,
) -> std::io::Result<()> {
    socket.read_exact(&mut [0; 24]).await?;
    socket.write_all(&frame(4, 0, 0, &[])).await?;
    let mut top = 0;
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        socket.read_exact(&mut payload).await?;
        let reply = match (kind, flags & 1) {
            (1, _) => {
                top = u32::from_be_bytes(id);
                if answer == Answer::Head {
                    police.lock().unwrap().answered();
                    // END_HEADERS; `:status: 200` by its place in the static table.
                    frame(1, 4, top, &[0x88])
                } else {
                    continue;
                }
            }
            (4, 0) => frame(4, 1, 0, &[]),
            (6, 0) if answer == Answer::Hang && top > 0 => continue,
            (6, 0) if police.lock().unwrap().ping(top > 0) => frame(6, 1, 0, &payload),
            (6, 0) => {
                let calm = 11_u32.to_be_bytes();
                frame(
                    7,
                    0,
                    0,
                    &[&top.to_be_bytes()[..], &calm, b"too_many_pings"].concat(),
                )
            }
            _ => continue,
        };
        socket.write_all(&reply).await?;
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// An endpoint that is connected, and a call to it that is under way.
async fn called(
    settings: Settings,
    answer: Answer,
) -> (Arc<Mutex<Police>>, Connection<Bytesful>, JoinHandle<Ended>) {
    let (address, police) = served(answer).await;
    let connection = make(Plain::new(settings), address).await;
    pass(SECOND, SECOND / 10).await;
    assert_eq!(connection.availability().state(), State::Ready);
    let call = connection.clone().oneshot(request());
    #[allow(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    let call = tokio::spawn(async move { finish(call.await).await });
    pass(SECOND, SECOND / 10).await;
    (police, connection, call)
}

type Ended = Result<Option<Code>, BoxError>;

#[tokio::test(start_paused = true)]
async fn a_quiet_call_lasts_for_a_day_at_a_server_that_counts_pings() {
    for answer in [Answer::Head, Answer::Nothing] {
        let (police, _connection, call) = called(Settings::default(), answer).await;
        pass(24 * HOUR, 20 * SECOND).await;
        assert!(!call.is_finished(), "it was cut off");
        let police = police.lock().unwrap();
        assert_eq!(police.strikes, 0);
        // It was asked, again and again.
        assert!((200..=288).contains(&police.pings), "{}", police.pings);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_not_asked() {
    let (address, police) = served(Answer::Nothing).await;
    let often = quick().keepalive(SECOND, SECOND).unwrap();
    let connection = make(Plain::new(often), address).await;
    pass(6 * HOUR, 20 * SECOND).await;
    assert_eq!(connection.availability().state(), State::Ready);
    assert_eq!(police.lock().unwrap().pings, 0);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_hangs_is_noticed_by_the_call_that_is_open() {
    let (_, connection, call) = called(Settings::default(), Answer::Hang).await;
    pass(6 * MINUTE, SECOND).await;
    assert!(!call.is_finished());
    pass(MINUTE, SECOND).await;
    assert_eq!(sent(&call.await.unwrap().unwrap_err()), Sent::Unknown);
    assert_ne!(connection.availability().state(), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn settings_that_no_clock_can_hold_work() {
    let longest = Settings::default()
        .keepalive(Duration::MAX, Duration::MAX)
        .and_then(|settings| settings.connect_timeout(Duration::MAX))
        .unwrap();
    let (_, connection, call) = called(longest, Answer::Head).await;
    pass(24 * HOUR, MINUTE).await;
    assert!(!call.is_finished());
    assert_eq!(connection.availability().state(), State::Ready);
}
