//! `POST /v1/api-keys/{id}/revoke`: whoever finds a lost key can end it.

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::{Value, json};

use crate::northwind::{audited, code, key, path_of, secret, start, text};

/// A key of another system, its SHA-256, and what `Basic` sends with it as user and no password.
const FOREIGN: &str = "ck_prod_dxjgVIbYq0Zr7W2nLkT5uPsE8aHcMv3x";
const FOREIGN_SHA256: &str = "8815f39219ec27682bb26c7f5cdaae936b5dea530bd2e8e04a771b55343d68e8";
const FOREIGN_BASIC: &str = "Basic Y2tfcHJvZF9keGpnVkliWXEwWnI3VzJuTGtUNXVQc0U4YUhjTXYzeDo=";

/// Where the holder of a key ends it.
fn own(key: &Value) -> String {
    format!("/v1/api-keys/{}/revoke", text(&key["id"]))
}

async fn rotated(app: &TestApp, key: &Value, overlap_seconds: u64) -> Value {
    let rotate = format!("{}/rotate", path_of(key));
    app.operator().post(&rotate, json!({ "overlap_seconds": overlap_seconds })).await.done(200)
}

#[tokio::test]
async fn a_key_ends_itself_for_ever_and_the_log_says_that_it_was_the_key() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    app.clock.advance(Duration::from_secs(1));
    let revoked =
        app.bearer(secret(&key)).with("x-request-id", "found-1").post_empty(&own(&key)).await.done(200);
    assert_eq!((&revoked["id"], &revoked["status"]), (&key["id"], &json!("revoked")));
    assert_eq!(revoked["revoked_at"], "2026-11-23T12:00:01.000Z");
    let itself = json!({ "kind": "api_key", "id": key["id"], "name": "integration" });
    let members: Vec<&String> = revoked.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["id", "status", "revoked_at"], "a finder learns nothing more of it");
    assert_eq!(app.operator().get(&path_of(&key)).await.done(200)["revoked_by"], itself);
    assert_eq!(code(&app, secret(&key)).await, "key_revoked");
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(
        app.bearer(secret(&key)).post_empty(&own(&key)).await.done(200),
        revoked,
        "again changes nothing"
    );
    let log = audited(&app, "api_key.revoked").await;
    assert_eq!(log.len(), 1);
    assert_eq!(log[0]["actor"], itself);
    assert_eq!(log[0]["target"], json!({ "kind": "api_key", "id": key["id"] }));
    assert_eq!((&log[0]["source_address"], &log[0]["request_id"]), (&json!("192.0.2.10"), &json!("found-1")));
}

#[tokio::test]
async fn what_keeps_a_key_from_being_used_keeps_nobody_from_ending_it() {
    let elsewhere = json!({ "allowed_networks": ["203.0.113.0/24"] });
    let exhausted = json!({ "rate_limits": [{ "name": "day", "limit": 1, "window_seconds": 86_400 }] });
    for (body, reason) in [
        (json!({}), "key_disabled"),
        (json!({ "expires_at": "2026-11-23T12:00:01Z" }), "key_expired"),
        (elsewhere, "source_not_allowed"),
        (exhausted, "rate_limited"),
    ] {
        let app = start().await;
        let key = key(&app, body).await;
        if reason == "key_disabled" {
            app.operator().patch(&path_of(&key), json!({ "enabled": false })).await.done(200);
        }
        if reason == "rate_limited" {
            app.bearer(secret(&key)).get("/v1/forward-auth").await.done(200);
        }
        app.clock.advance(Duration::from_secs(1));
        let refused = app.bearer(secret(&key)).get("/v1/forward-auth").await;
        assert_eq!(refused.header("x-keybell-code"), reason);
        let revoked = app.bearer(secret(&key)).post_empty(&own(&key)).await.done(200);
        assert_eq!(revoked["status"], "revoked", "{reason}");
        assert_eq!(code(&app, secret(&key)).await, "key_revoked");
        assert_eq!(audited(&app, "api_key.revoked").await.len(), 1);
    }
}

