//! Endpoints that are asked how they do; the answers are in the hands of the test.

use crate::{
    bench::{Connector, Node, connect_to, fail_http, pass, state},
    peer::{NOT_SERVING, Peer, Reply, SERVING, message, trailers},
};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::Full;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;
use tower::Layer;
use ziggurat_core::{Backoff, Dice, Endpoint, EndpointId, Live, Reporter, State};
use ziggurat_health::{
    HealthLayer, Observer,
    active::{ActiveLayer, Monitored, Settings},
};

type Asked = Monitored<Node<Peer>>;

fn settings() -> Settings {
    let second = Duration::from_secs(1);
    let backoff = Backoff::new(second, 2.0, 8 * second).unwrap();
    Settings::new()
        .service("users")
        .backoff(backoff.jitter(0.0).unwrap())
}

async fn ask(peer: &Peer, settings: Settings) -> Asked {
    let layer = ActiveLayer::new(settings, Full::from).dice(Dice::seeded(1));
    connect_to(layer.layer(Connector(peer.clone())), "echo", "a").await
}

/// Lets tasks run, in no time.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn it_is_not_picked_before_its_first_answer_and_then_by_what_it_says() {
    let peer = Peer::default();
    let says = peer.stream();
    let endpoint = ask(&peer, settings()).await;
    assert_eq!(state(&endpoint), State::Connecting);
    settle().await;
    assert_eq!(state(&endpoint), State::Connecting);
    for (status, expected) in [
        (SERVING, State::Ready),
        (NOT_SERVING, State::Down),
        (3, State::Down),
        (SERVING, State::Ready),
        (0, State::Down),
    ] {
        says.send(message(status)).unwrap();
        settle().await;
        assert_eq!(state(&endpoint), expected, "after {status}");
        let availability = endpoint.availability();
        assert_eq!(availability.reported(Reporter::Connection), State::Ready);
    }
    assert_eq!(peer.asked(), ["Watch users"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_watch_is_checked_again_and_again() {
    let peer = Peer::default();
    peer.reply(Reply::Trailers("12"));
    peer.answer(SERVING);
    peer.answer(NOT_SERVING);
    peer.reply(Reply::Trailers("5"));
    peer.answer(SERVING);
    let endpoint = ask(&peer, settings()).await;
    settle().await;
    assert_eq!(peer.asked(), ["Watch users", "Check users"]);
    let deadlines = peer.0.lock().unwrap().deadlines.clone();
    assert_eq!(deadlines, [None, Some(Duration::from_secs(5))]);
    for expected in [State::Ready, State::Down, State::Down, State::Ready] {
        assert_eq!(state(&endpoint), expected);
        pass(5).await;
    }
    assert_eq!(peer.asked().len(), 4, "the last one hangs");
    pass(5).await;
    assert_eq!(
        state(&endpoint),
        State::Down,
        "for as long as a check may take"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_tell_is_well_until_it_is_connected_anew() {
    for reply in [|| Reply::Trailers("12"), || Reply::Http(404)] {
        let peer = Peer::default();
        peer.reply(reply());
        peer.reply(reply());
        let endpoint = ask(&peer, settings()).await;
        settle().await;
        assert_eq!(state(&endpoint), State::Ready);
        pass(3_600).await;
        assert_eq!(peer.asked(), ["Watch users", "Check users"]);

        let availability = endpoint.availability();
        availability.report(Reporter::Connection, State::Down);
        settle().await;
        availability.report(Reporter::Connection, State::Ready);
        let says = peer.stream();
        settle().await;
        assert_eq!(state(&endpoint), State::Connecting);
        says.send(message(SERVING)).unwrap();
        settle().await;
        assert_eq!(state(&endpoint), State::Ready);
        assert_eq!(peer.asked(), ["Watch users"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_that_brings_no_answer_is_repeated_with_backoff() {
    let malformed = || {
        let (send, receive) = mpsc::unbounded_channel();
        let compressed = Bytes::from_static(&[1, 0, 0, 0, 0]);
        send.send(Frame::data(compressed)).unwrap();
        Reply::Stream(receive)
    };
    let cut_off = || Reply::Stream(mpsc::unbounded_channel().1);
    let peer = Peer::default();
    peer.reply(Reply::Refuse);
    peer.reply(Reply::Trailers("14"));
    peer.reply(malformed());
    peer.reply(cut_off());
    peer.reply(Reply::Http(503));
    let endpoint = ask(&peer, settings()).await;
    let says = peer.stream();
    settle().await;
    assert_eq!(state(&endpoint), State::Down);
    for seconds in [1, 2, 4, 8, 8] {
        assert_eq!(peer.asked().len(), 1);
        tokio::time::sleep(Duration::from_millis(seconds * 1_000 - 10)).await;
        assert!(peer.asked().is_empty(), "{seconds} s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(peer.asked().len(), 1);
    says.send(message(SERVING)).unwrap();
    settle().await;
    assert_eq!(state(&endpoint), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_says_anything_is_out_in_time() {
    let peer = Peer::default();
    let _silent = peer.stream();
    let endpoint = ask(&peer, settings()).await;
    pass(4).await;
    assert_eq!(state(&endpoint), State::Connecting);
    pass(2).await;
    assert_eq!(state(&endpoint), State::Down);
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_has_said_stands_while_it_is_opened_anew() {
    let peer = Peer::default();
    let says = peer.stream();
    let endpoint = ask(&peer, settings()).await;
    says.send(message(SERVING)).unwrap();
    pass(60).await;
    let again = peer.stream();
    says.send(trailers("0")).unwrap();
    settle().await;
    assert_eq!(peer.asked().len(), 2, "at once");
    assert_eq!(state(&endpoint), State::Ready);
    again.send(message(NOT_SERVING)).unwrap();
    settle().await;
    assert_eq!(state(&endpoint), State::Down);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_and_hangs_up_is_not_asked_without_a_pause() {
    let peer = Peer::default();
    for _ in 0..100 {
        peer.answer(SERVING);
    }
    let endpoint = ask(&peer, settings()).await;
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    assert_eq!(peer.asked().len(), 11);
    assert_eq!(state(&endpoint), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_once_the_endpoint_is_dropped_or_drains() {
    let metrics = tokio::runtime::Handle::current().metrics();
    for drains in [false, true] {
        let peer = Peer::default();
        let says = peer.stream();
        let endpoint = ask(&peer, settings()).await;
        says.send(message(SERVING)).unwrap();
        settle().await;
        assert_eq!(metrics.num_alive_tasks(), 1);
        if drains {
            let availability = endpoint.availability();
            availability.report(Reporter::Registry, State::Draining);
        } else {
            let clone = endpoint.clone();
            drop(endpoint);
            settle().await;
            assert_eq!(metrics.num_alive_tasks(), 1, "a clone is left");
            drop(clone);
        }
        settle().await;
        assert_eq!(metrics.num_alive_tasks(), 0);
        assert!(says.is_closed(), "the stream is over");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_idle_may_be_picked_and_is_asked_when_it_is_connected() {
    let peer = Peer::default();
    let says = peer.stream();
    let endpoint = ask(&peer, settings()).await;
    let availability = endpoint.availability().clone();
    availability.report(Reporter::Connection, State::Connecting);
    settle().await;
    availability.report(Reporter::Connection, State::Idle);
    settle().await;
    assert_eq!(
        state(&endpoint),
        State::Idle,
        "or nobody would ever wake it"
    );
    availability.report(Reporter::Connection, State::Ready);
    settle().await;
    assert_eq!(state(&endpoint), State::Connecting);
    says.send(message(SERVING)).unwrap();
    settle().await;
    assert_eq!(state(&endpoint), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn without_settings_nobody_is_asked() {
    let peer = Peer::default();
    let layer = ActiveLayer::new(None, Full::from);
    let endpoint = connect_to(layer.layer(Connector(peer.clone())), "echo", "a").await;
    settle().await;
    assert_eq!(state(&endpoint), State::Ready);
    assert!(peer.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_live_question_changes_while_a_watch_is_open() {
    let peer = Peer::default();
    let first = peer.stream();
    first.send(message(SERVING)).unwrap();
    let settings = |service: &str| Some(Settings::new().service(service));
    let (setter, live) = Live::channel(settings("users"));
    let layer = ActiveLayer::live(live, Full::from);
    let endpoint = connect_to(layer.layer(Connector(peer.clone())), "echo", "a").await;
    settle().await;
    assert_eq!(peer.asked(), ["Watch users"]);

    let second = peer.stream();
    setter.set(settings("orders"));
    pass(6).await;
    assert_eq!(peer.asked(), ["Watch orders"]);
    assert!(first.is_closed(), "it is not asked twice");
    assert_eq!(state(&endpoint), State::Ready, "what it has said stands");
    second.send(message(NOT_SERVING)).unwrap();
    settle().await;
    assert_eq!(state(&endpoint), State::Down);

    setter.set(None);
    pass(6).await;
    assert!(second.is_closed());
    assert_eq!(state(&endpoint), State::Ready, "nobody asks any more");

    let third = peer.stream();
    setter.set(settings("users"));
    pass(6).await;
    assert_eq!(peer.asked(), ["Watch users"]);
    assert_eq!(state(&endpoint), State::Ready, "until it says otherwise");
    third.send(message(NOT_SERVING)).unwrap();
    settle().await;
    assert_eq!(state(&endpoint), State::Down);
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_keeps_nobody_from_being_asked() {
    struct Clumsy;
    impl Observer for Clumsy {
        fn checked(&self, _: &str, _: &EndpointId, _: bool) {
            panic!("on purpose");
        }
    }
    let active = ActiveLayer::new(settings(), Full::from).observe_with(Clumsy);
    let peer = Peer::default();
    let stream = peer.stream();
    let endpoint = connect_to(active.layer(Connector(peer)), "echo", "a").await;
    for (said, then) in [
        (SERVING, State::Ready),
        (NOT_SERVING, State::Down),
        (SERVING, State::Ready),
    ] {
        stream.send(message(said)).unwrap();
        settle().await;
        assert_eq!(state(&endpoint), then);
    }
}

#[tokio::test(start_paused = true)]
async fn those_that_do_not_serve_leave_no_room_to_eject_others() {
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);
    impl Observer for Heard {
        fn checked(&self, service: &str, endpoint: &EndpointId, serving: bool) {
            let said = format!("{service}/{endpoint} {serving}");
            self.0.lock().unwrap().push(said);
        }
    }

    let heard = Heard::default();
    let active = ActiveLayer::new(settings(), Full::from).observe_with(heard.clone());
    let layer = HealthLayer::default().dice(Dice::seeded(1));
    let peers = [Peer::default(), Peer::default()];
    let mut all = Vec::new();
    for (name, peer) in ["a", "b"].into_iter().zip(&peers) {
        let stream = peer.stream();
        stream
            .send(message(if name == "a" { SERVING } else { NOT_SERVING }))
            .unwrap();
        let connector = layer.layer(active.layer(Connector(peer.clone())));
        all.push((connect_to(connector, "echo", name).await, stream));
    }
    settle().await;
    assert_eq!(*heard.0.lock().unwrap(), ["echo/a true", "echo/b false"]);
    for _ in 0..20 {
        peers[0].reply(Reply::Trailers("14"));
        fail_http(&all[0].0).await;
    }
    assert_eq!(
        state(&all[0].0),
        State::Ready,
        "the other one serves nobody"
    );
}
