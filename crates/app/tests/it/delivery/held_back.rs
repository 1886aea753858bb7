//! What is held back: at an open circuit, by a rate limit, by slow neighbours, and by leases that would end.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keybell_app::deliveries::DeliveryStatus;
use keybell_app::webhooks::{WebhookPatch, WebhookRateLimit};
use keybell_core::circuit::{OPENS_AFTER, PAUSE_FIRST};
use keybell_testkit::receiver::{Receiver, Reply};

use super::{Desk, PATIENCE, event};
use crate::house::{On, settings};
use crate::workspaces::{grant, operator};

/// A receiver that answers nobody well before it is mended.
fn broken() -> (Receiver, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&mended);
    let receiver =
        Receiver::start(move |_| Reply::status(if asked.load(Ordering::SeqCst) { 200 } else { 500 }));
    (receiver, mended)
}

fn ids(receiver: &Receiver) -> HashSet<String> {
    receiver.received().iter().filter_map(|one| one.header("webhook-id").map(str::to_owned)).collect()
}

async fn nothing_in_memory(desk: &Desk) {
    desk.until(|| async { desk.app().engine().stats().in_memory == 0 }).await;
}

/// A desk with an endpoint that is down, and `events` for it: as many were sent as open a circuit, and no more.
async fn an_open_circuit(on: On, events: usize) -> (Desk, Receiver, Arc<AtomicBool>, super::Hook) {
    let mut settings = settings();
    settings.delivery.retry_jitter_percent = 0;
    let desk = Desk::start(on, settings).await;
    let (receiver, mended) = broken();
    let hook = desk.hook_with(&receiver, |new| new.max_in_flight = Some(1)).await;
    desk.try_publish((0..events).map(|_| event("{}")).collect()).await.expect("they are accepted");
    receiver.wait_for(OPENS_AFTER, PATIENCE).await;
    nothing_in_memory(&desk).await;
    assert_eq!((receiver.received().len(), ids(&receiver).len()), (OPENS_AFTER, OPENS_AFTER));
    (desk, receiver, mended, hook)
}

async fn a_dead_endpoint_is_probed_and_comes_back(on: On) {
    const EVENTS: usize = 200;
    let (desk, receiver, mended, _) = an_open_circuit(on, EVENTS).await;
    // Its pause is moved by up to a tenth.
    desk.later(PAUSE_FIRST + PAUSE_FIRST / 10);
    receiver.wait_for(OPENS_AFTER + 1, PATIENCE).await;
    nothing_in_memory(&desk).await;
    assert_eq!(receiver.received().len(), OPENS_AFTER + 1, "one probe");

    mended.store(true, Ordering::SeqCst);
    desk.later(2 * PAUSE_FIRST + PAUSE_FIRST);
    desk.until(|| async { ids(&receiver).len() == EVENTS }).await;
    desk.quiet().await;
    // What failed while the circuit was open kept its schedule: those are due later.
    desk.later(Duration::from_mins(10));
    desk.until(|| async {
        nothing_in_memory(&desk).await;
        desk.deliveries().await.iter().all(|one| one.status == DeliveryStatus::Succeeded)
    })
    .await;
    assert_eq!(receiver.received().len(), EVENTS + OPENS_AFTER + 1, "each once, but those that failed");
}

#[tokio::test]
async fn a_dead_endpoint_is_probed_and_what_waits_goes_when_it_is_back_on_sqlite() {
    a_dead_endpoint_is_probed_and_comes_back(On::SqliteFile).await;
}

#[tokio::test]
async fn a_dead_endpoint_is_probed_and_what_waits_goes_when_it_is_back_on_postgres() {
    a_dead_endpoint_is_probed_and_comes_back(On::Postgres).await;
}

#[tokio::test]
async fn what_is_published_to_an_open_circuit_waits_on_disk() {
    let (desk, receiver, ..) = an_open_circuit(On::Memory, 20).await;
    desk.try_publish((0..100).map(|_| event("{}")).collect()).await.expect("they are accepted");
    nothing_in_memory(&desk).await;
    assert_eq!(receiver.received().len(), OPENS_AFTER);
    let waiting = desk.deliveries().await.iter().filter(|one| one.status == DeliveryStatus::Pending).count();
    assert_eq!(waiting, 120);
}

#[tokio::test]
async fn an_edited_webhook_is_tried_at_once() {
    let (desk, _, _, hook) = an_open_circuit(On::Memory, 20).await;
    let elsewhere = Receiver::ok();
    desk.house.clock.advance(Duration::from_millis(1));
    let patch = WebhookPatch { url: Some(elsewhere.url("/new")), ..WebhookPatch::default() };
    desk.app().edit_webhook(grant(&operator(), desk.workspace), hook.id, patch).await.expect("edited");
    // Those that failed are due by their schedule.
    elsewhere.wait_for(20 - OPENS_AFTER, PATIENCE).await;
}

