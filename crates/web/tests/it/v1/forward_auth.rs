//! `/v1/forward-auth`

use axum::body::Body;
use axum::http::Method;
use keybell_testkit::app::{Answer, On, TestApp, settings};
use serde_json::{Value, json};

async fn start() -> TestApp {
    // The tests' clients come from this network: it is the gateway.
    let mut behind_a_gateway = settings();
    behind_a_gateway.trusted_proxies = vec!["192.0.2.0/24".parse().expect("a network")];
    let app = TestApp::start_with(On::Memory, behind_a_gateway).await;
    app.operator()
        .post("/v1/workspaces", json!({ "name": "Northwind", "external_id": "northwind" }))
        .await
        .done(201);
    for name in ["reports:read", "reports:write"] {
        let scope = json!({ "name": name, "description": "Research reports" });
        app.operator().post("/v1/scopes", scope).await.done(201);
    }
    app
}

async fn key(app: &TestApp, mut body: Value) -> Value {
    body["name"] = json!("integration");
    app.operator().post("/v1/workspaces/northwind/api-keys", body).await.done(201)
}

fn secret(key: &Value) -> &str {
    key["secret_key"].as_str().expect("a new key shows its secret")
}

/// Status, code, true status and challenge of an answer.
fn told(answer: &Answer) -> String {
    let mut told = answer.status.to_string();
    for name in ["x-keybell-code", "x-keybell-status", "www-authenticate"] {
        if !answer.header(name).is_empty() {
            told = format!("{told} {}", answer.header(name));
        }
    }
    told
}

#[tokio::test]
async fn an_allowed_request_tells_the_application_who_calls() {
    let app = start().await;
    let key = key(&app, json!({ "scopes": ["reports:read", "reports:write"] })).await;
    let workspace = app.operator().get("/v1/workspaces/northwind").await.done(200);
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let path = "/v1/forward-auth?scope=reports:read&scope=reports:write";
        let answer = app.bearer(secret(&key)).send(method.clone(), path, Body::empty()).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{method}");
        for (name, value) in [
            ("x-keybell-key-id", &key["id"]),
            ("x-keybell-workspace-id", &workspace["id"]),
            ("x-keybell-workspace-external-id", &json!("northwind")),
            ("x-keybell-environment", &json!("live")),
            ("x-keybell-scopes", &json!("reports:read reports:write")),
            ("cache-control", &json!("no-store")),
        ] {
            assert_eq!(answer.header(name), value.as_str().expect("a text"), "{name}");
        }
    }
}

