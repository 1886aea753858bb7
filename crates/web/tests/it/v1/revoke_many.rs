//! `POST /v1/workspaces/{workspace}/api-keys/revoke`

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::{Value, json};

use crate::northwind::{KEYS, audited, code, key, path_of, secret, start, text, verify, wrong_fields};

const PATH: &str = "/v1/workspaces/northwind/api-keys/revoke";

async fn revoked(app: &TestApp, filter: Value) -> Value {
    app.operator().post(PATH, json!({ "filter": filter })).await.done(200)["api_keys"].clone()
}

async fn counted(app: &TestApp, filter: Value) -> Value {
    app.operator().post(PATH, json!({ "filter": filter, "dry_run": true })).await.done(200)["api_keys"]
        .clone()
}

/// Five keys, made a second apart: one of each state but revoked, and two more that are active.
async fn five(app: &TestApp) -> [Value; 5] {
    let bodies = [
        json!({ "name": "nightly import" }),
        json!({ "name": "dashboard", "description": "Reads what the import wrote" }),
        json!({ "name": "sandbox", "environment": "test" }),
        json!({ "name": "disabled" }),
        json!({ "name": "expired", "expires_at": "2026-11-23T12:01:00Z" }),
    ];
    let mut keys = Vec::new();
    for body in bodies {
        keys.push(key(app, body).await);
        app.clock.advance(Duration::from_secs(1));
    }
    app.operator().patch(&path_of(&keys[3]), json!({ "enabled": false })).await.done(200);
    app.clock.advance(Duration::from_mins(1));
    keys.try_into().expect("they are five")
}

/// Which of the keys are revoked, by their names.
async fn gone(app: &TestApp) -> String {
    let listed = app.operator().get(&format!("{KEYS}?status=revoked")).await.done(200);
    let mut names: Vec<_> =
        listed["data"].as_array().expect("a list").iter().map(|key| text(&key["name"]).to_owned()).collect();
    names.reverse();
    names.join(", ")
}

#[tokio::test]
async fn each_part_of_a_filter_says_which_keys_are_meant_and_a_dry_run_only_counts_them() {
    let app = start().await;
    let keys = five(&app).await;
    let id = |place: usize| keys[place]["id"].clone();
    let another_environment = text(&keys[0]["id"]).replace("_live_", "_test_");
    for (filter, names) in [
        (json!({ "ids": [id(0), id(2)] }), "nightly import, sandbox"),
        (
            json!({ "ids": [id(0), id(0), "kb_live_000000000000", "nonsense", another_environment] }),
            "nightly import",
        ),
        (json!({ "ids": [] }), ""),
        (json!({ "q": "IMPORT" }), "nightly import, dashboard"),
        (json!({ "q": "nothing has this" }), ""),
        (json!({ "status": "active" }), "nightly import, dashboard, sandbox"),
        (json!({ "status": "disabled" }), "disabled"),
        (json!({ "status": "expired" }), "expired"),
        (json!({ "status": "revoked" }), ""),
        (json!({ "environment": "test" }), "sandbox"),
        (json!({ "environment": "live" }), "nightly import, dashboard, disabled, expired"),
        (json!({ "created_before": "2026-11-23T12:00:02Z" }), "nightly import, dashboard"),
        (json!({ "created_before": "2026-11-23T12:00:00Z" }), ""),
        (
            json!({ "status": "active", "q": "import", "created_before": "2026-11-23T12:00:01Z" }),
            "nightly import",
        ),
        (json!({ "status": "active", "ids": [id(3), id(1)] }), "dashboard"),
    ] {
        let app = start().await;
        // The same randomness makes the same keys.
        assert_eq!(five(&app).await[0]["id"], id(0));
        let count = names.split(", ").filter(|name| !name.is_empty()).count();
        assert_eq!(counted(&app, filter.clone()).await, count, "{filter}");
        assert_eq!(gone(&app).await, "", "{filter}");
        assert_eq!(audited(&app, "api_key.revoked").await.len(), 0, "{filter}");
        assert_eq!(revoked(&app, filter.clone()).await, count, "{filter}");
        assert_eq!(gone(&app).await, names, "{filter}");
        assert_eq!(audited(&app, "api_key.revoked").await.len(), count, "{filter}");
    }
}

