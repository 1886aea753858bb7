//! A bad neighbour costs nothing: hanging endpoints, long queues, more than memory holds.

use std::collections::HashSet;
use std::time::Duration;

use keybell_app::delivery::IN_MEMORY_PER_WEBHOOK_MAX;
use keybell_testkit::receiver::{Receiver, Reply};

use super::{Desk, PATIENCE, desk, event};
use crate::house::{On, settings};

#[tokio::test]
async fn an_endpoint_that_hangs_does_not_delay_another() {
    let desk = desk(On::Memory).await;
    let hanging = Receiver::start(|_| Reply::hang());
    let quick = Receiver::ok();
    desk.hook(&hanging).await;
    desk.hook(&quick).await;
    let batch = (0..100).map(|number| event(&number.to_string())).collect();
    desk.try_publish(batch).await.expect("they are accepted");
    // Well before the first of the hanging ones is given up.
    assert_eq!(quick.wait_for(100, Duration::from_secs(10)).await.len(), 100);
    let most = desk.app().settings().delivery.max_in_flight_per_webhook;
    assert!(hanging.connections() <= most, "{} connections", hanging.connections());
}

#[tokio::test]
async fn a_webhook_has_no_more_under_way_than_it_may() {
    let desk = desk(On::Memory).await;
    let hanging = Receiver::start(|_| Reply::hang());
    desk.hook_with(&hanging, |new| new.max_in_flight = Some(2)).await;
    desk.try_publish((0..10).map(|_| event("1")).collect()).await.expect("they are accepted");
    hanging.wait_for(2, PATIENCE).await;
    // Somebody else's delivery goes through all of the engine meanwhile.
    let quick = Receiver::ok();
    desk.hook(&quick).await;
    desk.publish("1").await;
    quick.wait_for(1, PATIENCE).await;
    assert_eq!(hanging.received().len(), 2);
}

async fn more_than_memory_holds(on: On) {
    let mut settings = settings();
    settings.delivery.max_in_flight_per_webhook = 64;
    let desk = Desk::idle(on, settings).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    // Published before the engine runs, everything waits on disk; published after, some of it.
    let wanted = IN_MEMORY_PER_WEBHOOK_MAX + 2_500;
    let batches = wanted.div_ceil(1_000);
    for batch in 0..batches {
        if batch == batches - 1 {
            desk.start_engine().await;
        }
        desk.try_publish((0..1_000).map(|_| event("{}")).collect()).await.expect("they are accepted");
    }
    let arrived = receiver.wait_for(batches * 1_000, PATIENCE * 3).await;
    let ids: HashSet<_> = arrived.iter().filter_map(|request| request.header("webhook-id")).collect();
    assert_eq!((ids.len(), arrived.len()), (batches * 1_000, batches * 1_000), "each once");
}

#[tokio::test]
async fn what_memory_does_not_hold_waits_on_disk_and_arrives_on_sqlite() {
    more_than_memory_holds(On::SqliteFile).await;
}

#[tokio::test]
async fn what_memory_does_not_hold_waits_on_disk_and_arrives_on_postgres() {
    more_than_memory_holds(On::Postgres).await;
}

#[tokio::test]
async fn connections_are_used_again() {
    let desk = desk(On::Memory).await;
    let receiver = Receiver::ok();
    desk.hook_with(&receiver, |new| new.max_in_flight = Some(1)).await;
    desk.try_publish((0..50).map(|_| event("1")).collect()).await.expect("they are accepted");
    receiver.wait_for(50, PATIENCE).await;
    assert_eq!(receiver.connections(), 1);
}
