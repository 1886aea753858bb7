//! `POST /v1/workspaces/{workspace}/api-keys/import`: what is refused, and that nothing of it is taken over then.

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::{Value, json};

use crate::northwind::{KEYS, audited, code, key, path_of, start, text, wrong_fields};

const IMPORT: &str = "/v1/workspaces/northwind/api-keys/import";

/// A key of another system and its SHA-256.
const FOREIGN: &str = "ck_test_q0Zr7W2nLkT5uPsE8aHcMv3xdxjgVIbY";
const FOREIGN_SHA256: &str = "649b1b5f8b67059b6496361337e8863bf59825b6ba4e0ec3f572210a0c38c77d";

fn good() -> Value {
    json!({ "sha256": FOREIGN_SHA256, "name": "good" })
}

/// Different digests, of texts that nobody knows.
fn many(count: usize) -> Value {
    let keys: Vec<_> = (0..count)
        .map(|number| json!({ "sha256": format!("{number:064x}"), "name": "one of many" }))
        .collect();
    json!({ "api_keys": keys })
}

async fn nothing_was_imported(app: &TestApp) {
    assert_eq!(app.operator().get(KEYS).await.done(200)["data"], json!([]));
    assert_eq!(audited(app, "api_key.imported").await, Vec::<Value>::new());
    assert_eq!(code(app, FOREIGN).await, "invalid_key");
}

#[tokio::test]
async fn one_bad_key_is_named_and_none_is_taken_over() {
    let app = start().await;
    let digest = |last: char| format!("{}{last}", "0".repeat(63));
    for (bad, wrong) in [
        (json!({ "sha256": digest('1'), "name": " " }), "api_keys[1].name required"),
        (json!({ "sha256": digest('1') }), "api_keys[1].name required"),
        (json!({ "name": "bad" }), "api_keys[1].sha256 required"),
        (json!({ "sha256": digest('1'), "name": "bad", "xyz": 1 }), "api_keys[1].xyz unknown"),
        (json!({ "sha256": digest('1'), "name": "bad", "enabled": false }), "api_keys[1].enabled unknown"),
        (json!({ "sha256": digest('g'), "name": "bad" }), "api_keys[1].sha256 invalid"),
        (json!({ "sha256": &digest('1')[1..], "name": "bad" }), "api_keys[1].sha256 invalid"),
        (json!({ "sha256": digest('1') + "0", "name": "bad" }), "api_keys[1].sha256 invalid"),
        (json!({ "sha256": "", "name": "bad" }), "api_keys[1].sha256 invalid"),
        (json!({ "sha256": FOREIGN, "name": "bad" }), "api_keys[1].sha256 invalid"),
        (json!({ "sha256": FOREIGN_SHA256, "name": "bad" }), "api_keys[1].sha256 duplicate"),
        (json!({ "sha256": FOREIGN_SHA256.to_uppercase(), "name": "bad" }), "api_keys[1].sha256 duplicate"),
        (
            json!({ "sha256": digest('1'), "name": "bad", "scopes": ["reports:read", "a:b"] }),
            "api_keys[1].scopes[1] unknown_scope",
        ),
        (
            json!({ "sha256": digest('1'), "name": "bad", "expires_at": "2020-01-01T00:00:00Z" }),
            "api_keys[1].expires_at in_the_past",
        ),
        (
            json!({ "sha256": digest('1'), "name": "bad", "allowed_networks": ["203.0.113.9/24"] }),
            "api_keys[1].allowed_networks[0] invalid_network",
        ),
    ] {
        let answer = app.operator().post(IMPORT, json!({ "api_keys": [good(), bad] })).await;
        assert_eq!(wrong_fields(&answer), [wrong], "{bad}");
        assert!(!answer.text().contains(FOREIGN), "{}", answer.text());
    }
    nothing_was_imported(&app).await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let app = start().await;
    let wanted = json!({ "api_keys": [
        { "sha256": "x", "name": "" },
        good(),
        { "sha256": FOREIGN_SHA256, "name": "bad", "rate_limits": [{ "name": "a", "limit": 0, "window_seconds": 1 }] },
    ] });
    let told = wrong_fields(&app.operator().post(IMPORT, wanted).await);
    insta::assert_snapshot!(told.join("\n"), @"
    api_keys[0].sha256 invalid
    api_keys[0].name required
    api_keys[2].sha256 duplicate
    api_keys[2].rate_limits[0].limit out_of_range
    ");
    nothing_was_imported(&app).await;
}

#[tokio::test]
async fn a_member_that_is_not_known_is_named_where_it_stands() {
    let app = start().await;
    let mut mistyped = good();
    mistyped["xyz"] = json!(1);
    let answer = app.operator().post(IMPORT, json!({ "api_keys": [mistyped] })).await;
    assert_eq!(wrong_fields(&answer), ["api_keys[0].xyz unknown"]);
    let answer = app.operator().post(IMPORT, json!({ "api_keys": [good()], "dry_run": true })).await;
    assert_eq!(wrong_fields(&answer), ["dry_run unknown"]);
    nothing_was_imported(&app).await;
}

#[tokio::test]
async fn what_was_imported_before_is_a_conflict_in_every_workspace() {
    let app = start().await;
    app.operator().post(IMPORT, json!({ "api_keys": [good()] })).await.done(201);
    let southwind = app.workspace("Southwind").await;
    for path in [IMPORT, &format!("/v1/workspaces/{southwind}/api-keys/import")] {
        let mut wanted = many(1);
        wanted["api_keys"].as_array_mut().expect("a list").push(good());
        let problem = app.operator().post(path, wanted).await.refused(409, "conflict");
        assert!(text(&problem["detail"]).contains("api_keys[1]"), "{problem}");
    }
    let there = app.operator().get(&format!("/v1/workspaces/{southwind}/api-keys")).await.done(200);
    assert_eq!(there["data"], json!([]));
    assert_eq!(audited(&app, "api_key.imported").await.len(), 1);
    assert_eq!(code(&app, FOREIGN).await, "valid", "and the key is what it was");
}

#[tokio::test]
async fn a_key_that_was_rotated_or_revoked_since_does_not_come_back_by_another_import() {
    let app = start().await;
    let imported = app.operator().post(IMPORT, json!({ "api_keys": [good()] })).await.done(201);
    let path = path_of(&imported["data"][0]);
    let southwind = app.workspace("Southwind").await;
    let paths = [IMPORT.to_owned(), format!("/v1/workspaces/{southwind}/api-keys/import")];
    let rotate = format!("{path}/rotate");
    app.operator().post(&rotate, json!({ "overlap_seconds": 0 })).await.done(200);
    for (end, code_now) in [(None, "secret_rotated_out"), (Some("revoke"), "key_revoked")] {
        if let Some(end) = end {
            app.operator().post_empty(&format!("{path}/{end}")).await.done(200);
        }
        for import in &paths {
            app.operator().post(import, json!({ "api_keys": [good()] })).await.refused(409, "conflict");
        }
        assert_eq!(code(&app, FOREIGN).await, code_now);
    }
}

#[tokio::test]
async fn the_digest_of_nothing_is_no_key() {
    let app = start().await;
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let body = json!({ "api_keys": [{ "sha256": nothing, "name": "nothing" }] });
    let refused = app.operator().post(IMPORT, body).await.refused(422, "validation_failed");
    assert_eq!(refused["errors"][0]["field"], "api_keys[0].sha256");
    assert_eq!(code(&app, "").await, "invalid_key");
}

#[tokio::test]
async fn a_member_of_the_wrong_kind_is_named_where_it_stands() {
    let app = start().await;
    for (wrong, field) in [
        (json!({ "name": 1 }), "name"),
        (json!({ "environment": "prod" }), "environment"),
        (json!({ "expires_at": "x" }), "expires_at"),
        (json!({ "rate_limits": [{ "name": "a", "limit": 1 }] }), "rate_limits[0].window_seconds"),
        (json!({ "sha256": 5 }), "sha256"),
    ] {
        let mut entry = good();
        for (member, value) in wrong.as_object().expect("an object") {
            entry[member] = value.clone();
        }
        let body = json!({ "api_keys": [good(), entry] });
        let refused = app.operator().post(IMPORT, body).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["field"], format!("api_keys[1].{field}"));
    }
}

