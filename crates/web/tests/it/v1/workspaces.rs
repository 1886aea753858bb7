//! `/v1/workspaces`

use keybell_core::Role;
use keybell_testkit::app::{On, TestApp, settings};
use serde_json::json;

#[tokio::test]
async fn a_workspace_lives_from_create_to_delete_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let app = TestApp::start_with(on, settings()).await;
        let body = json!({"name": "Northwind", "external_id": "tenant-7"});
        let made = app.operator().post("/v1/workspaces", body).await.done(201);
        let id = made["id"].as_str().expect("an id");
        assert!(id.starts_with("ws_") && id.len() == 29, "{id}");
        let expected = json!({
            "id": id, "external_id": "tenant-7", "name": "Northwind", "created_at": "2026-11-23T12:00:00.000Z",
        });
        assert_eq!(made, expected);
        for name in [id, "tenant-7"] {
            assert_eq!(app.operator().get(&format!("/v1/workspaces/{name}")).await.done(200), expected);
        }
        let change = json!({"name": "Northwind Ltd", "external_id": null});
        let edited = app.operator().patch("/v1/workspaces/tenant-7", change).await.done(200);
        assert_eq!((&edited["name"], &edited["external_id"]), (&json!("Northwind Ltd"), &json!(null)));
        app.operator().get("/v1/workspaces/tenant-7").await.refused(404, "not_found");
        let path = format!("/v1/workspaces/{id}");
        assert_eq!(app.operator().delete(&path).await.status, 204);
        app.operator().get(&path).await.refused(404, "not_found");
        app.operator().delete(&path).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn an_external_id_belongs_to_one_workspace() {
    let app = TestApp::start().await;
    let body = json!({"name": "Northwind", "external_id": "tenant-7"});
    app.operator().post("/v1/workspaces", body.clone()).await.done(201);
    app.operator().post("/v1/workspaces", body).await.refused(409, "conflict");
}

#[tokio::test]
async fn a_key_finds_its_own_workspace_as_current_and_nobody_elses() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let key = app.api_key(&workspace, &["keybell:webhooks.read"]).await;
    let own = app.bearer(&key).get("/v1/workspaces/current/webhooks").await.done(200);
    assert_eq!(own, json!({"data": [], "next_cursor": null}));
    // No scope opens the workspace itself, and an operator has none of its own.
    app.bearer(&key).get("/v1/workspaces/current").await.refused(403, "forbidden");
    app.operator().get("/v1/workspaces/current").await.refused(404, "not_found");
    app.bearer(&key).get("/v1/workspaces").await.refused(403, "forbidden");
}

#[tokio::test]
async fn every_member_reads_it_admins_rename_it_and_owners_delete_it() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let path = format!("/v1/workspaces/{workspace}");
    let roles =
        [(Role::Guest, 403, 403), (Role::Member, 403, 403), (Role::Admin, 200, 403), (Role::Owner, 200, 204)];
    for (role, edit, delete) in roles {
        let session = app.member(&workspace, role).await;
        let person = app.session(&session);
        assert_eq!(person.get(&path).await.status, 200, "{role:?}");
        assert_eq!(person.patch(&path, json!({"name": role.as_str()})).await.status, edit, "{role:?}");
        assert_eq!(person.delete(&path).await.status, delete, "{role:?}");
    }
}

#[tokio::test]
async fn names_hold_at_their_limits_and_null_is_no_name() {
    let app = TestApp::start().await;
    for (length, status) in [(0, 422), (1, 201), (100, 201), (101, 422)] {
        let answer = app.operator().post("/v1/workspaces", json!({"name": "ä".repeat(length)})).await;
        assert_eq!(answer.status, status, "{length}: {}", answer.text());
    }
    let path = format!("/v1/workspaces/{}", app.workspace("Northwind").await);
    let problem = app.operator().patch(&path, json!({"name": null})).await.refused(422, "validation_failed");
    assert_eq!(problem["errors"][0]["field"], "name");
}

#[tokio::test]
async fn a_list_is_stable_while_workspaces_are_added() {
    let app = TestApp::start().await;
    for name in ["a", "b", "c"] {
        app.clock.advance(std::time::Duration::from_secs(1));
        app.workspace(name).await;
    }
    let names = |page: &serde_json::Value| -> Vec<String> {
        let data = page["data"].as_array().expect("a list");
        data.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
    };
    let first = app.operator().get("/v1/workspaces?limit=2").await.done(200);
    assert_eq!(names(&first), ["c", "b"]);
    app.clock.advance(std::time::Duration::from_secs(1));
    app.workspace("d").await;
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let second = app.operator().get(&format!("/v1/workspaces?limit=2&cursor={cursor}")).await.done(200);
    assert_eq!(names(&second), ["a"]);
    assert_eq!(second["next_cursor"], json!(null));
}
