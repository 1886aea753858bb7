//! What is accepted: all or none, once for an id, and whatever becomes of the publisher.

use futures_util::FutureExt;
use keybell_app::events::{EventFilter, NewEvent};
use keybell_app::{Listing, Page};
use keybell_core::Code;
use keybell_core::event::{DATA_BYTES_MAX, EventId};
use keybell_testkit::receiver::Receiver;

use super::{Desk, PATIENCE, all, desk, event, event_of};
use crate::house::{On, settings};
use crate::workspaces::{grant, operator};

async fn events(desk: &Desk) -> Vec<EventId> {
    let page = Page::new(Some(250), None).expect("250 is the limit");
    let listed =
        desk.app().list_events(grant(&operator(), desk.workspace), EventFilter::default(), page).await;
    let Listing { data, .. } = listed.expect("events can be listed");
    data.into_iter().map(|event| event.id).collect()
}

#[tokio::test]
async fn a_batch_is_accepted_whole_or_not_at_all() {
    let desk = desk(On::Memory).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    let unknown = NewEvent { event_type: "nobody.knows".to_owned(), ..event("1") };
    let refused = desk.try_publish(vec![event("1"), unknown]).await.expect_err("one of them is unknown");
    assert_eq!(refused.code, Code::UnknownEventType);
    let bad_id = event_of("with.dot", "1");
    let refused = desk.try_publish(vec![event("1"), bad_id]).await.expect_err("one of them has a bad id");
    assert_eq!((refused.code, refused.errors[0].field.as_str()), (Code::Validation, "events[1].id"));
    assert_eq!(events(&desk).await, []);

    let published = desk.try_publish(vec![event("1"), event("2"), event("3")]).await.expect("all are good");
    assert_eq!(published.len(), 3);
    assert_eq!(receiver.wait_for(3, PATIENCE).await.len(), 3);
}

#[tokio::test]
async fn data_of_256_kib_is_accepted_and_one_byte_more_is_not() {
    let desk = desk(On::Memory).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    let of = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    desk.publish(&of(DATA_BYTES_MAX)).await;
    let [request] = receiver.wait_for(1, PATIENCE).await.try_into().expect("one request");
    assert!(request.body.len() > DATA_BYTES_MAX);
    let refused = desk.try_publish(vec![event(&of(DATA_BYTES_MAX + 1))]).await;
    assert_eq!(refused.expect_err("one byte more").code, Code::TooLarge);
}

async fn an_id_is_accepted_once(on: On) {
    let desk = desk(on).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    let first = desk.try_publish(vec![event_of("report-7", "{\"a\":1}")]).await.expect("it is new");
    assert!(!first[0].replayed && first[0].id.as_str() == "report-7");

    // With another event beside it, which is new: that one is kept, and goes out.
    desk.house.clock.advance(std::time::Duration::from_millis(5));
    let beside = vec![event("2"), event_of("report-7", "{\"a\":1}")];
    let again = desk.try_publish(beside).await.expect("it says the same");
    assert_eq!((again[0].replayed, again[1].replayed, again[1].deliveries), (false, true, 1));
    receiver.wait_for(2, PATIENCE).await;

    let other = vec![event("3"), event_of("report-7", "{\"a\":2}")];
    let refused = desk.try_publish(other).await.expect_err("it says something else");
    assert_eq!(refused.code, Code::Conflict);
    let when = NewEvent { occurred_at: Some(desk.now()), ..event_of("report-7", "{\"a\":1}") };
    let refused = desk.try_publish(vec![when]).await.expect_err("it says another time");
    assert_eq!(refused.code, Code::Conflict);

    desk.quiet().await;
    assert_eq!(
        (events(&desk).await.len(), receiver.received().len()),
        (2, 2),
        "nothing of the refused calls"
    );
}

#[tokio::test]
async fn an_id_is_accepted_once_on_sqlite() {
    an_id_is_accepted_once(On::SqliteFile).await;
}

#[tokio::test]
async fn an_id_is_accepted_once_on_postgres() {
    an_id_is_accepted_once(On::Postgres).await;
}

async fn many_at_once(on: On) {
    let desk = desk(on).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    let calls = (0..200).map(|number| {
        let mine = event_of(&format!("id-{}", number % 20), "{}");
        desk.try_publish(vec![mine, event("1")])
    });
    let answers = all(calls).await;
    let new = answers.iter().filter(|answer| answer.as_ref().is_ok_and(|told| !told[0].replayed)).count();
    assert_eq!((new, answers.iter().filter(|answer| answer.is_err()).count()), (20, 0));
    desk.quiet().await;
    assert_eq!(receiver.received().len(), 220);
}

#[tokio::test]
async fn of_many_that_publish_the_same_id_at_once_one_is_the_first_on_sqlite() {
    many_at_once(On::SqliteFile).await;
}

#[tokio::test]
async fn of_many_that_publish_the_same_id_at_once_one_is_the_first_on_postgres() {
    many_at_once(On::Postgres).await;
}

#[tokio::test]
async fn the_same_id_twice_in_one_call_is_one_event() {
    let desk = desk(On::Memory).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    let told =
        desk.try_publish(vec![event_of("a", "1"), event_of("a", "1")]).await.expect("they say the same");
    assert_eq!((told[0].replayed, told[1].replayed), (false, true));
    let refused = desk.try_publish(vec![event_of("b", "1"), event_of("b", "2")]).await;
    assert_eq!(refused.expect_err("they differ").code, Code::Conflict);
    desk.quiet().await;
    assert_eq!((events(&desk).await.len(), receiver.received().len()), (1, 1));
}

#[tokio::test]
async fn what_was_accepted_is_delivered_though_the_publisher_went_away() {
    let desk = Desk::start(On::SqliteFile, settings()).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    // Held, so that nothing is on disk however slowly this goes.
    let let_go = desk.hold_writer();
    let mut call = Box::pin(desk.try_publish(vec![event("1")]));
    // Polled once: it is on its way to the disk. Then the client drops its connection.
    assert!((&mut call).now_or_never().is_none());
    drop(call);
    let_go.send(()).expect("it waits for this");
    assert_eq!(receiver.wait_for(1, PATIENCE).await.len(), 1);
}

#[tokio::test]
async fn an_event_is_read_with_its_data_as_it_was_published() {
    let desk = desk(On::Memory).await;
    let data = "{ \"b\":1.50,  \"a\":null }";
    let published = desk.publish(data).await;
    let read = desk.app().event(grant(&operator(), desk.workspace), published.id.clone()).await;
    let read = read.expect("it is there");
    assert_eq!((read.data.as_str(), &read.event.id, read.event.deliveries), (data, &published.id, 0));
    let other = crate::house::workspace(2);
    let stranger = desk.app().event(grant(&operator(), other), published.id).await;
    assert_eq!(stranger.expect_err("it is another workspace's").code, Code::NotFound);
}
