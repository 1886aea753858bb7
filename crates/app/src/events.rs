//! Events: publish, list, read.

use std::sync::Arc;

use keybell_core::event::{EventId, TypeName, check_data};
use keybell_core::grant::{PublishEvents, ReadDeliveries, ReadPayloads};
use keybell_core::{Code, DeliveryId, EventKey, Grant, Problem, Timestamp, WorkspaceId};
use keybell_store::ops::events::{
    EventName, EventRecord, EventSummary as Summary, ListEvents, NewCall, NewDelivery, NewEvent as ToKeep,
    ReadEvent, StoredEvent,
};
use serde_json::value::RawValue;

use crate::event_types::refuse_reserved;
use crate::problems::of_store;
use crate::{App, Listing, Page};

/// An event to publish.
#[derive(Debug)]
pub struct NewEvent {
    /// Its type, of the catalogue.
    pub event_type: String,
    /// What it carries; delivered as it is.
    pub data: Box<RawValue>,
    /// The publisher's own id: the same id again is answered as the first time.
    pub id: Option<String>,
    /// When it happened; now, where that is not said.
    pub occurred_at: Option<Timestamp>,
}

/// An event that is kept and on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its id: the publisher's own where it gave one.
    pub id: EventId,
    /// Its type.
    pub event_type: String,
    /// To how many webhooks it goes.
    pub deliveries: u32,
    /// Whether it had been published before, so that nothing was added now.
    pub replayed: bool,
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only of this type.
    pub event_type: Option<String>,
    /// Only accepted at this time or later, to the millisecond.
    pub from: Option<Timestamp>,
    /// Only accepted before this time, to the millisecond.
    pub until: Option<Timestamp>,
}

/// An event without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSummary {
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub event_type: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was accepted, to the millisecond.
    pub created_at: Timestamp,
    /// To how many webhooks it went.
    pub deliveries: u32,
}

/// An event with its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventWithData {
    /// The event.
    pub event: EventSummary,
    /// What it carries: JSON, as it was published.
    pub data: String,
}

impl App {
    /// Publishes events, all or none; the answer comes when they and their deliveries are on disk. A dropped future takes
    /// nothing back.
    ///
    /// An id that was published before is answered as the first time, and is [`Code::Conflict`] with other content. While
    /// more waits to be written than is bearable it is [`Code::Unavailable`], with a time to come again.
    pub async fn publish(
        &self,
        events: Vec<(Grant<PublishEvents>, NewEvent)>,
    ) -> Result<Vec<Published>, Problem> {
        let alone = events.len() == 1;
        let mut checked = Vec::with_capacity(events.len());
        for (index, (grant, event)) in events.into_iter().enumerate() {
            let place = if alone { String::new() } else { format!("events[{index}].") };
            checked.push(self.checked(&grant, event, &place).await?);
        }
        let now = self.now();
        let events: Vec<ToKeep> = checked.into_iter().map(|event| self.to_keep(event, now)).collect();
        let told: Vec<(EventId, String)> = events.iter().map(|event| named(&event.record)).collect();
        let acceptances = self.engine().accept(NewCall { events }).await?;
        let published = told.into_iter().zip(acceptances).map(|((id, event_type), accepted)| Published {
            id,
            event_type,
            deliveries: count(accepted.deliveries),
            replayed: accepted.replayed,
        });
        Ok(published.collect())
    }

    async fn checked(
        &self,
        grant: &Grant<PublishEvents>,
        event: NewEvent,
        place: &str,
    ) -> Result<Checked, Problem> {
        let bad_type = |error| Problem::field(format!("{place}type"), "invalid", format!("{error}"));
        let name = TypeName::parse(&event.event_type).map_err(bad_type)?;
        refuse_reserved(format!("{place}type"), name.as_str())?;
        let data: Box<str> = event.data.into();
        check_data(data.as_bytes()).map_err(|bad| at(place, bad.into()))?;
        if self.settings().event_types_on_the_fly {
            self.declare_on_the_fly(grant.by(), grant.origin(), &name).await?;
        }
        let known = self.catalogue().event_type(name.as_str()).ok_or_else(|| {
            let detail =
                format!("The catalogue has no event type {name}. Declare it with POST /v1/event-types.");
            Problem::new(Code::UnknownEventType, detail)
        })?;
        known.check_data(&data).map_err(|problem| at(place, problem))?;
        let bad_id = |error| Problem::field(format!("{place}id"), "invalid", format!("{error}"));
        let supplied = event.id.as_deref().map(EventId::supplied).transpose().map_err(bad_id)?;
        Ok(Checked {
            workspace: grant.workspace(),
            event_type: event.event_type,
            data: String::from(data).into_bytes(),
            supplied_id: supplied.map(|id| id.to_string()),
            occurred_at: event.occurred_at,
        })
    }

