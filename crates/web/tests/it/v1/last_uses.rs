//! When and from where keys were last used, as the API shows it.

use std::time::Duration;

use keybell_testkit::app::TestApp;
use serde_json::{Value, json};

use crate::northwind::{KEYS, behind_a_gateway, code, key, path_of, secret, start, start_with, verify};

/// When and from where it was last used, which is the same in the list, and before and after it is written down.
async fn last_use(app: &TestApp, key: &Value) -> (Value, Value) {
    let mut shown = Vec::new();
    for _ in ["before it is written", "after"] {
        shown.push(app.operator().get(&path_of(key)).await.done(200));
        let listed = app.operator().get(KEYS).await.done(200);
        let listed =
            listed["data"].as_array().expect("a list").iter().find(|listed| listed["id"] == key["id"]);
        shown.push(listed.expect("it is in the list").clone());
        app.app.write_usage().await.expect("the database is there");
    }
    assert!(shown.iter().all(|other| *other == shown[0]), "{shown:?}");
    (shown[0]["last_used_at"].clone(), shown[0]["last_used_from"].clone())
}

/// When the secret before the last rotation was last used, likewise.
async fn previous_use(app: &TestApp, key: &Value) -> Value {
    last_use(app, key).await;
    app.operator().get(&path_of(key)).await.done(200)["previous_secret"]["last_used_at"].clone()
}

async fn rotated(app: &TestApp, key: &Value) -> Value {
    app.operator().post_empty(&format!("{}/rotate", path_of(key))).await.done(200)
}

#[tokio::test]
async fn a_use_is_shown_at_once_and_stays_when_it_is_written_down() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    assert_eq!(last_use(&app, &key).await, (json!(null), json!(null)));
    app.clock.advance(Duration::from_secs(5));
    verify(&app, secret(&key), json!({ "source_address": "203.0.113.9" })).await;
    let first = (json!("2026-11-23T12:00:05.000Z"), json!("203.0.113.9"));
    assert_eq!(last_use(&app, &key).await, first);
    app.clock.advance(Duration::from_secs(5));
    let refused = json!({ "source_address": "203.0.113.10", "required_scopes": ["reports:read"] });
    assert_eq!(verify(&app, secret(&key), refused).await["code"], "insufficient_scope");
    assert_eq!(last_use(&app, &key).await, first, "what was refused was no use");
    verify(&app, secret(&key), json!({ "source_address": "2001:db8::5" })).await;
    let second = (json!("2026-11-23T12:00:10.000Z"), json!("2001:db8::5"));
    assert_eq!(last_use(&app, &key).await, second);
    app.clock.advance(Duration::from_secs(5));
    verify(&app, secret(&key), json!({ "source_address": "::ffff:198.51.100.7" })).await;
    let third = (json!("2026-11-23T12:00:15.000Z"), json!("198.51.100.7"));
    assert_eq!(last_use(&app, &key).await, third);
    app.clock.advance(Duration::from_secs(5));
    verify(&app, secret(&key), json!({})).await;
    assert_eq!(
        last_use(&app, &key).await,
        (json!("2026-11-23T12:00:20.000Z"), json!(null)),
        "nobody said whence"
    );
}

#[tokio::test]
async fn a_use_that_is_not_written_yet_outlives_every_change_of_the_key() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    app.clock.advance(Duration::from_secs(5));
    verify(&app, secret(&key), json!({ "source_address": "203.0.113.9" })).await;
    let one = path_of(&key);
    let used = json!("2026-11-23T12:00:05.000Z");
    let edited = app.operator().patch(&one, json!({ "name": "b", "metadata": { "a": 1 } })).await.done(200);
    let rotated = rotated(&app, &key).await;
    let ended = app.operator().post_empty(&format!("{one}/end-overlap")).await.done(200);
    let revoked = app.operator().post_empty(&format!("{one}/revoke")).await.done(200);
    let again = app.operator().post_empty(&format!("{one}/revoke")).await.done(200);
    for answer in [edited, rotated, ended, revoked, again] {
        assert_eq!((&answer["last_used_at"], &answer["last_used_from"]), (&used, &json!("203.0.113.9")));
    }
    assert_eq!(last_use(&app, &key).await, (used, json!("203.0.113.9")));
}

