//! What must hold for every route, so that a new one cannot forget it.

use axum::body::Body;
use axum::http::Method;
use keybell_core::Role;
use keybell_testkit::app::{Answer, Client, TestApp};
use serde_json::json;

use crate::openapi::{Operation, operations};

/// Every scope of Keybell's own.
const ALL_SCOPES: [&str; 6] = [
    "keybell:keys.read",
    "keybell:keys.write",
    "keybell:webhooks.read",
    "keybell:webhooks.write",
    "keybell:events.read",
    "keybell:events.publish",
];

async fn call(client: &Client<'_>, operation: &Operation, workspace: &str) -> Answer {
    let path = operation.path_in(workspace);
    let answer = if operation.takes_json {
        client.json(operation.method.clone(), &path, json!({})).await
    } else {
        client.send(operation.method.clone(), &path, Body::empty()).await
    };
    assert!(!answer.header("x-request-id").is_empty(), "{} {path}", operation.method);
    assert!(answer.status < 500, "{} {path}: {}", operation.method, answer.text());
    answer
}

#[tokio::test]
async fn every_route_refuses_a_stranger() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    for operation in operations(&app).await {
        call(&app.stranger(), &operation, &workspace).await.refused(401, "missing_credential");
    }
}

#[tokio::test]
async fn to_another_workspaces_key_a_workspace_does_not_exist() {
    let app = TestApp::start().await;
    let ours = app.workspace("Northwind").await;
    let theirs = app.workspace("Southwind").await;
    let key = app.api_key(&theirs, &ALL_SCOPES).await;
    for operation in operations(&app).await.iter().filter(|operation| operation.is_in_workspace()) {
        call(&app.bearer(&key), operation, &ours).await.refused(404, "not_found");
    }
    let session = app.member(&theirs, Role::Owner).await;
    for operation in operations(&app).await.iter().filter(|operation| operation.is_in_workspace()) {
        call(&app.session(&session), operation, &ours).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn a_workspace_that_is_none_and_one_that_is_not_ours_look_alike() {
    let app = TestApp::start().await;
    let theirs = app.workspace("Southwind").await;
    let key = app.api_key(&app.workspace("Northwind").await, &ALL_SCOPES).await;
    let path = |workspace: &str| format!("/v1/workspaces/{workspace}/webhooks");
    let strange = app.bearer(&key).with("x-request-id", "same").get(&path(&theirs)).await;
    let nothing =
        app.bearer(&key).with("x-request-id", "same").get(&path("ws_00000000000000000000000000")).await;
    assert_eq!(strange.refused(404, "not_found"), nothing.refused(404, "not_found"));
}

#[tokio::test]
async fn a_key_without_scopes_of_ours_may_do_nothing() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let key = app.api_key(&workspace, &[]).await;
    for operation in operations(&app).await {
        let everybody_reads =
            ["/v1/event-types", "/v1/scopes"].iter().any(|path| operation.path.starts_with(path));
        // The workspaces of a batch stand in its events: see the tests of events.
        let asks_per_event = operation.path == "/v1/events/batch";
        if operation.is_decision() || asks_per_event || (everybody_reads && operation.method == Method::GET) {
            continue;
        }
        let answer = call(&app.bearer(&key), &operation, &workspace).await;
        assert_eq!(answer.status, 403, "{} {}: {}", operation.method, operation.path, answer.text());
    }
}

#[tokio::test]
async fn a_guest_changes_nothing_and_sees_no_payload() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let session = app.member(&workspace, Role::Guest).await;
    let lists = [
        "",
        "/api-keys",
        "/api-keys/{id}",
        "/api-keys/{id}/usage",
        "/webhooks",
        "/webhooks/{id}",
        "/webhooks/{id}/stats",
        "/deliveries",
        "/events",
    ];
    for operation in operations(&app).await.iter().filter(|operation| operation.is_in_workspace()) {
        let answer = call(&app.session(&session), operation, &workspace).await;
        let rest = operation.path.strip_prefix("/v1/workspaces/{workspace}").expect("it is in a workspace");
        if operation.method == Method::GET && lists.contains(&rest) {
            assert_ne!(answer.status, 403, "GET {}", operation.path);
        } else {
            answer.refused(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn another_sites_form_changes_nothing_though_the_cookie_comes_along() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let session = app.member(&workspace, Role::Owner).await;
    let cookie = format!("{}={session}", keybell_web::extract::session_cookie_name(&app.app));
    let tricked = app.stranger().with("cookie", &cookie).with("sec-fetch-site", "cross-site");
    for operation in operations(&app).await {
        if operation.method == Method::GET || operation.is_decision() {
            continue;
        }
        call(&tricked, &operation, &workspace).await.refused(403, "cross_site_request");
    }
}

#[tokio::test]
async fn every_body_refuses_members_it_does_not_know() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    for operation in operations(&app).await {
        if !operation.takes_json {
            assert!(operation.method != Method::PATCH, "{}", operation.path);
            continue;
        }
        let path = operation.path_in(&workspace);
        let answer = app.operator().json(operation.method.clone(), &path, json!({"nmae": "a"})).await;
        let problem = answer.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], "nmae", "{path}: {problem}");
        let text = app.operator().with("content-type", "text/plain");
        text.send(operation.method.clone(), &path, "{\"a\": 1}").await.refused(415, "unsupported_media_type");
        let broken = app.operator().with("content-type", "application/json");
        broken.send(operation.method, &path, "{\"a").await.refused(400, "malformed_request");
    }
}

