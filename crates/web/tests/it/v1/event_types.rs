//! `/v1/event-types`

use axum::http::Method;
use keybell_testkit::app::TestApp;
use serde_json::json;

const PATH: &str = "/v1/event-types";

#[tokio::test]
async fn an_event_type_is_declared_changed_and_archived() {
    let app = TestApp::start().await;
    let body = json!({
        "name": "research_report.published",
        "description": "A report is out.",
        "schema": {"type": "object", "required": ["title"]},
        "example": {"title": "Chips"},
    });
    let made = app.operator().post(PATH, body).await.done(201);
    assert_eq!(made["group"], "research_report");
    assert_eq!(made["created_at"], "2026-11-23T12:00:00.000Z");
    let path = format!("{PATH}/research_report.published");
    assert_eq!(app.operator().get(&path).await.done(200), made);
    let change = json!({"description": null, "schema": null, "group": "reports"});
    let edited = app.operator().patch(&path, change).await.done(200);
    assert_eq!(edited["description"], "");
    assert_eq!((&edited["schema"], &edited["group"]), (&json!(null), &json!("reports")));
    assert_eq!(edited["example"], json!({"title": "Chips"}));
    assert_eq!(app.operator().delete(&path).await.status, 204);
    app.operator().get(&path).await.refused(404, "not_found");
    let listed = app.operator().get(PATH).await.done(200);
    let names: Vec<_> =
        listed["data"].as_array().expect("a list").iter().map(|listed| &listed["name"]).collect();
    assert_eq!(
        names,
        ["keybell.webhook.failing", "keybell.webhook.disabled"],
        "Keybell's own are always there"
    );
}

#[tokio::test]
async fn keybells_own_event_types_are_refused_with_a_sentence() {
    let app = TestApp::start().await;
    let operator = app.operator();
    let path = format!("{PATH}/keybell.webhook.failing");
    let refusals = [
        operator.post(PATH, json!({"name": "keybell.mine"})).await,
        operator.post(PATH, json!({"name": "a.b", "group": "keybell"})).await,
        operator.patch(&path, json!({"description": "Mine"})).await,
        operator.delete(&path).await,
    ];
    for refused in refusals {
        let problem = refused.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["code"], "reserved");
        let message = problem["errors"][0]["message"].as_str().expect("a sentence");
        assert!(message.starts_with("must not be `keybell`, nor begin with `keybell.`"), "{message}");
    }
    let shown = operator.get(&path).await.done(200);
    assert_eq!((&shown["group"], &shown["example"]["reason"]), (&json!("keybell"), &json!("failing")));
}

#[tokio::test]
async fn everybody_reads_the_catalogue_and_only_operators_write_it() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    app.operator().post(PATH, json!({"name": "a.b"})).await.done(201);
    let key = app.api_key(&workspace, &[]).await;
    assert_eq!(app.bearer(&key).get(PATH).await.done(200)["data"][0]["name"], "a.b");
    assert_eq!(app.bearer(&key).get(&format!("{PATH}/a.b")).await.status, 200);
    app.bearer(&key).post(PATH, json!({"name": "a.c"})).await.refused(403, "forbidden");
    app.bearer(&key).patch(&format!("{PATH}/a.b"), json!({})).await.refused(403, "forbidden");
    app.bearer(&key).delete(&format!("{PATH}/a.b")).await.refused(403, "forbidden");
}

#[tokio::test]
async fn a_name_is_words_with_dots_and_there_once() {
    let app = TestApp::start().await;
    for bad in ["", ".", "a.", "a..b", "a b", "ä", &"a".repeat(257)] {
        app.operator().post(PATH, json!({"name": bad})).await.refused(422, "validation_failed");
    }
    app.operator().post(PATH, json!({"name": "a".repeat(256)})).await.done(201);
    app.operator().post(PATH, json!({"name": "a.b"})).await.done(201);
    app.operator().post(PATH, json!({"name": "a.b"})).await.refused(409, "conflict");
}

#[tokio::test]
async fn a_schema_keeps_its_spelling_and_a_wrong_one_is_refused() {
    let app = TestApp::start().await;
    let client = app.operator().with("content-type", "application/json");
    let body = r#"{"name":"a.b","schema":{"type":"object","properties":{"z":{"maximum":1.50},"a":{}}}}"#;
    let made = client.send(Method::POST, PATH, body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert!(made.text().contains(r#""properties":{"z":{"maximum":1.50},"a":{}}"#), "{}", made.text());
    let wrong = json!({"name": "a.c", "schema": {"type": "objekt"}});
    app.operator().post(PATH, wrong).await.refused(422, "validation_failed");
}
