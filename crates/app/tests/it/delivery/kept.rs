//! Accepted is kept: crashes, stops, restarts; and nothing is kept for longer than it should be.

use std::collections::HashSet;
use std::time::Duration;

use keybell_app::deliveries::DeliveryStatus;
use keybell_app::{App, Settings};
use keybell_core::seal::MasterKey;
use keybell_testkit::receiver::{Receiver, Reply};

use super::{Desk, PATIENCE, desk, event};
use crate::house::{On, settings};

fn master_key() -> MasterKey {
    MasterKey::from_bytes([7; 32])
}

/// Runs an engine for `app` on a thread of its own and ends that in the middle of its work, as a crash does: nothing is
/// told to stop, nothing is waited for.
fn crash_in_the_middle(app: &App, receiver: &Receiver, after_requests: usize) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime can be made");
            runtime.block_on(async {
                app.start_engine(&[runtime.handle().clone()]).await.expect("the engine starts");
                receiver.wait_for(after_requests, PATIENCE).await;
            });
            runtime.shutdown_background();
        });
    });
}

async fn a_crash_loses_nothing(on: On) {
    const EVENTS: usize = 500;
    let desk = Desk::idle(on, settings()).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    let published = desk.try_publish((0..EVENTS).map(|_| event("{}")).collect()).await.expect("accepted");
    crash_in_the_middle(desk.app(), &receiver, 50);
    assert!(receiver.received().len() < EVENTS, "it was in the middle");

    let again = desk.house.restarted(master_key()).await.expect("it starts again");
    again.start_engine(&[tokio::runtime::Handle::current()]).await.expect("the engine starts");
    let arrived = || {
        let requests = receiver.received();
        requests.iter().filter_map(|one| one.header("webhook-id").map(str::to_owned)).collect::<HashSet<_>>()
    };
    desk.until(|| async { arrived().len() == EVENTS }).await;
    assert!(published.iter().all(|event| arrived().contains(event.id.as_str())));
    again.engine().quiet().await;
    assert!(desk.deliveries().await.iter().all(|one| one.status == DeliveryStatus::Succeeded));
}

#[tokio::test]
async fn a_crash_in_the_middle_loses_nothing_on_sqlite() {
    a_crash_loses_nothing(On::SqliteFile).await;
}

#[tokio::test]
async fn a_crash_in_the_middle_loses_nothing_on_postgres() {
    a_crash_loses_nothing(On::Postgres).await;
}

#[tokio::test]
async fn two_nodes_share_what_is_due_and_send_it_once() {
    const EVENTS: usize = 1_000;
    let desk = Desk::idle(On::Postgres, settings()).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    let other = desk.house.restarted_with(Settings { node: "other".to_owned(), ..settings() }).await;
    desk.try_publish((0..EVENTS).map(|_| event("{}")).collect()).await.expect("accepted");
    other.start_engine(&[tokio::runtime::Handle::current()]).await.expect("the engine starts");
    desk.start_engine().await;
    other.engine().look_again();
    desk.until(|| async { receiver.received().len() >= EVENTS }).await;
    desk.quiet().await;
    other.engine().quiet().await;
    assert_eq!(receiver.received().len(), EVENTS, "none twice");
    assert!(desk.deliveries().await.iter().all(|one| one.status == DeliveryStatus::Succeeded));
}

#[tokio::test]
async fn what_was_published_before_the_engine_ran_is_delivered_when_it_does() {
    let desk = Desk::idle(On::SqliteFile, settings()).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    desk.publish("1").await;
    assert_eq!(desk.deliveries().await[0].status, DeliveryStatus::Pending);
    desk.start_engine().await;
    receiver.wait_for(1, PATIENCE).await;
    desk.until_status(DeliveryStatus::Succeeded).await;
}

#[tokio::test]
async fn stopping_waits_for_what_is_under_way_and_leaves_the_rest_for_the_next_start() {
    let desk = desk(On::SqliteFile).await;
    let receiver = Receiver::start(|_| Reply::status(200).after(Duration::from_millis(200)));
    desk.hook_with(&receiver, |new| new.max_in_flight = Some(1)).await;
    desk.try_publish((0..3).map(|_| event("1")).collect()).await.expect("they are accepted");
    receiver.wait_for(1, PATIENCE).await;
    desk.app().stop_engine(PATIENCE).await;
    let count = |status| {
        let desk = &desk;
        async move { desk.deliveries().await.iter().filter(|one| one.status == status).count() }
    };
    assert_eq!((count(DeliveryStatus::Succeeded).await, count(DeliveryStatus::Pending).await), (1, 2));
    assert_eq!(receiver.received().len(), 1);

    let again = desk.house.restarted(master_key()).await.expect("it starts again");
    again.start_engine(&[tokio::runtime::Handle::current()]).await.expect("the engine starts");
    receiver.wait_for(3, PATIENCE).await;
    desk.until_status(DeliveryStatus::Succeeded).await;
    assert_eq!(receiver.received().len(), 3, "what was over is not repeated");
}

