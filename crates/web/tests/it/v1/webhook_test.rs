//! `/v1/workspaces/{workspace}/webhooks/{id}/test`

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::{On, TestApp};
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};

use crate::newsroom::{Newsroom, PATIENCE, TYPE, text};

#[tokio::test]
async fn a_test_is_sent_as_a_delivery_is_and_its_answer_comes_back_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let room = Newsroom::open(on).await;
        let receiver = Receiver::start(|_| Reply::status(202).header("x-server", "teapot").body("thanks"));
        let webhook = json!({
            "name": "Reports",
            "url": receiver.url("/hooks?tenant=7"),
            "events": [TYPE],
            "headers": [{"name": "Authorization", "value": "Bearer hunter2", "secret": true}],
        });
        let webhook = room.app.operator().post(&format!("{}/webhooks", room.path), webhook).await.done(201);
        let answer = room.app.operator().post_empty(&format!("{}/test", room.of_webhook(&webhook))).await;
        assert!(!answer.text().contains("hunter2"));
        let attempt = answer.done(200);
        let sent = &receiver.received()[0];
        sent.verify_whenever(text(&webhook["signing_secret"])).expect("it is signed as a delivery is");
        assert_eq!(sent.header("authorization"), Some("Bearer hunter2"));
        assert_eq!(sent.header("content-type"), Some("application/json"));
        let body = sent.json();
        assert_eq!((&body["type"], &body["data"]), (&json!(TYPE), &json!({"title": "Chips"})));
        assert!(text(&body["id"]).starts_with("test_") && sent.header("webhook-id") == body["id"].as_str());
        assert_eq!((&attempt["number"], &attempt["trigger"]), (&json!(1), &json!("manual")));
        assert_eq!(attempt["request"]["body"].as_str().map(str::as_bytes), Some(&sent.body[..]));
        assert_eq!(attempt["request"]["url"], receiver.url("/hooks?tenant=7"));
        assert_eq!(
            (&attempt["response_status"], &attempt["response"]["body"]),
            (&json!(202), &json!("thanks"))
        );
        assert_eq!((&attempt["error_code"], &attempt["error"]), (&json!(null), &json!(null)));
        let log = room.audited("webhook.tested").await;
        assert_eq!((&log["target"]["id"], &log["changes"]), (&webhook["id"], &json!({"event_type": TYPE})));
    }
}

#[tokio::test]
async fn a_test_that_fails_counts_for_nothing() {
    let room = Newsroom::open(On::Memory).await;
    let receiver = Receiver::start(|_| Reply::status(410));
    let webhook = room.webhook(&receiver).await;
    let one = room.of_webhook(&webhook);
    let attempt = room.app.operator().post(&format!("{one}/test"), json!({})).await.done(200);
    assert_eq!(attempt["response_status"], 410);
    let shown = room.app.operator().get(&one).await.done(200);
    assert_eq!((&shown["status"], &shown["last_delivery_at"]), (&json!("active"), &json!(null)));
    assert_eq!(shown["updated_at"], webhook["updated_at"]);
    assert_eq!(room.deliveries("").await, Vec::<Value>::new());
    let events = room.app.operator().get(&format!("{}/events", room.path)).await.done(200);
    assert_eq!(events["data"], json!([]));
    let stats = room.app.operator().get(&format!("{one}/stats")).await.done(200);
    let points = stats["data"].as_array().expect("points");
    assert!(points.iter().all(|point| point["failed"] == 0 && point["succeeded"] == 0), "{stats}");
    assert_eq!(room.app.app.engine().stats().given_up, 0);
}

#[tokio::test]
async fn a_disabled_webhook_can_be_tested_and_nobody_listening_is_an_answer_too() {
    let room = Newsroom::open(On::Memory).await;
    let webhook = json!({"name": "Nobody", "url": "http://127.0.0.1:9/", "events": ["*"], "enabled": false});
    let webhook = room.app.operator().post(&format!("{}/webhooks", room.path), webhook).await.done(201);
    let test = format!("{}/test", room.of_webhook(&webhook));
    let attempt = room.app.operator().post_empty(&test).await.done(200);
    assert_eq!((&attempt["error_code"], &attempt["response"]), (&json!("connect_refused"), &json!(null)));
}

#[tokio::test]
async fn any_type_of_the_catalogue_can_be_asked_for_and_one_without_example_is_small() {
    let room = Newsroom::open(On::Memory).await;
    let receiver = Receiver::ok();
    let test = format!("{}/test", room.of_webhook(&room.webhook(&receiver).await));
    room.app.operator().post("/v1/event-types", json!({"name": "portfolio.updated"})).await.done(201);
    room.app.operator().post(&test, json!({"event_type": "portfolio.updated"})).await.done(200);
    let body = receiver.received()[0].json();
    assert_eq!((&body["type"], &body["data"]), (&json!("portfolio.updated"), &json!({"test": true})));
    let unknown = room.app.operator().post(&test, json!({"event_type": "portfolio.closed"})).await;
    unknown.refused(422, "unknown_event_type");
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn of_a_webhook_one_test_is_under_way_at_a_time() {
    let room = Newsroom::open(On::Memory).await;
    let (open, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let receiver = Receiver::start(move |_| {
        gate.lock().expect("nobody panics").recv().expect("the test opens it");
        Reply::status(200)
    });
    let test = format!("{}/test", room.of_webhook(&room.webhook(&receiver).await));
    let operator = room.app.operator();
    let second = async {
        receiver.wait_for(1, PATIENCE).await;
        let refused = operator.post_empty(&test).await;
        open.send(()).expect("the receiver waits");
        refused
    };
    let (first, second) = tokio::join!(operator.post_empty(&test), second);
    assert_eq!(second.header("retry-after"), "1");
    second.refused(429, "rate_limited");
    assert_eq!(first.done(200)["response_status"], 200);
    open.send(()).expect("the receiver is there");
    assert_eq!(operator.post_empty(&test).await.done(200)["response_status"], 200, "its place is free again");
}

#[tokio::test]
async fn who_may_not_change_a_webhook_may_not_test_it() {
    let room = Newsroom::open(On::Memory).await;
    let receiver = Receiver::ok();
    let test = format!("{}/test", room.of_webhook(&room.webhook(&receiver).await));
    let session = room.app.member(&room.workspace, Role::Member).await;
    room.app.session(&session).post_empty(&test).await.refused(403, "forbidden");
    let reader = room.app.api_key(&room.workspace, &["keybell:webhooks.read"]).await;
    room.app.bearer(&reader).post_empty(&test).await.refused(403, "insufficient_scope");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn where_nothing_is_delivered_nothing_is_tested() {
    let app = TestApp::start().await;
    let path = format!("/v1/workspaces/{}/webhooks", app.workspace("Northwind").await);
    let webhook = json!({"name": "Reports", "url": "http://127.0.0.1:9/", "events": ["*"]});
    let webhook = app.operator().post(&path, webhook).await.done(201);
    let test = format!("{path}/{}/test", text(&webhook["id"]));
    app.operator().post_empty(&test).await.refused(503, "unavailable");
    app.app.stop_engine(Duration::ZERO).await;
}
