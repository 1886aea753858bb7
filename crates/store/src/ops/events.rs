//! Events: accepted together with their deliveries, listed, read.
//!
//! Acceptance is shaped for many callers at once: one [`AcceptEvents`] holds several publish calls, each of which is
//! accepted whole or not at all. A supplied id is judged by its unique index, by inserting and then looking who won, so
//! that several nodes agree without asking each other.

use std::sync::Arc;

use keybell_core::{DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};

use crate::error::StoreError;
use crate::ops::deliveries::WAITING;
use crate::ops::look::Looked;
use crate::tx::{Arg, Isolation, Op, Query, Read, Row, Tx};
use crate::{bulks, statements};

statements! {
    BY_SUPPLIED_ID = "SELECT id, supplied_id, type, occurred_at, data, deliveries FROM events \
                      WHERE workspace_id = $1 AND supplied_id = $2";
    BY_KEY = "SELECT id, supplied_id, type, occurred_at, data, deliveries FROM events \
              WHERE workspace_id = $1 AND id = $2";
    LIST = "SELECT id, supplied_id, type, occurred_at, deliveries FROM events \
            WHERE workspace_id = $1 AND id < $2 AND id >= $3 AND (CAST($4 AS TEXT) IS NULL OR type = $4) \
            ORDER BY id DESC LIMIT $5";
    END_OF_LOOK = "SELECT id FROM events WHERE workspace_id = $1 AND id < $2 AND id >= $3 \
                   ORDER BY id DESC LIMIT 1 OFFSET $4";
}

bulks! {
    INSERT_EVENTS = InsertNew "events" [
        workspace_id: Bytes, id: Bytes, supplied_id: Text, type: Text, occurred_at: Int, data: Bytes, deliveries: Int,
    ];
    INSERT_DELIVERIES = Insert "pending_deliveries" [
        workspace_id: Bytes, id: Bytes, webhook_id: Bytes, event_id: Bytes, event_type: Text, attempts_made: Int,
        attempt_trigger: Text, next_attempt_at: Int, due_at: Int, leased_by: Text,
    ];
    DELETE_EVENTS = Delete "events" [workspace_id: Bytes, id: Bytes];
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Its key in the database.
    pub key: EventKey,
    /// The publisher's own id, where it gave one.
    pub supplied_id: Option<String>,
    /// Its type.
    pub event_type: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What it carries: JSON, as it was published.
    pub data: Vec<u8>,
}

/// A delivery that an accepted event begins.
#[derive(Clone, Copy, Debug)]
pub struct NewDelivery {
    /// Its id, of the same millisecond as its event's key.
    pub id: DeliveryId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Whether the node keeps it in memory; otherwise it waits on disk for room at its webhook.
    pub in_memory: bool,
}

/// An event to accept.
#[derive(Debug)]
pub struct NewEvent {
    /// The event. Shared, since its data is delivered from memory afterwards.
    pub record: Arc<EventRecord>,
    /// Whether the publisher said when it happened; only then a repetition has to say the same.
    pub occurred_at_given: bool,
    /// To whom it goes.
    pub deliveries: Vec<NewDelivery>,
}

/// The events of one publish call: accepted whole or not at all.
#[derive(Debug)]
pub struct NewCall {
    /// Its events, in the order of the answer.
    pub events: Vec<NewEvent>,
}

/// Accepts the events of several publish calls, with their deliveries.
#[derive(Debug)]
pub struct AcceptEvents {
    /// The calls. Shared with whoever hands the deliveries over after the commit.
    pub calls: Arc<Vec<NewCall>>,
    /// When they came: deliveries are due from now on.
    pub now: Timestamp,
    /// Until when deliveries in memory are this node's.
    pub lease_until: Timestamp,
    /// How this node signs the leases of what it has in memory.
    pub leased_by: String,
}

/// What became of one publish call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallAnswer {
    /// All its events are kept; one entry for each.
    Accepted(Vec<Acceptance>),
    /// Nothing of it was kept: the event at `index` bears the id of another one with other content.
    Conflict {
        /// Which event of the call.
        index: usize,
    },
}

/// What became of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// To how many webhooks it goes.
    pub deliveries: i64,
    /// Whether it had been accepted before, so that nothing was added now.
    pub replayed: bool,
}