#[tokio::test]
async fn stopping_ends_when_its_grace_is_over() {
    let desk = desk(On::SqliteFile).await;
    let receiver = Receiver::start(|_| Reply::hang());
    desk.hook(&receiver).await;
    desk.publish("1").await;
    receiver.wait_for(1, PATIENCE).await;
    tokio::time::timeout(PATIENCE, desk.app().stop_engine(Duration::from_millis(50))).await.expect("it ends");
    let left = desk.deliveries().await.remove(0);
    assert_eq!((left.status, left.next_attempt_at), (DeliveryStatus::Pending, Some(desk.now())));
}

async fn what_is_old_is_deleted(on: On) {
    let desk = desk(on).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    let old = desk.publish("1").await;
    desk.quiet().await;
    desk.house.clock.advance(Duration::from_hours(30 * 24));
    let young = desk.publish("2").await;
    desk.quiet().await;
    assert_eq!(desk.app().engine().delete_old().await.expect("it can"), 0, "at its limit it is kept");
    desk.house.clock.advance(Duration::from_millis(1));
    // The event, its delivery and its attempt.
    assert_eq!(desk.app().engine().delete_old().await.expect("it can"), 3);
    let left: Vec<_> = desk.deliveries().await.into_iter().map(|one| one.event_id).collect();
    assert_eq!(left, [young.id]);
    let gone =
        desk.app().event(crate::workspaces::grant(&crate::workspaces::operator(), desk.workspace), old.id);
    assert_eq!(gone.await.expect_err("it is gone").code, keybell_core::Code::NotFound);
}

#[tokio::test]
async fn what_still_waits_when_its_events_time_is_over_is_deleted_with_it() {
    let desk = Desk::idle(On::Memory, settings()).await;
    desk.hook(&Receiver::ok()).await;
    desk.publish("1").await;
    assert_eq!(desk.deliveries().await[0].status, DeliveryStatus::Pending);
    desk.house.clock.advance(desk.app().settings().retention.events);
    assert_eq!(desk.app().engine().delete_old().await.expect("it can"), 0, "at its limit it is kept");
    desk.house.clock.advance(Duration::from_millis(1));
    // The event and its delivery.
    assert_eq!(desk.app().engine().delete_old().await.expect("it can"), 2);
    assert_eq!(desk.deliveries().await, []);
}

#[tokio::test]
async fn what_is_old_is_deleted_on_sqlite() {
    what_is_old_is_deleted(On::SqliteFile).await;
}

#[tokio::test]
async fn what_is_old_is_deleted_on_postgres() {
    what_is_old_is_deleted(On::Postgres).await;
}

async fn what_came_into_a_workspace_while_it_was_deleted_goes(on: On) {
    // The engine does not run, so that nobody else clears it first.
    let desk = Desk::idle(on, settings()).await;
    let delete = crate::workspaces::grant(&crate::workspaces::operator(), desk.workspace);
    desk.app().delete_workspace(delete).await.expect("it is there");
    // Its permission was checked before, as that of a request whose body is still on its way.
    desk.publish("1").await;
    desk.house.clock.advance(Duration::from_millis(1));
    // The event, and the audit entry of the workspace's own making.
    assert_eq!(desk.app().engine().delete_old().await.expect("it can"), 2);
    assert_eq!(desk.app().engine().delete_old().await.expect("it can"), 0);
}

#[tokio::test]
async fn what_came_into_a_workspace_while_it_was_deleted_goes_on_sqlite() {
    what_came_into_a_workspace_while_it_was_deleted_goes(On::SqliteFile).await;
}

#[tokio::test]
async fn what_came_into_a_workspace_while_it_was_deleted_goes_on_postgres() {
    what_came_into_a_workspace_while_it_was_deleted_goes(On::Postgres).await;
}