#[tokio::test]
async fn every_list_refuses_parameters_it_does_not_know() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    for operation in operations(&app).await {
        if operation.method != Method::GET || operation.path.ends_with('}') || operation.is_decision() {
            continue;
        }
        if operation.path.ends_with("/signing-secret") {
            continue;
        }
        let path = format!("{}?nmae=a", operation.path_in(&workspace));
        let problem = app.operator().get(&path).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], "nmae", "{path}");
    }
}

#[tokio::test]
async fn every_post_honours_an_idempotency_key() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    for operation in operations(&app).await {
        if operation.method != Method::POST || operation.is_decision() {
            continue;
        }
        let path = operation.path_in(&workspace);
        // What was refused is not kept, so that it shows by the key itself that the route looks at it.
        let longest = "k".repeat(keybell_web::idempotency::KEY_CHARS_MAX);
        let client = app.operator().with("idempotency-key", &longest);
        assert_ne!(client.post(&path, json!({"nmae": 1})).await.status, 400, "{path}");
        let client = app.operator().with("idempotency-key", &format!("{longest}k"));
        client.post(&path, json!({"nmae": 1})).await.refused(400, "malformed_request");
    }
}

#[tokio::test]
async fn a_decision_about_a_key_is_never_replayed() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let key = app.api_key(&workspace, &[]).await;
    let client = app.operator().with("idempotency-key", "k1");
    let ask = json!({ "secret_key": key });
    assert_eq!(client.post("/v1/api-keys/verify", ask.clone()).await.done(200)["valid"], true);
    let listed = app.operator().get(&format!("/v1/workspaces/{workspace}/api-keys")).await.done(200);
    let id = listed["data"][0]["id"].as_str().expect("there is one");
    app.operator().post_empty(&format!("/v1/workspaces/{workspace}/api-keys/{id}/revoke")).await.done(200);
    assert_eq!(client.post("/v1/api-keys/verify", ask).await.done(200)["code"], "key_revoked");
}

#[tokio::test]
async fn a_body_too_large_is_413_and_one_at_the_limit_is_read() {
    use keybell_web::body::{BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX};
    let app = TestApp::start().await;
    for (path, max) in [("/v1/workspaces", BODY_BYTES_MAX), ("/v1/events/batch", BATCH_BODY_BYTES_MAX)] {
        let client = app.operator().with("content-type", "application/json");
        let body = |bytes: usize| format!("{{{}", " ".repeat(bytes - 1));
        client.send(Method::POST, path, body(max)).await.refused(400, "malformed_request");
        client.send(Method::POST, path, body(max + 1)).await.refused(413, "payload_too_large");
    }
}

#[tokio::test]
async fn a_zero_byte_which_no_database_holds_is_never_a_fault_of_ours() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let operator = app.operator();
    for list in
        ["api-keys?q=", "events?type=", "deliveries?event_type=", "audit-log?actor=", "audit-log?target="]
    {
        let path = format!("/v1/workspaces/{workspace}/{list}a%00");
        operator.get(&path).await.refused(422, "validation_failed");
    }
    for name in ["/v1/event-types/a%00", "/v1/scopes/a%00"] {
        operator.delete(name).await.refused(404, "not_found");
    }
    let form = [("email", "a\0@example.com"), ("password", "correct horse battery")];
    assert_eq!(app.stranger().post_form("/sign-in", &form).await.status, 403);
}