    /// The event with its key and its deliveries, which share its millisecond: so they are found by a range of keys.
    fn to_keep(&self, event: Checked, now: Timestamp) -> ToKeep {
        let webhooks = self.registry().matching(event.workspace, &event.event_type);
        let deliveries = webhooks.iter().map(|webhook| NewDelivery {
            id: DeliveryId::new(now, self.randomness()),
            webhook: webhook.id,
            in_memory: false,
        });
        ToKeep {
            deliveries: deliveries.collect(),
            occurred_at_given: event.occurred_at.is_some(),
            record: Arc::new(EventRecord {
                workspace: event.workspace,
                key: EventKey::new(now, self.randomness()),
                supplied_id: event.supplied_id,
                event_type: event.event_type,
                occurred_at: event.occurred_at.unwrap_or(now),
                data: event.data,
            }),
        }
    }

    /// Events of a workspace, newest first.
    pub async fn list_events(
        &self,
        grant: Grant<ReadDeliveries>,
        filter: EventFilter,
        page: Page,
    ) -> Result<Listing<EventSummary>, Problem> {
        let last = EventKey::from_bytes([0xff; 16]);
        let until = filter.until.map_or(last, EventKey::first_of);
        let query = ListEvents {
            workspace: grant.workspace(),
            below: page.after(EventKey::parse)?.map_or(until, |after| after.min(until)),
            from: filter.from.map_or(EventKey::from_bytes([0; 16]), EventKey::first_of),
            event_type: filter.event_type,
            rows: page.rows(),
        };
        let found = self.store().read(query).await.map_err(of_store)?;
        let page = page.listing(found, |summary: &Summary| summary.key.to_string());
        let data = page.data.into_iter().map(summary).collect();
        Ok(Listing { data, next_cursor: page.next_cursor })
    }

    /// One event with its data.
    pub async fn event(&self, grant: Grant<ReadPayloads>, id: EventId) -> Result<EventWithData, Problem> {
        let found = self.find_event(grant.workspace(), &id).await?;
        let StoredEvent { record, deliveries } = found.ok_or(Code::NotFound)?;
        let data = String::from_utf8(record.data).map_err(Problem::internal)?;
        let event = summary(Summary {
            key: record.key,
            supplied_id: record.supplied_id,
            event_type: record.event_type,
            occurred_at: record.occurred_at,
            deliveries,
        });
        Ok(EventWithData { event, data })
    }

    /// The event of that id, ours or supplied.
    pub(crate) async fn find_event(
        &self,
        workspace: WorkspaceId,
        id: &EventId,
    ) -> Result<Option<StoredEvent>, Problem> {
        let name = id.key().map_or_else(|| EventName::Supplied(id.to_string()), EventName::Key);
        self.store().read(ReadEvent { workspace, name }).await.map_err(of_store)
    }
}

/// An event that may be published.
struct Checked {
    workspace: WorkspaceId,
    event_type: String,
    data: Vec<u8>,
    supplied_id: Option<String>,
    occurred_at: Option<Timestamp>,
}

fn named(record: &EventRecord) -> (EventId, String) {
    (event_id(record.key, record.supplied_id.as_deref()), record.event_type.clone())
}

/// An event's id as the outside sees it.
pub(crate) fn event_id(key: EventKey, supplied: Option<&str>) -> EventId {
    // What was supplied was checked before it was kept.
    supplied.and_then(|id| EventId::parse(id).ok()).unwrap_or_else(|| EventId::of_key(key))
}

fn summary(stored: Summary) -> EventSummary {
    EventSummary {
        id: event_id(stored.key, stored.supplied_id.as_deref()),
        event_type: stored.event_type,
        occurred_at: stored.occurred_at,
        created_at: stored.key.made_at(),
        deliveries: count(stored.deliveries),
    }
}

fn count(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or(u32::MAX)
}

/// The problem with the names of its fields in a batch.
fn at(place: &str, mut problem: Problem) -> Problem {
    for error in &mut problem.errors {
        error.field.insert_str(0, place);
    }
    problem
}
