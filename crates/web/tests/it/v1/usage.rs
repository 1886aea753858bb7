//! `GET /v1/workspaces/{workspace}/api-keys/{id}/usage`

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::{Value, json};

use crate::northwind::{code, key, path_of, secret, start, text, verify, wrong_fields};

/// The points of an answer.
async fn points(app: &TestApp, key: &Value, query: &str) -> Vec<Value> {
    let answer = app.operator().get(&format!("{}/usage?{query}", path_of(key))).await.done(200);
    answer["data"].as_array().expect("a list").clone()
}

fn point(at: &str, outcomes: &Value) -> Value {
    json!({ "at": format!("2026-11-23T{at}:00.000Z"), "outcomes": outcomes })
}

async fn enable(app: &TestApp, key: &Value, enabled: bool) {
    app.operator().patch(&path_of(key), json!({ "enabled": enabled })).await.done(200);
}

#[tokio::test]
async fn every_outcome_is_counted_under_its_minute_before_and_after_it_is_written_down() {
    let app = start().await;
    let limits = json!([{ "name": "per_minute", "limit": 2, "window_seconds": 60 }]);
    let key = key(&app, json!({ "rate_limits": limits })).await;
    app.clock.advance(Duration::from_secs(30));
    assert_eq!(code(&app, secret(&key)).await, "valid");
    app.bearer(secret(&key)).get("/v1/forward-auth").await.done(200);
    assert_eq!(code(&app, secret(&key)).await, "rate_limited");
    app.bearer(secret(&key)).get("/v1/forward-auth").await.refused(429, "rate_limited");
    let lacking = verify(&app, secret(&key), json!({ "required_scopes": ["reports:read"] })).await;
    assert_eq!(lacking["code"], "insufficient_scope");
    enable(&app, &key, false).await;
    assert_eq!(code(&app, secret(&key)).await, "key_disabled");

    let outcomes = json!({ "valid": 2, "rate_limited": 2, "insufficient_scope": 1, "key_disabled": 1 });
    for writing in ["before", "after", "again"] {
        for (query, at) in [
            ("step=minute&from=2026-11-23T12:00:00Z&to=2026-11-23T12:01:00Z", "12:00"),
            ("step=hour&from=2026-11-23T12:00:00Z", "12:00"),
            ("from=2026-11-23T12:59:59Z&to=2026-11-23T13:00:00Z", "12:00"),
            ("step=day&from=2026-11-23T12:00:00Z", "00:00"),
        ] {
            assert_eq!(points(&app, &key, query).await, [point(at, &outcomes)], "{writing} {query}");
        }
        app.app.write_usage().await.expect("the database is there");
    }
    assert_eq!(code(&app, secret(&key)).await, "key_disabled");
    let more = json!({ "valid": 2, "rate_limited": 2, "insufficient_scope": 1, "key_disabled": 2 });
    let query = "step=minute&from=2026-11-23T12:00:00Z";
    assert_eq!(
        points(&app, &key, query).await,
        [point("12:00", &more)],
        "what is written and what is not yet add up"
    );
}

#[tokio::test]
async fn minutes_stand_apart_and_those_without_a_use_are_there_too() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    for (uses, pause) in [(1, 60), (2, 120), (1, 59), (1, 1), (3, 0)] {
        for _ in 0..uses {
            assert_eq!(code(&app, secret(&key)).await, "valid");
        }
        app.clock.advance(Duration::from_secs(pause));
    }
    for _ in ["before it is written", "after"] {
        let minutes = points(&app, &key, "step=minute&from=2026-11-23T11:59:00Z").await;
        let expected = [("11:59", 0), ("12:00", 1), ("12:01", 2), ("12:02", 0), ("12:03", 2), ("12:04", 3)];
        assert_eq!(minutes, expected.map(|(at, valid)| point(at, &json!({ "valid": valid }))));
        let some = "step=minute&from=2026-11-23T12:01:00Z&to=2026-11-23T12:02:00Z";
        assert_eq!(points(&app, &key, some).await, [point("12:01", &json!({ "valid": 2 }))]);
        let hour = points(&app, &key, "step=hour&from=2026-11-23T11:00:00Z").await;
        assert_eq!(hour, [point("11:00", &json!({ "valid": 0 })), point("12:00", &json!({ "valid": 8 }))]);
        app.app.write_usage().await.expect("the database is there");
    }
}