#[tokio::test]
async fn one_event_that_is_refused_again_and_again_opens_nothing() {
    let mut settings = settings();
    settings.delivery.retry_schedule = vec![Duration::from_secs(1); 30];
    let desk = Desk::start(On::Memory, settings).await;
    let receiver =
        Receiver::start(|request| Reply::status(if request.json()["data"] == "bad" { 400 } else { 200 }));
    desk.hook(&receiver).await;
    desk.publish("\"bad\"").await;
    for tried in 1..=2 * OPENS_AFTER {
        receiver.wait_for(tried, PATIENCE).await;
        desk.quiet().await;
        desk.later(Duration::from_secs(2));
    }
    desk.publish("\"good\"").await;
    desk.until(|| async { desk.deliveries().await[0].status == DeliveryStatus::Succeeded }).await;
}

async fn rate_limited(on: On) {
    let desk = Desk::start(on, settings()).await;
    let receiver = Receiver::ok();
    desk.hook_with(&receiver, |new| new.rate_limit = Some(WebhookRateLimit { limit: 4, window_seconds: 8 }))
        .await;
    desk.try_publish((0..6).map(|_| event("{}")).collect()).await.expect("they are accepted");
    for sent in 1..=6 {
        receiver.wait_for(sent, PATIENCE).await;
        // Everything else goes through the engine meanwhile.
        let other = Receiver::ok();
        let hook = desk.hook(&other).await;
        desk.publish("{}").await;
        other.wait_for(1, PATIENCE).await;
        desk.app().delete_webhook(grant(&operator(), desk.workspace), hook.id).await.expect("deleted");
        assert_eq!(receiver.received().len(), sent, "no more than one in two seconds");
        desk.later(Duration::from_secs(2));
    }
}

#[tokio::test]
async fn a_rate_limit_makes_late_and_loses_nothing() {
    rate_limited(On::Memory).await;
}

#[tokio::test]
async fn slow_neighbours_leave_attempts_for_others() {
    const HANGING: usize = 12;
    let mut settings = settings();
    settings.delivery.timeout = Duration::from_millis(1_200);
    (settings.delivery.max_in_flight, settings.delivery.max_in_flight_per_webhook) = (8, 8);
    let desk = Desk::start(On::Memory, settings).await;
    let hanging = Receiver::start(|_| Reply::hang());
    for _ in 0..HANGING {
        desk.hook(&hanging).await;
    }
    desk.try_publish((0..9).map(|_| event("{}")).collect()).await.expect("they are accepted");
    // Each has hung once: from now on it is known that they are slow.
    hanging.wait_for(HANGING + 4, PATIENCE).await;
    let quick = Receiver::ok();
    desk.hook(&quick).await;
    let before = hanging.received().len();
    desk.try_publish((0..20).map(|_| event("{}")).collect()).await.expect("they are accepted");
    quick.wait_for(20, PATIENCE).await;
    let meanwhile = hanging.received().len() - before;
    assert!(meanwhile <= 8, "20 deliveries waited for {meanwhile} that hung");
}

#[tokio::test]
async fn what_would_outlive_its_lease_goes_back_to_disk_and_arrives_once() {
    const EVENTS: usize = 30;
    let desk = Desk::start(On::SqliteFile, settings()).await;
    let let_go = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&let_go);
    let receiver = Receiver::start(move |_| {
        let wait = if asked.load(Ordering::SeqCst) { Duration::ZERO } else { Duration::from_millis(500) };
        Reply::status(200).after(wait)
    });
    desk.hook_with(&receiver, |new| new.max_in_flight = Some(1)).await;
    desk.try_publish((0..EVENTS).map(|_| event("{}")).collect()).await.expect("they are accepted");
    receiver.wait_for(1, PATIENCE).await;
    let_go.store(true, Ordering::SeqCst);
    // The leases of all that is queued are nearly over.
    desk.later(Duration::from_secs(45));
    desk.until(|| async { ids(&receiver).len() == EVENTS }).await;
    desk.quiet().await;
    assert_eq!(receiver.received().len(), EVENTS, "none twice");
}

#[tokio::test]
async fn what_waits_on_disk_is_found_at_the_next_start() {
    let (desk, receiver, mended, _) = an_open_circuit(On::SqliteFile, 100).await;
    desk.app().stop_engine(PATIENCE).await;
    mended.store(true, Ordering::SeqCst);
    let again = desk.house.restarted(keybell_core::seal::MasterKey::from_bytes([7; 32])).await;
    let again = again.expect("it starts again");
    again.start_engine(&[tokio::runtime::Handle::current()]).await.expect("the engine starts");
    desk.until(|| async { ids(&receiver).len() == 100 }).await;
}

