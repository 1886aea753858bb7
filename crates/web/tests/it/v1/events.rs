//! `/v1/workspaces/{workspace}/events` and `/v1/events/batch`

use axum::http::Method;
use keybell_app::settings::Settings;
use keybell_testkit::app::{Client, On, TestApp, settings};
use serde_json::{Value, json};

/// A workspace in which reports can be published, with a webhook for them; its id.
async fn newsroom(app: &TestApp) -> String {
    app.operator().post("/v1/event-types", json!({"name": "research_report.published"})).await.done(201);
    let workspace = app.workspace("Northwind").await;
    // Nothing is sent in these tests: the engine is not started.
    let webhook = json!({"name": "Reports", "url": "http://127.0.0.1:9/", "events": ["research_report.*"]});
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), webhook).await.done(201);
    workspace
}

fn report(data: &Value) -> Value {
    json!({"type": "research_report.published", "data": data})
}

async fn post_text(client: &Client<'_>, path: &str, body: String) -> keybell_testkit::app::Answer {
    client.clone().with("content-type", "application/json").send(Method::POST, path, body).await
}

#[tokio::test]
async fn an_event_is_accepted_listed_and_read_byte_for_byte_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let app = TestApp::start_with(on, settings()).await;
        let workspace = newsroom(&app).await;
        let path = format!("/v1/workspaces/{workspace}/events");
        let data = "{ \"z\":1.50,\t\"a\": [1e400, \"\\u00e9\"],\"z\":null}";
        let body = format!("{{\"type\":\"research_report.published\",\"data\":{data}}}");
        let published = post_text(&app.operator(), &path, body).await.done(202);
        let id = published["id"].as_str().expect("an id");
        assert!(id.starts_with("evt_"), "{id}");
        assert_eq!(published, json!({"id": id, "type": "research_report.published", "deliveries": 1}));
        let read = app.operator().get(&format!("{path}/{id}")).await;
        assert!(read.text().ends_with(&format!("\"data\":{data}}}")), "{}", read.text());
        let listed = app.operator().get(&path).await.done(200);
        let now = "2026-11-23T12:00:00.000Z";
        let expected = json!({
            "id": id, "type": "research_report.published", "occurred_at": now, "created_at": now, "deliveries": 1,
        });
        assert_eq!(listed, json!({"data": [expected], "next_cursor": null}));
    }
}

#[tokio::test]
async fn the_publishers_own_id_is_answered_as_the_first_time() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let app = TestApp::start_with(on, settings()).await;
        let path = format!("/v1/workspaces/{}/events", newsroom(&app).await);
        let mut event = report(&json!({"title": "Chips"}));
        event["id"] = json!("report-7");
        let first = app.operator().post(&path, event.clone()).await.done(202);
        assert_eq!(first["id"], "report-7");
        assert_eq!(app.operator().post(&path, event.clone()).await.done(200), first);
        event["data"]["title"] = json!("Ships");
        app.operator().post(&path, event).await.refused(409, "conflict");
        let read = app.operator().get(&format!("{path}/report-7")).await.done(200);
        assert_eq!(read["data"], json!({"title": "Chips"}));
        let listed = app.operator().get(&path).await.done(200);
        assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test]
async fn what_cannot_be_published_says_why() {
    let app = TestApp::start().await;
    let path = format!("/v1/workspaces/{}/events", newsroom(&app).await);
    let unknown = json!({"type": "portfolio.updated", "data": 1});
    app.operator().post(&path, unknown).await.refused(422, "unknown_event_type");
    for id in ["", "a.b", "evt_00000000000000000000000000"] {
        let mut event = report(&json!(1));
        event["id"] = json!(id);
        let problem = app.operator().post(&path, event).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], "id", "{id}");
    }
    let no_data = json!({"type": "research_report.published"});
    let problem = app.operator().post(&path, no_data).await.refused(422, "validation_failed");
    assert_eq!(problem["errors"][0]["code"], "required");
    let mut late = report(&json!(1));
    late["occurred_at"] = json!("yesterday");
    let problem = app.operator().post(&path, late).await.refused(422, "validation_failed");
    assert_eq!(problem["errors"][0]["field"], "occurred_at");
}

