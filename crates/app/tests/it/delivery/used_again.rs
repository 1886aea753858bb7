//! Which connections over HTTP/1.1 are used again, and what is never taken for the answer to the next request.

use std::time::Duration;

use keybell_app::delivery::exchange::{ANSWER_BODY_BYTES_MAX, FailureCode};
use keybell_app::delivery::http1::DRAINED_BYTES_MAX;
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use super::hostile::{answer, answering, client, saying, saying_and_closing, status};
use super::refused::{call, failed};
use super::servers::{Server, read_request, tick};

#[tokio::test(start_paused = true)]
async fn a_known_small_rest_of_a_body_is_read_and_the_connection_kept() {
    tick();
    let most = ANSWER_BODY_BYTES_MAX + usize::try_from(DRAINED_BYTES_MAX).expect("it fits");
    // What is left is counted after the piece that went past the cap, so that far past it is certainly too much.
    for (length, connections) in [(ANSWER_BODY_BYTES_MAX + 1_000, 1), (most, 1), (2 * most, 2)] {
        let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{}", "x".repeat(length));
        let (server, client) = (answering(text).await, client());
        for _ in 0..2 {
            let got = answer(call(&client, &server.url()).await);
            assert_eq!((got.body.len(), got.truncated), (ANSWER_BODY_BYTES_MAX, true));
            sleep(Duration::from_millis(500)).await;
        }
        assert_eq!(server.connections(), connections, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_small_rest_that_does_not_come_is_not_waited_for() {
    tick();
    let length = ANSWER_BODY_BYTES_MAX + 1_000;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{}", "x".repeat(length - 10));
    let server = saying(head).await;
    let exchange = call(&client(), &server.url()).await;
    assert!(exchange.duration < Duration::from_secs(1), "{:?}", exchange.duration);
    assert!(answer(exchange).truncated);
    server.until_ended(1).await;
}

#[tokio::test]
async fn an_upgrade_that_nobody_asked_for_is_an_answer_and_keeps_no_connection() {
    let server =
        answering("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n").await;
    let client = client();
    for connections in 1..=2 {
        let exchange = call(&client, &server.url()).await;
        assert!(
            status(&exchange) == Some(101) || failed(&exchange) == Some(FailureCode::Reset),
            "{exchange:?}"
        );
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn what_comes_after_a_body_is_not_the_next_answer() {
    let planted =
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
    let (server, client) = (answering(planted).await, client());
    for _ in 0..20 {
        let got = answer(call(&client, &server.url()).await);
        assert_eq!((got.status, got.body.as_slice()), (200, b"ok".as_slice()));
    }
}

#[tokio::test]
async fn a_connection_closed_between_requests_costs_nothing() {
    let server = saying_and_closing("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let client = client();
    for connections in 1..=5 {
        assert_eq!(answer(call(&client, &server.url()).await).body, b"ok");
        assert_eq!(server.connections(), connections);
        // The end of the connection has to be seen first; a request that was sent into it is lost, and tried again later.
        server.until_ended(connections).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_request_that_was_sent_is_not_sent_again() {
    let server = Server::start(|mut stream, number| async move {
        if read_request(&mut stream).await.is_some() && number == 0 {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok();
            read_request(&mut stream).await;
        }
    })
    .await;
    let client = client();
    assert_eq!(answer(call(&client, &server.url()).await).status, 200);
    let second = call(&client, &server.url()).await;
    assert_eq!((failed(&second), server.connections()), (Some(FailureCode::Reset), 1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_no_body_is_not_waited_for_whatever_it_says_of_its_length() {
    tick();
    for head in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (server, client) = (answering(head).await, client());
        for _ in 0..3 {
            let exchange = call(&client, &server.url()).await;
            assert!(exchange.duration < Duration::from_secs(1), "{head}: {:?}", exchange.duration);
            assert_eq!(answer(exchange).body, b"");
        }
        assert_eq!(server.connections(), 1, "{head}");
    }
}
