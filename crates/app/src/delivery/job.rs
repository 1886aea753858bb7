//! A delivery in memory.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use keybell_core::event::EventId;
use keybell_core::payload::{self, ContentType, Envelope};
use keybell_core::{DeliveryId, Timestamp, WebhookId, WorkspaceId};
use keybell_store::ops::events::EventRecord;

use super::book::Place;

/// An event on its way: its body is encoded once for each content type, however many webhooks want it.
pub(super) struct Outgoing {
    /// The event.
    pub(super) record: Arc<EventRecord>,
    /// Its id as the outside sees it.
    pub(super) id: String,
    bodies: [OnceLock<Bytes>; ContentType::ALL.len()],
}

impl Outgoing {
    /// An event about to go out.
    pub(super) fn new(record: Arc<EventRecord>) -> Arc<Outgoing> {
        let id = outer_id(&record);
        Arc::new(Outgoing { record, id, bodies: Default::default() })
    }

    /// Its body in `content_type`. `public_url` is where this installation is reached.
    pub(super) fn body(&self, content_type: ContentType, public_url: &str) -> Bytes {
        let index = ContentType::ALL.iter().position(|known| *known == content_type);
        let index = index.expect("ALL holds every content type");
        self.bodies[index].get_or_init(|| encoded(&self.record, content_type, public_url).into()).clone()
    }
}

/// An event's id as the outside sees it: its publisher's own where it gave one.
pub(crate) fn outer_id(record: &EventRecord) -> String {
    match &record.supplied_id {
        Some(supplied) => supplied.clone(),
        None => EventId::of_key(record.key).to_string(),
    }
}

/// An event's body in `content_type`: what is sent, and what the log shows later.
pub(crate) fn encoded(record: &EventRecord, content_type: ContentType, public_url: &str) -> Vec<u8> {
    let source = match content_type {
        ContentType::CloudEvents => {
            format!("{}/v1/workspaces/{}", public_url.trim_end_matches('/'), record.workspace)
        }
        _ => String::new(),
    };
    let envelope = Envelope {
        id: &outer_id(record),
        event_type: &record.event_type,
        occurred_at: record.occurred_at,
        workspace_id: record.workspace,
        data: &record.data,
        source: &source,
    };
    payload::encode(content_type, &envelope)
}

/// One attempt that is to be made.
pub(super) struct Job {
    /// The delivery.
    pub(super) id: DeliveryId,
    /// Whose it is.
    pub(super) workspace: WorkspaceId,
    /// To which webhook.
    pub(super) webhook: WebhookId,
    /// What it carries.
    pub(super) event: Arc<Outgoing>,
    /// Attempts made so far.
    pub(super) attempts_made: u32,
    /// Why this one is made: `first`, `retry` or `manual`.
    pub(super) trigger: String,
    /// Until when the delivery is this node's.
    pub(super) lease_until: Timestamp,
    /// Its place in memory.
    pub(super) place: Place,
}