#[tokio::test]
async fn data_holds_up_to_its_limits_in_bytes_and_depth() {
    use keybell_core::event::{DATA_BYTES_MAX, DATA_DEPTH_MAX};
    let app = TestApp::start().await;
    let path = format!("/v1/workspaces/{}/events", newsroom(&app).await);
    let with = |data: String| format!("{{\"type\":\"research_report.published\",\"data\":{data}}}");
    let text = |bytes: usize| with(format!("\"{}\"", "x".repeat(bytes - 2)));
    post_text(&app.operator(), &path, text(DATA_BYTES_MAX)).await.done(202);
    post_text(&app.operator(), &path, text(DATA_BYTES_MAX + 1)).await.refused(413, "payload_too_large");
    let nested = |depth: usize| with(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    post_text(&app.operator(), &path, nested(DATA_DEPTH_MAX)).await.done(202);
    post_text(&app.operator(), &path, nested(DATA_DEPTH_MAX + 1)).await.refused(422, "validation_failed");
    post_text(&app.operator(), &path, nested(10_000)).await.refused(422, "validation_failed");
}

#[tokio::test]
async fn data_that_does_not_fit_the_schema_is_refused_with_its_place() {
    let app = TestApp::start().await;
    let schema =
        json!({"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]});
    app.operator().post("/v1/event-types", json!({"name": "a.b", "schema": schema})).await.done(201);
    let path = format!("/v1/workspaces/{}/events", app.workspace("Northwind").await);
    let wrong = json!({"type": "a.b", "data": {"title": 7}});
    let problem = app.operator().post(&path, wrong).await.refused(422, "schema_mismatch");
    assert!(
        problem["errors"][0]["field"].as_str().is_some_and(|field| field.starts_with("data")),
        "{problem}"
    );
    app.operator().post(&path, json!({"type": "a.b", "data": {"title": "Chips"}})).await.done(202);
}

#[tokio::test]
async fn a_batch_goes_whole_or_not_at_all() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let app = TestApp::start_with(on, settings()).await;
        let (ours, theirs) = (newsroom(&app).await, app.workspace("Southwind").await);
        let of = |workspace: &str, title: &str| {
            let mut event = report(&json!({ "title": title }));
            event["workspace"] = json!(workspace);
            event
        };
        let batch = json!({"events": [of(&ours, "a"), of(&theirs, "b"), of(&ours, "c")]});
        let published = app.operator().post("/v1/events/batch", batch).await.done(202);
        let deliveries: Vec<&Value> =
            published["data"].as_array().expect("a list").iter().map(|event| &event["deliveries"]).collect();
        assert_eq!(deliveries, [&json!(1), &json!(0), &json!(1)]);
        let mut wrong = of(&ours, "e");
        wrong["type"] = json!("a..b");
        let batch = json!({"events": [of(&ours, "d"), wrong]});
        let problem = app.operator().post("/v1/events/batch", batch).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], "events[1].type");
        let listed = app.operator().get(&format!("/v1/workspaces/{ours}/events")).await.done(200);
        assert_eq!(listed["data"].as_array().map(Vec::len), Some(2), "{on:?}");
    }
}

#[tokio::test]
async fn a_batch_has_1_to_1000_events() {
    let app = TestApp::start().await;
    let workspace = newsroom(&app).await;
    for (count, status) in [(0, 422), (1, 202), (1_000, 202), (1_001, 422)] {
        let mut event = report(&json!(null));
        event["workspace"] = json!(workspace);
        let batch = json!({"events": vec![event; count]});
        let answer = app.operator().post("/v1/events/batch", batch).await;
        assert_eq!(answer.status, status, "{count}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_key_publishes_into_its_own_workspace_alone() {
    let app = TestApp::start().await;
    let (ours, theirs) = (newsroom(&app).await, app.workspace("Southwind").await);
    let key = app.api_key(&ours, &["keybell:events.publish"]).await;
    app.bearer(&key).post("/v1/workspaces/current/events", report(&json!(1))).await.done(202);
    let of = |workspace: &str| {
        let mut event = report(&json!(1));
        event["workspace"] = json!(workspace);
        event
    };
    let batch = json!({"events": [of("current"), of(&theirs)]});
    let problem = app.bearer(&key).post("/v1/events/batch", batch).await.refused(404, "not_found");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with("events[1].workspace")));
    app.bearer(&key).get("/v1/workspaces/current/events").await.refused(403, "insufficient_scope");
    let reader = app.api_key(&ours, &["keybell:events.read"]).await;
    app.bearer(&reader)
        .post("/v1/workspaces/current/events", report(&json!(1)))
        .await
        .refused(403, "insufficient_scope");
    let batch = json!({"events": [of("current")]});
    app.bearer(&reader).post("/v1/events/batch", batch).await.refused(403, "insufficient_scope");
    let listed = app.bearer(&reader).get("/v1/workspaces/current/events").await.done(200);
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_is_wrong_with_a_batch_is_named_by_index_up_to_a_limit() {
    use keybell_app::events::BATCH_ERRORS_MAX;
    let app = TestApp::start().await;
    let workspace = newsroom(&app).await;
    let of = |change: Value| {
        let mut event = report(&json!(1));
        event["workspace"] = json!(workspace);
        for (member, value) in change.as_object().expect("members") {
            event[member] = value.clone();
        }
        event
    };
    let batch =
        async |events: Vec<Value>| app.operator().post("/v1/events/batch", json!({ "events": events })).await;
    let fields = |problem: &Value| -> Vec<String> {
        let errors = problem["errors"].as_array().expect("they are named");
        errors.iter().map(|error| error["field"].as_str().expect("a field").to_owned()).collect()
    };
    let wrong = vec![of(json!({"id": "a.b"})), of(json!({})), of(json!({"type": "a..b"}))];
    let problem = batch(wrong).await.refused(422, "validation_failed");
    assert_eq!(fields(&problem), ["events[0].id", "events[2].type"]);
    let alone = batch(vec![of(json!({"id": "a.b"}))]).await.refused(422, "validation_failed");
    assert_eq!(fields(&alone), ["events[0].id"]);
    let unknown =
        batch(vec![of(json!({})), of(json!({"type": "c.d"}))]).await.refused(422, "unknown_event_type");
    assert!(unknown["detail"].as_str().is_some_and(|detail| detail.starts_with("events[1]: ")), "{unknown}");
    for (count, told) in [(BATCH_ERRORS_MAX, BATCH_ERRORS_MAX), (BATCH_ERRORS_MAX + 1, BATCH_ERRORS_MAX)] {
        let problem = batch(vec![of(json!({"id": ""})); count]).await.refused(422, "validation_failed");
        assert_eq!(fields(&problem).len(), told);
    }
    let listed = app.operator().get(&format!("/v1/workspaces/{workspace}/events")).await.done(200);
    assert_eq!(listed["data"], json!([]));
}

#[tokio::test]
async fn a_batch_holds_up_to_its_limit_of_events() {
    let app = TestApp::start().await;
    let workspace = newsroom(&app).await;
    let mut event = report(&json!(1));
    event["workspace"] = json!(workspace);
    let batch = async |count: usize| {
        app.operator().post("/v1/events/batch", json!({ "events": vec![&event; count] })).await
    };
    for count in [0, 1_001] {
        let problem = batch(count).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], "events", "{count}");
    }
    assert_eq!(batch(1_000).await.done(202)["data"].as_array().map(Vec::len), Some(1_000));
}