#[tokio::test]
async fn the_last_24_hours_are_told_where_nothing_is_asked_for() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    // It is noon sharp: the hour that begins is one of them.
    assert_eq!(code(&app, secret(&key)).await, "valid");
    let hours = points(&app, &key, "").await;
    assert_eq!(hours.len(), 24);
    assert_eq!(hours[0], json!({ "at": "2026-11-22T13:00:00.000Z", "outcomes": { "valid": 0 } }));
    assert_eq!(hours[23], point("12:00", &json!({ "valid": 1 })));
    let days = points(&app, &key, "step=day").await;
    assert_eq!((days.len(), &days[0]["at"]), (24, &json!("2026-10-31T00:00:00.000Z")));
    assert_eq!(days[23], point("00:00", &json!({ "valid": 1 })));
}

#[tokio::test]
async fn days_are_those_of_utc() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    app.clock.advance(Duration::from_hours(12) - Duration::from_millis(1));
    assert_eq!(code(&app, secret(&key)).await, "valid");
    app.clock.advance(Duration::from_millis(1));
    assert_eq!(code(&app, secret(&key)).await, "valid");
    let query = "step=day&from=2026-11-24T00:30:00%2B01:00&to=2026-11-25T00:00:00Z";
    let days = points(&app, &key, query).await;
    let told: Vec<_> = days.iter().map(|day| (text(&day["at"]), &day["outcomes"]["valid"])).collect();
    let one = json!(1);
    assert_eq!(told, [("2026-11-23T00:00:00.000Z", &one), ("2026-11-24T00:00:00.000Z", &one)]);
}

#[tokio::test]
async fn a_question_that_has_no_answer_is_refused_by_its_parameter() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let ask = async |query: &str| app.operator().get(&format!("{}/usage?{query}", path_of(&key))).await;
    for (query, wrong) in [
        ("from=2026-11-23T11:00:00Z&to=2026-11-23T10:00:00Z", "from out_of_range"),
        ("from=2026-11-23T11:00:00Z&to=2026-11-23T11:00:00Z", "from out_of_range"),
        ("from=2026-11-24T11:00:00Z", "from out_of_range"),
        ("from=yesterday", "from invalid"),
        ("to=2026-11-23", "to invalid"),
        ("step=second", "step not_allowed"),
        ("step=", "step not_allowed"),
        ("limit=10", "limit unknown"),
    ] {
        assert_eq!(wrong_fields(&ask(query).await), [wrong], "{query}");
    }
}

#[tokio::test]
async fn an_answer_has_at_most_1500_points() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let ask = async |query: &str| app.operator().get(&format!("{}/usage?{query}", path_of(&key))).await;
    for (at_the_limit, one_past_it) in [
        // 25 hours of minutes; 62 days and a half of hours; four years and 39 days.
        (
            "step=minute&from=2026-11-22T11:00:00Z&to=2026-11-23T12:00:00Z",
            "step=minute&from=2026-11-22T10:59:59Z&to=2026-11-23T12:00:00Z",
        ),
        (
            "step=hour&from=2026-09-22T00:00:00Z&to=2026-11-23T12:00:00Z",
            "step=hour&from=2026-09-22T00:00:00Z&to=2026-11-23T12:00:01Z",
        ),
        (
            "step=day&from=2020-01-01T00:00:00Z&to=2024-02-09T00:00:00Z",
            "step=day&from=2019-12-31T23:59:59Z&to=2024-02-09T00:00:00Z",
        ),
        // The present minute is one of them.
        ("step=minute&from=2026-11-22T11:01:00Z", "step=minute&from=2026-11-22T11:00:59Z"),
    ] {
        let data = ask(at_the_limit).await.done(200);
        assert_eq!(data["data"].as_array().map(Vec::len), Some(1_500), "{at_the_limit}");
        assert_eq!(wrong_fields(&ask(one_past_it).await), ["from out_of_range"], "{one_past_it}");
    }
}

