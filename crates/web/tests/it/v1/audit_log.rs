//! `/v1/workspaces/{workspace}/audit-log`

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::json;

#[tokio::test]
async fn what_was_changed_is_in_the_log_with_who_and_from_where() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let path = format!("/v1/workspaces/{workspace}");
    app.clock.advance(std::time::Duration::from_secs(1));
    app.operator()
        .with("x-request-id", "rename-1")
        .patch(&path, json!({"name": "Northwind Ltd"}))
        .await
        .done(200);
    let log = app.operator().get(&format!("{path}/audit-log?limit=1")).await.done(200);
    let entry = &log["data"][0];
    assert_eq!(entry["action"], "workspace.edited");
    assert_eq!(entry["actor"]["kind"], "operator");
    assert_eq!(entry["actor"]["name"], "tests");
    assert_eq!(entry["target"], json!({"kind": "workspace", "id": workspace}));
    assert_eq!(entry["source_address"], "192.0.2.10");
    assert_eq!(entry["request_id"], "rename-1");
    assert_eq!(entry["at"], "2026-11-23T12:00:01.000Z");
    assert_eq!(entry["changes"]["name"], json!({"from": "Northwind", "to": "Northwind Ltd"}));
}

#[tokio::test]
async fn pages_follow_each_other_and_filters_hold() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let path = format!("/v1/workspaces/{workspace}");
    for name in ["a", "b", "c"] {
        app.clock.advance(std::time::Duration::from_secs(1));
        app.operator().patch(&path, json!({ "name": name })).await.done(200);
    }
    let first = app.operator().get(&format!("{path}/audit-log?limit=2")).await.done(200);
    assert_eq!(first["data"].as_array().map(Vec::len), Some(2));
    let cursor = first["next_cursor"].as_str().expect("there are four");
    let second = app.operator().get(&format!("{path}/audit-log?limit=2&cursor={cursor}")).await.done(200);
    assert_eq!(second["data"][1]["action"], "workspace.created");
    assert_eq!(second["next_cursor"], json!(null));
    let filtered = app.operator().get(&format!("{path}/audit-log?action=workspace.created")).await.done(200);
    assert_eq!(filtered["data"].as_array().map(Vec::len), Some(1));
    let timed = format!("{path}/audit-log?from=2026-11-23T12:00:02Z&to=2026-11-23T13:00:03%2B01:00");
    let timed = app.operator().get(&timed).await.done(200);
    assert_eq!(timed["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_wrong_filter_is_named_and_a_foreign_cursor_refused() {
    let app = TestApp::start().await;
    let path = format!("/v1/workspaces/{}/audit-log", app.workspace("Northwind").await);
    let problem = app.operator().get(&format!("{path}?actoin=a")).await.refused(422, "validation_failed");
    assert_eq!(problem["errors"][0]["field"], "actoin");
    app.operator().get(&format!("{path}?limit=251")).await.refused(422, "validation_failed");
    app.operator().get(&format!("{path}?cursor=x")).await.refused(400, "malformed_request");
}

#[tokio::test]
async fn a_member_and_a_guest_do_not_read_it() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let path = format!("/v1/workspaces/{workspace}/audit-log");
    for (role, status) in [(Role::Owner, 200), (Role::Admin, 200), (Role::Member, 403), (Role::Guest, 403)] {
        let session = app.member(&workspace, role).await;
        assert_eq!(app.session(&session).get(&path).await.status, status, "{role:?}");
    }
}