#[tokio::test]
async fn a_key_is_unused_since_it_was_last_used_or_made() {
    let app = start().await;
    let [used, unused, ..] = five(&app).await;
    assert_eq!(code(&app, secret(&used)).await, "valid");
    let ids = json!([used["id"], unused["id"]]);
    let since = |at: &str| json!({ "ids": ids, "unused_since": format!("2026-11-23T{at}Z") });
    for _ in ["before the use is written down", "after"] {
        assert_eq!(counted(&app, since("12:00:01")).await, 0, "it was made then");
        assert_eq!(counted(&app, since("12:00:01.001")).await, 1);
        assert_eq!(counted(&app, since("12:01:05")).await, 1, "the other was used then");
        assert_eq!(counted(&app, since("12:01:05.001")).await, 2);
        app.app.write_usage().await.expect("the database is there");
    }
    assert_eq!(revoked(&app, since("12:01:05")).await, 1);
    assert_eq!(
        (code(&app, secret(&used)).await.as_str(), code(&app, secret(&unused)).await.as_str()),
        ("valid", "key_revoked")
    );
}

#[tokio::test]
async fn they_are_refused_from_the_answer_on_and_each_is_in_the_audit_log() {
    let app = start().await;
    let keys = five(&app).await;
    app.operator().post_empty(&format!("{}/revoke", path_of(&keys[0]))).await.done(200);
    let before = app.operator().get(&path_of(&keys[0])).await.done(200);
    app.clock.advance(Duration::from_secs(1));
    let everything = json!({ "filter": { "created_before": "2027-01-01T00:00:00Z" } });
    let answer = app.operator().with("x-request-id", "end-1").post(PATH, everything.clone()).await.done(200);
    assert_eq!(answer, json!({ "api_keys": 4 }), "one was revoked already");
    for key in &keys {
        assert_eq!(code(&app, secret(key)).await, "key_revoked");
        app.bearer(secret(key)).get("/v1/forward-auth").await.refused(401, "key_revoked");
        let read = app.operator().get(&path_of(key)).await.done(200);
        assert_eq!((&read["status"], &read["revoked_by"]["name"]), (&json!("revoked"), &json!("tests")));
    }
    assert_eq!(app.operator().get(&path_of(&keys[0])).await.done(200), before);
    let log = audited(&app, "api_key.revoked").await;
    let ours: Vec<_> = log.iter().filter(|entry| entry["request_id"] == "end-1").collect();
    let mut targets: Vec<_> = ours.iter().map(|entry| text(&entry["target"]["id"])).collect();
    let mut ids: Vec<_> = keys[1..].iter().map(|key| text(&key["id"])).collect();
    targets.sort_unstable();
    ids.sort_unstable();
    assert_eq!(targets, ids);
    assert!(
        ours.iter()
            .all(|entry| entry["actor"]["name"] == "tests" && entry["at"] == "2026-11-23T12:01:06.000Z")
    );
    assert_eq!(app.operator().post(PATH, everything).await.done(200), json!({ "api_keys": 0 }));
    assert_eq!(audited(&app, "api_key.revoked").await.len(), 5);
}

#[tokio::test]
async fn a_filter_that_leaves_nothing_out_was_most_likely_a_mistake() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    for (body, wrong) in [
        (json!({}), "filter required"),
        (json!({ "filter": {} }), "filter required"),
        (json!({ "filter": null }), "filter wrong_type"),
        (json!({ "filter": { "q": "" } }), "filter required"),
        (json!({ "filter": { "status": "all" } }), "filter required"),
        (json!({ "filter": { "ids": null, "environment": null } }), "filter required"),
        (json!({ "filter": { "name": "a" } }), "filter.name unknown"),
        (json!({ "filter": { "status": "gone" } }), "filter.status not_allowed"),
        (json!({ "filter": { "environment": "prod" } }), "filter.environment not_allowed"),
        (json!({ "filter": { "created_before": "yesterday" } }), "filter.created_before invalid"),
        (json!({ "filter": { "status": "active" }, "dryrun": true }), "dryrun unknown"),
    ] {
        assert_eq!(wrong_fields(&app.operator().post(PATH, body.clone()).await), [wrong], "{body}");
    }
    assert_eq!(code(&app, secret(&key)).await, "valid");
}

