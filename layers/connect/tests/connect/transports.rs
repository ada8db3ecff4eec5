//! Other ways to an instance than TCP.

use crate::support::{Plain, bounded, call, finish, make, quick, sent};
use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::io::DuplexStream;
use tower::{Service, ServiceExt, service_fn};
use ziggurat_connect::{Io, Sockets, Undelivered};
use ziggurat_core::{BoxError, Code, Endpoint, Instance, Sent, State, error};
use ziggurat_testkit::EchoServer;

fn echo() -> Instance {
    Instance::new("echo", "a", "nowhere.invalid", 1).unwrap()
}

async fn ok(connector: Plain, instance: Instance) {
    let connection = connector.oneshot(instance).await.unwrap();
    let ended = finish(call(&connection).await).await.unwrap();
    assert_eq!(ended, Some(Code::Ok));
}

#[tokio::test(start_paused = true)]
async fn a_pipe_in_memory_is_a_transport() {
    let server = EchoServer::in_memory();
    let pipes = server.clone();
    let dial = service_fn(move |_: Instance| {
        let pipe = pipes.dial_in_memory();
        async move { Ok::<DuplexStream, BoxError>(pipe) }
    });
    let connector = Plain::new(quick()).transport(dial);
    let connection = connector.oneshot(echo()).await.unwrap();
    finish(call(&connection).await).await.unwrap();
    // What is lost is made again.
    server.go_away();
    finish(call(&connection).await).await.unwrap();
    crate::support::eventually(|| server.counts().accepted == 2).await;
}

/// A Unix socket that leads to `server`, and its path.
#[cfg(unix)]
fn listen(server: &EchoServer) -> (tempfile::TempDir, String, tokio::task::JoinSet<()>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("echo.sock").display().to_string();
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = server.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        loop {
            server.adopt(listener.accept().await.unwrap().0);
        }
    });
    (folder, path, tasks)
}

#[cfg(unix)]
#[tokio::test]
async fn an_instance_at_a_unix_socket_is_called_there() {
    bounded(async {
        let server = EchoServer::in_memory();
        let (_folder, path, _tasks) = listen(&server);
        let instance = Instance::unix("echo", "a", &path).unwrap();
        ok(Plain::new(quick()), instance).await;
        assert_eq!(server.counts().finished, 1);

        let nobody = Instance::unix("echo", "b", "/nowhere/echo.sock").unwrap();
        let connection = Plain::new(quick()).oneshot(nobody).await.unwrap();
        let error = call(&connection).await.unwrap_err();
        assert_eq!(sent(&error), Sent::Never);
    })
    .await;
}

/// The link that a machine has to itself is the first, on Linux.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_ipv6_address_is_called_on_its_link() {
    bounded(async {
        let listener = tokio::net::TcpListener::bind("[::1]:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = std::net::SocketAddrV6::new(std::net::Ipv6Addr::LOCALHOST, port, 0, 1);
        let connection = make(Plain::new(quick()), address.into()).await;
        let server = EchoServer::in_memory();
        let (stream, _) = listener.accept().await.unwrap();
        server.adopt(stream);
        let ended = finish(call(&connection).await).await.unwrap();
        assert_eq!(ended, Some(Code::Ok));
    })
    .await;
}

#[tokio::test]
async fn a_transport_may_stand_around_the_sockets() {
    bounded(async {
        let server = EchoServer::start().await;
        let dialled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&dialled);
        let counting = Sockets::new(quick()).map_response(move |stream: Box<dyn Io>| {
            count.fetch_add(1, Relaxed);
            stream
        });
        let instance = Instance::at("echo", server.address()).unwrap();
        ok(Plain::new(quick()).transport(counting), instance).await;
        assert_eq!(dialled.load(Relaxed), 1);
    })
    .await;
}

/// Why a transport of the user's has no way.
#[derive(Clone, Debug, PartialEq)]
struct NoWay;

impl fmt::Display for NoWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no way")
    }
}

impl Error for NoWay {}

#[tokio::test]
async fn what_a_transport_fails_with_is_found_in_the_error_of_the_call() {
    bounded(async {
        let blocked = service_fn(|_: Instance| async { Err::<DuplexStream, _>(NoWay) });
        let mut connector = Plain::new(quick()).transport(blocked);
        let connection = connector.call(echo()).await.unwrap();
        let error = call(&connection).await.unwrap_err();
        assert_eq!(sent(&error), Sent::Never);
        let undelivered = error::find::<Undelivered>(&*error).unwrap();
        let cause: &(dyn Error + 'static) = undelivered.cause().unwrap();
        assert_eq!(cause.downcast_ref(), Some(&NoWay));
        assert_eq!(connection.availability().state(), State::Down);
    })
    .await;
}

#[tokio::test]
async fn a_transport_that_never_answers_is_given_up_after_the_timeout() {
    bounded(async {
        let stuck = service_fn(|_: Instance| std::future::pending::<Result<DuplexStream, NoWay>>());
        let settings = quick().connect_timeout(crate::support::MS).unwrap();
        let connector = Plain::new(settings).transport(stuck);
        let connection = connector.oneshot(echo()).await.unwrap();
        assert_eq!(sent(&call(&connection).await.unwrap_err()), Sent::Never);
    })
    .await;
}
