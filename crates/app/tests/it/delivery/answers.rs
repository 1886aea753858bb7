//! What comes back, and what it means: delivered, tried again, given up, disabled.

use std::time::Duration;

use keybell_app::deliveries::{Attempt, DeliveryStatus};
use keybell_app::webhooks::{DisabledReason, WebhookStatus};
use keybell_testkit::receiver::{Receiver, Reply};

use super::{Desk, PATIENCE, desk};
use crate::house::{On, settings};
use crate::workspaces::{grant, operator};

const SECOND: Duration = Duration::from_secs(1);

fn hasty() -> keybell_app::Settings {
    let mut settings = settings();
    settings.delivery.timeout = Duration::from_millis(300);
    settings.delivery.retry_jitter_percent = 0;
    settings
}

async fn steady(on: On) -> Desk {
    let mut settings = settings();
    settings.delivery.retry_jitter_percent = 0;
    Desk::start(on, settings).await
}

/// The only attempt of the only delivery.
async fn attempt(desk: &Desk) -> Attempt {
    let mut logged = desk.only().await;
    assert_eq!(logged.attempts.len(), 1);
    logged.attempts.remove(0)
}

async fn is_tried_again_by_the_schedule(on: On) {
    let desk = steady(on).await;
    let receiver =
        Receiver::answering([Reply::status(500).body("no"), Reply::status(302), Reply::status(204)]);
    let hook = desk.hook(&receiver).await;
    let published = desk.publish("{}").await;
    receiver.wait_for(1, PATIENCE).await;
    let first = desk.only().await.delivery;
    assert_eq!((first.status, first.attempts_made), (DeliveryStatus::Pending, 1));
    assert_eq!(
        (first.last_response_status, first.next_attempt_at),
        (Some(500), Some(desk.now() + 5 * SECOND))
    );

    desk.later(4 * SECOND);
    assert_eq!(receiver.received().len(), 1, "not before its time");
    desk.later(SECOND);
    receiver.wait_for(2, PATIENCE).await;
    desk.until(|| async { desk.only().await.delivery.attempts_made == 2 }).await;
    desk.later(300 * SECOND);
    let requests = receiver.wait_for(3, PATIENCE).await;
    desk.until_status(DeliveryStatus::Succeeded).await;

    for request in &requests {
        request.verify_whenever(&hook.secret).expect("each attempt is signed for its own time");
        assert_eq!(request.header("webhook-id"), Some(published.id.as_str()));
    }
    assert_ne!(requests[0].header("webhook-timestamp"), requests[1].header("webhook-timestamp"));
    let logged = desk.only().await;
    let told: Vec<_> =
        logged.attempts.iter().map(|one| (one.number, one.trigger.as_str(), one.response_status)).collect();
    assert_eq!(told, [(1, "first", Some(500)), (2, "retry", Some(302)), (3, "retry", Some(204))]);
    let body = logged.attempts[0].response.as_ref().map(|response| response.body.as_str());
    assert_eq!(body, Some("no"));
}

#[tokio::test]
async fn a_failed_attempt_is_tried_again_by_the_schedule_on_sqlite() {
    is_tried_again_by_the_schedule(On::SqliteFile).await;
}

#[tokio::test]
async fn a_failed_attempt_is_tried_again_by_the_schedule_on_postgres() {
    is_tried_again_by_the_schedule(On::Postgres).await;
}