#[tokio::test]
async fn behind_a_gateway_the_clients_address_is_the_one_that_the_gateway_tells() {
    let app = start_with(behind_a_gateway()).await;
    let key = key(&app, json!({ "scopes": ["keybell:keys.read"] })).await;
    let client = app.bearer(secret(&key));
    client.clone().with("x-forwarded-for", "203.0.113.9").get("/v1/forward-auth").await.done(200);
    assert_eq!(last_use(&app, &key).await, (json!("2026-11-23T12:00:00.000Z"), json!("203.0.113.9")));
    app.clock.advance(Duration::from_secs(1));
    client.get(KEYS).await.done(200);
    assert_eq!(last_use(&app, &key).await, (json!("2026-11-23T12:00:01.000Z"), json!("192.0.2.10")));
}

#[tokio::test]
async fn after_a_rotation_it_shows_whether_the_old_secret_is_still_in_use() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    app.clock.advance(Duration::from_secs(5));
    assert_eq!(code(&app, secret(&key)).await, "valid");
    app.clock.advance(Duration::from_secs(5));
    let second = rotated(&app, &key).await;
    let used_before = json!("2026-11-23T12:00:05.000Z");
    assert_eq!(second["previous_secret"]["last_used_at"], used_before, "that was the old secret, too");
    assert_eq!(previous_use(&app, &key).await, used_before);

    app.clock.advance(Duration::from_secs(5));
    assert_eq!(code(&app, secret(&second)).await, "valid");
    assert_eq!(previous_use(&app, &key).await, used_before, "the new secret is not the old one");
    assert_eq!(last_use(&app, &key).await.0, "2026-11-23T12:00:15.000Z");

    app.clock.advance(Duration::from_secs(5));
    assert_eq!(code(&app, secret(&key)).await, "valid");
    assert_eq!(previous_use(&app, &key).await, "2026-11-23T12:00:20.000Z");
    assert_eq!(
        last_use(&app, &key).await.0,
        "2026-11-23T12:00:20.000Z",
        "a use of either is a use of the key"
    );

    app.clock.advance(Duration::from_hours(24));
    assert_eq!(code(&app, secret(&key)).await, "secret_rotated_out");
    assert_eq!(previous_use(&app, &key).await, "2026-11-23T12:00:20.000Z", "what was refused was no use");
}

#[tokio::test]
async fn a_second_rotation_tells_of_the_secret_that_it_replaced() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    assert_eq!(code(&app, secret(&key)).await, "valid");
    app.clock.advance(Duration::from_secs(5));
    let second = rotated(&app, &key).await;
    app.clock.advance(Duration::from_secs(5));
    assert_eq!(code(&app, secret(&second)).await, "valid");
    app.clock.advance(Duration::from_secs(5));
    let third = rotated(&app, &key).await;
    assert_eq!(third["previous_secret"]["last_used_at"], "2026-11-23T12:00:10.000Z");
    assert_eq!(previous_use(&app, &key).await, "2026-11-23T12:00:10.000Z");
    assert_eq!(code(&app, secret(&key)).await, "invalid_key", "the first is none of its secrets any more");
}

#[tokio::test]
async fn a_use_of_the_secret_before_it_is_not_told_of_one_that_was_never_used() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let never_used = rotated(&app, &key).await;
    app.clock.advance(Duration::from_secs(5));
    assert_eq!(code(&app, secret(&key)).await, "valid");
    app.app.write_usage().await.expect("it is written");
    let third = rotated(&app, &key).await;
    assert_eq!(third["previous_secret"]["last_used_at"], json!(null));
    assert_eq!(previous_use(&app, &key).await, json!(null));
    assert_eq!(code(&app, secret(&never_used)).await, "valid");
    assert_eq!(previous_use(&app, &key).await, "2026-11-23T12:00:05.000Z");
}
