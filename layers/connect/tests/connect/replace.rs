//! A connection that is replaced loses no call.

use crate::support::{MS, bounded, call, connect, finish, sent};
use tokio::task::JoinSet;
use ziggurat_connect::Connection;
use ziggurat_core::{Code, Deadline, Endpoint, Sent, State, clock};
use ziggurat_testkit::EchoServer;

/// Calls until `end`; what may be sent again is, as the retry layer above would.
async fn load(connection: Connection<crate::support::Bytesful>, end: Deadline) -> (usize, usize) {
    let (mut calls, mut again) = (0, 0);
    while !end.is_over(clock::now()) {
        match finish(call(&connection).await).await {
            Ok(status) => {
                assert_eq!(status, Some(Code::Ok));
                calls += 1;
            }
            Err(error) => {
                assert_ne!(sent(&error), Sent::Unknown, "{error:?}");
                again += 1;
            }
        }
    }
    (calls, again)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_a_certain_age_are_replaced_without_a_loss() {
    bounded(async {
        let server = EchoServer::setup()
            .max_connection_age(300 * MS)
            .start()
            .await;
        for at_once in [1, 16] {
            let before = server.counts().accepted;
            let connection = connect(server.address()).await;
            let end = Deadline::after(1_600 * MS);
            let mut tasks = JoinSet::new();
            for _ in 0..at_once {
                tasks.spawn(load(connection.clone(), end));
            }
            let (mut calls, mut again) = (0, 0);
            while let Some(done) = tasks.join_next().await {
                let (done, sent_again) = done.unwrap();
                calls += done;
                again += sent_again;
            }
            let connections = server.counts().accepted - before;
            assert!(connections >= 4, "{connections} connections");
            // Only what was on its way when the server's mind was made up comes back.
            assert!(again <= connections * at_once, "{again} of {calls}");
            assert!(calls > 100);
        }
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_of_a_certain_age_is_replaced_and_stays_ready() {
    bounded(async {
        let server = EchoServer::setup()
            .max_connection_age(150 * MS)
            .start()
            .await;
        let connection = connect(server.address()).await;
        crate::support::until(&connection, State::Ready).await;
        while server.counts().accepted < 4 {
            assert_eq!(connection.availability().state(), State::Ready);
            tokio::time::sleep(MS).await;
        }
        finish(call(&connection).await).await.unwrap();
    })
    .await;
}