#[tokio::test]
async fn retry_after_is_obeyed_and_a_429_without_it_waits_a_minute() {
    let desk = steady(On::Memory).await;
    let waits_for = |status, value: &str| Reply::status(status).header("retry-after", value);
    // The clock stands at noon of Monday, the 23rd of November 2026, and moves with the waits.
    for (answer, wait) in [
        (waits_for(503, "120"), 120),
        (Reply::status(429), 60),
        (waits_for(429, "Mon, 23 Nov 2026 12:33:00 GMT"), 30 * 60),
        (waits_for(503, "86400"), 24 * 3_600),
        (waits_for(503, "86401"), 24 * 3_600),
        (waits_for(429, "Fri, 31 Dec 2027 00:00:00 GMT"), 24 * 3_600),
        (waits_for(503, "Mon, 23 Nov 2026 12:00:00 GMT"), 5),
        (waits_for(429, "soon"), 60),
        (waits_for(500, "3600"), 5),
    ] {
        let receiver = Receiver::answering([answer, Reply::status(200)]);
        let hook = desk.hook(&receiver).await;
        let begun = desk.now();
        desk.publish("{}").await;
        desk.quiet().await;
        let newest = desk.deliveries().await.remove(0);
        assert_eq!(newest.next_attempt_at, Some(begun + wait * SECOND));
        desk.later(wait * SECOND / 2);
        desk.quiet().await;
        assert_eq!(receiver.received().len(), 1, "not before its time");
        desk.later(wait * SECOND / 2);
        receiver.wait_for(2, PATIENCE).await;
        desk.until_status(DeliveryStatus::Succeeded).await;
        desk.app().delete_webhook(grant(&operator(), desk.workspace), hook.id).await.expect("deleted");
    }
}

