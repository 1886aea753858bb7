//! Looks at the log that are bounded by what they go through, and not by what they find.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};
use keybell_store::Store;
use keybell_store::ops::attempts::{After, AttemptRecord, Outcome, RecordAttempts};
use keybell_store::ops::delivery_log::{LastAnswer, ListDeliveries};
use keybell_store::ops::events::{AcceptEvents, EventRecord, ListEvents, NewCall, NewDelivery, NewEvent};

use crate::engine::{Engine, NOW, on_both_engines};

const WORKSPACE: WorkspaceId = WorkspaceId::from_bytes([1; 16]);
const WEBHOOKS: [WebhookId; 2] = [WebhookId::from_bytes([2; 16]), WebhookId::from_bytes([3; 16])];
/// Events, each with a delivery. One in five is still pending, one in five failed, and one in ten is of a rare type.
const EVENTS: u8 = 40;
/// So many rows a look.
const LOOKED_AT_MAX: i64 = 4;

on_both_engines! {
    looks_that_go_on_where_the_last_one_ended_find_what_one_long_look_finds
    a_look_without_a_filter_or_at_one_event_has_no_end_of_its_own
    a_look_at_events_of_a_type_goes_on_where_the_last_one_ended
}

fn at(number: u8) -> Timestamp {
    NOW + Duration::from_secs(u64::from(number))
}

fn kind(number: u8) -> &'static str {
    if number.is_multiple_of(10) { "rare" } else { "frequent" }
}

async fn filled(engine: &Engine) -> Store {
    let store = engine.open();
    let events = (0..EVENTS).map(|number| NewEvent {
        record: Arc::new(EventRecord {
            workspace: WORKSPACE,
            key: EventKey::first_of(at(number)),
            supplied_id: None,
            event_type: kind(number).to_owned(),
            occurred_at: at(number),
            data: b"{}".to_vec(),
        }),
        occurred_at_given: false,
        deliveries: vec![NewDelivery {
            id: DeliveryId::first_of(at(number)),
            webhook: WEBHOOKS[usize::from(number % 2)],
            in_memory: false,
        }],
    });
    let calls = Arc::new(vec![NewCall { events: events.collect() }]);
    let accept = AcceptEvents { calls, now: NOW, lease_until: NOW, leased_by: "node".to_owned() };
    store.write(accept).await.expect("they are new");
    let outcomes = (0..EVENTS).filter(|number| number % 5 != 4).map(outcome);
    let record = RecordAttempts { outcomes: Arc::new(outcomes.collect()), health: Arc::default() };
    store.write(record).await.expect("they are pending");
    store
}

fn outcome(number: u8) -> Outcome {
    let failed = number.is_multiple_of(5);
    Outcome {
        workspace: WORKSPACE,
        delivery: DeliveryId::first_of(at(number)),
        webhook: WEBHOOKS[usize::from(number % 2)],
        event: EventKey::first_of(at(number)),
        event_type: kind(number).to_owned(),
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
            response_status: Some(if failed { 500 } else { 200 }),
            response_headers: None,
            response_body: None,
            response_truncated: false,
            error_code: None,
            error: None,
        },
        after: After::Finished { status: if failed { "failed" } else { "succeeded" }, at: at(number) },
    }
}

fn everything() -> ListDeliveries {
    ListDeliveries {
        workspace: WORKSPACE,
        below: DeliveryId::from_bytes([0xff; 16]),
        from: DeliveryId::from_bytes([0; 16]),
        webhook: None,
        event: None,
        event_type: None,
        status: None,
        last_answer: None,
        rows: i64::from(EVENTS),
        looked_at_max: LOOKED_AT_MAX,
    }
}

async fn looks_that_go_on_where_the_last_one_ended_find_what_one_long_look_finds(engine: Engine) {
    let store = filled(&engine).await;
    let status = |status: &str| Some(status.to_owned());
    let rare = || Some("rare".to_owned());
    let filters: [(usize, ListDeliveries); 8] = [
        (8, ListDeliveries { status: status("pending"), ..everything() }),
        (8, ListDeliveries { status: status("failed"), ..everything() }),
        (24, ListDeliveries { status: status("succeeded"), ..everything() }),
        (0, ListDeliveries { status: status("canceled"), ..everything() }),
        (8, ListDeliveries { last_answer: Some(LastAnswer::Class(5)), ..everything() }),
        (8, ListDeliveries { last_answer: Some(LastAnswer::None), ..everything() }),
        (4, ListDeliveries { event_type: rare(), ..everything() }),
        (4, ListDeliveries { event_type: rare(), webhook: Some(WEBHOOKS[0]), ..everything() }),
    ];
    for (expected, filter) in filters {
        let (mut below, mut found, mut looks) = (filter.below, Vec::new(), 0);
        loop {
            let look = ListDeliveries {
                below,
                webhook: filter.webhook,
                event_type: filter.event_type.clone(),
                status: filter.status.clone(),
                last_answer: filter.last_answer,
                ..everything()
            };
            let looked = store.read(look).await.expect("they can be read");
            looks += 1;
            found.extend(looked.found);
            let Some(to) = looked.to else { break };
            assert!(to < below, "it goes on");
            below = to;
        }
        assert_eq!(found.len(), expected, "{filter:?}");
        assert!(found.is_sorted_by(|newer, older| newer.id > older.id), "{filter:?}");
        assert!(looks <= 1 + usize::from(EVENTS) / 4 + 2, "{filter:?}: {looks} looks");
        let whole = ListDeliveries { looked_at_max: 1_000, ..filter };
        let looked = store.read(whole).await.expect("they can be read");
        assert_eq!((looked.found, looked.to), (found, None));
    }
}

async fn a_look_without_a_filter_or_at_one_event_has_no_end_of_its_own(engine: Engine) {
    let store = filled(&engine).await;
    let all = store.read(everything()).await.expect("they can be read");
    assert_eq!((all.found.len(), all.to), (usize::from(EVENTS), None));
    let event = Some(EventKey::first_of(at(0)));
    let of_event = ListDeliveries { event, status: Some("failed".to_owned()), ..everything() };
    let found = store.read(of_event).await.expect("they can be read");
    assert_eq!((found.found.len(), found.to), (1, None));
    // A page that is full says by its last delivery where the next one begins.
    let full = ListDeliveries { status: Some("failed".to_owned()), rows: 1, ..everything() };
    let full = store.read(full).await.expect("they can be read");
    assert_eq!((full.found.len(), full.to), (1, None));
}

async fn a_look_at_events_of_a_type_goes_on_where_the_last_one_ended(engine: Engine) {
    let store = filled(&engine).await;
    let (mut below, mut found) = (EventKey::from_bytes([0xff; 16]), Vec::new());
    loop {
        let looked = store
            .read(ListEvents {
                workspace: WORKSPACE,
                below,
                from: EventKey::from_bytes([0; 16]),
                event_type: Some("rare".to_owned()),
                rows: i64::from(EVENTS),
                looked_at_max: LOOKED_AT_MAX,
            })
            .await
            .expect("they can be read");
        found.extend(looked.found.into_iter().map(|event| event.key));
        let Some(to) = looked.to else { break };
        below = to;
    }
    assert_eq!(found, [30, 20, 10, 0].map(|number| EventKey::first_of(at(number))));
}
