//! What happens where Keybell cannot be asked.

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use keybell_gate::{BadRemote, Needs, OnUnreachable, RemoteVerifier, require};
use keybell_testkit::app::TestApp;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::platform::{Answer, Served, call};

const KEY: &str = "Bearer kb_live_000000000000_000000000000000000000000000000002hNBTQ";

async fn asked(url: &str, on_unreachable: OnUnreachable) -> Answer {
    let verifier = RemoteVerifier::new(url, "kb_op_x").expect("the address is one");
    let verifier = verifier.deadline(Duration::from_millis(200));
    call(require(verifier, Needs::default()).on_unreachable(on_unreachable), &[("authorization", KEY)]).await
}

#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!((answer.status, answer.header("x-keybell-code")), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.header("www-authenticate"), "");
    assert_eq!(answer.body["code"], "unavailable");
}

#[tokio::test]
async fn a_keybell_that_is_away_lets_nobody_through() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    refused(&asked(&url, OnUnreachable::Refuse).await);
}

#[tokio::test]
async fn a_keybell_that_hangs_lets_nobody_through_and_nobody_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    // It accepts by its backlog and never answers.
    refused(&asked(&url, OnUnreachable::Refuse).await);
    drop(listener);
}

#[tokio::test]
async fn a_keybell_that_answers_nonsense_lets_nobody_through() {
    for router in [
        Router::new(),
        Router::new().route("/v1/api-keys/verify", post(async || "not JSON")),
        Router::new().route("/v1/api-keys/verify", post(async || "{}")),
        Router::new().route("/v1/api-keys/verify", post(async || "x".repeat(200 * 1024))),
    ] {
        let served = Served::new(router).await;
        refused(&asked(&served.url(), OnUnreachable::Refuse).await);
    }
    let yes_without_a_key = post(async || r#"{"valid":true,"code":"valid"}"#);
    let served = Served::new(Router::new().route("/v1/api-keys/verify", yes_without_a_key)).await;
    assert_eq!(asked(&served.url(), OnUnreachable::Allow).await.status, 401);
}

#[tokio::test]
async fn an_operator_key_that_is_no_longer_good_lets_nobody_through() {
    let keybell = TestApp::start().await;
    let served = Served::new(keybell.router()).await;
    refused(&asked(&served.url(), OnUnreachable::Refuse).await);
}

#[tokio::test]
async fn who_chose_so_is_let_through_unchecked_and_unnamed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let answer = asked(&url, OnUnreachable::Allow).await;
    assert_eq!((answer.status, &answer.body["caller"]), (200, &json!(null)));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    // It keeps no connection longer than for one answer, and does not say so.
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection comes");
            let mut question = Vec::new();
            while !question.ends_with(b"}") {
                stream.read_buf(&mut question).await.expect("a question comes");
            }
            let verdict = r#"{"valid":false,"code":"key_revoked"}"#;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{verdict}", verdict.len());
            stream.write_all(answer.as_bytes()).await.expect("the answer is taken");
        }
    });
    let verifier = RemoteVerifier::new(&url, "kb_op_x").expect("the address is one");
    let layer = require(verifier, Needs::default());
    for _ in 0..20 {
        let answer = call(layer.clone(), &[("authorization", KEY)]).await;
        assert_eq!((answer.status, answer.header("x-keybell-code")), (401, "key_revoked"));
    }
    server.abort();
}

#[test]
fn an_address_that_cannot_be_asked_is_refused_at_once() {
    for url in [
        "",
        "keybell",
        "https://keybell.test",
        "http://a:b@127.0.0.1",
        "http://127.0.0.1/?a",
        "ftp://127.0.0.1",
    ] {
        assert_eq!(RemoteVerifier::new(url, "kb_op_x").err(), Some(BadRemote::Address), "{url}");
    }
    assert_eq!(RemoteVerifier::new("http://127.0.0.1", "a\nb").err(), Some(BadRemote::OperatorKey));
    for url in ["http://127.0.0.1:8080", "http://[::1]:8080/", "http://keybell.internal/base/"] {
        assert!(RemoteVerifier::new(url, "kb_op_x").is_ok(), "{url}");
    }
}
