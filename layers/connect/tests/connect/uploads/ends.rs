//! What ends before the body of a request has: the body itself, the call, the stream, the connection.

use super::*;
use std::fmt;

/// Why a body failed.
#[derive(Debug, PartialEq, Eq)]
struct Spilt;

impl fmt::Display for Spilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("spilt")
    }
}

impl std::error::Error for Spilt {}

#[tokio::test]
async fn a_body_that_fails_before_the_answer_fails_the_call_and_resets_the_stream() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        for (handed_on, reason) in [
            (None, Reason::INTERNAL_ERROR),
            (Some(Reason::ENHANCE_YOUR_CALM), Reason::ENHANCE_YOUR_CALM),
            (Some(Reason::NO_ERROR), Reason::INTERNAL_ERROR),
        ] {
            let (pipe, body) = pipe();
            let call = call(&connection, upload(body));
            put(&pipe, "begun").await;
            let (mut request, _respond) = server.came().await;
            read(request.body_mut(), 5).await;
            let failure: BoxError = match handed_on {
                None => Spilt.into(),
                Some(reason) => h2::Error::from(reason).into(),
            };
            pipe.send(Err(failure)).await.unwrap();
            let error = call.await.unwrap().unwrap_err();
            assert!(error.is::<BrokenRequest>());
            let spilt = error::find::<Spilt>(&*error);
            assert_eq!(spilt == Some(&Spilt), handed_on.is_none());
            let reset = read_all(request.body_mut()).await.unwrap_err();
            assert_eq!(reset.reason(), Some(reason));
            is_free(&mut server, &connection).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_fails_after_the_answer_began_cuts_it_off() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        let (pipe, (mut request, _), _answer, mut response) =
            under_way(&mut server, &connection).await;
        pipe.send(Err(Spilt.into())).await.unwrap();
        let reset = read_all(request.body_mut()).await.unwrap_err();
        assert_eq!(reset.reason(), Some(Reason::INTERNAL_ERROR));
        let error = response.frame().await.unwrap().unwrap_err();
        assert!(error::find::<BrokenRequest>(&*error).is_some());
        assert_eq!(sent(&error), Sent::Unknown);
        is_let_go(&pipe).await;
        is_free(&mut server, &connection).await;
    })
    .await;
}

#[tokio::test]
async fn a_call_that_is_dropped_while_the_server_takes_nothing_gives_its_stream_back() {
    bounded(async {
        let mut builder = Builder::new();
        builder.max_concurrent_streams(1).initial_window_size(0);
        let (mut server, connection) = connected(builder).await;
        for chunks in [1, 3] {
            let (pipe, body) = pipe();
            let call = call(&connection, upload(body));
            for _ in 0..chunks {
                put(&pipe, "never").await;
            }
            let (mut request, _respond) = server.came().await;
            call.abort();
            is_let_go(&pipe).await;
            let reset = read_all(request.body_mut()).await.unwrap_err();
            assert_eq!(reset.reason(), Some(Reason::CANCEL));
            is_free(&mut server, &connection).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_rest_of_a_request_is_not_sent_when_the_answer_is_dropped() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        let (pipe, (mut request, _), _answer, response) = under_way(&mut server, &connection).await;
        drop(response);
        is_let_go(&pipe).await;
        let reset = read_all(request.body_mut()).await.unwrap_err();
        assert_eq!(reset.reason(), Some(Reason::CANCEL));
        is_free(&mut server, &connection).await;
    })
    .await;
}

#[tokio::test]
async fn the_rest_of_a_request_ends_with_the_connection() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        let (pipe, _came, _answer, mut response) = under_way(&mut server, &connection).await;
        server.cut();
        is_let_go(&pipe).await;
        let error = response.frame().await.unwrap().unwrap_err();
        assert_eq!(sent(&error), Sent::Unknown);

        let (mut server, connection) = one_at_a_time().await;
        let (pipe, _came, answer, response) = under_way(&mut server, &connection).await;
        drop(connection);
        let mut answer = answer;
        answer.send_data(Bytes::new(), true).unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert!(body.to_bytes().is_empty());
        is_let_go(&pipe).await;
    })
    .await;
}

#[tokio::test]
async fn a_reset_while_the_body_waits_ends_the_call() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        for (reason, sent) in [
            (Reason::REFUSED_STREAM, Sent::Unprocessed),
            (Reason::CANCEL, Sent::Unknown),
        ] {
            let (pipe, body) = pipe();
            let call = call(&connection, upload(body));
            let (_request, mut respond) = server.came().await;
            respond.send_reset(reason);
            let error = call.await.unwrap().unwrap_err();
            assert_eq!(self::sent(&error), sent);
            is_let_go(&pipe).await;
        }
        is_free(&mut server, &connection).await;
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_cancelled_half_way_has_not_ended() {
    bounded(async {
        let (mut server, connection) = one_at_a_time().await;
        let (_pipe, _came, mut answer, mut response) = under_way(&mut server, &connection).await;
        answer.send_reset(Reason::CANCEL);
        let error = response.frame().await.unwrap().unwrap_err();
        assert_eq!(sent(&error), Sent::Unknown);
        assert!(error::find::<ziggurat_connect::Undelivered>(&*error).is_some());
        assert!(connection.availability().is_ready());
    })
    .await;
}
