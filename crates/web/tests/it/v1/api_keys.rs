//! `/v1/workspaces/{workspace}/api-keys`

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::{Value, json};

fn text(value: &Value) -> &str {
    value.as_str().expect("it is a text")
}

/// An installation with a workspace and two scopes in the catalogue; the path of the workspace's keys.
async fn start() -> (TestApp, String) {
    let app = TestApp::start().await;
    for name in ["reports:read", "reports:write"] {
        let scope = json!({ "name": name, "description": "Research reports" });
        app.operator().post("/v1/scopes", scope).await.done(201);
    }
    let workspace = app.workspace("Northwind").await;
    let path = format!("/v1/workspaces/{workspace}/api-keys");
    (app, path)
}

async fn made(app: &TestApp, path: &str, body: Value) -> Value {
    app.operator().post(path, body).await.done(201)
}

async fn verdict(app: &TestApp, secret_key: &Value) -> Value {
    app.operator().post("/v1/api-keys/verify", json!({ "secret_key": secret_key })).await.done(200)["code"]
        .clone()
}

#[tokio::test]
async fn a_new_key_is_shown_with_its_secret_once() {
    let (app, path) = start().await;
    let body = json!({
        "name": "Nightly import",
        "description": "Reads the reports",
        "environment": "test",
        "scopes": ["reports:read", "keybell:events.publish", "reports:read"],
        "expires_at": "2027-01-01T00:00:00+01:00",
        "allowed_networks": ["203.0.113.0/24", "2001:db8::1"],
        "rate_limits": [{ "name": "per_minute", "limit": 600, "window_seconds": 60 }],
        "metadata": { "plan": "pro" },
    });
    let answer = app.operator().post(&path, body).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut key = answer.done(201);
    let secret_key = key.as_object_mut().and_then(|key| key.remove("secret_key")).expect("it is shown");
    let id = key["id"].take();
    assert!(text(&id).starts_with("kb_test_") && text(&secret_key).starts_with(&format!("{}_", text(&id))));
    key["created_by"]["id"].take();
    insta::assert_json_snapshot!(key, @r#"
    {
      "id": null,
      "name": "Nightly import",
      "description": "Reads the reports",
      "environment": "test",
      "status": "active",
      "enabled": true,
      "scopes": [
        "reports:read",
        "keybell:events.publish"
      ],
      "expires_at": "2026-12-31T23:00:00.000Z",
      "allowed_networks": [
        "203.0.113.0/24",
        "2001:db8::1/128"
      ],
      "rate_limits": [
        {
          "name": "per_minute",
          "limit": 600,
          "window_seconds": 60
        }
      ],
      "metadata": {
        "plan": "pro"
      },
      "created_at": "2026-11-23T12:00:00.000Z",
      "created_by": {
        "kind": "operator",
        "id": null,
        "name": "tests"
      },
      "updated_at": "2026-11-23T12:00:00.000Z",
      "last_used_at": null,
      "last_used_from": null,
      "revoked_at": null,
      "revoked_by": null,
      "previous_secret": null
    }
    "#);

    let read = app.operator().get(&format!("{path}/{}", text(&id))).await.done(200);
    assert_eq!(read["id"], id);
    assert_eq!(read.get("secret_key"), None);
    let listed = app.operator().get(&path).await.done(200);
    assert_eq!(listed["data"], json!([read]));
    assert!(!listed.to_string().contains(text(&secret_key)));
    let workspace = path.trim_end_matches("/api-keys");
    let log = app.operator().get(&format!("{workspace}/audit-log?action=api_key.created")).await.done(200);
    assert_eq!(log["data"][0]["target"], json!({ "kind": "api_key", "id": id }));
    let secret = &text(&secret_key)[text(&id).len() + 1..];
    assert!(!log.to_string().contains(secret));
}

#[tokio::test]
async fn the_shortest_request_makes_a_live_key_without_limits() {
    let (app, path) = start().await;
    let key = made(&app, &path, json!({ "name": "a" })).await;
    for (field, value) in [
        ("environment", json!("live")),
        ("status", json!("active")),
        ("enabled", json!(true)),
        ("scopes", json!([])),
        ("allowed_networks", json!([])),
        ("rate_limits", json!([])),
        ("metadata", json!({})),
        ("description", json!("")),
        ("expires_at", json!(null)),
        ("previous_secret", json!(null)),
    ] {
        assert_eq!(key[field], value, "{field}");
    }
    assert_eq!(verdict(&app, &key["secret_key"]).await, "valid");
}

#[tokio::test]
async fn every_wrong_member_is_named() {
    let (app, path) = start().await;
    let body = json!({
        "name": " ",
        "expires_at": "2020-01-01T00:00:00Z",
        "scopes": ["reports:read", "reports:delete"],
        "allowed_networks": ["203.0.113.9/24"],
        "rate_limits": [{ "name": "a", "limit": 0, "window_seconds": 1 }],
    });
    let problem = app.operator().post(&path, body).await.refused(422, "validation_failed");
    let errors = problem["errors"].as_array().expect("they are named");
    let told: Vec<String> =
        errors.iter().map(|error| format!("{} {}", text(&error["field"]), text(&error["code"]))).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    name required
    expires_at in_the_past
    rate_limits[0].limit out_of_range
    scopes[1] unknown_scope
    allowed_networks[0] invalid_network
    ");
    for (body, field) in [
        (json!({}), "name"),
        (json!({ "name": 1 }), "name"),
        (json!({ "name": "a", "scope": [] }), "scope"),
        (json!({ "name": "a", "environment": "prod" }), "environment"),
        (
            json!({ "name": "a", "rate_limits": [{ "name": "a", "limit": 1 }] }),
            "rate_limits[0].window_seconds",
        ),
    ] {
        let problem = app.operator().post(&path, body).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn a_repeated_creation_makes_one_key_and_shows_no_secret_again() {
    let (app, path) = start().await;
    let client = app.operator().with("idempotency-key", "order-1");
    let first = client.post(&path, json!({ "name": "a" })).await.done(201);
    let again = client.post(&path, json!({ "name": "a" })).await.done(201);
    assert_eq!((&again["id"], again.get("secret_key")), (&first["id"], None));
    assert_eq!(app.operator().get(&path).await.done(200)["data"].as_array().map(Vec::len), Some(1));
    client.post(&path, json!({ "name": "b" })).await.refused(409, "idempotency_mismatch");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_null_takes_away() {
    let (app, path) = start().await;
    let body = json!({ "name": "a", "scopes": ["reports:read"], "metadata": { "a": 1, "b": 2 } });
    let key = made(&app, &path, body).await;
    let one = format!("{path}/{}", text(&key["id"]));
    app.clock.advance(Duration::from_secs(1));
    let change = json!({
        "description": "described",
        "enabled": false,
        "expires_at": "2027-01-01T00:00:00Z",
        "metadata": { "a": null, "c": 3 },
    });
    let edited = app.operator().patch(&one, change).await.done(200);
    assert_eq!(edited["name"], "a");
    assert_eq!(edited["description"], "described");
    assert_eq!((&edited["enabled"], &edited["status"]), (&json!(false), &json!("disabled")));
    assert_eq!(edited["metadata"], json!({ "b": 2, "c": 3 }));
    assert_eq!(edited["updated_at"], "2026-11-23T12:00:01.000Z");
    assert_eq!(edited.get("secret_key"), None);
    assert_eq!(verdict(&app, &key["secret_key"]).await, "key_disabled");

    let change =
        json!({ "expires_at": null, "scopes": null, "metadata": null, "description": null, "enabled": true });
    let emptied = app.operator().patch(&one, change).await.done(200);
    assert_eq!(emptied["expires_at"], json!(null));
    assert_eq!((&emptied["scopes"], &emptied["metadata"]), (&json!([]), &json!({})));
    assert_eq!(emptied["description"], "");
    assert_eq!(verdict(&app, &key["secret_key"]).await, "valid");

    for (change, field) in [
        (json!({ "name": null }), "name"),
        (json!({ "enabled": null }), "enabled"),
        (json!({ "environment": "test" }), "environment"),
        (json!({ "secret_key": "kb_" }), "secret_key"),
        (json!({ "scopes": ["nothing:known"] }), "scopes[0]"),
    ] {
        let problem = app.operator().patch(&one, change).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    let workspace = path.trim_end_matches("/api-keys");
    let log = app.operator().get(&format!("{workspace}/audit-log?action=api_key.edited")).await.done(200);
    assert_eq!(log["data"][1]["changes"]["enabled"], json!({ "from": true, "to": false }));
}

#[tokio::test]
async fn a_rotated_key_has_two_secrets_until_the_overlap_is_over() {
    let (app, path) = start().await;
    let key = made(&app, &path, json!({ "name": "a" })).await;
    let rotate = format!("{path}/{}/rotate", text(&key["id"]));
    let answer = app.operator().post(&rotate, json!({ "overlap_seconds": 60 })).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let second = answer.done(200);
    assert_eq!(second["id"], key["id"]);
    assert_ne!(second["secret_key"], key["secret_key"]);
    assert_eq!(
        second["previous_secret"],
        json!({ "expires_at": "2026-11-23T12:01:00.000Z", "last_used_at": null })
    );
    assert_eq!(verdict(&app, &key["secret_key"]).await, "valid");
    assert_eq!(verdict(&app, &second["secret_key"]).await, "valid");
    app.clock.advance(Duration::from_mins(1));
    assert_eq!(verdict(&app, &key["secret_key"]).await, "secret_rotated_out");
    assert_eq!(verdict(&app, &second["secret_key"]).await, "valid");

    let default = app.operator().post_empty(&rotate).await.done(200);
    assert_eq!(default["previous_secret"]["expires_at"], "2026-11-24T12:01:00.000Z");
    let month = app.operator().post(&rotate, json!({ "overlap_seconds": 2_592_000 })).await;
    month.done(200);
    let longer = app.operator().post(&rotate, json!({ "overlap_seconds": 2_592_001 })).await;
    assert_eq!(longer.refused(422, "validation_failed")["errors"][0]["field"], "overlap_seconds");
}

#[tokio::test]
async fn a_revoked_key_is_refused_from_the_answer_on_and_stays_so() {
    let (app, path) = start().await;
    let key = made(&app, &path, json!({ "name": "a" })).await;
    let one = format!("{path}/{}", text(&key["id"]));
    let revoked = app.operator().post_empty(&format!("{one}/revoke")).await.done(200);
    assert_eq!(
        (&revoked["status"], &revoked["revoked_at"]),
        (&json!("revoked"), &json!("2026-11-23T12:00:00.000Z"))
    );
    assert_eq!(revoked["revoked_by"]["name"], "tests");
    assert_eq!(verdict(&app, &key["secret_key"]).await, "key_revoked");
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(app.operator().post_empty(&format!("{one}/revoke")).await.done(200), revoked);
    app.operator().patch(&one, json!({ "enabled": true })).await.refused(409, "conflict");
    app.operator().post_empty(&format!("{one}/rotate")).await.refused(409, "conflict");
    let workspace = path.trim_end_matches("/api-keys");
    let log = app.operator().get(&format!("{workspace}/audit-log?action=api_key.revoked")).await.done(200);
    assert_eq!(log["data"].as_array().map(Vec::len), Some(1), "once");
}

#[tokio::test]
async fn the_list_is_filtered_and_its_mistakes_are_named() {
    let (app, path) = start().await;
    for (name, environment) in [("first", "live"), ("second", "test"), ("third", "live")] {
        app.clock.advance(Duration::from_secs(1));
        made(&app, &path, json!({ "name": name, "environment": environment })).await;
    }
    let names = async |query: &str| {
        let listed = app.operator().get(&format!("{path}?{query}")).await.done(200);
        let data = listed["data"].as_array().expect("a list").iter().map(|key| text(&key["name"]).to_owned());
        data.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("").await, "third second first");
    assert_eq!(names("status=all&environment=live").await, "third first");
    assert_eq!(names("q=SEC").await, "second");
    assert_eq!(names("status=revoked").await, "");
    let page = app.operator().get(&format!("{path}?limit=2")).await.done(200);
    assert_eq!(names(&format!("limit=2&cursor={}", text(&page["next_cursor"]))).await, "first");
    for (query, field) in
        [("status=gone", "status"), ("environment=prod", "environment"), ("limit=0", "limit")]
    {
        let problem = app.operator().get(&format!("{path}?{query}")).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    app.operator().get(&format!("{path}?cursor=1.x")).await.refused(400, "malformed_request");
    app.operator().get(&format!("{path}?q={}", "x".repeat(200))).await.done(200);
    app.operator().get(&format!("{path}?q={}", "x".repeat(201))).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn a_key_is_found_by_its_own_identifier_alone() {
    let (app, path) = start().await;
    let key = made(&app, &path, json!({ "name": "a" })).await;
    let id = text(&key["id"]);
    for wrong in [
        id.replace("_live_", "_test_"),
        id.replace("kb_", "xx_"),
        id[8..].to_owned(),
        format!("{id}0"),
        text(&key["secret_key"]).to_owned(),
        "%00".to_owned(),
    ] {
        app.operator().get(&format!("{path}/{wrong}")).await.refused(404, "not_found");
        app.operator().post_empty(&format!("{path}/{wrong}/revoke")).await.refused(404, "not_found");
    }
    let elsewhere = app.workspace("Southwind").await;
    let elsewhere = format!("/v1/workspaces/{elsewhere}/api-keys/{id}");
    app.operator().get(&elsewhere).await.refused(404, "not_found");
    app.operator().patch(&elsewhere, json!({ "name": "b" })).await.refused(404, "not_found");
    app.operator().post_empty(&format!("{elsewhere}/rotate")).await.refused(404, "not_found");
    app.operator().post_empty(&format!("{elsewhere}/revoke")).await.refused(404, "not_found");
    assert_eq!(verdict(&app, &key["secret_key"]).await, "valid");
}

#[tokio::test]
async fn roles_and_scopes_confine_who_manages_keys() {
    let (app, path) = start().await;
    let workspace = path.split('/').nth(3).expect("the path names it").to_owned();
    for (role, reads, makes) in
        [(Role::Owner, 200, 201), (Role::Admin, 200, 201), (Role::Member, 200, 201), (Role::Guest, 200, 403)]
    {
        let session = app.member(&workspace, role).await;
        assert_eq!(app.session(&session).get(&path).await.status, reads, "{role:?}");
        let made = app.session(&session).post(&path, json!({ "name": "a" })).await;
        assert_eq!(made.status, makes, "{role:?}");
    }
    let member = app.member(&workspace, Role::Member).await;
    let strong = json!({ "name": "a", "scopes": ["keybell:keys.write"] });
    let problem = app.session(&member).post(&path, strong.clone()).await.refused(403, "forbidden");
    assert_eq!(problem["errors"][0]["field"], "scopes[0]");
    let theirs = made(&app, &path, json!({ "name": "the operator's" })).await;
    let one = format!("{path}/{}", text(&theirs["id"]));
    app.session(&member).patch(&one, json!({ "name": "b" })).await.refused(403, "forbidden");

    let reader = app.api_key(&workspace, &["keybell:keys.read"]).await;
    app.bearer(&reader).get(&path).await.done(200);
    let problem =
        app.bearer(&reader).post(&path, json!({ "name": "a" })).await.refused(403, "insufficient_scope");
    assert!(text(&problem["detail"]).contains("keybell:keys.write"), "{problem}");
    let writer = app.api_key(&workspace, &["keybell:keys.write"]).await;
    app.bearer(&writer).post(&path, strong).await.done(201);
    let more = json!({ "name": "a", "scopes": ["reports:read"] });
    app.bearer(&writer).post(&path, more).await.refused(403, "forbidden");
}
