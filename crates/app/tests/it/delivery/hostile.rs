//! Receivers that misbehave, over HTTP/1.1: each ends with its own word, and at the deadline at the latest.

use std::time::Duration;

use bytes::Bytes;
use keybell_app::delivery::client::Client;
use keybell_app::delivery::exchange::{
    ANSWER_BODY_BYTES_MAX, Answer, Exchange, FailureCode, Outbound, Transport as _,
};
use keybell_app::delivery::http1::ANSWER_HEADERS_MAX;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use super::refused::{Fickle, call, client_of, failed, outbound};
use super::servers::{Identity, Server, read_request, tick, until_closed};

const DEADLINE: Duration = Duration::from_secs(15);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// What a timer of tokio's may be late.
const TICK: Duration = Duration::from_millis(2);

pub(super) fn client() -> Client {
    client_of(&["127.0.0.0/8"], Fickle::answering(vec![vec![]]), &[])
}

pub(super) fn status(exchange: &Exchange) -> Option<u16> {
    exchange.answer.as_ref().map(|answer| answer.status)
}

pub(super) fn answer(exchange: Exchange) -> Answer {
    assert_eq!(exchange.failure, None);
    exchange.answer.expect("it answered")
}

fn ended_at(exchange: &Exchange, deadline: Duration) -> bool {
    (deadline..=deadline + TICK).contains(&exchange.duration)
}

/// Says `text` after a request, and leaves the connection open until the other side closes it.
pub(super) async fn saying(text: impl Into<Vec<u8>>) -> Server {
    let text = text.into();
    Server::after_a_request(move |mut stream, _| {
        let text = text.clone();
        async move {
            stream.write_all(&text).await.ok();
            until_closed(&mut stream).await;
        }
    })
    .await
}

/// Says `text` after a request and closes.
pub(super) async fn saying_and_closing(text: impl Into<Vec<u8>>) -> Server {
    let text = text.into();
    Server::after_a_request(move |mut stream, _| {
        let text = text.clone();
        async move {
            stream.write_all(&text).await.ok();
        }
    })
    .await
}

/// Answers every request on a connection with `text`.
pub(super) async fn answering(text: impl Into<Vec<u8>>) -> Server {
    let text = text.into();
    Server::start(move |mut stream, _| {
        let text = text.clone();
        async move { while read_request(&mut stream).await.is_some() && stream.write_all(&text).await.is_ok() {} }
    })
    .await
}

/// Says `head` once and `piece` again and again, `every` so often, until the other side has closed.
async fn dripping(head: &'static str, piece: &'static str, every: Duration) -> Server {
    Server::after_a_request(move |mut stream, _| async move {
        stream.write_all(head.as_bytes()).await.ok();
        loop {
            sleep(every).await;
            if stream.write_all(piece.as_bytes()).await.is_err() {
                return;
            }
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_silent_after_accept_ends_at_the_deadline() {
    tick();
    let server = Server::start(|mut stream, _| async move { until_closed(&mut stream).await }).await;
    let exchange = call(&client(), &server.url()).await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::Timeout), None));
    assert!(ended_at(&exchange, DEADLINE), "{:?}", exchange.duration);
    server.until_ended(1).await;
}

#[tokio::test]
async fn a_listener_that_accepts_nothing_ends_when_the_time_to_connect_does() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(1).expect("it listens");
    let address = listener.local_addr().expect("it is bound");
    let waiting = [TcpStream::connect(address).await, TcpStream::connect(address).await];
    let connect_timeout = Duration::from_millis(200);
    let request = Outbound { connect_timeout, ..outbound(&format!("http://{address}/")) };
    let exchange = client().exchange(request).await;
    assert_eq!(failed(&exchange), Some(FailureCode::ConnectTimeout), "{:?}", exchange.failure);
    assert!(exchange.duration >= connect_timeout && exchange.duration < DEADLINE);
    assert_eq!(exchange.timings.connect, None);
    drop(waiting);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_shakes_hands_ends_when_the_time_to_connect_does() {
    tick();
    let server = Server::start(|mut stream, _| async move { until_closed(&mut stream).await }).await;
    let exchange = call(&client(), &server.url().replace("http:", "https:")).await;
    assert_eq!(failed(&exchange), Some(FailureCode::ConnectTimeout));
    assert!(exchange.failure.as_ref().is_some_and(|why| why.sentence.contains("TLS handshake")));
    assert!(ended_at(&exchange, CONNECT_DEADLINE), "{:?}", exchange.duration);
    assert!(exchange.timings.connect.is_some() && exchange.timings.tls.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_ends_at_the_deadline_and_keeps_what_came() {
    tick();
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
    let server = dripping(head, "x", Duration::from_secs(1)).await;
    let exchange = call(&client(), &server.url()).await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::BodyTimeout), Some(200)));
    assert!(ended_at(&exchange, DEADLINE), "{:?}", exchange.duration);
    let kept = exchange.answer.expect("it began").body.len();
    assert!((13..=15).contains(&kept), "{kept}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_ends_at_the_deadline() {
    tick();
    for (head, piece) in
        [("", "H"), ("HTTP/1.1 200 OK\r\nx-slow: ", "x"), ("HTTP/1.1 200 OK\r\n", "x: y\r\n")]
    {
        let server = dripping(head, piece, Duration::from_secs(1)).await;
        let exchange = call(&client(), &server.url()).await;
        assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::Timeout), None), "{head}");
        assert!(ended_at(&exchange, DEADLINE), "{:?}", exchange.duration);
    }
}

