//! `/v1/workspaces/{workspace}/webhooks/{id}/recover`

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::On;
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::json;

use crate::newsroom::{Newsroom, PATIENCE, text};

#[tokio::test]
async fn what_a_webhook_missed_in_a_time_is_sent_again_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let room = Newsroom::trying_once(on).await;
        let (receiver, other) =
            (Receiver::start(|_| Reply::status(503)), Receiver::start(|_| Reply::status(503)));
        let webhook = room.webhook(&receiver).await;
        room.webhook(&other).await;
        for id in ["a", "b", "c"] {
            room.app.clock.advance(Duration::from_secs(1));
            room.publish(id).await;
        }
        receiver.answer_with(|_| Reply::status(204));
        let recover = format!("{}/recover", room.of_webhook(&webhook));
        let time = json!({"since": "2026-11-23T12:00:01Z", "until": "2026-11-23T12:00:03Z"});
        let client = room.app.operator().with("idempotency-key", "k1");
        let done = client.post(&recover, time.clone()).await.done(202);
        assert_eq!(done, json!({"deliveries": 2}), "{on:?}");
        let again = client.post(&recover, time.clone()).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.done(202), done);
        let sent = receiver.wait_for(5, PATIENCE).await;
        let mut ids: Vec<_> = sent[3..].iter().filter_map(|one| one.header("webhook-id")).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["a", "b"]);
        room.until(&format!("status=succeeded&webhook_id={}", text(&webhook["id"])), 2).await;
        assert_eq!(other.received().len(), 3, "other webhooks are left alone");
        let log = room.audited("webhook.recovered").await;
        assert_eq!((&log["target"]["id"], &log["changes"]["deliveries"]), (&webhook["id"], &json!(2)));
        let rest = json!({"since": "2026-11-23T12:00:01Z"});
        room.app.clock.advance(Duration::from_secs(1));
        assert_eq!(room.app.operator().post(&recover, rest).await.done(202)["deliveries"], 1, "up to now");
    }
}

#[tokio::test]
async fn a_disabled_webhook_is_enabled_first_and_wrong_times_are_named() {
    let room = Newsroom::trying_once(On::Memory).await;
    let webhook = room.webhook(&Receiver::ok()).await;
    let recover = format!("{}/recover", room.of_webhook(&webhook));
    for (body, field) in [
        (json!({}), "since"),
        (json!({"since": "2026-11-23T12:00:00Z"}), "since"),
        (json!({"since": "2026-11-23T11:00:00Z", "until": "2026-11-23T11:00:00Z"}), "since"),
        (json!({"since": "monday"}), "since"),
    ] {
        let refused = room.app.operator().post(&recover, body).await.refused(422, "validation_failed");
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    room.app.clock.advance(Duration::from_secs(1));
    room.app.operator().patch(&room.of_webhook(&webhook), json!({"enabled": false})).await.done(200);
    let since = json!({"since": "2026-11-23T11:00:00Z"});
    room.app.operator().post(&recover, since.clone()).await.refused(409, "conflict");
    let session = room.app.member(&room.workspace, Role::Member).await;
    room.app.session(&session).post(&recover, since.clone()).await.refused(403, "forbidden");
    let nothing = format!("{}/webhooks/whk_00000000000000000000000000/recover", room.path);
    room.app.operator().post(&nothing, since).await.refused(404, "not_found");
}
