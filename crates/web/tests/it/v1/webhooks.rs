//! `/v1/workspaces/{workspace}/webhooks`

use keybell_core::Role;
use keybell_testkit::app::{On, TestApp, settings};
use serde_json::{Value, json};

/// A workspace in which event types are known; the path of its webhooks.
async fn webhooks(app: &TestApp) -> (String, String) {
    for name in ["research_report.published", "portfolio.updated"] {
        app.operator().post("/v1/event-types", json!({ "name": name })).await.done(201);
    }
    let workspace = app.workspace("Northwind").await;
    let path = format!("/v1/workspaces/{workspace}/webhooks");
    (workspace, path)
}

fn body() -> Value {
    json!({"name": "Reports", "url": "http://127.0.0.1:9/hooks", "events": ["research_report.published", "portfolio.*"]})
}

#[tokio::test]
async fn a_webhook_is_made_read_changed_and_deleted_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let app = TestApp::start_with(on, settings()).await;
        let (_, path) = webhooks(&app).await;
        let mut made = app.operator().post(&path, body()).await.done(201);
        let secret = made.as_object_mut().and_then(|made| made.remove("signing_secret")).expect("shown once");
        assert!(secret.as_str().is_some_and(|secret| secret.starts_with("whsec_")));
        let one = format!("{path}/{}", made["id"].as_str().expect("an id"));
        assert_eq!(app.operator().get(&one).await.done(200), made);
        assert_eq!(app.operator().get(&path).await.done(200)["data"], json!([made]));
        let change = json!({"enabled": false, "description": "Paused", "content_type": "application/xml"});
        let edited = app.operator().patch(&one, change).await.done(200);
        assert_eq!(edited["status"], "disabled");
        assert_eq!(edited["disabled_reason"], "by_member");
        assert_eq!(edited["content_type"], "application/xml");
        let edited =
            app.operator().patch(&one, json!({"enabled": true, "description": null})).await.done(200);
        assert_eq!((&edited["status"], &edited["disabled_reason"]), (&json!("active"), &json!(null)));
        assert_eq!(edited["description"], "");
        assert_eq!(app.operator().delete(&one).await.status, 204);
        app.operator().get(&one).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_new_webhook_has_exactly_the_documented_fields() {
    let app = TestApp::start().await;
    let (_, path) = webhooks(&app).await;
    let mut made = app.operator().post(&path, body()).await.done(201);
    for (field, redacted) in [("id", "[id]"), ("signing_secret", "[secret]")] {
        made[field] = redacted.into();
    }
    made["created_by"]["id"] = "[id]".into();
    insta::assert_json_snapshot!(made, @r#"{
  "id": "[id]",
  "name": "Reports",
  "description": "",
  "url": "http://127.0.0.1:9/hooks",
  "events": [
    "research_report.published",
    "portfolio.*"
  ],
  "content_type": "application/json",
  "headers": [],
  "enabled": true,
  "status": "active",
  "disabled_reason": null,
  "rate_limit": null,
  "max_in_flight": null,
  "metadata": {},
  "created_at": "2026-11-23T12:00:00.000Z",
  "created_by": {
    "kind": "operator",
    "id": "[id]",
    "name": "tests"
  },
  "updated_at": "2026-11-23T12:00:00.000Z",
  "last_delivery_at": null,
  "signing_secret": "[secret]"
}"#);
}

#[tokio::test]
async fn secret_headers_are_write_only_and_keep_their_value_through_a_patch() {
    let app = TestApp::start().await;
    let (_, path) = webhooks(&app).await;
    let mut new = body();
    new["headers"] = json!([
        {"name": "Authorization", "value": "Bearer hunter2", "secret": true},
        {"name": "X-Tenant", "value": "7"},
    ]);
    let made = app.operator().post(&path, new).await;
    assert!(!made.text().contains("hunter2"));
    let made = made.done(201);
    let shown = json!([{"name": "Authorization", "secret": true}, {"name": "X-Tenant", "value": "7", "secret": false}]);
    assert_eq!(made["headers"], shown);
    let one = format!("{path}/{}", made["id"].as_str().expect("an id"));
    let kept = json!({"headers": [{"name": "Authorization", "secret": true}]});
    assert_eq!(app.operator().patch(&one, kept.clone()).await.done(200)["headers"], kept["headers"]);
    let lost = json!({"headers": [{"name": "X-New", "secret": true}]});
    let problem = app.operator().patch(&one, lost).await.refused(422, "validation_failed");
    assert_eq!(problem["errors"][0]["field"], "headers[0].value");
}

