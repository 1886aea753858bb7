//! `/v1/workspaces/{workspace}/webhooks/{id}/signing-secret/rotate`

use std::time::Duration;

use keybell_app::webhooks::{OVERLAP_MAX, SIGNING_SECRETS_MAX};
use keybell_core::Role;
use keybell_testkit::app::On;
use keybell_testkit::receiver::{Received, Receiver};
use serde_json::{Value, json};

use crate::newsroom::{Newsroom, PATIENCE, text};

/// How many signatures a request bears.
fn signatures(request: &Received) -> usize {
    request.header("webhook-signature").map_or(0, |header| header.split(' ').count())
}

/// The request with its first signature alone.
fn by_the_first(request: &Received) -> Received {
    let mut request = request.clone();
    for (name, value) in &mut request.headers {
        if name == "webhook-signature" {
            value.truncate(value.iter().position(|byte| *byte == b' ').unwrap_or(value.len()));
        }
    }
    request
}

#[tokio::test]
async fn old_and_new_secret_sign_during_the_overlap_and_the_new_one_alone_after_it_on_every_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let room = Newsroom::open(on).await;
        let receiver = Receiver::ok();
        let webhook = room.webhook(&receiver).await;
        let rotate = format!("{}/signing-secret/rotate", room.of_webhook(&webhook));
        let old = text(&webhook["signing_secret"]);
        let rotated = room.app.operator().post(&rotate, json!({"overlap_seconds": 60})).await;
        assert_eq!(rotated.header("cache-control"), "no-store");
        let rotated = rotated.done(200);
        let new = text(&rotated["signing_secret"]);
        assert_ne!(new, old);
        assert_eq!(rotated["id"], webhook["id"]);

        room.publish("a").await;
        let during = &receiver.wait_for(1, PATIENCE).await[0];
        assert_eq!(signatures(during), 2, "{on:?}");
        during.verify_whenever(old).expect("the old secret still signs");
        by_the_first(during).verify_whenever(new).expect("the new secret signs first");

        room.app.clock.advance(Duration::from_mins(1));
        room.publish("b").await;
        let after = &receiver.wait_for(2, PATIENCE).await[1];
        assert_eq!(signatures(after), 1, "{on:?}");
        after.verify_whenever(new).expect("the new secret signs alone");

        let log = room.audited("webhook.signing_secret_rotated").await;
        assert_eq!(log["target"]["id"], webhook["id"]);
        assert_eq!(log["changes"], json!({"signing_secret": {"overlap_seconds": 60}}));
    }
}

#[tokio::test]
async fn without_a_body_the_overlap_is_a_day_and_the_secrets_say_until_when_they_sign() {
    let room = Newsroom::open(On::Memory).await;
    let webhook = room.webhook(&Receiver::ok()).await;
    let secrets = format!("{}/signing-secret", room.of_webhook(&webhook));
    room.app.clock.advance(Duration::from_secs(1));
    let rotated = room.app.operator().post_empty(&format!("{secrets}/rotate")).await.done(200);
    let listed = room.app.operator().get(&secrets).await.done(200);
    assert_eq!(
        listed["secrets"],
        json!([
            {"secret": rotated["signing_secret"], "created_at": "2026-11-23T12:00:01.000Z", "expires_at": null},
            {
                "secret": webhook["signing_secret"],
                "created_at": "2026-11-23T12:00:00.000Z",
                "expires_at": "2026-11-24T12:00:01.000Z",
            },
        ])
    );
}

#[tokio::test]
async fn as_many_secrets_sign_as_may_and_not_one_more_until_the_overlap_is_ended() {
    let room = Newsroom::open(On::SqliteFile).await;
    let webhook = room.webhook(&Receiver::ok()).await;
    let secrets = format!("{}/signing-secret", room.of_webhook(&webhook));
    let rotate = async |overlap: u64| {
        let body = json!({"overlap_seconds": overlap});
        room.app.operator().post(&format!("{secrets}/rotate"), body).await
    };
    let count = async || {
        let listed = room.app.operator().get(&secrets).await.done(200);
        listed["secrets"].as_array().map_or(0, Vec::len)
    };
    for _ in 1..SIGNING_SECRETS_MAX {
        rotate(60).await.done(200);
    }
    assert_eq!(count().await, SIGNING_SECRETS_MAX);
    rotate(60).await.refused(409, "conflict");
    assert_eq!(count().await, SIGNING_SECRETS_MAX);
    rotate(0).await.done(200);
    assert_eq!(count().await, 1, "with an overlap of nothing the new one signs alone");
    rotate(60).await.done(200);
    room.app.clock.advance(Duration::from_mins(1));
    assert_eq!(count().await, 1, "at its end a secret signs no more");
}

#[tokio::test]
async fn a_shorter_overlap_ends_those_before_it_too() {
    let room = Newsroom::open(On::Memory).await;
    let webhook = room.webhook(&Receiver::ok()).await;
    let secrets = format!("{}/signing-secret", room.of_webhook(&webhook));
    for overlap in [3_600, 60] {
        let body = json!({"overlap_seconds": overlap});
        room.app.operator().post(&format!("{secrets}/rotate"), body).await.done(200);
    }
    let listed = room.app.operator().get(&secrets).await.done(200);
    let ends: Vec<&Value> =
        listed["secrets"].as_array().expect("secrets").iter().map(|one| &one["expires_at"]).collect();
    assert_eq!(ends[0], &Value::Null);
    assert!(ends[1..].iter().all(|end| text(end).starts_with("2026-11-23T12:01:00")), "{ends:?}");
}

#[tokio::test]
async fn a_replay_shows_no_secret_and_rotates_nothing() {
    let room = Newsroom::open(On::Memory).await;
    let webhook = room.webhook(&Receiver::ok()).await;
    let secrets = format!("{}/signing-secret", room.of_webhook(&webhook));
    let client = room.app.operator().with("idempotency-key", "k1");
    let mut first = client.post(&format!("{secrets}/rotate"), json!({})).await.done(200);
    let again = client.post(&format!("{secrets}/rotate"), json!({})).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert!(!again.text().contains("whsec_"));
    first.as_object_mut().expect("an object").remove("signing_secret");
    assert_eq!(again.done(200), first);
    let listed = room.app.operator().get(&secrets).await.done(200);
    assert_eq!(listed["secrets"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn what_is_wrong_is_named_and_limits_hold() {
    let room = Newsroom::open(On::Memory).await;
    let webhook = room.webhook(&Receiver::ok()).await;
    let rotate = format!("{}/signing-secret/rotate", room.of_webhook(&webhook));
    let max = OVERLAP_MAX.as_secs();
    for (body, field) in [
        (json!({"overlap_seconds": max + 1}), "overlap_seconds"),
        (json!({"signing_secret": "secret"}), "signing_secret"),
        (json!({"signing_secret": webhook["signing_secret"]}), "signing_secret"),
    ] {
        let problem = room.app.operator().post(&rotate, body).await.refused(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let own = json!({"overlap_seconds": max, "signing_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"});
    let rotated = room.app.operator().post(&rotate, own).await.done(200);
    assert_eq!(rotated["signing_secret"], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let session = room.app.member(&room.workspace, Role::Member).await;
    room.app.session(&session).post(&rotate, json!({})).await.refused(403, "forbidden");
    let nothing = format!("{}/webhooks/whk_00000000000000000000000000/signing-secret/rotate", room.path);
    room.app.operator().post(&nothing, json!({})).await.refused(404, "not_found");
}
