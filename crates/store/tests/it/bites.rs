//! What is deleted in bites: bounded by what its rows hold, in order, and along an index.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};
use keybell_store::Store;
use keybell_store::inspect::statements;
use keybell_store::ops::attempts::{After, AttemptRecord, Outcome, RecordAttempts};
use keybell_store::ops::events::{AcceptEvents, EventRecord, NewCall, NewDelivery, NewEvent};
use keybell_store::ops::retention::{Bite, DeleteAged, Table};

use crate::engine::{Engine, NOW, on_both_engines};
use crate::schema::connect_sqlite;

/// The most that an event's data may be, and that is kept of an answer.
const DATA_BYTES: usize = 256 * 1024;
const ANSWER_BYTES: usize = 16 * 1024;
/// Events, each with a delivery and an attempt: more than the heaviest bite takes.
const EVENTS: u8 = 20;
/// The heaviest bite that the engine takes.
const WEIGHT: i64 = 500;

const WORKSPACE: WorkspaceId = WorkspaceId::from_bytes([1; 16]);
const WEBHOOK: WebhookId = WebhookId::from_bytes([2; 16]);

on_both_engines! {
    a_bite_of_the_largest_rows_takes_few_of_them
    rows_go_oldest_first_and_only_up_to_the_instant
    an_event_stays_while_a_delivery_of_its_time_is_there
}

fn at(number: u8) -> Timestamp {
    NOW + Duration::from_secs(u64::from(number))
}

fn event_key(number: u8) -> EventKey {
    EventKey::first_of(at(number))
}

fn delivery(number: u8) -> DeliveryId {
    DeliveryId::first_of(at(number))
}

/// Events of the largest kind, one a second.
async fn accept(store: &Store) {
    let events = (0..EVENTS).map(|number| NewEvent {
        record: Arc::new(EventRecord {
            workspace: WORKSPACE,
            key: event_key(number),
            supplied_id: None,
            event_type: "type".to_owned(),
            occurred_at: at(number),
            data: vec![b'x'; DATA_BYTES],
        }),
        occurred_at_given: false,
        deliveries: vec![NewDelivery { id: delivery(number), webhook: WEBHOOK, in_memory: false }],
    });
    let accepted = AcceptEvents {
        calls: Arc::new(vec![NewCall { events: events.collect() }]),
        now: NOW,
        lease_until: NOW,
        leased_by: "node".to_owned(),
    };
    store.write(accepted).await.expect("they are new");
}

/// Their attempts, of the largest kind. All deliveries are over then.
async fn finish(store: &Store) {
    let outcomes = (0..EVENTS).map(|number| Outcome {
        workspace: WORKSPACE,
        delivery: delivery(number),
        webhook: WEBHOOK,
        event: event_key(number),
        event_type: "type".to_owned(),
        attempt: AttemptRecord {
            number: 1,
            trigger: "first".to_owned(),
            started_at: at(number),
            duration_us: 1,
            dns_us: None,
            connect_us: None,
            tls_us: None,
            first_byte_us: None,
            url: "https://example.com/".to_owned(),
            content_type: "application/json".to_owned(),
            request_headers: "[]".to_owned(),
            response_status: Some(200),
            response_headers: Some("[]".to_owned()),
            response_body: Some(vec![b'x'; ANSWER_BYTES]),
            response_truncated: false,
            error_code: None,
            error: None,
        },
        after: After::Finished { status: "succeeded", at: at(number) },
    });
    let record = RecordAttempts { outcomes: Arc::new(outcomes.collect()), health: Arc::default() };
    store.write(record).await.expect("they are pending");
}

async fn bite(store: &Store, table: Table, before: Option<Timestamp>, weight_max: i64) -> Bite {
    let bite = DeleteAged { workspace: WORKSPACE, table, before, weight_max };
    store.write(bite).await.expect("rows can be deleted")
}

