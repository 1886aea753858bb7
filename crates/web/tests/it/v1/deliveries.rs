//! `/v1/workspaces/{workspace}/deliveries`

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::{On, TestApp, settings};
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};
use tokio::runtime::Handle;

/// How long a test waits for what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A workspace with a webhook to `receiver`: the path of the workspace, and the webhook as it was made.
async fn newsroom(app: &TestApp, receiver: &Receiver) -> (String, Value) {
    app.operator().post("/v1/event-types", json!({"name": "research_report.published"})).await.done(201);
    let path = format!("/v1/workspaces/{}", app.workspace("Northwind").await);
    let webhook = json!({
        "name": "Reports",
        "url": receiver.url("/hooks?tenant=7"),
        "events": ["*"],
        "headers": [{"name": "Authorization", "value": "Bearer hunter2", "secret": true}],
    });
    let webhook = app.operator().post(&format!("{path}/webhooks"), webhook).await.done(201);
    (path, webhook)
}

/// Publishes one event and comes back when its first attempt is over and written down.
async fn delivered(app: &TestApp, receiver: &Receiver, path: &str) -> Value {
    app.app.start_engine(&[Handle::current()]).await.expect("the engine starts");
    let event =
        json!({"type": "research_report.published", "data": {"title": "Chips & more"}, "id": "report-7"});
    let published = app.operator().post(&format!("{path}/events"), event).await.done(202);
    assert_eq!(published["deliveries"], 1);
    receiver.wait_for(1, PATIENCE).await;
    app.app.stop_engine(PATIENCE).await;
    app.operator().get(&format!("{path}/deliveries")).await.done(200)
}

#[tokio::test]
async fn a_delivery_shows_what_was_sent_and_what_came_back_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let app = TestApp::start_with(on, settings()).await;
        let reply = || Reply::status(200).header("x-server", "teapot").body("thanks");
        let receiver = Receiver::start(move |_| reply());
        let (path, webhook) = newsroom(&app, &receiver).await;
        let listed = delivered(&app, &receiver, &path).await;
        let sent = &receiver.received()[0];
        sent.verify_whenever(webhook["signing_secret"].as_str().expect("shown once"))
            .expect("the published secret verifies what was sent");
        let summary = &listed["data"][0];
        assert_eq!(summary["status"], "succeeded", "{listed}");
        assert_eq!(summary["event_id"], "report-7");
        assert_eq!(summary["webhook_id"], webhook["id"]);
        assert_eq!((&summary["attempts_made"], &summary["last_response_status"]), (&json!(1), &json!(200)));
        assert_eq!(summary["completed_at"], "2026-11-23T12:00:00.000Z");
        let one = format!("{path}/deliveries/{}", summary["id"].as_str().expect("an id"));
        let answer = app.operator().get(&one).await;
        assert!(!answer.text().contains("hunter2"));
        let detail = answer.done(200);
        let attempt = &detail["attempts"][0];
        assert_eq!((&attempt["number"], &attempt["trigger"]), (&json!(1), &json!("first")));
        assert_eq!(attempt["request"]["body"].as_str().map(str::as_bytes), Some(&sent.body[..]));
        assert_eq!(attempt["request"]["url"], receiver.url("/hooks?tenant=7"));
        let headers = attempt["request"]["headers"].as_array().expect("headers");
        let secret = headers.iter().find(|header| header["secret"] == true).expect("one is secret");
        assert!(secret["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("authorization")));
        assert_eq!(secret.get("value"), None);
        assert_eq!(attempt["response"]["body"], "thanks");
        assert_eq!(attempt["response"]["truncated"], false);
        assert_eq!(attempt["response_status"], 200);
        assert!(attempt["duration_ms"].is_u64() && attempt["timings"]["first_byte_ms"].is_u64(), "{attempt}");
        assert_eq!((&attempt["error_code"], &attempt["error"]), (&json!(null), &json!(null)));
        let webhook = format!("{path}/webhooks/{}", webhook["id"].as_str().expect("an id"));
        let webhook = app.operator().get(&webhook).await.done(200);
        assert_eq!(webhook["last_delivery_at"], "2026-11-23T12:00:00.000Z", "{on:?}");
    }
}

#[tokio::test]
async fn a_delivery_that_failed_says_when_it_is_tried_again() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|_| Reply::status(500).body("no"));
    let (path, _) = newsroom(&app, &receiver).await;
    let listed = delivered(&app, &receiver, &path).await;
    let summary = &listed["data"][0];
    assert_eq!((&summary["status"], &summary["last_response_status"]), (&json!("pending"), &json!(500)));
    assert_eq!(summary["completed_at"], json!(null));
    // 5 s by the schedule, moved by up to 10 %.
    let next = summary["next_attempt_at"].as_str().expect("it is tried again");
    assert!(("2026-11-23T12:00:04.500Z"..="2026-11-23T12:00:05.500Z").contains(&next), "{next}");
}

#[tokio::test]
async fn filters_hold_and_wrong_ones_are_named() {
    let app = TestApp::start().await;
    let receiver = Receiver::ok();
    let (path, webhook) = newsroom(&app, &receiver).await;
    delivered(&app, &receiver, &path).await;
    let id = webhook["id"].as_str().expect("an id");
    let count = async |query: &str| {
        let listed = app.operator().get(&format!("{path}/deliveries?{query}")).await.done(200);
        listed["data"].as_array().map_or(0, Vec::len)
    };
    for query in [
        &*format!("webhook_id={id}"),
        "event_id=report-7",
        "event_type=research_report.published",
        "status=succeeded&response_class=2xx",
        "from=2026-11-23T12:00:00Z&to=2026-11-23T12:00:01Z",
    ] {
        assert_eq!(count(query).await, 1, "{query}");
    }
    for query in [
        "webhook_id=whk_00000000000000000000000000",
        "event_id=report-8",
        "event_type=portfolio.updated",
        "status=pending",
        "status=failed",
        "response_class=none",
        "from=2026-11-23T12:00:01Z",
        "to=2026-11-23T12:00:00Z",
    ] {
        assert_eq!(count(query).await, 0, "{query}");
    }
    for wrong in ["webhook_id=a", "event_id=a.b", "status=done", "response_class=1xx", "from=monday"] {
        let answer = app.operator().get(&format!("{path}/deliveries?{wrong}")).await;
        let problem = answer.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], wrong.split('=').next().unwrap_or_default(), "{problem}");
    }
}

#[tokio::test]
async fn a_guest_sees_that_something_was_delivered_and_not_what() {
    let app = TestApp::start().await;
    let receiver = Receiver::ok();
    let (path, _) = newsroom(&app, &receiver).await;
    let listed = delivered(&app, &receiver, &path).await;
    let workspace = path.rsplit('/').next().expect("it ends with the id");
    let session = app.member(workspace, Role::Guest).await;
    let guest = app.session(&session);
    assert_eq!(guest.get(&format!("{path}/deliveries")).await.done(200), listed);
    let one = format!("{path}/deliveries/{}", listed["data"][0]["id"].as_str().expect("an id"));
    guest.get(&one).await.refused(403, "forbidden");
    guest.get(&format!("{path}/events/report-7")).await.refused(403, "forbidden");
}