#[tokio::test]
async fn headers_that_do_not_end_are_a_protocol_error() {
    for piece in [
        "x-n: y\r\n",
        "x-n: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n",
        "x",
    ] {
        let text = format!("HTTP/1.1 200 OK\r\n{}", piece.repeat(100_000 / piece.len()));
        let exchange = call(&client(), &saying(text).await.url()).await;
        assert_eq!(
            (failed(&exchange), status(&exchange)),
            (Some(FailureCode::ProtocolError), None),
            "{piece}"
        );
    }
}

#[tokio::test]
async fn an_answer_has_at_most_100_headers() {
    for (count, code) in
        [(ANSWER_HEADERS_MAX, None), (ANSWER_HEADERS_MAX + 1, Some(FailureCode::ProtocolError))]
    {
        let headers = "x-n: y\r\n".repeat(count - 1);
        let text = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n");
        assert_eq!(failed(&call(&client(), &saying(text).await.url()).await), code, "{count}");
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_and_its_connection_closed() {
    let server = Server::after_a_request(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok();
        while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
    })
    .await;
    let got = answer(call(&client(), &server.url()).await);
    assert_eq!((got.status, got.body.len(), got.truncated), (200, ANSWER_BODY_BYTES_MAX, true));
    server.until_ended(1).await;
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_a_reset() {
    for text in ["", "HTTP/1.1 200 OK\r\nx-half: "] {
        let exchange = call(&client(), &saying_and_closing(text).await.url()).await;
        assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::Reset), None), "{text}");
    }
}

#[tokio::test]
async fn a_connection_half_closed_without_an_answer_is_a_reset_at_once() {
    let server = Server::after_a_request(|mut stream, _| async move {
        stream.shutdown().await.ok();
        until_closed(&mut stream).await;
    })
    .await;
    let exchange = call(&client(), &server.url()).await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::Reset), None));
    server.until_ended(1).await;
}

#[tokio::test]
async fn a_connection_closed_after_the_head_is_a_reset_unless_that_is_the_body() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    let exchange = call(&client(), &saying_and_closing(half).await.url()).await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::Reset), Some(200)));
    assert_eq!(exchange.answer.expect("it began").body, b"half");
    let chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let exchange = call(&client(), &saying_and_closing(chunk).await.url()).await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::Reset), Some(200)));
    for text in ["HTTP/1.1 200 OK\r\n\r\nwhole", "HTTP/1.0 200 OK\r\n\r\nwhole"] {
        assert_eq!(answer(call(&client(), &saying_and_closing(text).await.url()).await).body, b"whole");
    }
}

#[tokio::test]
async fn an_answer_before_the_request_was_read_is_an_answer() {
    let server = Server::start(|mut stream, _| async move {
        let mut some = [0; 64];
        stream.read_exact(&mut some).await.ok();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.ok();
        std::future::pending::<()>().await;
    })
    .await;
    let client = client();
    for connections in 1..=2 {
        let request = Outbound { body: Bytes::from(vec![b'x'; 16 << 20]), ..outbound(&server.url()) };
        let got = answer(client.exchange(request).await);
        assert_eq!((got.status, got.body.as_slice()), (413, b"no".as_slice()));
        assert_eq!(server.connections(), connections, "what was half sent is on no kept connection");
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(5);
    let got = answer(
        call(&client(), &saying(format!("{interim}HTTP/1.1 204 No Content\r\n\r\n")).await.url()).await,
    );
    assert_eq!(got.status, 204);
}

#[tokio::test(start_paused = true)]
async fn interim_answers_without_end_end_at_the_deadline() {
    tick();
    let server = dripping("", "HTTP/1.1 100 Continue\r\n\r\n", Duration::from_millis(100)).await;
    let exchange = call(&client(), &server.url()).await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::Timeout), None));
    assert!(ended_at(&exchange, DEADLINE), "{:?}", exchange.duration);
    server.until_ended(1).await;
}

