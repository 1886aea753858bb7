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
use crate::page::LOOKED_AT_MAX;
use crate::problems::of_store;
use crate::{App, Listing, Page};

/// Most fields of a batch that are told to be wrong: enough to see what the mistake is.
pub const BATCH_ERRORS_MAX: usize = 100;

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
    /// Publishes as [`App::publish_batch`] does; where there is one event, what is wrong is named without an index.
    pub async fn publish(
        &self,
        events: Vec<(Grant<PublishEvents>, NewEvent)>,
    ) -> Result<Vec<Published>, Problem> {
        if events.len() == 1 {
            return self.publish_named(events, |_| String::new()).await;
        }
        self.publish_batch(events).await
    }

    /// Publishes events, all or none; the answer comes when they and their deliveries are on disk. A dropped future takes
    /// nothing back.
    ///
    /// What is wrong is named by index, up to [`BATCH_ERRORS_MAX`] of it. An id that was published before is answered as the
    /// first time, and is [`Code::Conflict`] with other content. While more waits to be written than is bearable it is
    /// [`Code::Unavailable`], with a time to come again.
    pub async fn publish_batch(
        &self,
        events: Vec<(Grant<PublishEvents>, NewEvent)>,
    ) -> Result<Vec<Published>, Problem> {
        self.publish_named(events, |index| format!("events[{index}].")).await
    }

    async fn publish_named(
        &self,
        events: Vec<(Grant<PublishEvents>, NewEvent)>,
        place: impl Fn(usize) -> String,
    ) -> Result<Vec<Published>, Problem> {
        let mut checked = Vec::with_capacity(events.len());
        let mut refused: Option<Problem> = None;
        for (index, (grant, event)) in events.into_iter().enumerate() {
            match self.checked(grant, event) {
                Ok(event) => checked.push(event),
                Err(problem) => {
                    let problem = at(&place(index), problem);
                    match &mut refused {
                        None => refused = Some(problem),
                        Some(first) => join(first, problem),
                    }
                }
            }
        }
        if let Some(problem) = refused {
            return Err(problem);
        }
        // Only where nothing is refused, so that a batch of which nothing is kept declares nothing either.
        for event in &checked {
            if let Some(name) = &event.declares {
                self.declare_on_the_fly(event.grant.by(), event.grant.origin(), name).await?;
            }
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

    fn checked(&self, grant: Grant<PublishEvents>, event: NewEvent) -> Result<Checked, Problem> {
        let bad_type = |error| Problem::field("type", "invalid", format!("{error}"));
        let name = TypeName::parse(&event.event_type).map_err(bad_type)?;
        refuse_reserved("type", name.as_str())?;
        let data: Box<str> = event.data.into();
        check_data(data.as_bytes())?;
        let declares = match self.catalogue().event_type(name.as_str()) {
            Some(known) => {
                known.check_data(&data)?;
                None
            }
            None if self.settings().event_types_on_the_fly => Some(name),
            None => {
                let detail =
                    format!("The catalogue has no event type {name}. Declare it with POST /v1/event-types.");
                return Err(Problem::new(Code::UnknownEventType, detail));
            }
        };
        let bad_id = |error| Problem::field("id", "invalid", format!("{error}"));
        let supplied = event.id.as_deref().map(EventId::supplied).transpose().map_err(bad_id)?;
        Ok(Checked {
            grant,
            declares,
            event_type: event.event_type,
            data: String::from(data).into_bytes(),
            supplied_id: supplied.map(|id| id.to_string()),
            occurred_at: event.occurred_at,
        })
    }

    /// The event with its key and its deliveries, which share its millisecond: so they are found by a range of keys.
    fn to_keep(&self, event: Checked, now: Timestamp) -> ToKeep {
        let workspace = event.grant.workspace();
        let webhooks = self.registry().matching(workspace, &event.event_type);
        let deliveries = webhooks.iter().map(|webhook| NewDelivery {
            id: DeliveryId::new(now, self.randomness()),
            webhook: webhook.id,
            in_memory: false,
        });
        ToKeep {
            deliveries: deliveries.collect(),
            occurred_at_given: event.occurred_at.is_some(),
            record: Arc::new(EventRecord {
                workspace,
                key: EventKey::new(now, self.randomness()),
                supplied_id: event.supplied_id,
                event_type: event.event_type,
                occurred_at: event.occurred_at.unwrap_or(now),
                data: event.data,
            }),
        }
    }

    /// Events of a workspace, newest first. The page is full wherever there are so many that fit, however long that takes.
    pub async fn list_events(
        &self,
        grant: Grant<ReadDeliveries>,
        filter: EventFilter,
        page: Page,
    ) -> Result<Listing<EventSummary>, Problem> {
        self.look_at_events(grant.workspace(), filter, page, usize::MAX).await
    }

    /// The same for a person who waits: where next to nothing fits, the page ends after a look at so many events, and goes
    /// on by its cursor.
    pub async fn glance_at_events(
        &self,
        grant: Grant<ReadDeliveries>,
        filter: EventFilter,
        page: Page,
    ) -> Result<Listing<EventSummary>, Problem> {
        self.look_at_events(grant.workspace(), filter, page, 1).await
    }

    async fn look_at_events(
        &self,
        workspace: WorkspaceId,
        filter: EventFilter,
        page: Page,
        looks: usize,
    ) -> Result<Listing<EventSummary>, Problem> {
        let last = EventKey::from_bytes([0xff; 16]);
        let until = filter.until.map_or(last, EventKey::first_of);
        let below = page.after(EventKey::parse)?.map_or(until, |after| after.min(until));
        let look = |below, rows| {
            self.store().read(ListEvents {
                workspace,
                below,
                from: filter.from.map_or(EventKey::from_bytes([0; 16]), EventKey::first_of),
                event_type: filter.event_type.clone(),
                rows,
                looked_at_max: LOOKED_AT_MAX,
            })
        };
        let page = page.looked(looks, below, look, |event: &Summary| event.key).await?;
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
    grant: Grant<PublishEvents>,
    /// The type to declare because of it.
    declares: Option<TypeName>,
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

/// The problem as it is told of a batch, where `place` stands before its fields, or before its detail where it names none.
fn at(place: &str, mut problem: Problem) -> Problem {
    for error in &mut problem.errors {
        error.field.insert_str(0, place);
    }
    if let Some(event) = place.strip_suffix('.')
        && problem.errors.is_empty()
    {
        problem.detail = format!("{event}: {}", problem.detail);
    }
    problem
}

/// Adds what is wrong with another event. Where that is of another kind, it shows once the first is mended.
fn join(first: &mut Problem, other: Problem) {
    if first.code == other.code {
        let room = BATCH_ERRORS_MAX.saturating_sub(first.errors.len());
        first.errors.extend(other.errors.into_iter().take(room));
    }
}
