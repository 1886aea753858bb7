//! `Idempotency-Key`: done once, however often it is sent.

use keybell_app::idempotency::{ANSWER_KEPT, UNDER_WAY_MAX};
use keybell_testkit::app::{Client, On, TestApp, settings};
use serde_json::{Value, json};

const WORKSPACES: &str = "/v1/workspaces";

async fn count(app: &TestApp) -> usize {
    let listed = app.operator().get(WORKSPACES).await.done(200);
    listed["data"].as_array().map_or(0, Vec::len)
}

fn keyed<'a>(app: &'a TestApp, key: &str) -> Client<'a> {
    app.operator().with("idempotency-key", key)
}

#[tokio::test]
async fn the_same_request_again_is_answered_and_not_done_again_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let app = TestApp::start_with(on, settings()).await;
        let first = keyed(&app, "k1").post(WORKSPACES, json!({"name": "Northwind"})).await;
        assert_eq!(first.header("idempotency-replayed"), "");
        let first = first.done(201);
        let again = keyed(&app, "k1").post(WORKSPACES, json!({"name": "Northwind"})).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.header("content-type"), "application/json");
        assert_eq!(again.done(201), first);
        assert_eq!(count(&app).await, 1, "{on:?}");
    }
}

#[tokio::test]
async fn another_request_with_the_same_key_is_a_mismatch() {
    let app = TestApp::start().await;
    keyed(&app, "k1").post(WORKSPACES, json!({"name": "Northwind"})).await.done(201);
    let other = keyed(&app, "k1").post(WORKSPACES, json!({"name": "Southwind"})).await;
    other.refused(409, "idempotency_mismatch");
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn the_same_key_of_another_credential_is_another_key() {
    let app = TestApp::start().await;
    let other = app.app.create_operator_key("another").await.expect("there is room");
    keyed(&app, "k1").post(WORKSPACES, json!({"name": "Northwind"})).await.done(201);
    let sender = app.bearer(other.reveal()).with("idempotency-key", "k1");
    sender.post(WORKSPACES, json!({"name": "Southwind"})).await.done(201);
    assert_eq!(count(&app).await, 2);
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day_and_then_forgotten() {
    let app = TestApp::start().await;
    let body = json!({"name": "Northwind"});
    keyed(&app, "k1").post(WORKSPACES, body.clone()).await.done(201);
    app.clock.advance(ANSWER_KEPT.saturating_sub(std::time::Duration::from_micros(1)));
    assert_eq!(keyed(&app, "k1").post(WORKSPACES, body.clone()).await.header("idempotency-replayed"), "true");
    app.clock.advance(std::time::Duration::from_micros(1));
    assert_eq!(keyed(&app, "k1").post(WORKSPACES, body).await.header("idempotency-replayed"), "");
    assert_eq!(count(&app).await, 2);
}

#[tokio::test]
async fn a_replay_of_a_create_never_shows_the_secret_again() {
    let app = TestApp::start().await;
    let path = format!("/v1/workspaces/{}/api-keys", app.workspace("Northwind").await);
    let first = keyed(&app, "k1").post(&path, json!({"name": "a"})).await.done(201);
    let secret = first["secret_key"].as_str().expect("shown once").to_owned();
    let again = keyed(&app, "k1").post(&path, json!({"name": "a"})).await;
    assert!(!again.text().contains(&secret));
    let again = again.done(201);
    assert_eq!(again["secret_key"], Value::Null);
    assert_eq!(again["id"], first["id"]);
}

#[tokio::test]
async fn a_refusal_is_not_kept_so_that_its_reason_can_be_mended() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Northwind").await;
    let path = format!("/v1/workspaces/{workspace}/events");
    let event = json!({"type": "order.placed", "data": {}});
    keyed(&app, "k1").post(&path, event.clone()).await.refused(422, "unknown_event_type");
    app.operator().post("/v1/event-types", json!({"name": "order.placed"})).await.done(201);
    let accepted = keyed(&app, "k1").post(&path, event.clone()).await;
    assert_eq!(accepted.header("idempotency-replayed"), "");
    accepted.done(202);
    assert_eq!(keyed(&app, "k1").post(&path, event).await.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn while_the_first_is_under_way_the_second_waits_its_turn() {
    use keybell_app::idempotency::{Fingerprint, Repeatable};
    let app = TestApp::start().await;
    let fingerprint = Fingerprint::of("POST", WORKSPACES, b"{}");
    let begin = || app.app.begin_repeatable("operator x".to_owned(), "k1".to_owned(), fingerprint);
    let Ok(Repeatable::First(under_way)) = begin().await else { panic!("nothing stands there yet") };
    let refused = begin().await.expect_err("the first is under way");
    assert_eq!(refused.code.as_str(), "idempotency_in_progress");
    assert_eq!(refused.retry_after_seconds, Some(1));
    // The node that had it died: the key is free again, and the dead one's answer comes too late.
    app.clock.advance(UNDER_WAY_MAX);
    let Ok(Repeatable::First(second)) = begin().await else { panic!("the first gave up its turn") };
    app.app.keep_answer(under_way, 201, b"late".to_vec()).await.expect("it is not an error");
    app.app.keep_answer(second, 201, b"{}".to_vec()).await.expect("it is kept");
    let Ok(Repeatable::Answered { body, .. }) = begin().await else { panic!("it is answered") };
    assert_eq!(body, b"{}");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_neither_half_a_request_nor_a_taken_key() {
    let app = TestApp::start_with(On::SqliteFile, settings()).await;
    let body = json!({"name": "Northwind"});
    let sender = keyed(&app, "k1");
    {
        tokio::select! {
            biased;
            answer = sender.post(WORKSPACES, body.clone()) => panic!("the database answers later: {answer:?}"),
            () = std::future::ready(()) => {}
        }
    }
    // Whether the first got as far as taking the key or not, this ends with one workspace and an answer.
    // Whoever asks waits for a thread, not for a time: it is over in milliseconds, or never.
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while std::time::Instant::now() < patience {
        let answer = sender.post(WORKSPACES, body.clone()).await;
        if answer.status == 201 {
            break;
        }
        answer.refused(409, "idempotency_in_progress");
        tokio::task::yield_now().await;
    }
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let app = TestApp::start().await;
    let too_long = "k".repeat(256);
    for bad in ["", "a b", &too_long] {
        let answer = keyed(&app, bad).post(WORKSPACES, json!({"name": "Northwind"})).await;
        answer.refused(400, "malformed_request");
    }
    keyed(&app, &"k".repeat(255)).post(WORKSPACES, json!({"name": "Northwind"})).await.done(201);
}