async fn a_bite_of_the_largest_rows_takes_few_of_them(engine: Engine) {
    let store = engine.open();
    accept(&store).await;
    finish(&store).await;
    // An attempt weighs 3: itself, and two pages of answer. All twenty are far from a bite's limit.
    let attempts = bite(&store, Table::Attempts, None, WEIGHT).await;
    assert_eq!(attempts, Bite { rows: 20, weight: 60, more: false });
    assert_eq!(bite(&store, Table::PendingDeliveries, None, WEIGHT).await, Bite::default());
    assert_eq!(bite(&store, Table::FinishedDeliveries, None, WEIGHT).await.rows, 20);
    // An event weighs 33, so that fifteen are a bite: 3.75 MiB, in 495 pages.
    let events = bite(&store, Table::Events, None, WEIGHT).await;
    assert_eq!(events, Bite { rows: 15, weight: 495, more: true });
    assert_eq!(bite(&store, Table::Events, None, 1).await, Bite { rows: 1, weight: 33, more: true });
    assert_eq!(bite(&store, Table::Events, None, WEIGHT).await, Bite { rows: 4, weight: 132, more: false });
    let spent = store.spent();
    let (_, runs) = spent.iter().find(|(name, _)| *name == "retention.delete_aged").expect("it was run");
    assert_eq!(runs.runs, 6);
    assert!(runs.longest <= runs.time && !runs.longest.is_zero());
}

async fn rows_go_oldest_first_and_only_up_to_the_instant(engine: Engine) {
    let store = engine.open();
    accept(&store).await;
    finish(&store).await;
    let before = Some(at(5));
    let filled = || Table::BY_AGE.into_iter().filter(|table| *table != Table::PendingDeliveries);
    for table in filled() {
        let first = bite(&store, table, before, 1).await;
        assert_eq!((first.rows, first.more), (1, true), "{table:?}");
        let rest = bite(&store, table, before, WEIGHT).await;
        assert_eq!((rest.rows, rest.more), (4, false), "{table:?}");
        assert_eq!(bite(&store, table, before, WEIGHT).await, Bite::default(), "{table:?}");
    }
    for table in filled() {
        assert_eq!(bite(&store, table, None, 10_000).await.rows, 15, "{table:?}");
    }
}

async fn an_event_stays_while_a_delivery_of_its_time_is_there(engine: Engine) {
    let store = engine.open();
    accept(&store).await;
    assert_eq!(bite(&store, Table::Events, Some(at(5)), WEIGHT).await, Bite::default());
    assert_eq!(bite(&store, Table::PendingDeliveries, Some(at(5)), WEIGHT).await.rows, 5);
    assert_eq!(bite(&store, Table::Events, Some(at(5)), WEIGHT).await.rows, 5);
    assert_eq!(bite(&store, Table::Events, Some(at(6)), WEIGHT).await, Bite::default());
}

/// A statement that looked at every row to find the old ones would hold the writer for as long as the table is long.
#[tokio::test]
async fn every_bite_is_found_along_an_index_on_sqlite() {
    let engine = Engine::sqlite();
    engine.open().close().await;
    let connection = connect_sqlite(&engine);
    let mut looked_at = 0;
    for statement in statements().iter().filter(|one| one.name.starts_with("keybell_store::ops::retention")) {
        if statement.bulk_columns.is_some() {
            continue;
        }
        let mut plan =
            connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sqlite)).expect("a plan");
        for place in 1..=plan.parameter_count() {
            plan.raw_bind_parameter(place, 1).expect("every place can be bound");
        }
        let mut rows = plan.raw_query();
        while let Some(row) = rows.next().expect("a row") {
            let step: String = row.get(3).expect("its text");
            // The lists of owners and of parts are made by stepping, and are short.
            let of_owners = statement.name.contains("::OWNERS_") && !step.contains("USING");
            let lists = ["SCAN each", "SCAN parts", "SCAN CONSTANT ROW", "USE TEMP B-TREE FOR ORDER BY"];
            let of_parts = statement.name.contains("::PART_WITH_") && lists.contains(&&*step);
            let of_list = of_owners || of_parts;
            let along_an_index = !step.starts_with("SCAN") && !step.contains("TEMP B-TREE");
            assert!(along_an_index || of_list, "{}: {step}", statement.name);
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "{looked_at} steps");
}
