//! The end: asked for once, in order and in time; asked for twice, at once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use keybell_demo::keybell::Keybell;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::support::{curl, installation};

/// What is promised, and what supervisors wait before they kill.
const PROMISED: Duration = Duration::from_secs(10);

#[tokio::test]
async fn it_ends_in_time_with_connections_open_and_a_delivery_under_way() {
    let settings =
        "[delivery]\nrequire_https = false\nallowed_networks = [\"127.0.0.0/8\"]\ntimeout = \"60s\"\n";
    let mut installation = installation(None, settings);
    let key = installation.operator_key("platform").expect("a key");
    installation.serve().expect("it starts");
    let receiver = Receiver::start(0).await;
    let keybell = Keybell::new(installation.url(""), key);
    keybell
        .post("/v1/workspaces", &json!({ "external_id": "acme", "name": "Acme" }))
        .await
        .expect("a workspace");
    keybell.post("/v1/event-types", &json!({ "name": "order.placed" })).await.expect("an event type");
    let webhook = json!({ "name": "All", "url": receiver.url, "events": ["*"] });
    let webhook = keybell.post("/v1/workspaces/acme/webhooks", &webhook).await.expect("a webhook");
    receiver.trust(webhook.body["signing_secret"].as_str().expect("it is shown once"));
    let event = json!({ "type": "order.placed", "id": "order_1", "data": {} });
    keybell.post("/v1/workspaces/acme/events", &event).await.expect("it accepts");
    receiver.distinct(1).await;

    let mut idle = TcpStream::connect(installation.address()).expect("it accepts");
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: keybell\r\n\r\n").expect("it reads");
    let mut first = [0; 15];
    idle.read_exact(&mut first).expect("it answers");
    let mut half_sent = TcpStream::connect(installation.address()).expect("it accepts");
    half_sent.write_all(b"POST /v1/workspaces HTTP/1.1\r\nhost: keybell\r\ncontent-le").expect("it reads");

    let asked = Instant::now();
    let status = installation.stop().expect("it ends");
    let took = asked.elapsed();
    assert_eq!(status.code(), Some(0), "{}", installation.log_text());
    assert!(took < PROMISED, "it took {took:?}");

    // What was under way is not lost: the receiver never answered, so it comes again.
    receiver.release();
    installation.serve().expect("it starts again");
    receiver.deliveries(2).await;
    assert_eq!(receiver.came().0["order_1"], 2);
}

#[test]
fn an_idle_server_ends_at_once() {
    let mut installation = installation(None, "");
    installation.serve().expect("it starts");
    let asked = Instant::now();
    assert_eq!(installation.stop().expect("it ends").code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    assert!(!installation.folder().join("keybell.sock").exists(), "it takes its socket away");
}

#[test]
fn a_second_signal_does_not_wait() {
    let mut installation = installation(None, "");
    installation.serve().expect("it starts");
    let mut half_sent = TcpStream::connect(installation.address()).expect("it accepts");
    half_sent.write_all(b"GET / HTTP/1.1\r\nhost: ").expect("it reads");
    let process = installation.process().expect("it runs").to_string();
    let interrupt = || Command::new("kill").args(["-INT", &process]).status().expect("kill runs");
    let asked = Instant::now();
    assert!(interrupt().success());
    while !installation.log_text().contains("asked to end") {
        assert!(asked.elapsed() < PROMISED, "it did not hear the first signal");
    }
    assert_eq!(installation.stop().expect("it ends").code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
}

#[test]
fn how_keys_were_used_is_written_down_before_the_end() {
    let mut installation = installation(None, "");
    let operator_key = installation.operator_key("platform").expect("a key");
    installation.serve().expect("it starts");
    let bearer = format!("Authorization: Bearer {operator_key}");
    let json = "Content-Type: application/json";
    let post = |path: &str, body: &str| {
        let (status, answer) =
            curl(&["--header", &bearer, "--header", json, "--data", body, &installation.url(path)]);
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        serde_json::from_str::<Value>(&answer).expect("it answers JSON")
    };
    post("/v1/workspaces", r#"{"name":"Acme","external_id":"acme"}"#);
    let key = post("/v1/workspaces/acme/api-keys", r#"{"name":"mine"}"#);
    for _ in 0..3 {
        post("/v1/api-keys/verify", &format!(r#"{{"secret_key":{}}}"#, key["secret_key"]));
    }
    assert!(installation.stop().expect("it ends").success());
    installation.serve().expect("it starts again");
    let id = key["id"].as_str().expect("a key has an id");
    let read = |path: &str| {
        let (status, answer) = curl(&["--header", &bearer, &installation.url(path)]);
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str::<Value>(&answer).expect("it answers JSON")
    };
    let usage = read(&format!("/v1/workspaces/acme/api-keys/{id}/usage?step=day"));
    let days = usage["data"].as_array().expect("a list");
    assert_eq!(days.iter().filter_map(|day| day["outcomes"]["valid"].as_u64()).sum::<u64>(), 3);
    assert!(read(&format!("/v1/workspaces/acme/api-keys/{id}"))["last_used_at"].is_string());
}