#[tokio::test]
async fn every_refusal_is_told_as_the_client_is_to_see_it() {
    let app = start().await;
    let key = key(&app, json!({ "scopes": ["reports:read"] })).await;
    let (plain, path) = (app.bearer(secret(&key)), "/v1/forward-auth");
    let nothing = app.stranger().get(path).await;
    let told_both: Vec<_> = nothing.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(told_both, ["Bearer realm=\"keybell\"", "Basic realm=\"keybell\""]);
    let answers = [
        nothing,
        app.stranger().with("authorization", "Bearer").get(path).await,
        plain.clone().with("x-api-key", "other").get(path).await,
        app.bearer("other").get(path).await,
        plain.get("/v1/forward-auth?scope=reports:read&scope=reports:write").await,
        plain.get("/v1/forward-auth?environment=test").await,
    ];
    for answer in &answers {
        let problem = answer.refused(answer.status, answer.header("x-keybell-code"));
        assert_eq!(problem["status"], answer.status);
    }
    insta::assert_snapshot!(answers.iter().map(told).collect::<Vec<_>>().join("\n"), @r#"
    401 missing_credential Bearer realm="keybell"
    400 invalid_authorization Bearer realm="keybell", error="invalid_request", error_description="The Authorization header could not be read"
    400 conflicting_credentials Bearer realm="keybell", error="invalid_request", error_description="Two different credentials in one request"
    401 invalid_key Bearer realm="keybell", error="invalid_token", error_description="The key is not valid"
    403 insufficient_scope Bearer realm="keybell", error="insufficient_scope", error_description="The key lacks a scope", scope="reports:read reports:write"
    403 wrong_environment
    "#);
}

#[tokio::test]
async fn nginx_gets_a_refusal_that_it_does_not_turn_into_a_fault() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let path = "/v1/forward-auth?gateway=nginx";
    let answers = [
        app.stranger().get(path).await,
        app.stranger().with("authorization", "Bearer").get(path).await,
        app.bearer("other").get(path).await,
        app.bearer(secret(&key)).get("/v1/forward-auth?gateway=nginx&scope=reports:read").await,
        app.bearer(secret(&key)).get(path).await,
    ];
    insta::assert_snapshot!(answers.iter().map(told).collect::<Vec<_>>().join("\n"), @r#"
    401 missing_credential 401 Bearer realm="keybell"
    403 invalid_authorization 400 Bearer realm="keybell", error="invalid_request", error_description="The Authorization header could not be read"
    401 invalid_key 401 Bearer realm="keybell", error="invalid_token", error_description="The key is not valid"
    403 insufficient_scope 403 Bearer realm="keybell", error="insufficient_scope", error_description="The key lacks a scope", scope="reports:read"
    200
    "#);
    assert_eq!(answers[1].json()["status"], 400, "the document tells what was wrong");
    assert_eq!(answers[1].header("content-type"), "application/problem+json");
    assert!(!answers[1].header("x-request-id").is_empty());
}

#[tokio::test]
async fn a_mistyped_configuration_lets_nobody_through() {
    let app = start().await;
    let key = key(&app, json!({ "scopes": ["reports:read"] })).await;
    for query in ["scopes=reports:read", "scope=Reports", "scope=", "environment=prod", "gateway=apache"] {
        let answer = app.bearer(secret(&key)).get(&format!("/v1/forward-auth?{query}")).await;
        assert_eq!((answer.status, answer.header("x-keybell-code")), (403, "validation_failed"), "{query}");
        assert_eq!(answer.header("x-keybell-status"), "422");
    }
}

#[tokio::test]
async fn only_an_api_key_opens_the_gate() {
    let app = start().await;
    assert_eq!(told(&app.operator().get("/v1/forward-auth").await).split(' ').nth(1), Some("invalid_key"));
    let workspace = app.workspace("Southwind").await;
    let session = app.member(&workspace, keybell_core::Role::Owner).await;
    app.session(&session).get("/v1/forward-auth").await.refused(401, "missing_credential");
}

#[tokio::test]
async fn the_clients_address_is_what_the_trusted_gateway_says() {
    let app = start().await;
    let confined = key(&app, json!({ "allowed_networks": ["203.0.113.0/24"] })).await;
    let client = app.bearer(secret(&confined));
    client.get("/v1/forward-auth").await.refused(403, "source_not_allowed");
    client.clone().with("x-forwarded-for", "203.0.113.9").get("/v1/forward-auth").await.done(200);
    let forged = "203.0.113.9, 198.51.100.7";
    client.with("x-forwarded-for", forged).get("/v1/forward-auth").await.refused(403, "source_not_allowed");

    // Without a trusted proxy the header is anybody's.
    let app = TestApp::start().await;
    app.operator()
        .post("/v1/workspaces", json!({ "name": "Northwind", "external_id": "northwind" }))
        .await
        .done(201);
    let confined = key(&app, json!({ "allowed_networks": ["203.0.113.0/24"] })).await;
    let client = app.bearer(secret(&confined)).with("x-forwarded-for", "203.0.113.9");
    client.get("/v1/forward-auth").await.refused(403, "source_not_allowed");
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_the_very_next_request() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    app.bearer(secret(&key)).get("/v1/forward-auth").await.done(200);
    let revoke = format!("/v1/workspaces/northwind/api-keys/{}/revoke", key["id"].as_str().expect("an id"));
    app.operator().post_empty(&revoke).await.done(200);
    app.bearer(secret(&key)).get("/v1/forward-auth").await.refused(401, "key_revoked");
}
