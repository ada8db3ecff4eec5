//! The examples as users run them: processes of their own that meet on a real etcd.

use super::program::{Program, run};
use futures_util::stream;
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time};
use ziggurat::{
    client::{RequestExt, Ziggurat},
    coord::{EtcdSettings, EtcdStore, Range, Registry, Store},
};
use ziggurat_testkit::{
    EchoClient, EchoReply, EchoRequest, Etcd, RefusingAddress,
    tonic::{Request, Streaming},
};

/// A call that goes on for as long as the test wants.
struct Stream {
    say: mpsc::Sender<EchoRequest>,
    replies: Streaming<EchoReply>,
}

const LONG: Duration = Duration::from_secs(60);

// === impl Stream ===

impl Stream {
    /// Finds a server by its name, and hears from it.
    async fn open(store: &Arc<EtcdStore>) -> Self {
        let ziggurat = Ziggurat::new(Registry::new(Arc::clone(store) as _));
        let (say, said) = mpsc::channel(1);
        let said = stream::unfold(said, |mut said| async move {
            let next = said.recv().await?;
            Some((next, said))
        });
        say.send(EchoRequest::default()).await.unwrap();
        let call = Request::new(said).with_timeout(LONG);
        let replies = EchoClient::new(ziggurat.channel("echo")).bidi(call).await;
        let mut replies = replies.unwrap().into_inner();
        assert!(replies.message().await.unwrap().is_some());
        Self { say, replies }
    }

    async fn echo(&mut self, repeat: u32) {
        let request = EchoRequest {
            repeat,
            ..EchoRequest::default()
        };
        self.say.send(request).await.unwrap();
        let reply = self.replies.message().await.unwrap().unwrap();
        assert_eq!(reply.repeat, repeat);
    }
}

async fn store(etcd: &Etcd) -> Arc<EtcdStore> {
    let settings = EtcdSettings::new([etcd.url()]).unwrap();
    Arc::new(EtcdStore::connect(settings).await.unwrap())
}

async fn keys(store: &EtcdStore) -> Vec<String> {
    let found = store.range(Range::prefix("").keys_only()).await.unwrap();
    let keys = found.kvs.iter();
    keys.map(|kv| String::from_utf8_lossy(&kv.key).into_owned())
        .collect()
}

/// A server that can be found, and its name.
async fn server(url: &str) -> (Program, String) {
    let mut server = Program::start("server", &["--etcd", url]);
    let said = server.says(&[" serves echo"]).await;
    let name = said.split(' ').next().unwrap_or_default();
    (server, name.to_owned())
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_under_load_costs_no_call() {
    let etcd = Etcd::start().await;
    let (store, url) = (store(&etcd).await, etcd.url());
    let (one, first) = server(&url).await;
    let (two, second) = server(&url).await;
    let args = ["--etcd", &url, "--rate", "100", "--seconds", "600"];
    let mut client = Program::start("client", &args);
    client
        .says(&[&format!("{first} "), &format!("{second} ")])
        .await;

    one.tell("-TERM");
    assert_eq!(one.ends().await.0, Some(0));
    // Its lease would have lasted half a minute.
    assert_eq!(keys(&store).await, [format!("echo/{second}")]);
    for _ in 0..2 {
        client.says(&[" 0 failed"]).await;
    }

    client.tell("-TERM");
    let (code, last) = client.ends().await;
    assert_eq!(code, Some(0), "{last}");
    assert!(last.contains(" 0 failed"), "{last}");
    two.tell("-INT");
    assert_eq!(two.ends().await.0, Some(0));
    assert_eq!(keys(&store).await, [""; 0]);
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_finishes_its_streams() {
    let etcd = Etcd::start().await;
    let store = store(&etcd).await;
    let (mut server, _) = server(&etcd.url()).await;
    let mut stream = Stream::open(&store).await;

    server.tell("-TERM");
    let gone = async {
        while !keys(&store).await.is_empty() {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    time::timeout(LONG, gone).await.unwrap();
    server.says(&[" stops"]).await;
    for place in 2..10 {
        stream.echo(place).await;
    }
    assert!(server.runs(), "it waits for its stream");
    let Stream { say, mut replies } = stream;
    drop(say);
    assert_eq!(replies.message().await.unwrap(), None);
    assert_eq!(server.ends().await.0, Some(0));
}

#[tokio::test]
async fn a_server_that_is_told_twice_waits_for_nobody() {
    let etcd = Etcd::start().await;
    let (mut server, _) = server(&etcd.url()).await;
    let _open = Stream::open(&store(&etcd).await).await;
    server.tell("-TERM");
    server.says(&[" stops"]).await;
    server.tell("-TERM");
    assert_eq!(server.ends().await.0, Some(1));
}

#[tokio::test]
async fn a_server_stops_in_order_though_etcd_is_away() {
    let mut etcd = Etcd::start().await;
    let (server, _) = server(&etcd.url()).await;
    etcd.kill();
    server.tell("-TERM");
    let (code, last) = server.ends().await;
    assert_eq!(code, Some(0));
    assert!(last.contains("all its calls before it"), "{last}");
}

#[tokio::test]
async fn all_that_coordinates_does_what_it_should_on_a_store_that_others_use() {
    let etcd = Etcd::start().await;
    let url = etcd.url();
    let args = ["--etcd", &url, "--json"];
    let (one, two) = tokio::join!(run("coord", &args), run("coord", &args));
    for (code, said, errors) in [one, two] {
        assert_eq!(code, Some(0), "{said}{errors}");
        let report: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        for part in ["lock", "election", "config", "instance_ids", "snowflake"] {
            assert_eq!(report[part]["ok"], true, "{report}");
        }
    }
    assert_eq!(keys(&*store(&etcd).await).await, [""; 0], "left behind");
}

#[tokio::test]
async fn the_quick_start_shares_its_registry_and_leaves_nothing_behind() {
    let etcd = Etcd::start().await;
    let (store, url) = (store(&etcd).await, etcd.url());
    let args = ["--etcd", &url, "--seconds", "5", "--rate", "100", "--json"];
    let quickstart = run("quickstart", &args);
    let watched = async {
        while keys(&store).await.len() < 6 {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    let story = async { tokio::join!(quickstart, watched) };
    let ((code, said, errors), ()) = time::timeout(LONG, story).await.unwrap();
    assert_eq!(code, Some(0), "{said}{errors}");
    let report: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&report["calls"], &report["failed"]),
        (&500.into(), &0.into())
    );
    assert_eq!(report["endpoints"].as_array().unwrap().len(), 6, "{report}");
    assert_eq!(keys(&store).await, [""; 0]);
}

#[tokio::test]
async fn what_cannot_work_is_said_with_its_value() {
    let nobody = RefusingAddress::new();
    let nobody = format!("http://{}", nobody.address());
    for program in ["quickstart", "server", "client", "coord"] {
        let (code, _, errors) = run(program, &["--etcd", "http://127.0.0.1:99999"]).await;
        assert_eq!(code, Some(2), "{errors}");
        let named = r#"endpoint "http://127.0.0.1:99999""#;
        assert!(errors.contains(named), "{errors}");

        let (code, _, errors) = run(program, &["--etcd", &nobody]).await;
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains("store unavailable"), "{errors}");
        assert!(errors.contains(&nobody), "{errors}");
    }
    let etcd = Etcd::start().await;
    let (code, _, errors) = run("client", &["--etcd", &etcd.url()]).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("no endpoints for echo"), "{errors}");
}
