//! An engine that stands still says so, and on what it waits; one that is only slow does not.

use std::time::Duration;

use keybell_app::delivery::STANDSTILL_AFTER;
use keybell_core::Code;
use keybell_store::{Op, StoreError, Tx};

use super::model::Model;
use super::{Desk, PATIENCE, event};
use crate::house::{On, settings};

/// Somewhat less than the watchdog's own interval, so that no assertion stands on its edge.
const A_LITTLE: Duration = Duration::from_secs(6);

impl Desk {
    /// What `/readyz` would say.
    async fn ready(&self) -> Result<(), String> {
        self.app().check_ready().await.map_err(|problem| {
            assert_eq!(problem.code, Code::Unavailable);
            problem.detail
        })
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_that_never_end_are_a_standstill() {
    let desk = Desk::idle(On::Memory, settings()).await;
    desk.start_over(Model::Never).await;
    desk.publish("1").await;
    let lawful = STANDSTILL_AFTER + desk.app().settings().delivery.timeout;
    tokio::time::sleep(lawful.saturating_sub(A_LITTLE)).await;
    assert_eq!(desk.ready().await, Ok(()), "an attempt may take its time-out, and recording it some time");
    tokio::time::sleep(2 * A_LITTLE).await;
    let reason = desk.ready().await.expect_err("it stands still");
    assert!(reason.contains("no attempt of shard 0 ends (1 are under way"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_take_their_time_are_none() {
    let desk = Desk::idle(On::Memory, settings()).await;
    let timeout = desk.app().settings().delivery.timeout;
    desk.start_over(Model::After(timeout)).await;
    // Several rounds of as many as may be under way at once.
    let most = desk.app().settings().delivery.max_in_flight_per_webhook;
    desk.try_publish((0..10 * most).map(|_| event("1")).collect()).await.expect("they are accepted");
    let mut looked = 0;
    while desk.app().engine().stats().in_memory > 0 {
        let stats = desk.app().engine().stats();
        assert!(stats.under_way <= most && stats.queued + stats.under_way == stats.in_memory, "{stats:?}");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(desk.ready().await, Ok(()));
        looked += 1;
    }
    assert!(looked > 20, "{looked} times");
}

#[tokio::test(start_paused = true)]
async fn an_engine_without_work_never_stands_still() {
    let desk = Desk::idle(On::Memory, settings()).await;
    desk.start_over(Model::Answers(0)).await;
    let before = desk.house.statements();
    tokio::time::sleep(10 * STANDSTILL_AFTER).await;
    assert_eq!(desk.ready().await, Ok(()));
    let per_second = (desk.house.statements() - before) / (10 * STANDSTILL_AFTER).as_secs();
    assert!(per_second <= 2, "{per_second} statements a second");
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_held_is_named() {
    let desk = Desk::idle(On::SqliteFile, settings()).await;
    desk.start_over(Model::Answers(0)).await;
    let let_go = desk.hold_writer();
    let published = desk.publish("1");
    tokio::pin!(published);
    let pause = tokio::time::sleep(2 * STANDSTILL_AFTER);
    tokio::select! {
        _ = &mut published => panic!("it cannot have been written"),
        () = pause => {}
    }
    let reason = desk.app().engine().standstill().expect("it stands still");
    assert!(reason.contains("events wait to be written (1)"), "{reason}");
    assert!(reason.contains("the database's writer has been at test.hold"), "{reason}");
    assert!(desk.ready().await.is_err());

    let_go.send(()).expect("it waits for this");
    published.await;
    desk.until(|| async { desk.app().engine().standstill().is_none() }).await;
}

/// Fails as on a full disk.
struct NoRoom;

impl Op for NoRoom {
    const NAME: &'static str = "test.no_room";
    type Out = ();

    fn run(&self, _: &mut dyn Tx) -> Result<(), StoreError> {
        Err(StoreError::Unavailable { what: "there is no room", source: None })
    }
}

#[tokio::test(start_paused = true)]
async fn writes_that_fail_are_said_until_one_goes_through_which_is_tried_without_anybody_asking() {
    let desk = Desk::idle(On::Memory, settings()).await;
    desk.start_over(Model::Answers(0)).await;
    assert_eq!(desk.ready().await, Ok(()));
    desk.house.store().write(NoRoom).await.expect_err("it fails");
    let reason = desk.ready().await.expect_err("writes fail");
    assert!(reason.contains("writes fail: the database is not available: there is no room"), "{reason}");
    tokio::time::sleep(A_LITTLE).await;
    assert_eq!(desk.ready().await, Ok(()));
    tokio::time::timeout(PATIENCE, desk.publish("1")).await.expect("all is well");
}
