//! Outcomes that are written twice, since the answer to their commit was lost, or late, since another node went on.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::grant::Origin;
use keybell_core::{DeliveryId, EventKey, Timestamp};
use keybell_store::Store;
use keybell_store::ops::attempts::{After, AttemptRecord, Outcome, RecordAttempts};
use keybell_store::ops::delivery_log::{DeliveryState, DeliveryWithAttempts, ReadDelivery};
use keybell_store::ops::events::{AcceptEvents, EventRecord, NewCall, NewDelivery, NewEvent};
use keybell_store::ops::resend::{ResendDelivery, Resent};

use crate::engine::{Engine, NOW, on_both_engines};
use crate::furniture::{URL, WEBHOOK, WORKSPACE, fact, furnished, nobody};

on_both_engines! {
    an_outcome_that_is_written_again_undoes_nothing_of_what_came_later
    an_outcome_of_a_deleted_event_brings_nothing_back
}

const EVENT: EventKey = EventKey::from_bytes([3; 16]);
const DELIVERY: DeliveryId = DeliveryId::from_bytes([4; 16]);
const LATER: Duration = Duration::from_mins(1);

async fn accept(store: &Store) {
    let record = EventRecord {
        workspace: WORKSPACE,
        key: EVENT,
        supplied_id: None,
        event_type: "type".to_owned(),
        occurred_at: NOW,
        data: b"{}".to_vec(),
    };
    let deliveries = vec![NewDelivery { id: DELIVERY, webhook: WEBHOOK, in_memory: true }];
    let events = vec![NewEvent { record: Arc::new(record), occurred_at_given: false, deliveries }];
    let calls = Arc::new(vec![NewCall { events }]);
    let accept = AcceptEvents { calls, now: NOW, lease_until: NOW + LATER, leased_by: "node".to_owned() };
    store.write(accept).await.expect("it is new");
}

fn outcome(number: i64, after: After) -> Outcome {
    Outcome {
        workspace: WORKSPACE,
        delivery: DELIVERY,
        webhook: WEBHOOK,
        event: EVENT,
        event_type: "type".to_owned(),
        attempt: AttemptRecord {
            number,
            trigger: "first".to_owned(),
            started_at: NOW,
            duration_us: 1,
            dns_us: None,
            connect_us: None,
            tls_us: None,
            first_byte_us: None,
            url: URL.to_owned(),
            content_type: "application/json".to_owned(),
            request_headers: "[]".to_owned(),
            response_status: Some(503),
            response_headers: None,
            response_body: None,
            response_truncated: false,
            error_code: None,
            error: None,
        },
        after,
    }
}

async fn record(store: &Store, outcome: &Outcome) {
    let op = RecordAttempts { outcomes: Arc::new(vec![outcome.clone()]), health: Arc::default() };
    store.write(op).await.expect("it can be recorded");
}

async fn seen(store: &Store) -> Option<DeliveryWithAttempts> {
    store.read(ReadDelivery { workspace: WORKSPACE, id: DELIVERY }).await.expect("it can be read")
}

/// When the next attempt is due, how many attempts are said to have been made, and how many are kept.
async fn pending(store: &Store) -> (Timestamp, i64, usize) {
    let seen = seen(store).await.expect("it is there");
    let DeliveryState::Pending { next_attempt_at, .. } = seen.delivery.state else {
        panic!("it is over: {:?}", seen.delivery.state)
    };
    (next_attempt_at, seen.delivery.attempts_made, seen.attempts.len())
}

async fn resend(store: &Store, now: Timestamp) {
    let resend = ResendDelivery {
        workspace: WORKSPACE,
        id: DELIVERY,
        now,
        only_made_by: None,
        by: nobody(),
        origin: Origin::default(),
        fact: fact(9),
    };
    assert_eq!(store.write(resend).await.expect("it can be asked for"), Resent::Done);
}

async fn an_outcome_that_is_written_again_undoes_nothing_of_what_came_later(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    accept(&store).await;
    let first = outcome(1, After::Retry { at: NOW + LATER });
    record(&store, &first).await;
    assert_eq!(pending(&store).await, (NOW + LATER, 1, 1));
    record(&store, &first).await;
    assert_eq!(pending(&store).await, (NOW + LATER, 1, 1));

    let second = outcome(2, After::Retry { at: NOW + 2 * LATER });
    record(&store, &second).await;
    record(&store, &first).await;
    assert_eq!(pending(&store).await, (NOW + 2 * LATER, 2, 2), "the first one is not taken for the last");

    let third = outcome(3, After::Finished { status: "failed", at: NOW + 2 * LATER });
    record(&store, &third).await;
    let over = seen(&store).await.expect("it is there");
    let failed = DeliveryState::Finished { status: "failed".to_owned(), completed_at: NOW + 2 * LATER };
    assert_eq!((&over.delivery.state, over.attempts.len()), (&failed, 3));

    resend(&store, NOW + 3 * LATER).await;
    record(&store, &third).await;
    assert_eq!(pending(&store).await, (NOW + 3 * LATER, 3, 3), "what was asked for by hand is still to come");

    record(&store, &outcome(4, After::Finished { status: "failed", at: NOW + 4 * LATER })).await;
    let over = seen(&store).await.expect("it is there");
    assert_eq!((over.delivery.attempts_made, over.attempts.len()), (4, 4));
}

async fn an_outcome_of_a_deleted_event_brings_nothing_back(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    record(&store, &outcome(1, After::Finished { status: "failed", at: NOW })).await;
    assert!(seen(&store).await.is_none());
}
