//! The delivery log of the workspace: events, two deliveries of each, and the attempts of the newest.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{DeliveryId, EventKey, Timestamp};
use keybell_store::ops::deliveries::PARKED;
use keybell_store::{Store, StoreError, bulks};
use keybell_testkit::random::SeededRandomness;

use super::fill::{Ids, Place, Rows, Value};

/// How long back the log goes.
const SPAN: Duration = Duration::from_hours(20 * 24);
/// Events that are written together.
const AT_ONCE: usize = 5_000;
/// Deliveries of an event.
const EACH: usize = 2;
/// One of so many of the newest deliveries has its attempts.
const WITH_ATTEMPTS: usize = 5;
/// One of so many failed.
const FAILED: usize = 50;
/// Deliveries to webhooks that are off, the newest.
const PENDING: usize = 2_000;
/// Of these there are a few, among the oldest, which is what is worst for whoever looks for them.
const RARE: usize = 20;
/// What an event carries, bytes.
const DATA_BYTES: usize = 512;

bulks! {
    EVENTS = Insert "events" [
        workspace_id: Bytes, id: Bytes, supplied_id: Text, type: Text, occurred_at: Int, data: Bytes, deliveries: Int,
    ];
    FINISHED = Insert "finished_deliveries" [
        workspace_id: Bytes, id: Bytes, webhook_id: Bytes, event_id: Bytes, event_type: Text, status: Text,
        attempts_made: Int, last_response_status: Int, completed_at: Int,
    ];
    WAITING = Insert "pending_deliveries" [
        workspace_id: Bytes, id: Bytes, webhook_id: Bytes, event_id: Bytes, event_type: Text, attempts_made: Int,
        attempt_trigger: Text, next_attempt_at: Int, due_at: Int, leased_by: Text,
    ];
    ATTEMPTS = Insert "attempts" [
        workspace_id: Bytes, delivery_id: Bytes, number: Int, attempt_trigger: Text, started_at: Int, duration_us: Int,
        dns_us: Int, connect_us: Int, tls_us: Int, first_byte_us: Int, url: Text, content_type: Text,
        request_headers: Text, response_status: Int, response_headers: Text, response_body: Bytes,
        response_truncated: Int, error_code: Text, error: Text,
    ];
}

/// What the pages are asked for by.
pub(super) struct Log {
    /// Events and deliveries, oldest first.
    pub(super) ids: Arc<Ids>,
}

impl Log {
    /// A delivery that failed, with its attempts.
    pub(super) fn failed(&self) -> DeliveryId {
        let last = (self.ids.len() - PENDING) / FAILED * FAILED;
        self.ids[last.next_multiple_of(FAILED) - FAILED].1
    }
}

fn is_failed(number: usize) -> bool {
    number.is_multiple_of(FAILED)
}

/// The type of an event: a few are frequent, and the last is only among the oldest.
fn kind(place: &[String], event: usize) -> String {
    let last = place.len() - 1;
    let number = if event < RARE { last } else { (event * 7 % 100) * (event % 3) % last };
    place[number].clone()
}

/// Writes it.
pub(super) async fn fill(store: &Store, place: &Place) -> Result<Log, StoreError> {
    let (events, randomness) = (place.deliveries / EACH, SeededRandomness::new(11));
    let apart = SPAN / u32::try_from(events).expect("there are fewer than 2^32");
    let mut ids = Ids::with_capacity(events * EACH);
    for event in 0..events {
        let at = place.now.before(apart * u32::try_from(events - event).expect("there are fewer than 2^32"));
        let key = EventKey::new(at, &randomness);
        let mut of_event: Vec<_> = (0..EACH).map(|_| DeliveryId::new(at, &randomness)).collect();
        of_event.sort_unstable();
        ids.extend(of_event.into_iter().map(|id| (key, id)));
    }
    let ids = Arc::new(ids);
    let shared = Arc::new(Shared::of(place, Arc::clone(&ids)));
    for first in (0..events).step_by(AT_ONCE) {
        let events = AT_ONCE.min(events - first);
        let of = Arc::clone(&shared);
        store.write(Rows { bulk: &EVENTS, many: events, make: move |row| of.event(first + row) }).await?;
        let (from, to) = (first * EACH, (first + events) * EACH);
        let pending_from = to.min(from.max(ids.len() - PENDING));
        let of = Arc::clone(&shared);
        let finished = move |row| of.finished(from + row);
        store.write(Rows { bulk: &FINISHED, many: pending_from - from, make: finished }).await?;
        let of = Arc::clone(&shared);
        let pending = move |row| of.pending(pending_from + row);
        store.write(Rows { bulk: &WAITING, many: to - pending_from, make: pending }).await?;
        if from >= ids.len() - ids.len() / WITH_ATTEMPTS {
            let of = Arc::clone(&shared);
            let attempt = move |row| of.attempt(from + row);
            store.write(Rows { bulk: &ATTEMPTS, many: pending_from - from, make: attempt }).await?;
        }
    }
    Ok(Log { ids })
}