impl Op for AcceptEvents {
    const NAME: &'static str = "events.accept";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = Vec<CallAnswer>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let all: Vec<&NewEvent> = self.calls.iter().flat_map(|call| &call.events).collect();
        let added = insert_events(tx, &all)?;
        if added == all.len() as u64 {
            self.insert_deliveries(tx, &all)?;
            return Ok(self.calls.iter().map(|call| accepted_new(&call.events)).collect());
        }
        // Some id was there already. That is rare, so each call is then judged by itself.
        delete_events(tx, &all)?;
        self.calls.iter().map(|call| self.judge(tx, call)).collect()
    }
}

impl AcceptEvents {
    fn judge(&self, tx: &mut dyn Tx, call: &NewCall) -> Result<CallAnswer, StoreError> {
        let all: Vec<&NewEvent> = call.events.iter().collect();
        insert_events(tx, &all)?;
        let mut answers = Vec::with_capacity(all.len());
        let mut added = Vec::with_capacity(all.len());
        for (index, event) in all.iter().enumerate() {
            let first = match &event.record.supplied_id {
                Some(supplied) => by_supplied_id(tx.as_read(), event.record.workspace, supplied)?
                    .ok_or(StoreError::Corrupt { what: "event of that id" })?,
                None => stored(event),
            };
            if first.record.key == event.record.key {
                added.push(*event);
                answers.push(Acceptance { deliveries: first.deliveries, replayed: false });
            } else if says_the_same(event, &first.record) {
                answers.push(Acceptance { deliveries: first.deliveries, replayed: true });
            } else {
                delete_events(tx, &all)?;
                return Ok(CallAnswer::Conflict { index });
            }
        }
        self.insert_deliveries(tx, &added)?;
        Ok(CallAnswer::Accepted(answers))
    }

    fn insert_deliveries(&self, tx: &mut dyn Tx, events: &[&NewEvent]) -> Result<(), StoreError> {
        let mut values = Vec::new();
        for event in events {
            for delivery in &event.deliveries {
                let (due_at, by) = if delivery.in_memory {
                    (self.lease_until, Arg::from(&self.leased_by))
                } else {
                    (WAITING, Arg::Null)
                };
                push_delivery(&mut values, event, delivery, self.now, due_at, by);
            }
        }
        tx.bulk(&INSERT_DELIVERIES, &values)?;
        Ok(())
    }
}

fn insert_events(tx: &mut dyn Tx, events: &[&NewEvent]) -> Result<u64, StoreError> {
    let mut values = Vec::with_capacity(events.len() * INSERT_EVENTS.columns.len());
    for event in events {
        let record = &event.record;
        values.extend_from_slice(&[
            (&record.workspace).into(),
            (&record.key).into(),
            record.supplied_id.as_ref().into(),
            (&record.event_type).into(),
            record.occurred_at.into(),
            (&record.data).into(),
            Arg::Int(count(event)),
        ]);
    }
    tx.bulk(&INSERT_EVENTS, &values)
}

/// Keeps events that Keybell publishes itself, in the transaction of what they tell of. Their ids are new, and their
/// deliveries wait on disk for whoever takes them first, due at `now`.
pub(super) fn insert_due(tx: &mut dyn Tx, events: &[NewEvent], now: Timestamp) -> Result<(), StoreError> {
    let all: Vec<&NewEvent> = events.iter().collect();
    insert_events(tx, &all)?;
    let mut values = Vec::new();
    for event in events {
        for delivery in &event.deliveries {
            push_delivery(&mut values, event, delivery, now, now, Arg::Null);
        }
    }
    tx.bulk(&INSERT_DELIVERIES, &values)?;
    Ok(())
}

/// The row of a delivery.
fn push_delivery<'a>(
    values: &mut Vec<Arg<'a>>,
    event: &'a NewEvent,
    delivery: &'a NewDelivery,
    now: Timestamp,
    due_at: Timestamp,
    leased_by: Arg<'a>,
) {
    values.extend_from_slice(&[
        (&event.record.workspace).into(),
        (&delivery.id).into(),
        (&delivery.webhook).into(),
        (&event.record.key).into(),
        (&event.record.event_type).into(),
        Arg::Int(0),
        "first".into(),
        now.into(),
        due_at.into(),
        leased_by,
    ]);
}

