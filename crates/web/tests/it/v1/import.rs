//! `POST /v1/workspaces/{workspace}/api-keys/import`: what is taken over, and how it works from then on.

use std::time::Duration;

use keybell_testkit::app::{Client, TestApp};
use serde_json::{Value, json};

use crate::northwind::{
    KEYS, audited, behind_a_gateway, code, path_of, secret, start, start_with, text, verify,
};

const IMPORT: &str = "/v1/workspaces/northwind/api-keys/import";

/// A key of another system, its SHA-256, and what `Basic` sends with it as user and no password.
const FOREIGN: &str = "ck_prod_dxjgVIbYq0Zr7W2nLkT5uPsE8aHcMv3x";
const FOREIGN_SHA256: &str = "8815f39219ec27682bb26c7f5cdaae936b5dea530bd2e8e04a771b55343d68e8";
const FOREIGN_BASIC: &str = "Basic Y2tfcHJvZF9keGpnVkliWXEwWnI3VzJuTGtUNXVQc0U4YUhjTXYzeDo=";

/// A key of another installation of Keybell with the same prefix, and its SHA-256.
const COUSIN: &str = "kb_test_Ab3dEf6hIj9L_0123456789ABCDEFGHIJKLMNOPQRSTUV1og6vy";
const COUSIN_SHA256: &str = "e8c3298940b7332e79556ed398536f7b85bff0946e0dd388395ecf4a47077901";

/// The foreign key with these members, taken over.
async fn imported(app: &TestApp, mut body: Value) -> Value {
    body["sha256"] = json!(FOREIGN_SHA256);
    body["name"] = json!("integration");
    app.operator().post(IMPORT, json!({ "api_keys": [body] })).await.done(201)["data"][0].clone()
}

/// The status of what a gateway is answered to each way of presenting the foreign key.
async fn at_the_gate(app: &TestApp) -> [u16; 3] {
    let ask = async |client: Client<'_>| client.get("/v1/forward-auth").await.status;
    [
        ask(app.bearer(FOREIGN)).await,
        ask(app.stranger().with("x-api-key", FOREIGN)).await,
        ask(app.stranger().with("authorization", FOREIGN_BASIC)).await,
    ]
}

#[tokio::test]
async fn clients_go_on_using_the_text_that_they_have() {
    let app = start().await;
    assert_eq!(code(&app, FOREIGN).await, "invalid_key");
    let key = imported(&app, json!({ "scopes": ["reports:read"], "metadata": { "plan": "pro" } })).await;
    assert!(text(&key["id"]).starts_with("kb_live_"), "{key}");
    assert_eq!((&key["status"], key.get("secret_key")), (&json!("active"), None));
    let verdict = verify(&app, FOREIGN, json!({ "required_scopes": ["reports:read"] })).await;
    assert_eq!(verdict["code"], "valid");
    for (member, value) in
        [("id", &key["id"]), ("name", &json!("integration")), ("metadata", &json!({ "plan": "pro" }))]
    {
        assert_eq!(verdict["key"][member], *value);
    }
    assert_eq!(at_the_gate(&app).await, [200; 3]);
    let answer = app.bearer(FOREIGN).get("/v1/forward-auth").await;
    assert_eq!(answer.header("x-keybell-key-id"), text(&key["id"]));
    assert_eq!(answer.header("x-keybell-scopes"), "reports:read");
    for other in [FOREIGN_SHA256, text(&key["id"]), &format!("{FOREIGN}x"), &FOREIGN.to_lowercase()] {
        assert_eq!(code(&app, other).await, "invalid_key", "{other}");
    }
}

#[tokio::test]
async fn the_answer_is_the_keys_in_their_order_and_what_they_are_is_kept() {
    let app = start().await;
    let wanted = json!({ "api_keys": [
        {
            "sha256": FOREIGN_SHA256.to_uppercase(),
            "name": "first",
            "description": "From the old system",
            "environment": "test",
            "scopes": ["reports:read", "reports:read"],
            "expires_at": "2027-01-01T00:00:00+01:00",
            "allowed_networks": ["203.0.113.0/24"],
            "rate_limits": [{ "name": "per_minute", "limit": 600, "window_seconds": 60 }],
            "metadata": { "plan": "pro" },
        },
        { "sha256": COUSIN_SHA256, "name": "second" },
    ] });
    let answer = app.operator().post(IMPORT, wanted).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = answer.done(201);
    let names: Vec<_> =
        answer["data"].as_array().expect("a list").iter().map(|key| text(&key["name"])).collect();
    assert_eq!(names, ["first", "second"]);
    for key in answer["data"].as_array().expect("a list") {
        assert_eq!(app.operator().get(&path_of(key)).await.done(200), *key);
    }
    let first = &answer["data"][0];
    assert!(text(&first["id"]).starts_with("kb_test_"), "its environment is the one that was asked for");
    assert_eq!(first["scopes"], json!(["reports:read"]));
    assert_eq!(first["expires_at"], "2026-12-31T23:00:00.000Z");
    assert_eq!(first["created_by"]["kind"], "operator");
    let inside = json!({ "source_address": "203.0.113.9", "environment": "test" });
    assert_eq!(
        verify(&app, FOREIGN, inside).await["code"],
        "valid",
        "digits in upper case are the same digest"
    );
}

