//! `/v1/workspaces/{workspace}/deliveries/resend`

use std::time::Duration;

use keybell_app::deliveries::RESENDS_MAX;
use keybell_testkit::app::{Answer, On};
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};

use crate::newsroom::{Newsroom, PATIENCE, TYPE};

async fn resend(room: &Newsroom, body: Value) -> Answer {
    room.app.operator().post(&format!("{}/deliveries/resend", room.path), body).await
}

/// How many it would be.
async fn meant(room: &Newsroom, filter: &Value) -> Value {
    resend(room, json!({"filter": filter, "dry_run": true})).await.done(200)["deliveries"].clone()
}

/// Refuses what an event with that title carries.
fn refusing(title: &'static str) -> impl Fn(&keybell_testkit::receiver::Received) -> Reply {
    move |request| match request.json()["data"]["title"].as_str() {
        Some(found) if found.starts_with(title) => Reply::status(500),
        _ => Reply::status(204),
    }
}

#[tokio::test]
async fn a_dry_run_counts_exactly_what_is_resent_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let room = Newsroom::trying_once(on).await;
        let receiver = Receiver::start(refusing("bad"));
        let webhook = room.webhook(&receiver).await;
        for id in ["bad-1", "good-1", "bad-2", "bad-3"] {
            room.app.clock.advance(Duration::from_secs(1));
            room.publish(id).await;
        }
        for (filter, count) in [
            (json!({"status": "failed"}), 3),
            (json!({"webhook_id": webhook["id"]}), 3),
            (json!({"webhook_id": webhook["id"], "status": "succeeded"}), 1),
            (json!({"webhook_id": "whk_00000000000000000000000000"}), 0),
            (json!({"event_id": "bad-2"}), 1),
            (json!({"event_id": "bad-9"}), 0),
            (json!({"event_type": TYPE}), 3),
            (json!({"event_type": "portfolio.updated"}), 0),
            (json!({"response_class": "5xx"}), 3),
            (json!({"response_class": "none"}), 0),
            (json!({"from": "2026-11-23T12:00:03Z"}), 2),
            (json!({"from": "2026-11-23T12:00:01Z", "to": "2026-11-23T12:00:04Z"}), 2),
            (json!({"status": "canceled"}), 0),
        ] {
            assert_eq!(meant(&room, &filter).await, count, "{on:?} {filter}");
        }
        assert_eq!(receiver.received().len(), 4, "nothing was sent for it");
        receiver.answer_with(|_| Reply::status(204));
        let filter = json!({"from": "2026-11-23T12:00:03Z"});
        assert_eq!(resend(&room, json!({ "filter": filter })).await.done(202)["deliveries"], 2);
        receiver.wait_for(6, PATIENCE).await;
        room.until("status=succeeded", 3).await;
        assert_eq!(meant(&room, &filter).await, 0);
        assert_eq!(meant(&room, &json!({"status": "failed"})).await, 1);
        let log = room.audited("workspace.deliveries_resent").await;
        let changes =
            json!({"filter": {"status": "failed", "from": "2026-11-23T12:00:03.000Z"}, "deliveries": 2});
        assert_eq!(log["changes"], changes);
    }
}

#[tokio::test]
async fn more_than_one_bite_is_resent_once_each_though_it_fits_again_on_every_engine() {
    for on in [On::SqliteFile, On::Postgres] {
        let room = Newsroom::trying_once(on).await;
        let receiver = Receiver::ok();
        room.webhook(&receiver).await;
        let events: Vec<Value> =
            (0..510).map(|_| json!({"workspace": room.workspace, "type": TYPE, "data": 1})).collect();
        room.app.operator().post("/v1/events/batch", json!({ "events": events })).await.done(202);
        receiver.wait_for(510, PATIENCE).await;
        room.quiet().await;
        let filter = json!({"status": "succeeded"});
        assert_eq!(meant(&room, &filter).await, 510, "{on:?}");
        assert_eq!(resend(&room, json!({ "filter": filter })).await.done(202)["deliveries"], 510);
        receiver.wait_for(1_020, PATIENCE).await;
        room.until("status=pending", 0).await;
        room.quiet().await;
        assert_eq!(receiver.received().len(), 1_020, "{on:?}");
        assert_eq!(meant(&room, &filter).await, 510);
    }
}

#[tokio::test]
async fn a_request_waits_on_disk_and_a_workspace_has_its_limit_of_them() {
    let room = Newsroom::trying_once(On::Memory).await;
    let receiver = Receiver::answering([Reply::status(500), Reply::status(204)]);
    room.webhook(&receiver).await;
    room.publish("a").await;
    room.app.app.stop_engine(Duration::ZERO).await;
    let all = json!({"filter": {"status": "failed"}});
    for _ in 0..RESENDS_MAX {
        assert_eq!(resend(&room, all.clone()).await.done(202)["deliveries"], 1);
    }
    resend(&room, all.clone()).await.refused(409, "conflict");
    assert_eq!(meant(&room, &all["filter"]).await, 1, "a dry run needs no room");
}

#[tokio::test]
async fn a_disabled_webhooks_deliveries_are_left_out() {
    let room = Newsroom::trying_once(On::Memory).await;
    let receiver = Receiver::start(|_| Reply::status(500));
    let webhook = room.webhook(&receiver).await;
    room.publish("a").await;
    room.app.clock.advance(Duration::from_secs(1));
    room.app.operator().patch(&room.of_webhook(&webhook), json!({"enabled": false})).await.done(200);
    let done = resend(&room, json!({"filter": {"status": "failed"}})).await.done(202);
    assert_eq!(done["deliveries"], 0);
    room.quiet().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_filter_that_names_nothing_or_what_cannot_be_is_refused() {
    let room = Newsroom::trying_once(On::Memory).await;
    for (filter, field) in [
        (json!({}), "filter"),
        (json!({"status": "pending"}), "filter.status"),
        (json!({"status": "done"}), "filter.status"),
        (json!({"response_class": "1xx"}), "filter.response_class"),
        (json!({"event_id": "a.b"}), "filter.event_id"),
        (json!({"event_type": "a\u{0}"}), "filter.event_type"),
        (json!({"webhook_id": "a"}), "filter.webhook_id"),
        (json!({"limit": 5}), "filter.limit"),
    ] {
        let refused = resend(&room, json!({ "filter": filter })).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
}
