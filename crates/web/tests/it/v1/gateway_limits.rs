//! Rate limits, as `/v1/forward-auth` applies and tells them.

use std::time::Duration;

use axum::body::Body;
use axum::http::Method;
use keybell_testkit::app::{Answer, Client, TestApp};
use serde_json::{Value, json};

use crate::northwind::{behind_a_gateway, key, path_of, secret, start, start_with, verify};

const PATH: &str = "/v1/forward-auth";

/// What an answer tells of limits and of waiting.
fn told(answer: &Answer) -> String {
    let names = [
        "x-keybell-code",
        "x-keybell-status",
        "retry-after",
        "ratelimit-policy",
        "ratelimit",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ];
    let sent = names.iter().filter(|name| answer.headers.contains_key(**name));
    let lines = sent.map(|name| format!("{name}: {}", answer.header(name)));
    std::iter::once(answer.status.to_string()).chain(lines).collect::<Vec<_>>().join("\n")
}

async fn twice_a_minute(app: &TestApp) -> Value {
    key(app, json!({ "rate_limits": [{ "name": "per_minute", "limit": 2, "window_seconds": 60 }] })).await
}

/// A key whose limits tell by which of them a request is counted.
async fn reads_and_writes(app: &TestApp) -> Value {
    let limit = |name: &str| json!({ "name": name, "limit": 1_000, "window_seconds": 60 });
    key(app, json!({ "rate_limits": [limit("reads"), limit("writes"), limit("all")] })).await
}

/// By which limits a request was counted that let the client through.
fn counted_by(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let items = answer.header("ratelimit-policy").split(", ").filter(|item| !item.is_empty());
    items.filter_map(|item| item.split('"').nth(1)).collect::<Vec<_>>().join(" ")
}

async fn asked_with(client: &Client<'_>, method: &str, path: &str) -> String {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    counted_by(&client.send(method, path, Body::empty()).await)
}

async fn remaining(app: &TestApp, key: &Value) -> Value {
    let verdict = verify(app, secret(key), json!({ "rate_limit_cost": 0 })).await;
    verdict["rate_limits"][0]["remaining"].clone()
}

