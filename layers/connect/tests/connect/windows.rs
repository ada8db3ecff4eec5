//! How much a server may send.

use crate::{
    server::{Server, ok},
    support::{Bytesful, bounded, make, quick, request},
};
use h2::server::Builder;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt;
use ziggurat_connect::{Connector, Settings};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// RFC 9113, 6.5.2.
const INITIAL_WINDOW_SIZE: u16 = 4;
const FIRST_WINDOW: u32 = 65_535;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    [&[a, b, c, kind, flags, 0, 0, 0, stream], payload].concat()
}

fn initial_window(settings: &[u8]) -> Option<u32> {
    let mut settings = settings.chunks(6);
    let window = settings.find(|one| one[..2] == INITIAL_WINDOW_SIZE.to_be_bytes())?;
    window[2..].try_into().ok().map(u32::from_be_bytes)
}

/// Fills the whole window before it answers a PING: the windows of streams that it is told, and how
/// much more the connection may carry, until both have grown.
async fn fill(mut socket: TcpStream) -> std::io::Result<(Vec<u32>, u32)> {
    socket.read_exact(&mut [0; 24]).await?;
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    let (mut windows, mut more) = (Vec::new(), 0);
    while windows.len() < 2 || more == 0 {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        socket.read_exact(&mut payload).await?;
        match (kind, flags & ACK) {
            (SETTINGS, 0) => {
                windows.extend(initial_window(&payload));
                socket.write_all(&frame(SETTINGS, ACK, 0, &[])).await?;
            }
            (HEADERS, _) => {
                // `:status: 200` by its place in the static table.
                socket
                    .write_all(&frame(HEADERS, END_HEADERS, 1, &[0x88]))
                    .await?;
                for _ in 0..5 {
                    let data = vec![0; FIRST_WINDOW as usize / 5];
                    socket.write_all(&frame(DATA, 0, 1, &data)).await?;
                }
            }
            (PING, 0) => socket.write_all(&frame(PING, ACK, 0, &payload)).await?,
            (WINDOW_UPDATE, _) if stream == [0; 4] => {
                more += u32::from_be_bytes(payload.try_into().unwrap());
            }
            _ => {}
        }
    }
    Ok((windows, more))
}

#[tokio::test]
async fn a_window_that_adapts_grows_when_it_was_full() {
    bounded(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = quick().adaptive_windows();
        let connection = make(Connector::<Bytesful>::new(settings), address).await;
        let (socket, _) = listener.accept().await.unwrap();
        let call = async {
            let _unread = connection.oneshot(request()).await.unwrap();
            std::future::pending().await
        };
        let (windows, more) = tokio::select! {
            filled = fill(socket) => filled.unwrap(),
            () = call => unreachable!(),
        };
        assert_eq!(windows[0], FIRST_WINDOW);
        assert!(windows[1] > FIRST_WINDOW, "{windows:?}");
        assert!(more >= windows[1] - FIRST_WINDOW, "{windows:?} and {more}");
    })
    .await;
}

/// So many answers that nobody reads, each longer than any window; and one that is read.
async fn unread(settings: Settings, answers: usize) {
    let mut server = Server::start(Builder::new()).await;
    let connection = make(Connector::<Bytesful>::new(settings), server.address).await;
    let mut held = Vec::new();
    for n in 0..=answers {
        let mut call = tokio_test::task::spawn(connection.clone().oneshot(request()));
        let (_request, mut respond) = tokio::select! {
            _ = &mut call => panic!("nobody answered"),
            came = server.came() => came,
        };
        let mut answer = respond.send_response(ok(), false).unwrap();
        let length = if n < answers { 4 << 20 } else { 4 };
        answer.send_data(vec![0; length].into(), true).unwrap();
        held.push(call.await.unwrap());
    }
    let read = held.pop().unwrap().into_body().collect().await.unwrap();
    assert_eq!(read.to_bytes().len(), 4);
}

#[tokio::test]
async fn answers_that_nobody_reads_keep_no_other_from_coming() {
    bounded(unread(quick(), 16)).await;
    bounded(unread(quick().adaptive_windows(), 16)).await;
}