#[tokio::test]
async fn a_key_of_another_installation_of_keybell_can_be_taken_over_too() {
    let app = start().await;
    let wanted = json!({ "api_keys": [{ "sha256": COUSIN_SHA256, "name": "cousin" }] });
    let key = app.operator().post(IMPORT, wanted).await.done(201)["data"][0].clone();
    assert!(!COUSIN.starts_with(text(&key["id"])), "its identifier is one of ours");
    let verdict = verify(&app, COUSIN, json!({})).await;
    assert_eq!(verdict["key"]["id"], key["id"]);
}

#[tokio::test]
async fn what_confines_a_key_confines_one_that_was_taken_over() {
    let app = start_with(behind_a_gateway()).await;
    imported(
        &app,
        json!({
            "environment": "test",
            "scopes": ["reports:read"],
            "expires_at": "2026-11-23T13:00:00Z",
            "allowed_networks": ["203.0.113.0/24"],
            "rate_limits": [{ "name": "per_minute", "limit": 2, "window_seconds": 60 }],
        }),
    )
    .await;
    let asked = async |asked: Value| text(&verify(&app, FOREIGN, asked).await["code"]).to_owned();
    let inside = "203.0.113.9";
    assert_eq!(asked(json!({ "source_address": "198.51.100.7" })).await, "source_not_allowed");
    assert_eq!(asked(json!({ "source_address": inside, "environment": "live" })).await, "wrong_environment");
    let more = json!({ "source_address": inside, "required_scopes": ["reports:write"] });
    assert_eq!(asked(more).await, "insufficient_scope");
    let client = app.bearer(FOREIGN).with("x-forwarded-for", inside);
    client.get("/v1/forward-auth?scope=reports:read").await.done(200);
    assert_eq!(asked(json!({ "source_address": inside })).await, "valid");
    client.get("/v1/forward-auth").await.refused(429, "rate_limited");
    app.clock.advance(Duration::from_hours(1));
    assert_eq!(asked(json!({ "source_address": inside })).await, "key_expired");
}

#[tokio::test]
async fn it_is_switched_off_and_on_and_revoked_like_any_other() {
    let app = start().await;
    let key = imported(&app, json!({})).await;
    app.operator().patch(&path_of(&key), json!({ "enabled": false })).await.done(200);
    assert_eq!(code(&app, FOREIGN).await, "key_disabled");
    assert_eq!(at_the_gate(&app).await, [401; 3]);
    app.operator().patch(&path_of(&key), json!({ "enabled": true })).await.done(200);
    assert_eq!(at_the_gate(&app).await, [200; 3]);
    app.operator().post_empty(&format!("{}/revoke", path_of(&key))).await.done(200);
    assert_eq!(code(&app, FOREIGN).await, "key_revoked");
    assert_eq!(at_the_gate(&app).await, [401; 3]);
    let again = json!({ "api_keys": [{ "sha256": FOREIGN_SHA256, "name": "again" }] });
    app.operator().post(IMPORT, again).await.refused(409, "conflict");
    assert_eq!(code(&app, FOREIGN).await, "key_revoked", "what is revoked is revoked for ever");
}

