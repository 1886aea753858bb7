//! What the tests of keys share: an installation with a workspace that the platform calls `northwind`, and its keys.

use keybell_app::settings::Settings;
use keybell_testkit::app::{Answer, On, TestApp, settings};
use serde_json::{Value, json};

/// Where the workspace's keys are.
pub(crate) const KEYS: &str = "/v1/workspaces/northwind/api-keys";

/// With the settings of all tests.
pub(crate) async fn start() -> TestApp {
    start_with(settings()).await
}

/// With settings of its own.
pub(crate) async fn start_with(settings: Settings) -> TestApp {
    let app = TestApp::start_with(On::Memory, settings).await;
    let workspace = json!({ "name": "Northwind", "external_id": "northwind" });
    app.operator().post("/v1/workspaces", workspace).await.done(201);
    for name in ["reports:read", "reports:write"] {
        let scope = json!({ "name": name, "description": "Research reports" });
        app.operator().post("/v1/scopes", scope).await.done(201);
    }
    app
}

/// The settings of a server whose clients all come through the gateway from which the tests' clients come.
pub(crate) fn behind_a_gateway() -> Settings {
    let trusted_proxies = vec!["192.0.2.0/24".parse().expect("a network")];
    Settings { trusted_proxies, ..settings() }
}

/// A key with these members.
pub(crate) async fn key(app: &TestApp, mut body: Value) -> Value {
    if body.get("name").is_none() {
        body["name"] = json!("integration");
    }
    app.operator().post(KEYS, body).await.done(201)
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("it is a text")
}

pub(crate) fn secret(key: &Value) -> &str {
    key["secret_key"].as_str().expect("a new key shows its secret")
}

/// Where a key is.
pub(crate) fn path_of(key: &Value) -> String {
    format!("{KEYS}/{}", text(&key["id"]))
}

/// What `POST /v1/api-keys/verify` answers to a secret and what else is asked of it.
pub(crate) async fn verify(app: &TestApp, secret: &str, mut asked: Value) -> Value {
    asked["secret_key"] = json!(secret);
    let verdict = app.operator().post("/v1/api-keys/verify", asked).await.done(200);
    assert_eq!(verdict["valid"], verdict["code"] == "valid");
    assert_eq!(
        verdict.get("key").is_some(),
        verdict["code"] == "valid",
        "a key that is refused is not described"
    );
    verdict
}

/// The code of that answer where nothing else is asked.
pub(crate) async fn code(app: &TestApp, secret: &str) -> String {
    text(&verify(app, secret, json!({})).await["code"]).to_owned()
}

/// The entries of the workspace's audit log with that action, newest first.
pub(crate) async fn audited(app: &TestApp, action: &str) -> Vec<Value> {
    let path = format!("/v1/workspaces/northwind/audit-log?limit=250&action={action}");
    let log = app.operator().get(&path).await.done(200);
    log["data"].as_array().expect("a list").clone()
}

/// The fields that a refusal names, each with its code.
#[track_caller]
pub(crate) fn wrong_fields(answer: &Answer) -> Vec<String> {
    let problem = answer.refused(422, "validation_failed");
    let errors = problem["errors"].as_array().expect("they are named");
    errors.iter().map(|error| format!("{} {}", text(&error["field"]), text(&error["code"]))).collect()
}