#[tokio::test]
async fn a_rate_limit_that_is_slower_than_leases_sends_each_once() {
    let desk = Desk::start(On::SqliteFile, settings()).await;
    let receiver = Receiver::ok();
    // One in thirty seconds; a lease is a minute.
    desk.hook_with(&receiver, |new| new.rate_limit = Some(WebhookRateLimit { limit: 2, window_seconds: 60 }))
        .await;
    desk.publish("{}").await;
    receiver.wait_for(1, PATIENCE).await;
    desk.later(Duration::from_secs(25));
    desk.try_publish((0..3).map(|_| event("{}")).collect()).await.expect("they are accepted");
    // Each look may find a lease over, a delivery due, or the next one's time come.
    for step in 1..=60 {
        desk.later(Duration::from_secs(5));
        let seconds = 25 + 5 * step;
        let due = (1 + seconds / 30).min(4);
        receiver.wait_for(usize::try_from(due).expect("few"), PATIENCE).await;
        let other = Receiver::ok();
        let hook = desk.hook(&other).await;
        desk.publish("{}").await;
        other.wait_for(1, PATIENCE).await;
        desk.app().delete_webhook(grant(&operator(), desk.workspace), hook.id).await.expect("deleted");
    }
    let first_four: Vec<_> = receiver
        .received()
        .iter()
        .filter_map(|one| one.header("webhook-id").map(str::to_owned))
        .take(4)
        .collect();
    assert_eq!(first_four.iter().collect::<HashSet<_>>().len(), 4, "none twice: {first_four:?}");
    assert!(receiver.received().len() <= 12, "no more than two a minute");
    assert_eq!(ids(&receiver).len(), receiver.received().len(), "none twice");
}

#[tokio::test]
async fn what_waits_for_a_webhook_that_is_disabled_is_not_touched() {
    let (desk, receiver, _, hook) = an_open_circuit(On::SqliteFile, 500).await;
    desk.house.clock.advance(Duration::from_millis(1));
    let patch = WebhookPatch { enabled: Some(false), ..WebhookPatch::default() };
    desk.app().edit_webhook(grant(&operator(), desk.workspace), hook.id, patch).await.expect("disabled");
    desk.later(Duration::from_mins(10));
    // The retries that come due find it disabled, and all wait until it is enabled.
    let waits = |one: &keybell_app::deliveries::DeliverySummary| one.next_attempt_at.is_none();
    desk.until(|| async { desk.deliveries().await.iter().all(waits) }).await;
    desk.quiet().await;
    assert_eq!(receiver.received().len(), OPENS_AFTER);
}

#[tokio::test]
async fn what_was_parked_goes_on_where_the_process_ended_before_it_was_taken_up() {
    let (desk, receiver, mended, hook) = an_open_circuit(On::SqliteFile, 50).await;
    let switch = async |enabled| {
        desk.house.clock.advance(Duration::from_millis(1));
        let patch = WebhookPatch { enabled: Some(enabled), ..WebhookPatch::default() };
        desk.app().edit_webhook(grant(&operator(), desk.workspace), hook.id, patch).await.expect("switched");
    };
    switch(false).await;
    desk.until(|| async { desk.deliveries().await.iter().all(|one| one.next_attempt_at.is_none()) }).await;
    // Enabled while nobody runs who would settle it: as a crash right after the answer leaves it.
    desk.app().stop_engine(PATIENCE).await;
    switch(true).await;
    mended.store(true, Ordering::SeqCst);
    let again = desk.house.restarted(keybell_core::seal::MasterKey::from_bytes([7; 32])).await;
    let again = again.expect("it starts again");
    again.start_engine(&[tokio::runtime::Handle::current()]).await.expect("the engine starts");
    desk.house.clock.advance(Duration::from_mins(1));
    again.engine().look_again();
    desk.until(|| async { ids(&receiver).len() == 50 }).await;
}

#[tokio::test]
async fn an_old_endpoint_says_nothing_of_the_new_one() {
    let mut settings = settings();
    settings.delivery.timeout = Duration::from_millis(400);
    let desk = Desk::start(On::Memory, settings).await;
    let hanging = Receiver::start(|_| Reply::hang());
    let hook = desk.hook(&hanging).await;
    desk.try_publish((0..40).map(|_| event("{}")).collect()).await.expect("they are accepted");
    let most = desk.app().settings().delivery.max_in_flight_per_webhook;
    assert!(most > OPENS_AFTER, "enough to open a circuit");
    hanging.wait_for(most, PATIENCE).await;
    let quick = Receiver::ok();
    desk.house.clock.advance(Duration::from_millis(1));
    let patch = WebhookPatch { url: Some(quick.url("/new")), ..WebhookPatch::default() };
    desk.app().edit_webhook(grant(&operator(), desk.workspace), hook.id, patch).await.expect("edited");
    // The clock stands: an open circuit would never be probed.
    quick.wait_for(40 - most, PATIENCE).await;
}