#[tokio::test]
async fn a_repeated_request_is_answered_alike_and_imports_once() {
    let app = start().await;
    let client = app.operator().with("idempotency-key", "import-1");
    let first = client.post(IMPORT, json!({ "api_keys": [good()] })).await.done(201);
    let again = client.post(IMPORT, json!({ "api_keys": [good()] })).await.done(201);
    assert_eq!(first, again);
    assert_eq!(audited(&app, "api_key.imported").await.len(), 1);
}

#[tokio::test]
async fn only_the_platform_imports() {
    let app = start().await;
    let scopes = ["keybell:keys.read", "keybell:keys.write"];
    let writer = key(&app, json!({ "scopes": scopes })).await;
    let wanted = json!({ "api_keys": [good()] });
    app.bearer(text(&writer["secret_key"])).post(IMPORT, wanted.clone()).await.refused(403, "forbidden");
    let northwind = app.operator().get("/v1/workspaces/northwind").await.done(200);
    for role in [Role::Owner, Role::Admin, Role::Member, Role::Guest] {
        let session = app.member(text(&northwind["id"]), role).await;
        app.session(&session).post(IMPORT, wanted.clone()).await.refused(403, "forbidden");
    }
    let elsewhere = app.workspace("Southwind").await;
    let stranger = app.api_key(&elsewhere, &scopes).await;
    app.bearer(&stranger).post(IMPORT, wanted).await.refused(404, "not_found");
    assert_eq!(code(&app, FOREIGN).await, "invalid_key");
}

#[tokio::test]
async fn one_to_a_thousand_keys_are_imported_at_once() {
    let app = start().await;
    for count in [0, 1_001] {
        let answer = app.operator().post(IMPORT, many(count)).await;
        assert_eq!(wrong_fields(&answer), ["api_keys out_of_range"], "{count}");
    }
    nothing_was_imported(&app).await;
    let all = app.operator().post(IMPORT, many(1_000)).await.done(201);
    assert_eq!(all["data"].as_array().map(Vec::len), Some(1_000));
    // So many keys may a workspace have, revoked ones included.
    app.operator().post(IMPORT, json!({ "api_keys": [good()] })).await.refused(409, "conflict");
    app.operator().post(KEYS, json!({ "name": "one more" })).await.refused(409, "conflict");
    assert_eq!(code(&app, FOREIGN).await, "invalid_key");
}

#[tokio::test]
async fn an_import_that_would_not_fit_takes_over_nothing() {
    let app = start().await;
    key(&app, json!({})).await;
    app.operator().post(IMPORT, many(1_000)).await.refused(409, "conflict");
    assert_eq!(app.operator().get(KEYS).await.done(200)["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(audited(&app, "api_key.imported").await, Vec::<Value>::new());
    let fitting = app.operator().post(IMPORT, many(999)).await.done(201);
    assert_eq!(fitting["data"].as_array().map(Vec::len), Some(999));
}