async fn gone_disables(on: On) {
    let desk = desk(on).await;
    let receiver = Receiver::answering([Reply::status(410)]);
    let hook = desk.hook(&receiver).await;
    desk.publish("{}").await;
    receiver.wait_for(1, PATIENCE).await;
    assert_eq!(desk.only().await.delivery.status, DeliveryStatus::Failed);
    let shown = desk.app().webhook(grant(&operator(), desk.workspace), hook.id).await.expect("it is there");
    assert_eq!((shown.status, shown.disabled_reason), (WebhookStatus::Disabled, Some(DisabledReason::Gone)));
    assert_eq!(desk.publish("{}").await.deliveries, 0, "nothing is begun for it any more");
    assert_eq!(desk.deliveries().await.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_disables_its_webhook_on_sqlite() {
    gone_disables(On::SqliteFile).await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_disables_its_webhook_on_postgres() {
    gone_disables(On::Postgres).await;
}

#[tokio::test]
async fn a_webhook_is_failing_until_it_answers_well() {
    let desk = steady(On::Memory).await;
    let receiver = Receiver::answering([Reply::status(500), Reply::status(200)]);
    let hook = desk.hook(&receiver).await;
    let status = || async {
        desk.quiet().await;
        desk.app().webhook(grant(&operator(), desk.workspace), hook.id).await.expect("it is there").status
    };
    desk.publish("{}").await;
    assert_eq!(status().await, WebhookStatus::Failing);
    desk.later(5 * SECOND);
    desk.until_status(DeliveryStatus::Succeeded).await;
    assert_eq!(status().await, WebhookStatus::Active);
}

#[tokio::test]
async fn after_the_last_attempt_it_is_given_up() {
    let mut settings = settings();
    settings.delivery.retry_schedule = vec![SECOND];
    settings.delivery.retry_jitter_percent = 0;
    let desk = Desk::start(On::Memory, settings).await;
    let receiver = Receiver::answering([Reply::status(500), Reply::status(500)]);
    desk.hook(&receiver).await;
    desk.publish("{}").await;
    desk.quiet().await;
    desk.later(SECOND);
    desk.until_status(DeliveryStatus::Failed).await;
    let logged = desk.only().await.delivery;
    assert_eq!((logged.attempts_made, logged.completed_at), (2, Some(desk.now())));
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_its_time_and_no_more() {
    let desk = Desk::start(On::Memory, hasty()).await;
    let receiver = Receiver::start(|_| Reply::hang());
    desk.hook(&receiver).await;
    desk.publish("{}").await;
    receiver.wait_for(1, PATIENCE).await;
    let attempt = attempt(&desk).await;
    assert_eq!((attempt.error_code.as_deref(), attempt.response_status), (Some("timeout"), None));
    assert!(attempt.error.is_some_and(|sentence| sentence.contains("300 ms")));
}

#[tokio::test]
async fn a_body_that_does_not_end_in_time_is_a_failure_that_keeps_the_status() {
    let desk = Desk::start(On::Memory, hasty()).await;
    let receiver =
        Receiver::start(|_| Reply::status(200).body("slow words").trickling(Duration::from_millis(200)));
    desk.hook(&receiver).await;
    desk.publish("{}").await;
    receiver.wait_for(1, PATIENCE).await;
    let attempt = attempt(&desk).await;
    assert_eq!((attempt.error_code.as_deref(), attempt.response_status), (Some("body_timeout"), Some(200)));
    assert_eq!(desk.only().await.delivery.status, DeliveryStatus::Pending);
}

#[tokio::test]
async fn a_reset_a_refusal_and_a_handshake_that_fails_each_have_their_word() {
    let desk = desk(On::Memory).await;
    let resets = Receiver::start(|_| Reply::reset());
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("it is bound")
    };
    let plain = Receiver::ok();
    let urls = [
        (resets.url("/"), "reset"),
        (format!("http://{closed}/"), "connect_refused"),
        (plain.url("/").replace("http://", "https://"), "tls_failed"),
        ("http://nowhere.invalid/".to_owned(), "dns_failed"),
    ];
    for (url, word) in urls {
        let hook = desk.hook_with(&plain, |new| new.url.clone_from(&url)).await;
        desk.publish("{}").await;
        desk.quiet().await;
        let newest = desk.deliveries().await.remove(0);
        let attempt = desk.detail(newest.id).await.attempts.remove(0);
        assert_eq!(attempt.error_code.as_deref(), Some(word), "{:?}", attempt.error);
        assert!(attempt.error.is_some_and(|sentence| sentence.ends_with('.')));
        desk.app().delete_webhook(grant(&operator(), desk.workspace), hook.id).await.expect("deleted");
        desk.house.clock.advance(Duration::from_millis(1));
    }
}

#[tokio::test]
async fn an_answer_is_read_up_to_16_kib_and_not_a_byte_further() {
    const LIMIT: usize = keybell_app::delivery::exchange::ANSWER_BODY_BYTES_MAX;
    let desk = desk(On::Memory).await;
    for (size, truncated) in [(LIMIT, false), (LIMIT + 1, true), (10 * 1024 * 1024, true)] {
        let receiver = Receiver::start(move |_| Reply::status(200).body(vec![b'x'; size]));
        let hook = desk.hook(&receiver).await;
        desk.publish("{}").await;
        desk.quiet().await;
        let newest = desk.deliveries().await.remove(0);
        assert_eq!(newest.status, DeliveryStatus::Succeeded);
        let response = desk.detail(newest.id).await.attempts.remove(0).response.expect("it answered");
        assert_eq!((response.body.len(), response.truncated), (LIMIT, truncated), "{size}");
        desk.app().delete_webhook(grant(&operator(), desk.workspace), hook.id).await.expect("deleted");
        desk.house.clock.advance(Duration::from_millis(1));
    }
}

#[tokio::test]
async fn an_endless_answer_ends_at_the_cap() {
    let desk = desk(On::Memory).await;
    let receiver = Receiver::start(|_| Reply::endless_body());
    desk.hook(&receiver).await;
    desk.publish("{}").await;
    let response = attempt(&desk).await.response.expect("it answered");
    assert!(response.truncated);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let desk = desk(On::Memory).await;
    let elsewhere = Receiver::ok();
    let location = elsewhere.url("/moved");
    let receiver = Receiver::start(move |_| Reply::status(307).header("location", &location));
    desk.hook(&receiver).await;
    desk.publish("{}").await;
    assert_eq!(attempt(&desk).await.response_status, Some(307));
    assert_eq!((receiver.received().len(), elsewhere.received().len()), (1, 0));
}

#[tokio::test]
async fn headers_past_their_limit_are_a_protocol_error() {
    let desk = desk(On::Memory).await;
    let long = "x".repeat(keybell_app::delivery::exchange::ANSWER_HEAD_BYTES_MAX);
    let receiver = Receiver::start(move |_| Reply::status(200).header("x-long", &long));
    desk.hook(&receiver).await;
    desk.publish("{}").await;
    assert_eq!(attempt(&desk).await.error_code.as_deref(), Some("protocol_error"));
}
