//! Deliveries that are asked for again.

use std::time::Duration;

use keybell_app::deliveries::{DeliveryFilter, DeliveryStatus, Resending};
use keybell_testkit::receiver::{Receiver, Reply};

use super::{Desk, PATIENCE};
use crate::house::{On, settings};
use crate::workspaces::{grant, operator};

#[tokio::test]
async fn a_request_to_resend_many_outlives_the_process() {
    let mut settings = settings();
    settings.delivery.retry_schedule.clear();
    let desk = Desk::start(On::SqliteFile, settings.clone()).await;
    let receiver = Receiver::answering([Reply::status(500), Reply::status(204)]);
    desk.hook(&receiver).await;
    desk.publish("1").await;
    desk.quiet().await;
    desk.app().stop_engine(Duration::ZERO).await;

    let failed = DeliveryFilter { status: Some(DeliveryStatus::Failed), ..DeliveryFilter::default() };
    let grant = grant(&operator(), desk.workspace);
    let asked = desk.app().resend_deliveries(grant, failed, Resending::Do).await;
    assert_eq!(asked.expect("it is accepted"), 1);
    assert_eq!(receiver.received().len(), 1, "nothing delivers any more");

    let next = desk.house.restarted_with(settings).await;
    next.start_engine(&[tokio::runtime::Handle::current()]).await.expect("the engine starts");
    receiver.wait_for(2, PATIENCE).await;
    desk.until_status(DeliveryStatus::Succeeded).await;
}