#[tokio::test]
async fn it_is_presented_like_any_credential() {
    let app = start().await;
    let by_header = key(&app, json!({})).await;
    app.stranger().with("x-api-key", secret(&by_header)).post_empty(&own(&by_header)).await.done(200);
    let wanted = json!({ "api_keys": [{ "sha256": FOREIGN_SHA256, "name": "imported" }] });
    let import = "/v1/workspaces/northwind/api-keys/import";
    let imported = app.operator().post(import, wanted).await.done(201)["data"][0].clone();
    let basic = app.stranger().with("authorization", FOREIGN_BASIC);
    assert_eq!(basic.post_empty(&own(&imported)).await.done(200)["status"], "revoked");
    assert_eq!(code(&app, FOREIGN).await, "key_revoked");
}

#[tokio::test]
async fn another_key_ends_nothing_whatever_its_scopes() {
    let app = start().await;
    let target = key(&app, json!({})).await;
    let plain = key(&app, json!({})).await;
    let strong = key(&app, json!({ "scopes": ["keybell:keys.read", "keybell:keys.write"] })).await;
    let elsewhere = app.api_key(&app.workspace("Southwind").await, &["keybell:keys.write"]).await;
    for other in [secret(&plain), secret(&strong), &elsewhere] {
        app.bearer(other).post_empty(&own(&target)).await.refused(404, "not_found");
        app.bearer(other)
            .post_empty("/v1/api-keys/kb_live_000000000000/revoke")
            .await
            .refused(404, "not_found");
    }
    let other_environment = own(&target).replace("_live_", "_test_");
    app.bearer(secret(&target)).post_empty(&other_environment).await.refused(404, "not_found");
    app.operator().post_empty(&other_environment).await.refused(404, "not_found");
    for key in [&target, &plain, &strong] {
        assert_eq!(code(&app, secret(key)).await, "valid");
    }
    assert_eq!(audited(&app, "api_key.revoked").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_old_secret_ends_the_key_for_as_long_as_it_is_good() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let second = rotated(&app, &key, 60).await;
    app.clock.advance(Duration::from_mins(1));
    app.bearer(secret(&key)).post_empty(&own(&key)).await.refused(401, "secret_rotated_out");
    assert_eq!(code(&app, secret(&second)).await, "valid");
    let third = rotated(&app, &key, 60).await;
    app.bearer(secret(&key)).post_empty(&own(&key)).await.refused(401, "invalid_key");
    let revoked = app.bearer(secret(&second)).post_empty(&own(&key)).await.done(200);
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(code(&app, secret(&third)).await, "key_revoked");
}

#[tokio::test]
async fn an_operator_key_ends_any_key() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let revoked = app.operator().post_empty(&own(&key)).await.done(200);
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(app.operator().get(&path_of(&key)).await.done(200)["revoked_by"]["kind"], "operator");
    assert_eq!(code(&app, secret(&key)).await, "key_revoked");
    app.operator().post_empty("/v1/api-keys/kb_live_000000000000/revoke").await.refused(404, "not_found");
    assert_eq!(audited(&app, "api_key.revoked").await[0]["actor"]["kind"], "operator");
}

#[tokio::test]
async fn without_the_key_itself_there_is_no_credential() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    app.stranger().post_empty(&own(&key)).await.refused(401, "missing_credential");
    let wrong = secret(&key).replace("_live_", "_test_");
    app.bearer(&wrong).post_empty(&own(&key)).await.refused(401, "invalid_key");
    app.bearer(text(&key["id"])).post_empty(&own(&key)).await.refused(401, "invalid_key");
    let two = app.bearer(secret(&key)).with("x-api-key", "other");
    two.post_empty(&own(&key)).await.refused(400, "conflicting_credentials");
    let northwind = app.operator().get("/v1/workspaces/northwind").await.done(200);
    let owner = app.member(text(&northwind["id"]), Role::Owner).await;
    app.session(&owner).post_empty(&own(&key)).await.refused(401, "missing_credential");
    app.bearer(secret(&key)).get(&own(&key)).await.refused(405, "method_not_allowed");
    assert_eq!(code(&app, secret(&key)).await, "valid");
}