#[tokio::test]
async fn the_signing_secret_is_read_on_purpose_and_that_is_written_down() {
    let app = TestApp::start().await;
    let (workspace, path) = webhooks(&app).await;
    let mut new = body();
    new["signing_secret"] = json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let made = app.operator().post(&path, new).await.done(201);
    assert_eq!(made["signing_secret"], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let one = format!("{path}/{}", made["id"].as_str().expect("an id"));
    assert!(!app.operator().get(&one).await.text().contains("whsec_"));
    app.clock.advance(std::time::Duration::from_secs(1));
    let answer = app.operator().get(&format!("{one}/signing-secret")).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let expected = json!({"secrets": [{
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "created_at": "2026-11-23T12:00:00.000Z", "expires_at": null,
    }]});
    assert_eq!(answer.done(200), expected);
    let log = app.operator().get(&format!("/v1/workspaces/{workspace}/audit-log")).await;
    assert!(!log.text().contains("MfKQ9r8"));
    assert_eq!(log.done(200)["data"][0]["action"], "webhook.signing_secret_shown");
    let reader = app.api_key(&workspace, &["keybell:webhooks.read"]).await;
    app.bearer(&reader).get(&format!("{one}/signing-secret")).await.refused(403, "insufficient_scope");
}

#[tokio::test]
async fn a_member_manages_only_the_webhooks_they_made() {
    let app = TestApp::start().await;
    let (workspace, path) = webhooks(&app).await;
    let theirs = app.operator().post(&path, body()).await.done(201);
    let session = app.member(&workspace, Role::Member).await;
    let member = app.session(&session);
    let own = member.post(&path, body()).await.done(201);
    let one = |webhook: &Value| format!("{path}/{}", webhook["id"].as_str().expect("an id"));
    member.patch(&one(&own), json!({"name": "Mine"})).await.done(200);
    member.patch(&one(&theirs), json!({"name": "Mine"})).await.refused(403, "forbidden");
    member.delete(&one(&theirs)).await.refused(403, "forbidden");
    assert_eq!(member.get(&one(&theirs)).await.status, 200);
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let app = TestApp::start().await;
    let (_, path) = webhooks(&app).await;
    let wrong = json!({
        "name": "",
        "url": "ftp://example.com/",
        "events": ["research_report.published", "nothing.*"],
        "headers": [{"name": "Host", "value": "a"}],
        "rate_limit": {"limit": 0, "window_seconds": 1},
        "signing_secret": "secret",
    });
    let problem = app.operator().post(&path, wrong).await.refused(422, "validation_failed");
    let errors = problem["errors"].as_array().expect("errors");
    let mut fields: Vec<&str> =
        errors.iter().map(|error| error["field"].as_str().expect("a field")).collect();
    fields.sort_unstable();
    let expected = ["events[1]", "headers[0].name", "name", "rate_limit.limit", "signing_secret", "url"];
    assert_eq!(fields, expected, "{problem}");
    let unknown =
        json!({"name": "a", "url": "http://127.0.0.1:9/", "events": ["*"], "content_type": "text/csv"});
    let problem = app.operator().post(&path, unknown).await.refused(422, "validation_failed");
    assert_eq!(problem["errors"][0]["field"], "content_type");
}

#[tokio::test]
async fn a_url_that_leads_inside_is_refused_with_the_rule() {
    let app = TestApp::start().await;
    let (_, path) = webhooks(&app).await;
    for url in
        ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data", "http://[::1]/", "http://0x7f.1:1@a/"]
    {
        let new = json!({"name": "a", "url": url, "events": ["*"]});
        let problem = app.operator().post(&path, new).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], "url", "{url}");
    }
}