#[tokio::test]
async fn every_answer_tells_the_client_what_is_left() {
    let app = start().await;
    let key = twice_a_minute(&app).await;
    let client = app.bearer(secret(&key));
    insta::assert_snapshot!(told(&client.get(PATH).await), @r#"
    200
    ratelimit-policy: "per_minute";q=2;w=60
    ratelimit: "per_minute";r=1;t=30
    x-ratelimit-limit: 2
    x-ratelimit-remaining: 1
    x-ratelimit-reset: 1795435230
    "#);
    client.get(PATH).await.done(200);
    let refused = client.get(PATH).await;
    insta::assert_snapshot!(told(&refused), @r#"
    429
    x-keybell-code: rate_limited
    retry-after: 30
    ratelimit-policy: "per_minute";q=2;w=60
    ratelimit: "per_minute";r=0;t=60
    x-ratelimit-limit: 2
    x-ratelimit-remaining: 0
    x-ratelimit-reset: 1795435260
    "#);
    refused.refused(429, "rate_limited");
    assert!(!refused.headers.contains_key("www-authenticate"), "another credential would not help");
    app.clock.advance(Duration::from_mins(1));
    client.get(PATH).await.done(200);
    assert_eq!(remaining(&app, &key).await, 1, "all of it was free again");
}

#[tokio::test]
async fn a_key_without_limits_is_told_of_none() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    assert_eq!(told(&app.bearer(secret(&key)).get(PATH).await), "200");
}

#[tokio::test]
async fn nginx_is_told_403_and_the_client_when_to_come_back() {
    let app = start().await;
    let key = twice_a_minute(&app).await;
    let client = app.bearer(secret(&key));
    let path = "/v1/forward-auth?gateway=nginx";
    client.get(path).await.done(200);
    client.get(path).await.done(200);
    let refused = client.get(path).await;
    insta::assert_snapshot!(told(&refused), @r#"
    403
    x-keybell-code: rate_limited
    x-keybell-status: 429
    retry-after: 30
    ratelimit-policy: "per_minute";q=2;w=60
    ratelimit: "per_minute";r=0;t=60
    x-ratelimit-limit: 2
    x-ratelimit-remaining: 0
    x-ratelimit-reset: 1795435260
    "#);
    let problem = refused.refused(403, "rate_limited");
    assert_eq!(problem["status"], 429, "the document tells what was wrong");
}

#[tokio::test]
async fn where_there_is_room_for_one_limit_the_tightest_is_told() {
    let app = start().await;
    let limits = json!([
        { "name": "day", "limit": 1_000, "window_seconds": 86_400 },
        { "name": "burst", "limit": 5, "window_seconds": 1 },
    ]);
    let key = key(&app, json!({ "rate_limits": limits })).await;
    insta::assert_snapshot!(told(&app.bearer(secret(&key)).get(PATH).await), @r#"
    200
    ratelimit-policy: "day";q=1000;w=86400, "burst";q=5;w=1
    ratelimit: "day";r=999;t=87, "burst";r=4;t=1
    x-ratelimit-limit: 5
    x-ratelimit-remaining: 4
    x-ratelimit-reset: 1795435201
    "#);
}

#[tokio::test]
async fn the_method_that_the_gateway_asks_with_is_the_clients_unless_it_says_otherwise() {
    let app = start_with(behind_a_gateway()).await;
    let key = reads_and_writes(&app).await;
    let client = app.bearer(secret(&key));
    for (method, counted) in [
        ("GET", "reads all"),
        ("PROPFIND", "reads all"),
        ("POST", "writes all"),
        ("PUT", "writes all"),
        ("PATCH", "writes all"),
        ("DELETE", "writes all"),
        ("BREW", "writes all"),
        ("HEAD", ""),
        ("OPTIONS", ""),
    ] {
        assert_eq!(asked_with(&client, method, PATH).await, counted, "{method}");
        let forwarded = client.clone().with("x-forwarded-method", method);
        assert_eq!(asked_with(&forwarded, "GET", PATH).await, counted, "X-Forwarded-Method: {method}");
        assert_eq!(asked_with(&forwarded, "POST", PATH).await, counted, "X-Forwarded-Method: {method}");
        let queried = format!("{PATH}?method={method}");
        assert_eq!(asked_with(&client, "GET", &queried).await, counted, "{queried}");
        let contradicted = client.clone().with("x-forwarded-method", "OPTIONS");
        assert_eq!(
            asked_with(&contradicted, "HEAD", &queried).await,
            counted,
            "the query decides: {queried}"
        );
    }
}

#[tokio::test]
async fn a_forwarded_method_is_believed_from_trusted_proxies_and_only_where_there_is_one() {
    let (open, behind) = (start().await, start_with(behind_a_gateway()).await);
    for (app, methods, counted) in [
        (&open, &["OPTIONS"][..], "reads writes all"),
        (&open, &["POST"], "reads writes all"),
        (&behind, &["OPTIONS", "POST"], "reads writes all"),
        (&behind, &["OPTIONS"], ""),
    ] {
        let key = reads_and_writes(app).await;
        let client = app.bearer(secret(&key));
        let client = methods.iter().fold(client, |client, method| client.with("x-forwarded-method", method));
        assert_eq!(asked_with(&client, "GET", PATH).await, counted, "{methods:?}");
    }
}

#[tokio::test]
async fn behind_nginx_only_its_query_says_the_method() {
    let app = start().await;
    let key = reads_and_writes(&app).await;
    let client = app.bearer(secret(&key));
    let path = "/v1/forward-auth?gateway=nginx";
    assert_eq!(
        asked_with(&client, "GET", path).await,
        "reads writes all",
        "nginx asks with GET whatever came"
    );
    let forged = client.clone().with("x-forwarded-method", "OPTIONS");
    assert_eq!(asked_with(&forged, "GET", path).await, "reads writes all");
    assert_eq!(asked_with(&forged, "GET", &format!("{path}&method=POST")).await, "writes all");
    assert_eq!(asked_with(&forged, "GET", "/v1/forward-auth?method=GET&gateway=nginx").await, "reads all");
    assert_eq!(asked_with(&client, "GET", &format!("{path}&method=HEAD")).await, "");
}

#[tokio::test]
async fn a_forwarded_method_that_cannot_be_read_is_counted_by_every_limit() {
    let app = start().await;
    let key = reads_and_writes(&app).await;
    let garbled = app.bearer(secret(&key)).with_bytes("x-forwarded-method", b"OPTIONS\xff");
    assert_eq!(asked_with(&garbled, "GET", PATH).await, "reads writes all");
}

#[tokio::test]
async fn a_method_that_says_nothing_is_a_mistyped_configuration() {
    let app = start().await;
    let key = reads_and_writes(&app).await;
    let answer = app.bearer(secret(&key)).get("/v1/forward-auth?method=").await;
    assert_eq!((answer.status, answer.header("x-keybell-code")), (403, "validation_failed"));
    assert_eq!(answer.json()["errors"][0]["field"], "method");
}

#[tokio::test]
async fn what_is_refused_for_another_reason_is_not_counted() {
    let app = start().await;
    let key = twice_a_minute(&app).await;
    let client = app.bearer(secret(&key));
    client.get("/v1/forward-auth?scope=reports:read").await.refused(403, "insufficient_scope");
    client.get("/v1/forward-auth?scopes=reports:read").await.refused(403, "validation_failed");
    client.clone().with("x-api-key", "other").get(PATH).await.refused(400, "conflicting_credentials");
    app.stranger().get(PATH).await.refused(401, "missing_credential");
    app.bearer(&secret(&key).replace("kb_live_", "kb_test_")).get(PATH).await.refused(401, "invalid_key");
    app.operator().patch(&path_of(&key), json!({ "enabled": false })).await.done(200);
    let disabled = client.get(PATH).await;
    assert_eq!(told(&disabled), "401\nx-keybell-code: key_disabled");
    app.operator().patch(&path_of(&key), json!({ "enabled": true })).await.done(200);
    assert_eq!(remaining(&app, &key).await, 2);
}