/// What every row is made of.
struct Shared {
    workspace: Vec<u8>,
    /// Those that are on; one in five deliveries goes to the first, none to the last.
    webhooks: Vec<Vec<u8>>,
    disabled: Vec<Vec<u8>>,
    event_types: Vec<String>,
    ids: Arc<Ids>,
    data: Vec<u8>,
}

impl Shared {
    fn of(place: &Place, ids: Arc<Ids>) -> Shared {
        let bytes: Vec<_> = place.webhooks.iter().map(|id| id.as_bytes().to_vec()).collect();
        let (on, off) = bytes.split_at(bytes.len() - place.disabled);
        let text = "a".repeat(DATA_BYTES - 12);
        Shared {
            workspace: place.workspace.as_bytes().to_vec(),
            webhooks: on.to_vec(),
            disabled: off.to_vec(),
            event_types: place.event_types.clone(),
            ids,
            data: format!("{{\"text\":\"{text}\"}}").into_bytes(),
        }
    }

    fn event(&self, number: usize) -> Vec<Value> {
        let key = self.ids[number * EACH].0;
        vec![
            Value::Bytes(self.workspace.clone()),
            Value::Bytes(key.as_bytes().to_vec()),
            Value::Null,
            Value::Text(kind(&self.event_types, number)),
            Value::Int(key.made_at().micros()),
            Value::Bytes(self.data.clone()),
            Value::Int(i64::try_from(EACH).expect("it is small")),
        ]
    }

    /// Workspace, id, webhook, event and type, as both tables of deliveries begin.
    fn delivery(&self, number: usize, webhook: &[u8]) -> Vec<Value> {
        let (event, id) = &self.ids[number];
        vec![
            Value::Bytes(self.workspace.clone()),
            Value::Bytes(id.as_bytes().to_vec()),
            Value::Bytes(webhook.to_vec()),
            Value::Bytes(event.as_bytes().to_vec()),
            Value::Text(kind(&self.event_types, number / EACH)),
        ]
    }

    fn made_at(&self, number: usize) -> Timestamp {
        self.ids[number].1.made_at()
    }

    fn finished(&self, number: usize) -> Vec<Value> {
        let busy = number.is_multiple_of(5);
        let webhook = if busy { 0 } else { number % (self.webhooks.len() - 1) };
        let (status, attempts, answer) = match number {
            number if number < RARE => ("canceled", 0, Value::Int(302)),
            number if is_failed(number) && number.is_multiple_of(3) => ("failed", 1, Value::Null),
            number if is_failed(number) => ("failed", 1, Value::Int(500)),
            _ => ("succeeded", 1, Value::Int(200)),
        };
        let mut row = self.delivery(number, &self.webhooks[webhook]);
        let completed = self.made_at(number) + Duration::from_millis(80);
        row.extend([
            Value::Text(status.to_owned()),
            Value::Int(attempts),
            answer,
            Value::Int(completed.micros()),
        ]);
        row
    }

    fn pending(&self, number: usize) -> Vec<Value> {
        let mut row = self.delivery(number, &self.disabled[number % self.disabled.len()]);
        let at = Value::Int(self.made_at(number).micros());
        row.extend([
            Value::Int(0),
            Value::Text("first".to_owned()),
            at,
            Value::Int(PARKED.micros()),
            Value::Null,
        ]);
        row
    }

    fn attempt(&self, number: usize) -> Vec<Value> {
        let text = |text: &str| Value::Text(text.to_owned());
        let failed = is_failed(number);
        vec![
            Value::Bytes(self.workspace.clone()),
            Value::Bytes(self.ids[number].1.as_bytes().to_vec()),
            Value::Int(1),
            text("first"),
            Value::Int(self.made_at(number).micros()),
            Value::Int(80_000),
            Value::Int(900),
            Value::Int(11_000),
            Value::Int(22_000),
            Value::Int(70_000),
            text("https://example.com/hooks"),
            text("application/json"),
            text(
                r#"[{"name":"webhook-id","value":"msg"},{"name":"webhook-signature","value":"v1,c2lnbmF0dXJl"}]"#,
            ),
            Value::Int(if failed { 500 } else { 200 }),
            text(r#"[{"name":"content-type","value":"text/plain"}]"#),
            Value::Bytes(if failed { b"it is broken".to_vec() } else { b"ok".to_vec() }),
            Value::Int(0),
            if failed { text("status") } else { Value::Null },
            if failed { text("The endpoint answered 500.") } else { Value::Null },
        ]
    }
}