fn delete_events(tx: &mut dyn Tx, events: &[&NewEvent]) -> Result<(), StoreError> {
    let values: Vec<Arg<'_>> = events
        .iter()
        .flat_map(|event| [(&event.record.workspace).into(), (&event.record.key).into()])
        .collect();
    tx.bulk(&DELETE_EVENTS, &values)?;
    Ok(())
}

fn accepted_new(events: &[NewEvent]) -> CallAnswer {
    let answers = events.iter().map(|event| Acceptance { deliveries: count(event), replayed: false });
    CallAnswer::Accepted(answers.collect())
}

fn stored(event: &NewEvent) -> StoredEvent {
    StoredEvent { record: EventRecord::clone(&event.record), deliveries: count(event) }
}

fn count(event: &NewEvent) -> i64 {
    i64::try_from(event.deliveries.len()).unwrap_or(i64::MAX)
}

fn says_the_same(event: &NewEvent, first: &EventRecord) -> bool {
    let again = &event.record;
    again.event_type == first.event_type
        && again.data == first.data
        && (!event.occurred_at_given || again.occurred_at == first.occurred_at)
}

/// An event, and to how many webhooks it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// The event.
    pub record: EventRecord,
    /// To how many webhooks it went.
    pub deliveries: i64,
}

fn by_supplied_id(
    tx: &mut dyn Read,
    workspace: WorkspaceId,
    supplied: &str,
) -> Result<Option<StoredEvent>, StoreError> {
    tx.first(&BY_SUPPLIED_ID, &[(&workspace).into(), supplied.into()], |row| read_stored(workspace, row))
}

fn read_stored(workspace: WorkspaceId, row: &dyn Row) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        record: EventRecord {
            workspace,
            key: row.id(0)?,
            supplied_id: row.opt_text(1)?.map(str::to_owned),
            event_type: row.text(2)?.to_owned(),
            occurred_at: row.at(3)?,
            data: row.bytes(4)?.to_vec(),
        },
        deliveries: row.int(5)?,
    })
}

/// How an event is named from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventName {
    /// By its key.
    Key(EventKey),
    /// By the id that its publisher gave it.
    Supplied(String),
}

/// Reads one event, with its data.
#[derive(Debug)]
pub struct ReadEvent {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Which.
    pub name: EventName,
}

impl Query for ReadEvent {
    const NAME: &'static str = "events.read";
    type Out = Option<StoredEvent>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        match &self.name {
            EventName::Supplied(supplied) => by_supplied_id(tx, self.workspace, supplied),
            EventName::Key(key) => tx.first(&BY_KEY, &[(&self.workspace).into(), key.into()], |row| {
                read_stored(self.workspace, row)
            }),
        }
    }
}

/// An event without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSummary {
    /// Its key in the database.
    pub key: EventKey,
    /// The publisher's own id, where it gave one.
    pub supplied_id: Option<String>,
    /// Its type.
    pub event_type: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// To how many webhooks it went.
    pub deliveries: i64,
}

/// Events of a workspace, newest first.
#[derive(Debug)]
pub struct ListEvents {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Only events whose key is lower.
    pub below: EventKey,
    /// Only events whose key is not lower.
    pub from: EventKey,
    /// Only of this type.
    pub event_type: Option<String>,
    /// Most events to give.
    pub rows: i64,
    /// Most events to look at, at least 1, where only those of a type are wanted.
    pub looked_at_max: i64,
}

impl Query for ListEvents {
    const NAME: &'static str = "events.list";
    type Out = Looked<EventSummary, EventKey>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let [workspace, below, from] = [(&self.workspace).into(), (&self.below).into(), (&self.from).into()];
        let mut end: Option<EventKey> = None;
        if self.event_type.is_some() {
            let skipped = Arg::Int(self.looked_at_max.saturating_sub(1));
            end = tx.first(&END_OF_LOOK, &[workspace, below, from, skipped], |row| row.id(0))?;
        }
        let from = end.as_ref().map_or(from, Arg::from);
        let args = [workspace, below, from, self.event_type.as_ref().into(), self.rows.into()];
        let found = tx.all(&LIST, &args, |row| {
            Ok(EventSummary {
                key: row.id(0)?,
                supplied_id: row.opt_text(1)?.map(str::to_owned),
                event_type: row.text(2)?.to_owned(),
                occurred_at: row.at(3)?,
                deliveries: row.int(4)?,
            })
        })?;
        Ok(Looked::at_most(self.rows, found, end))
    }
}
