//! `/v1/workspaces/{workspace}/deliveries/{id}/resend`

use keybell_core::Role;
use keybell_testkit::app::On;
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};

use crate::newsroom::{Newsroom, PATIENCE, text};

/// A room that tries once, with a webhook that gives these answers and a delivery that had the first of them.
async fn tried(on: On, replies: impl IntoIterator<Item = Reply>) -> (Newsroom, Receiver, Value) {
    let room = Newsroom::trying_once(on).await;
    let receiver = Receiver::answering(replies);
    room.webhook(&receiver).await;
    room.publish("a").await;
    let delivery = room.deliveries("").await.remove(0);
    (room, receiver, delivery)
}

async fn resend(room: &Newsroom, delivery: &Value) -> keybell_testkit::app::Answer {
    room.app.operator().post_empty(&format!("{}/resend", room.of_delivery(delivery))).await
}

#[tokio::test]
async fn a_failed_delivery_is_sent_again_and_stays_one_delivery_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let (room, receiver, delivery) = tried(on, [Reply::status(500), Reply::status(204)]).await;
        assert_eq!((&delivery["status"], &delivery["attempts_made"]), (&json!("failed"), &json!(1)));
        let accepted = resend(&room, &delivery).await.done(202);
        assert_eq!(accepted["id"], delivery["id"]);
        let sent = receiver.wait_for(2, PATIENCE).await;
        assert_eq!(sent[0].header("webhook-id"), sent[1].header("webhook-id"));
        assert_eq!(sent[0].body, sent[1].body);
        room.until("status=succeeded", 1).await;
        let detail = room.app.operator().get(&room.of_delivery(&delivery)).await.done(200);
        let attempts: Vec<(&Value, &Value, &Value)> = detail["attempts"]
            .as_array()
            .expect("attempts")
            .iter()
            .map(|one| (&one["number"], &one["trigger"], &one["response_status"]))
            .collect();
        let expected = [(json!(1), json!("first"), json!(500)), (json!(2), json!("manual"), json!(204))];
        assert_eq!(attempts, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>(), "{on:?}");
        assert_eq!(room.deliveries("").await.len(), 1);
        let log = room.audited("delivery.resent").await;
        assert_eq!(log["target"]["id"], delivery["id"]);
    }
}

#[tokio::test]
async fn a_resent_delivery_that_fails_after_the_last_attempt_has_failed_again() {
    let (room, receiver, delivery) = tried(On::Memory, [Reply::status(500)]).await;
    for attempts in [2, 3] {
        resend(&room, &delivery).await.done(202);
        receiver.wait_for(attempts, PATIENCE).await;
        room.until("status=failed", 1).await;
        assert_eq!(room.deliveries("").await[0]["attempts_made"], attempts);
    }
    room.app.clock.advance(std::time::Duration::from_hours(100));
    room.app.app.engine().look_again();
    room.quiet().await;
    assert_eq!(receiver.received().len(), 3, "nothing is repeated by itself");
}

#[tokio::test]
async fn what_succeeded_can_be_sent_again_too_and_fails_as_the_schedule_says() {
    let room = Newsroom::open(On::Memory).await;
    let receiver = Receiver::answering([Reply::status(204), Reply::status(500)]);
    room.webhook(&receiver).await;
    room.publish("a").await;
    let delivery = room.deliveries("status=succeeded").await.remove(0);
    resend(&room, &delivery).await.done(202);
    receiver.wait_for(2, PATIENCE).await;
    room.quiet().await;
    let pending = room.deliveries("status=pending").await.remove(0);
    // The second wait of the schedule, 5 min, moved by up to 10 %.
    let next = text(&pending["next_attempt_at"]);
    assert!(("2026-11-23T12:04:30.000Z"..="2026-11-23T12:05:30.000Z").contains(&next), "{next}");
}

#[tokio::test]
async fn while_an_attempt_is_due_there_is_nothing_to_resend() {
    let room = Newsroom::open(On::Memory).await;
    let receiver = Receiver::answering([Reply::status(500)]);
    let webhook = room.webhook(&receiver).await;
    room.publish("a").await;
    let delivery = room.deliveries("status=pending").await.remove(0);
    resend(&room, &delivery).await.refused(409, "delivery_pending");
    let off = json!({"enabled": false});
    room.app.operator().patch(&room.of_webhook(&webhook), off).await.done(200);
    room.until("status=pending", 1).await;
    resend(&room, &delivery).await.refused(409, "delivery_pending");
}

#[tokio::test]
async fn resent_twice_at_the_same_time_it_is_sent_once_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let (room, receiver, delivery) = tried(on, [Reply::status(500), Reply::status(204)]).await;
        let operator = room.app.operator();
        let path = format!("{}/resend", room.of_delivery(&delivery));
        let (one, other) = tokio::join!(operator.post_empty(&path), operator.post_empty(&path));
        let mut answered = [one.status, other.status];
        answered.sort_unstable();
        if answered == [202, 202] {
            // The first was over before the second came: then it was sent twice, one after the other.
            receiver.wait_for(3, PATIENCE).await;
            continue;
        }
        assert_eq!(answered, [202, 409], "{on:?}");
        receiver.wait_for(2, PATIENCE).await;
        room.until("status=succeeded", 1).await;
        assert_eq!(receiver.received().len(), 2, "{on:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_a_sentence() {
    let (room, receiver, delivery) = tried(On::Memory, [Reply::status(500)]).await;
    let webhook = format!("{}/webhooks/{}", room.path, text(&delivery["webhook_id"]));
    room.app.clock.advance(std::time::Duration::from_secs(1));
    room.app.operator().patch(&webhook, json!({"enabled": false})).await.done(200);
    let refused = resend(&room, &delivery).await.refused(409, "conflict");
    assert_eq!(refused["detail"], "The webhook is disabled. Enable it first, then resend.");
    room.app.operator().delete(&webhook).await.done(204);
    let refused = resend(&room, &delivery).await.refused(409, "conflict");
    assert_eq!(refused["detail"], "The webhook of this delivery was deleted, so it goes nowhere.");
    let nothing = json!({"id": "dlv_00000000000000000000000000"});
    resend(&room, &nothing).await.refused(404, "not_found");
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_member_resends_only_to_webhooks_they_made() {
    let (room, receiver, delivery) = tried(On::Memory, [Reply::status(500)]).await;
    let session = room.app.member(&room.workspace, Role::Member).await;
    let member = room.app.session(&session);
    member.post_empty(&format!("{}/resend", room.of_delivery(&delivery))).await.refused(403, "forbidden");
    let all = json!({"filter": {"status": "failed"}, "dry_run": true});
    let counted = member.post(&format!("{}/deliveries/resend", room.path), all).await.done(200);
    assert_eq!(counted["deliveries"], 0, "none of them is theirs");
    assert_eq!(receiver.received().len(), 1);
}