#[tokio::test]
async fn types_are_made_on_the_fly_only_where_that_is_allowed_and_the_batch_is_accepted() {
    let app = TestApp::start_with(On::Memory, Settings { event_types_on_the_fly: true, ..settings() }).await;
    let workspace = app.workspace("Northwind").await;
    let event = |name: &str, id: &str| json!({"workspace": workspace, "type": name, "data": 1, "id": id});
    let batch = json!({"events": [event("portfolio.updated", "a"), event("portfolio.closed", "a.b")]});
    app.operator().post("/v1/events/batch", batch).await.refused(422, "validation_failed");
    app.operator().get("/v1/event-types/portfolio.updated").await.refused(404, "not_found");
    let batch = json!({"events": [event("portfolio.updated", "a"), event("portfolio.updated", "b")]});
    app.operator().post("/v1/events/batch", batch).await.done(202);
    assert_eq!(app.operator().get("/v1/event-types/portfolio.updated").await.done(200)["group"], "portfolio");
}

#[tokio::test]
async fn an_event_is_published_once_by_an_idempotency_key_and_kept_though_nobody_wants_it() {
    let app = TestApp::start().await;
    let workspace = newsroom(&app).await;
    app.operator().post("/v1/event-types", json!({"name": "portfolio.updated"})).await.done(201);
    let path = format!("/v1/workspaces/{workspace}/events");
    let client = app.operator().with("idempotency-key", "k1");
    let event = json!({"type": "portfolio.updated", "data": 1});
    let first = client.post(&path, event.clone()).await.done(202);
    assert_eq!(first["deliveries"], 0);
    let again = client.post(&path, event).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.done(202), first);
    let other = json!({"type": "portfolio.updated", "data": 2});
    client.post(&path, other).await.refused(409, "idempotency_mismatch");
    let listed = app.operator().get(&path).await.done(200);
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn events_are_filtered_by_type_and_time_and_paged() {
    let app = TestApp::start().await;
    let workspace = newsroom(&app).await;
    app.operator().post("/v1/event-types", json!({"name": "portfolio.updated"})).await.done(201);
    let path = format!("/v1/workspaces/{workspace}/events");
    for id in ["a", "b", "c"] {
        app.clock.advance(std::time::Duration::from_secs(1));
        let mut event = report(&json!(1));
        event["id"] = json!(id);
        app.operator().post(&path, event).await.done(202);
    }
    app.operator().post(&path, json!({"type": "portfolio.updated", "data": 1, "id": "p"})).await.done(202);
    let ids = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().expect("a list");
        data.iter().map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
    };
    let get = async |query: &str| app.operator().get(&format!("{path}?{query}")).await.done(200);
    assert_eq!(ids(&get("type=portfolio.updated").await), ["p"]);
    let from_to = "from=2026-11-23T12:00:01Z&to=2026-11-23T12:00:03Z";
    assert_eq!(ids(&get(from_to).await), ["b", "a"]);
    let first = get("type=research_report.published&limit=2").await;
    assert_eq!(ids(&first), ["c", "b"]);
    let cursor = first["next_cursor"].as_str().expect("there is more");
    assert_eq!(ids(&get(&format!("type=research_report.published&limit=2&cursor={cursor}")).await), ["a"]);
}
