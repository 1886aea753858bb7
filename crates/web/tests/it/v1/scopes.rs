//! `/v1/scopes`

use keybell_testkit::app::TestApp;
use serde_json::json;

const PATH: &str = "/v1/scopes";

#[tokio::test]
async fn a_scope_is_declared_listed_and_deleted() {
    let app = TestApp::start().await;
    let body = json!({"name": "reports:read", "description": "Read research reports."});
    let made = app.operator().post(PATH, body.clone()).await.done(201);
    assert_eq!(
        made,
        json!({"name": "reports:read", "description": "Read research reports.", "created_at": "2026-11-23T12:00:00.000Z"})
    );
    app.operator().post(PATH, body).await.refused(409, "conflict");
    let listed = app.operator().get(PATH).await.done(200);
    assert!(listed["data"].as_array().is_some_and(|scopes| scopes.contains(&made)), "{listed}");
    let path = format!("{PATH}/reports:read");
    assert_eq!(app.operator().delete(&path).await.status, 204);
    app.operator().delete(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_key_carries_only_scopes_of_the_catalogue() {
    let app = TestApp::start().await;
    let path = format!("/v1/workspaces/{}/api-keys", app.workspace("Northwind").await);
    let body = json!({"name": "a", "scopes": ["reports:read"]});
    app.operator().post(&path, body.clone()).await.refused(422, "validation_failed");
    app.operator().post(PATH, json!({"name": "reports:read", "description": ""})).await.done(201);
    app.operator().post(&path, body).await.done(201);
}

#[tokio::test]
async fn keybells_own_scopes_cannot_be_declared() {
    let app = TestApp::start().await;
    let body = json!({"name": "keybell:everything", "description": ""});
    app.operator().post(PATH, body).await.refused(422, "validation_failed");
}