#[tokio::test]
async fn whose_key_it_is_not_learns_nothing_of_it() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let path = format!("{}/usage", path_of(&key));
    let elsewhere = app.workspace("Southwind").await;
    app.operator().get(&path.replace("northwind", &elsewhere)).await.refused(404, "not_found");
    let stranger = app.api_key(&elsewhere, &["keybell:keys.read"]).await;
    app.bearer(&stranger).get(&path).await.refused(404, "not_found");
    app.bearer(&stranger).get(&path.replace("northwind", "current")).await.refused(404, "not_found");
    app.operator().get(&path.replace("_live_", "_test_")).await.refused(404, "not_found");
    app.bearer(secret(&key)).get(&path).await.refused(403, "insufficient_scope");
    let northwind = app.operator().get("/v1/workspaces/northwind").await.done(200);
    let guest = app.member(text(&northwind["id"]), Role::Guest).await;
    app.session(&guest).get(&path).await.done(200);
}

#[tokio::test]
async fn a_wrong_secret_is_nobodys_use() {
    let app = start().await;
    let own = key(&app, json!({})).await;
    let other = key(&app, json!({})).await;
    // Its identifier with another key's secret, and the other environment's word before its own.
    let mixed = secret(&other).replace(text(&other["id"]), text(&own["id"]));
    for wrong in [mixed, secret(&own).replace("_live_", "_test_"), text(&own["id"]).to_owned()] {
        assert_eq!(code(&app, &wrong).await, "invalid_key");
        app.bearer(&wrong).get("/v1/forward-auth").await.refused(401, "invalid_key");
    }
    app.app.write_usage().await.expect("the database is there");
    for key in [&own, &other] {
        let hour = points(&app, key, "from=2026-11-23T12:00:00Z").await;
        assert_eq!(hour, [point("12:00", &json!({ "valid": 0 }))]);
        let read = app.operator().get(&path_of(key)).await.done(200);
        assert_eq!((&read["last_used_at"], &read["last_used_from"]), (&json!(null), &json!(null)));
    }
}

#[tokio::test]
async fn a_key_that_may_not_ask_about_another_workspaces_key_does_not_use_it() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    let elsewhere = app.workspace("Southwind").await;
    let asker = app.api_key(&elsewhere, &["keybell:keys.read"]).await;
    let question = json!({ "secret_key": secret(&key) });
    let verdict = app.bearer(&asker).post("/v1/api-keys/verify", question).await.done(200);
    assert_eq!(verdict["code"], "invalid_key");
    let hour = points(&app, &key, "from=2026-11-23T12:00:00Z").await;
    assert_eq!(hour, [point("12:00", &json!({ "valid": 0 }))]);
}

#[tokio::test]
async fn calls_of_keybells_own_api_and_uses_after_the_end_are_counted_as_well() {
    let app = start().await;
    let key = key(&app, json!({ "scopes": ["keybell:keys.read"] })).await;
    app.bearer(secret(&key)).get(&path_of(&key)).await.done(200);
    app.operator().post_empty(&format!("{}/revoke", path_of(&key))).await.done(200);
    app.bearer(secret(&key)).get(&path_of(&key)).await.refused(401, "key_revoked");
    let expected = [point("12:00", &json!({ "valid": 1, "key_revoked": 1 }))];
    assert_eq!(points(&app, &key, "from=2026-11-23T12:00:00Z").await, expected);
    app.app.write_usage().await.expect("the database is there");
    assert_eq!(points(&app, &key, "from=2026-11-23T12:00:00Z").await, expected);
}