#[tokio::test]
async fn a_flood_of_interim_answers_ends_at_the_deadline() {
    let server = Server::after_a_request(|mut stream, _| async move {
        let flood = "HTTP/1.1 102 Processing\r\n\r\n".repeat(1_000);
        while stream.write_all(flood.as_bytes()).await.is_ok() {}
    })
    .await;
    let deadline = Duration::from_millis(200);
    let exchange = client().exchange(Outbound { timeout: deadline, ..outbound(&server.url()) }).await;
    assert_eq!(failed(&exchange), Some(FailureCode::Timeout));
    assert!(exchange.duration >= deadline && exchange.duration < DEADLINE, "{:?}", exchange.duration);
    server.until_ended(1).await;
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_error() {
    for text in [
        "hello\r\n\r\n",
        "<html>Hello, this is HTTP/0.9</html>\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "220 mail.example ESMTP\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: \u{1}\r\n\r\n",
        "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{28}",
    ] {
        let exchange = call(&client(), &saying(text).await.url()).await;
        assert_eq!(
            (failed(&exchange), status(&exchange)),
            (Some(FailureCode::ProtocolError), None),
            "{text:?}"
        );
        let sentence = exchange.failure.expect("it failed").sentence;
        assert!(sentence.ends_with('.'), "{sentence}");
    }
}

#[tokio::test]
async fn a_status_line_that_does_not_end_is_a_protocol_error() {
    let text = format!("HTTP/1.1 200 {}\r\n\r\n", "O".repeat(20_000));
    let exchange = call(&client(), &saying(text).await.url()).await;
    assert_eq!(failed(&exchange), Some(FailureCode::ProtocolError));
}

#[tokio::test]
async fn chunks_that_are_none_are_a_protocol_error_that_keeps_the_status() {
    for chunks in ["zz\r\nhello\r\n", "fffffffffffffffff\r\n", "5\r\nhelloXX", "-5\r\nhello\r\n"] {
        let text = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
        let exchange = call(&client(), &saying(text).await.url()).await;
        assert_eq!(
            (failed(&exchange), status(&exchange)),
            (Some(FailureCode::ProtocolError), Some(200)),
            "{chunks}: {:?}",
            exchange.failure
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_shorter_than_its_length_is_waited_for_until_the_deadline() {
    tick();
    let exchange =
        call(&client(), &saying("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.url()).await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::BodyTimeout), Some(200)));
    assert!(ended_at(&exchange, DEADLINE), "{:?}", exchange.duration);
}

#[tokio::test]
async fn a_compressed_answer_is_kept_as_it_came() {
    let bomb = [0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00];
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 8\r\n\r\n";
    let got = answer(call(&client(), &saying([&head[..], &bomb].concat()).await.url()).await);
    assert_eq!((got.body.as_slice(), got.header("content-encoding")), (bomb.as_slice(), Some("gzip")));
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    for status in [300, 301, 302, 303, 307, 308] {
        let location = elsewhere.url();
        let text = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let server = answering(text).await;
        assert_eq!(answer(call(&client(), &server.url()).await).status, status);
        assert_eq!((server.connections(), elsewhere.connections()), (1, 0));
    }
}

#[tokio::test]
async fn tls_on_a_plain_port_and_the_reverse_each_have_their_word() {
    let identity = Identity::of("127.0.0.1");
    let server = identity.serve(&[], |mut stream, _| async move { until_closed(&mut stream).await }).await;
    let exchange = call(&client(), &server.url()).await;
    assert_eq!(failed(&exchange), Some(FailureCode::ProtocolError), "{:?}", exchange.failure);
    let plain = saying("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let exchange = call(&client(), &plain.url().replace("http:", "https:")).await;
    assert!(matches!(failed(&exchange), Some(FailureCode::TlsFailed | FailureCode::ConnectTimeout)));
}

#[tokio::test]
async fn the_parts_of_an_exchange_are_timed_as_far_as_there_were_any() {
    let server = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let identity = Identity::of("hooks.example");
    let over_tls = identity
        .serve(&["http/1.1"], |mut stream, _| async move {
            while read_request(&mut stream).await.is_some() {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.ok();
                stream.flush().await.ok();
            }
        })
        .await;
    let resolver = Fickle::answering(vec![
        vec![server.address],
        vec![over_tls.address],
        vec!["10.0.0.1:80".parse().expect("an address")],
        vec![],
    ]);
    let client = client_of(&["127.0.0.0/8"], resolver, &[identity.root]);
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("it is bound")
    };
    for (url, expected) in [
        (server.url(), "connect first_byte"),
        (server.url(), "first_byte"),
        ("http://plain.example/".to_owned(), "dns connect first_byte"),
        ("http://plain.example/".to_owned(), "first_byte"),
        ("https://hooks.example/".to_owned(), "dns connect tls first_byte"),
        ("https://hooks.example/".to_owned(), "first_byte"),
        ("http://private.example/".to_owned(), "dns"),
        ("http://nowhere.example/".to_owned(), ""),
        (format!("http://{closed}/"), ""),
    ] {
        let exchange = call(&client, &url).await;
        let timings = exchange.timings;
        let parts = [
            (timings.dns, "dns"),
            (timings.connect, "connect"),
            (timings.tls, "tls"),
            (timings.first_byte, "first_byte"),
        ];
        let taken: Vec<_> = parts.iter().filter(|(time, _)| time.is_some()).map(|(_, name)| *name).collect();
        assert_eq!(taken.join(" "), expected, "{url}: {:?}", exchange.failure);
        let sum: Duration = parts.iter().filter_map(|(time, _)| *time).sum();
        assert!(sum <= exchange.duration, "{url}: {sum:?} of {:?}", exchange.duration);
    }
}