#[tokio::test]
async fn a_rotation_gives_it_a_secret_of_ours() {
    let app = start().await;
    let key = imported(&app, json!({})).await;
    let rotate = format!("{}/rotate", path_of(&key));
    let rotated = app.operator().post(&rotate, json!({ "overlap_seconds": 60 })).await.done(200);
    assert!(secret(&rotated).starts_with(&format!("{}_", text(&key["id"]))));
    assert_eq!(code(&app, secret(&rotated)).await, "valid");
    app.clock.advance(Duration::from_secs(59));
    assert_eq!(code(&app, FOREIGN).await, "valid");
    let shown = app.operator().get(&path_of(&key)).await.done(200);
    assert_eq!(shown["previous_secret"]["last_used_at"], "2026-11-23T12:00:59.000Z");
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(code(&app, FOREIGN).await, "secret_rotated_out");
    app.bearer(FOREIGN).get("/v1/forward-auth").await.refused(401, "secret_rotated_out");
    assert_eq!(code(&app, secret(&rotated)).await, "valid");
    app.operator().post_empty(&rotate).await.done(200);
    assert_eq!(code(&app, FOREIGN).await, "invalid_key", "two rotations later nothing remembers it");
    assert_eq!(code(&app, secret(&rotated)).await, "valid", "in its overlap");
}

#[tokio::test]
async fn with_scopes_of_keybells_own_it_calls_keybell_and_its_uses_are_counted() {
    let app = start().await;
    let key = imported(&app, json!({ "scopes": ["keybell:keys.read"] })).await;
    let own = app.bearer(FOREIGN).get("/v1/workspaces/current/api-keys").await.done(200);
    assert_eq!(own["data"][0]["id"], key["id"]);
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(code(&app, FOREIGN).await, "valid");
    let usage =
        app.operator().get(&format!("{}/usage?from=2026-11-23T12:00:00Z", path_of(&key))).await.done(200);
    assert_eq!(usage["data"][0]["outcomes"], json!({ "valid": 2 }));
    let read = app.operator().get(&path_of(&key)).await.done(200);
    assert_eq!(read["last_used_at"], "2026-11-23T12:00:01.000Z");
}

#[tokio::test]
async fn each_is_in_the_audit_log_and_neither_text_nor_digest_is_anywhere() {
    let app = start().await;
    let wanted = json!({ "api_keys": [
        { "sha256": FOREIGN_SHA256, "name": "first", "scopes": ["reports:read"] },
        { "sha256": COUSIN_SHA256, "name": "second" },
    ] });
    let answer = app.operator().with("x-request-id", "import-1").post(IMPORT, wanted.clone()).await;
    let keys = answer.done(201);
    let log = audited(&app, "api_key.imported").await;
    let mut targets: Vec<_> = log.iter().map(|entry| text(&entry["target"]["id"])).collect();
    let mut ids: Vec<_> = (0..2).map(|place| text(&keys["data"][place]["id"])).collect();
    targets.sort_unstable();
    ids.sort_unstable();
    assert_eq!(targets, ids);
    for entry in &log {
        assert_eq!((text(&entry["actor"]["kind"]), text(&entry["request_id"])), ("operator", "import-1"));
    }
    assert_eq!(audited(&app, "api_key.created").await, Vec::<Value>::new());

    let told = [
        answer.text().to_owned(),
        app.operator().get(KEYS).await.text().to_owned(),
        app.operator().get("/v1/workspaces/northwind/audit-log").await.text().to_owned(),
        verify(&app, FOREIGN, json!({})).await.to_string(),
        app.operator().post(IMPORT, wanted).await.refused(409, "conflict").to_string(),
        app.operator()
            .post_empty(&format!("{}/rotate", path_of(&keys["data"][0])))
            .await
            .done(200)
            .to_string(),
    ];
    for answer in told {
        let secret =
            [FOREIGN, FOREIGN_SHA256, COUSIN, COUSIN_SHA256].iter().find(|text| answer.contains(**text));
        assert_eq!(secret, None, "{answer}");
    }
}

#[tokio::test]
async fn a_text_of_256_bytes_is_looked_at_and_none_that_is_longer() {
    let app = start().await;
    let sha256_of_256 = "85e62acd750c4eb56b7b6a1d66dca5bfaac5f062608a1a893410d0288936c09a";
    let sha256_of_257 = "15eb95a462ee20bd91a415ae2d4aed341288186ddaa2b37908f7d592f0c3f85f";
    let wanted = json!({ "api_keys": [
        { "sha256": sha256_of_256, "name": "longest" },
        { "sha256": sha256_of_257, "name": "too long" },
    ] });
    app.operator().post(IMPORT, wanted).await.done(201);
    for (bytes, expected, status) in [(256, "valid", 200), (257, "invalid_key", 401)] {
        let text = "x".repeat(bytes);
        assert_eq!(code(&app, &text).await, expected);
        assert_eq!(app.bearer(&text).get("/v1/forward-auth").await.status, status);
    }
}
