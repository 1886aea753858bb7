//! `/v1/workspaces/{workspace}/webhooks/{id}/stats`

use std::time::Duration;

use keybell_app::usage::POINTS_MAX;
use keybell_testkit::app::On;
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};

use crate::newsroom::{Newsroom, text};

async fn stats(room: &Newsroom, webhook: &Value, query: &str) -> Vec<Value> {
    let path = format!("{}/stats?{query}", room.of_webhook(webhook));
    let answer = room.app.operator().get(&path).await.done(200);
    answer["data"].as_array().expect("points").clone()
}

/// What succeeded and failed at the points where anything did.
fn told(points: &[Value]) -> Vec<(&str, u64, u64)> {
    let count = |point: &Value, what: &str| point[what].as_u64().expect("a count");
    let point = |point| (count(point, "succeeded"), count(point, "failed"));
    let some =
        points.iter().map(|one| (text(&one["at"]), point(one))).filter(|(_, (good, bad))| good + bad > 0);
    some.map(|(at, (good, bad))| (at, good, bad)).collect()
}

#[tokio::test]
async fn attempts_are_counted_by_step_before_they_are_written_and_after_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let room = Newsroom::trying_once(on).await;
        let receiver = Receiver::answering([Reply::status(204), Reply::status(500), Reply::status(204)]);
        let (webhook, other) = (room.webhook(&receiver).await, room.webhook(&Receiver::ok()).await);
        room.publish("a").await;
        room.publish("b").await;
        room.app.clock.advance(Duration::from_mins(1));
        room.publish("c").await;
        let by_minute = [("2026-11-23T12:00:00.000Z", 1, 1), ("2026-11-23T12:01:00.000Z", 1, 0)];
        let by_hour = [("2026-11-23T12:00:00.000Z", 2, 1)];
        let by_day = [("2026-11-23T00:00:00.000Z", 2, 1)];
        for written in [false, true, true] {
            assert_eq!(told(&stats(&room, &webhook, "step=minute").await), by_minute, "{on:?} {written}");
            assert_eq!(told(&stats(&room, &webhook, "").await), by_hour, "{on:?} {written}");
            assert_eq!(told(&stats(&room, &webhook, "step=day").await), by_day, "{on:?} {written}");
            room.app.app.write_usage().await.expect("the database is there");
        }
        assert_eq!(told(&stats(&room, &other, "").await), [("2026-11-23T12:00:00.000Z", 0, 3)]);
        room.publish("d").await;
        room.app.app.stop_engine(Duration::ZERO).await;
        assert_eq!(told(&stats(&room, &webhook, "").await), [("2026-11-23T12:00:00.000Z", 3, 1)], "added to");
    }
}

#[tokio::test]
async fn latencies_are_told_where_there_were_attempts() {
    let room = Newsroom::open(On::Memory).await;
    let receiver = Receiver::ok();
    let webhook = room.webhook(&receiver).await;
    room.publish("a").await;
    let points = stats(&room, &webhook, "").await;
    assert_eq!(points.len(), 24);
    assert_eq!(
        points[0],
        json!({"at": "2026-11-22T13:00:00.000Z", "succeeded": 0, "failed": 0, "latency": null})
    );
    let latency = &points[23]["latency"];
    let ms = |name: &str| latency[name].as_f64().expect("a number");
    assert!(ms("p50_ms") > 0.0 && ms("p50_ms") <= ms("p95_ms") && ms("p95_ms") <= ms("p99_ms"), "{latency}");
}

#[tokio::test]
async fn minutes_are_kept_for_two_days_and_hours_for_longer() {
    let room = Newsroom::open(On::Memory).await;
    let receiver = Receiver::ok();
    let webhook = room.webhook(&receiver).await;
    room.publish("a").await;
    room.app.app.write_usage().await.expect("the database is there");
    room.app.clock.advance(Duration::from_hours(49));
    room.app.app.engine().delete_old().await.expect("the database is there");
    let then = "from=2026-11-23T11:00:00Z&to=2026-11-23T13:00:00Z";
    assert_eq!(told(&stats(&room, &webhook, &format!("{then}&step=minute")).await), []);
    let by_hour = [("2026-11-23T12:00:00.000Z", 1, 0)];
    assert_eq!(told(&stats(&room, &webhook, &format!("{then}&step=hour")).await), by_hour);
}

#[tokio::test]
async fn a_time_has_as_many_steps_as_may_be_and_not_one_more() {
    let room = Newsroom::open(On::Memory).await;
    let webhook = room.webhook(&Receiver::ok()).await;
    let path = format!("{}/stats", room.of_webhook(&webhook));
    let most = stats(&room, &webhook, "step=minute&from=2026-11-22T11:01:00Z").await;
    assert_eq!(i64::try_from(most.len()).expect("a few"), POINTS_MAX);
    for (query, field) in [
        ("step=minute&from=2026-11-22T11:00:00Z", "from"),
        ("from=2026-11-24T00:00:00Z", "from"),
        ("step=week", "step"),
    ] {
        let refused = room.app.operator().get(&format!("{path}?{query}")).await;
        let refused = refused.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    let nothing = format!("{}/webhooks/whk_00000000000000000000000000/stats", room.path);
    room.app.operator().get(&nothing).await.refused(404, "not_found");
}
