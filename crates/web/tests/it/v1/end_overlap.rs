//! `POST /v1/workspaces/{workspace}/api-keys/{id}/end-overlap`

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::{Value, json};

use crate::northwind::{KEYS, audited, code, key, path_of, secret, start, text};

fn end_of(key: &Value) -> String {
    format!("{}/end-overlap", path_of(key))
}

/// A new key and what it is after a rotation with a day of overlap.
async fn rotated(app: &TestApp) -> (Value, Value) {
    let key = key(app, json!({})).await;
    let rotated = app.operator().post_empty(&format!("{}/rotate", path_of(&key))).await.done(200);
    (key, rotated)
}

#[tokio::test]
async fn the_old_secret_is_no_good_from_the_answer_on() {
    let app = start().await;
    let (old, new) = rotated(&app).await;
    app.clock.advance(Duration::from_mins(1));
    assert_eq!(code(&app, secret(&old)).await, "valid");
    let ended = app.operator().post_empty(&end_of(&old)).await.done(200);
    assert_eq!((&ended["status"], ended.get("secret_key")), (&json!("active"), None));
    let at = json!("2026-11-23T12:01:00.000Z");
    assert_eq!(ended["previous_secret"], json!({ "expires_at": at, "last_used_at": at }));
    assert_eq!(code(&app, secret(&old)).await, "secret_rotated_out");
    app.bearer(secret(&old)).get("/v1/forward-auth").await.refused(401, "secret_rotated_out");
    assert_eq!(code(&app, secret(&new)).await, "valid");

    app.clock.advance(Duration::from_mins(1));
    let again = app.operator().post_empty(&end_of(&old)).await.done(200);
    assert_eq!(again, ended);
    let log = audited(&app, "api_key.overlap_ended").await;
    assert_eq!(log.len(), 1, "once");
    assert_eq!(log[0]["target"], json!({ "kind": "api_key", "id": old["id"] }));
    assert_eq!((&log[0]["actor"]["kind"], &log[0]["at"]), (&json!("operator"), &at));
}

#[tokio::test]
async fn where_there_is_no_overlap_nothing_changes() {
    let app = start().await;
    let never_rotated = key(&app, json!({})).await;
    let before = app.operator().get(&path_of(&never_rotated)).await.done(200);
    let (old, _) = rotated(&app).await;
    app.clock.advance(Duration::from_hours(24));
    let over = app.operator().get(&path_of(&old)).await.done(200);
    assert_eq!(app.operator().post_empty(&end_of(&never_rotated)).await.done(200), before);
    assert_eq!(app.operator().post_empty(&end_of(&old)).await.done(200), over);
    assert_eq!(audited(&app, "api_key.overlap_ended").await, Vec::<Value>::new());
    assert_eq!(code(&app, secret(&never_rotated)).await, "valid");
}

#[tokio::test]
async fn a_next_rotation_has_an_overlap_of_its_own() {
    let app = start().await;
    let (old, new) = rotated(&app).await;
    app.operator().post_empty(&end_of(&old)).await.done(200);
    let third = app.operator().post_empty(&format!("{}/rotate", path_of(&old))).await.done(200);
    assert_eq!(code(&app, secret(&old)).await, "invalid_key");
    assert_eq!(code(&app, secret(&new)).await, "valid");
    app.operator().post_empty(&end_of(&old)).await.done(200);
    assert_eq!(code(&app, secret(&new)).await, "secret_rotated_out");
    assert_eq!(code(&app, secret(&third)).await, "valid");
    assert_eq!(audited(&app, "api_key.overlap_ended").await.len(), 2);
}

#[tokio::test]
async fn a_key_that_is_switched_off_can_lose_its_old_secret_and_a_revoked_one_has_none_to_lose() {
    let app = start().await;
    let (old, new) = rotated(&app).await;
    app.operator().patch(&path_of(&old), json!({ "enabled": false })).await.done(200);
    app.operator().post_empty(&end_of(&old)).await.done(200);
    app.operator().patch(&path_of(&old), json!({ "enabled": true })).await.done(200);
    assert_eq!(code(&app, secret(&old)).await, "secret_rotated_out");
    assert_eq!(code(&app, secret(&new)).await, "valid");

    let (revoked, _) = rotated(&app).await;
    app.operator().post_empty(&format!("{}/revoke", path_of(&revoked))).await.done(200);
    app.operator().post_empty(&end_of(&revoked)).await.refused(409, "conflict");
    assert_eq!(audited(&app, "api_key.overlap_ended").await.len(), 1);
}

#[tokio::test]
async fn who_may_not_manage_the_key_ends_nothing() {
    let app = start().await;
    let (old, _) = rotated(&app).await;
    let northwind = app.operator().get("/v1/workspaces/northwind").await.done(200);
    let northwind = text(&northwind["id"]);
    let member = app.member(northwind, Role::Member).await;
    app.session(&member).post_empty(&end_of(&old)).await.refused(403, "forbidden");
    let reader = app.api_key(northwind, &["keybell:keys.read"]).await;
    app.bearer(&reader).post_empty(&end_of(&old)).await.refused(403, "insufficient_scope");
    let elsewhere = app.workspace("Southwind").await;
    app.operator().post_empty(&end_of(&old).replace("northwind", &elsewhere)).await.refused(404, "not_found");
    app.operator().post_empty(&end_of(&old).replace("_live_", "_test_")).await.refused(404, "not_found");
    assert_eq!(code(&app, secret(&old)).await, "valid");

    let own = app.session(&member).post(KEYS, json!({ "name": "a" })).await.done(201);
    app.session(&member).post_empty(&format!("{}/rotate", path_of(&own))).await.done(200);
    app.session(&member).post_empty(&end_of(&own)).await.done(200);
    assert_eq!(code(&app, secret(&own)).await, "secret_rotated_out");
    assert_eq!(audited(&app, "api_key.overlap_ended").await[0]["actor"]["kind"], "member");
}