#[tokio::test]
async fn ids_and_texts_have_their_limits() {
    let app = start().await;
    let ids = |count: usize| json!({ "ids": vec!["kb_live_000000000000"; count] });
    assert_eq!(revoked(&app, ids(250)).await, 0);
    let answer = app.operator().post(PATH, json!({ "filter": ids(251) })).await;
    assert_eq!(wrong_fields(&answer), ["filter.ids too_many"]);
    assert_eq!(revoked(&app, json!({ "q": "ü".repeat(200) })).await, 0);
    let answer = app.operator().post(PATH, json!({ "filter": { "q": "ü".repeat(201) } })).await;
    assert_eq!(wrong_fields(&answer), ["filter.q too_long"]);
}

#[tokio::test]
async fn more_keys_than_a_page_has_are_revoked_in_one_go() {
    let app = start().await;
    let many: Vec<_> =
        (0..501).map(|number| json!({ "sha256": format!("{number:064x}"), "name": "many" })).collect();
    app.operator().post(&format!("{KEYS}/import"), json!({ "api_keys": many })).await.done(201);
    let kept = key(&app, json!({ "name": "kept" })).await;
    let filter = json!({ "q": "many", "status": "active" });
    assert_eq!(counted(&app, filter.clone()).await, 501);
    assert_eq!(revoked(&app, filter.clone()).await, 501);
    assert_eq!(counted(&app, filter).await, 0);
    assert_eq!(code(&app, secret(&kept)).await, "valid");
}

#[tokio::test]
async fn another_workspaces_keys_are_not_meant() {
    let app = start().await;
    let own = key(&app, json!({})).await;
    let southwind = app.workspace("Southwind").await;
    let path = format!("/v1/workspaces/{southwind}/api-keys");
    let theirs = app.operator().post(&path, json!({ "name": "theirs" })).await.done(201);
    assert_eq!(revoked(&app, json!({ "ids": [theirs["id"]] })).await, 0);
    assert_eq!(revoked(&app, json!({ "status": "active" })).await, 1);
    assert_eq!(code(&app, secret(&own)).await, "key_revoked");
    assert_eq!(code(&app, secret(&theirs)).await, "valid");
}

#[tokio::test]
async fn a_member_revokes_only_their_own() {
    let app = start().await;
    let northwind = app.operator().get("/v1/workspaces/northwind").await.done(200);
    let northwind = text(&northwind["id"]);
    let operators = key(&app, json!({})).await;
    let (one, other) = (app.member(northwind, Role::Member).await, app.member(northwind, Role::Member).await);
    let made = async |session: &str| app.session(session).post(KEYS, json!({ "name": "a" })).await.done(201);
    let (first, second, others) = (made(&one).await, made(&one).await, made(&other).await);
    let everything = json!({ "filter": { "status": "active" } });
    let mut dry = everything.clone();
    dry["dry_run"] = json!(true);
    assert_eq!(app.session(&one).post(PATH, dry.clone()).await.done(200)["api_keys"], 2);
    let ids = json!({ "filter": { "ids": [operators["id"], others["id"]] } });
    assert_eq!(app.session(&one).post(PATH, ids).await.done(200)["api_keys"], 0);
    assert_eq!(app.session(&one).post(PATH, everything.clone()).await.done(200)["api_keys"], 2);
    for (key, expected) in
        [(&first, "key_revoked"), (&second, "key_revoked"), (&others, "valid"), (&operators, "valid")]
    {
        assert_eq!(code(&app, secret(key)).await, expected);
    }
    let log = audited(&app, "api_key.revoked").await;
    assert_eq!(log.len(), 2);
    assert!(log.iter().all(|entry| entry["actor"]["kind"] == "member"), "{log:?}");
    let guest = app.member(northwind, Role::Guest).await;
    app.session(&guest).post(PATH, dry).await.refused(403, "forbidden");
    let admin = app.member(northwind, Role::Admin).await;
    assert_eq!(app.session(&admin).post(PATH, everything).await.done(200)["api_keys"], 2);
}

#[tokio::test]
async fn a_key_that_may_manage_keys_can_revoke_itself_with_the_others() {
    let app = start().await;
    let other = key(&app, json!({})).await;
    let writer = key(&app, json!({ "scopes": ["keybell:keys.write"] })).await;
    let filter = json!({ "filter": { "status": "active" } });
    assert_eq!(app.bearer(secret(&writer)).post(PATH, filter.clone()).await.done(200)["api_keys"], 2);
    app.bearer(secret(&writer)).post(PATH, filter).await.refused(401, "key_revoked");
    assert_eq!(verify(&app, secret(&other), json!({})).await["code"], "key_revoked");
}
