//! What a proxy does to what goes through it.

use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{self, Instant},
};
use ziggurat_testkit::Proxy;

const LONG: Duration = Duration::from_secs(20);
const DELAY: Duration = Duration::from_millis(50);

/// A connection through a proxy to somebody who repeats everything.
async fn echo(tasks: &mut JoinSet<()>) -> (Proxy, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).await;
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (mut from, mut to) = stream.into_split();
            // One connection at a time is enough.
            let _ended = tokio::io::copy(&mut from, &mut to).await;
        }
    });
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    (proxy, client)
}

async fn say(client: &mut TcpStream, word: &str) -> Option<String> {
    client.write_all(word.as_bytes()).await.unwrap();
    let mut heard = vec![0; word.len()];
    let read = time::timeout(LONG, client.read_exact(&mut heard)).await;
    read.expect("an answer or an end comes").ok()?;
    Some(String::from_utf8(heard).unwrap())
}

#[tokio::test]
async fn what_is_delayed_arrives_later_in_order_and_the_connection_stays() {
    let mut tasks = JoinSet::new();
    let (proxy, mut client) = echo(&mut tasks).await;
    assert_eq!(say(&mut client, "now").await.unwrap(), "now");
    proxy.delay(DELAY);
    let begun = Instant::now();
    client.write_all(b"one ").await.unwrap();
    // What is sent later is not faster.
    assert_eq!(say(&mut client, "two ").await.unwrap(), "one ");
    assert!(begun.elapsed() >= 2 * DELAY, "there and back");
    proxy.delay(Duration::ZERO);
    assert_eq!(say(&mut client, "more").await.unwrap(), "two ");
}

#[tokio::test]
async fn what_is_lost_never_comes_and_the_hole_ends_the_connection() {
    let mut tasks = JoinSet::new();
    let (proxy, mut client) = echo(&mut tasks).await;
    assert_eq!(say(&mut client, "a").await.unwrap(), "a");
    proxy.lose(true);
    client.write_all(b"lost").await.unwrap();
    // The way back is silent, not closed.
    let silent = time::timeout(DELAY, client.read_u8()).await;
    assert!(silent.is_err(), "{silent:?}");
    proxy.lose(false);
    let ended = time::timeout(LONG, client.read_u8()).await;
    ended.unwrap().unwrap_err();
    let mut anew = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut anew, "b").await.unwrap(), "b");
}

#[tokio::test]
async fn what_is_cut_is_closed_and_can_be_opened_again() {
    let mut tasks = JoinSet::new();
    let (proxy, mut client) = echo(&mut tasks).await;
    assert_eq!(say(&mut client, "a").await.unwrap(), "a");
    proxy.cut();
    let ended = time::timeout(LONG, client.read_u8()).await;
    ended.unwrap().unwrap_err();
    let mut anew = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut anew, "b").await.unwrap(), "b");
}
