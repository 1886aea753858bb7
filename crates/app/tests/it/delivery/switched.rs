//! Webhooks that change while deliveries wait for them.

use std::time::Duration;

use keybell_app::deliveries::DeliveryStatus;
use keybell_app::webhooks::WebhookPatch;
use keybell_testkit::receiver::{Receiver, Reply};

use super::{Desk, Hook, PATIENCE, event};
use crate::house::{On, settings};
use crate::workspaces::{grant, operator};

/// A desk where a delivery waits for its second attempt, which would be answered well.
async fn waiting(on: On) -> (Desk, Receiver, Hook) {
    let mut settings = settings();
    settings.delivery.retry_jitter_percent = 0;
    let desk = Desk::start(on, settings).await;
    let receiver = Receiver::answering([Reply::status(500), Reply::status(200)]);
    let hook = desk.hook(&receiver).await;
    desk.publish("{}").await;
    desk.quiet().await;
    (desk, receiver, hook)
}

async fn switch(desk: &Desk, hook: &Hook, on: bool) {
    desk.house.clock.advance(Duration::from_millis(1));
    let patch = WebhookPatch { enabled: Some(on), ..WebhookPatch::default() };
    desk.app().edit_webhook(grant(&operator(), desk.workspace), hook.id, patch).await.expect("switched");
}

async fn disabling_parks_and_enabling_takes_up(on: On) {
    let (desk, receiver, hook) = waiting(on).await;
    switch(&desk, &hook, false).await;
    desk.until(|| async { desk.deliveries().await[0].next_attempt_at.is_none() }).await;
    desk.later(Duration::from_hours(100));
    assert_eq!(desk.publish("{}").await.deliveries, 0);
    desk.quiet().await;
    assert_eq!((receiver.received().len(), desk.deliveries().await[0].status), (1, DeliveryStatus::Pending));

    switch(&desk, &hook, true).await;
    receiver.wait_for(2, PATIENCE).await;
    desk.until_status(DeliveryStatus::Succeeded).await;
}

#[tokio::test]
async fn disabling_parks_what_waits_and_enabling_takes_it_up_on_sqlite() {
    disabling_parks_and_enabling_takes_up(On::SqliteFile).await;
}

#[tokio::test]
async fn disabling_parks_what_waits_and_enabling_takes_it_up_on_postgres() {
    disabling_parks_and_enabling_takes_up(On::Postgres).await;
}

#[tokio::test]
async fn what_waits_for_a_deleted_webhook_is_canceled_and_stays_in_the_log() {
    let (desk, receiver, hook) = waiting(On::SqliteFile).await;
    desk.app().delete_webhook(grant(&operator(), desk.workspace), hook.id).await.expect("deleted");
    desk.until_status(DeliveryStatus::Canceled).await;
    desk.later(Duration::from_hours(1));
    desk.quiet().await;
    let logged = desk.only().await;
    assert_eq!((receiver.received().len(), logged.attempts.len(), logged.delivery.attempts_made), (1, 1, 1));
}

#[tokio::test]
async fn a_retry_goes_where_the_webhook_points_now() {
    let (desk, receiver, hook) = waiting(On::Memory).await;
    let elsewhere = Receiver::ok();
    desk.house.clock.advance(Duration::from_millis(1));
    let patch = WebhookPatch { url: Some(elsewhere.url("/new")), ..WebhookPatch::default() };
    desk.app().edit_webhook(grant(&operator(), desk.workspace), hook.id, patch).await.expect("edited");
    desk.later(Duration::from_secs(5));
    assert_eq!(elsewhere.wait_for(1, PATIENCE).await[0].path, "/new");
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_queue_that_waits_in_memory_is_parked_too() {
    let desk = Desk::start(On::SqliteFile, settings()).await;
    let hanging = Receiver::start(|_| Reply::hang());
    let hook = desk.hook_with(&hanging, |new| new.max_in_flight = Some(1)).await;
    desk.try_publish((0..50).map(|_| event("1")).collect()).await.expect("they are accepted");
    hanging.wait_for(1, PATIENCE).await;
    switch(&desk, &hook, false).await;
    desk.until(|| async { desk.app().engine().stats().in_memory == 1 }).await;
    let parked =
        || async { desk.deliveries().await.iter().filter(|one| one.next_attempt_at.is_none()).count() };
    desk.until(|| async { parked().await == 50 }).await;
}
