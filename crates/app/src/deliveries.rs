//! The delivery log: what was sent, what came back, when it is tried again.

mod resend;

use std::time::Duration;

use keybell_core::event::EventId;
use keybell_core::grant::{ReadDeliveries, ReadPayloads};
use keybell_core::payload::ContentType;
use keybell_core::{Code, DeliveryId, EventKey, Grant, Problem, Timestamp, WebhookId, WorkspaceId};
use keybell_store::ops::attempts::AttemptRecord;
use keybell_store::ops::delivery_log::{
    DeliveryState, DeliveryWithAttempts, LastAnswer, ListDeliveries, LoggedDelivery, ReadDelivery,
};
use keybell_store::ops::events::EventRecord;
use serde::Deserialize;

pub use resend::{AboutToResend, COUNTED_FOR_PAGE_MAX, RESENDS_MAX, Resending};

use crate::delivery::encoded;
use crate::events::event_id;
use crate::page::LOOKED_AT_MAX;
use crate::problems::of_store;
use crate::{App, Listing, Page};

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// Attempts are still to be made.
    Pending,
    /// An attempt was answered well.
    Succeeded,
    /// It was given up.
    Failed,
    /// Its webhook was deleted before it succeeded.
    Canceled,
}

impl DeliveryStatus {
    /// All of them.
    pub const ALL: [DeliveryStatus; 4] = [
        DeliveryStatus::Pending,
        DeliveryStatus::Succeeded,
        DeliveryStatus::Failed,
        DeliveryStatus::Canceled,
    ];

    /// The word for it in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeliveryStatus::Pending => "pending",
            DeliveryStatus::Succeeded => "succeeded",
            DeliveryStatus::Failed => "failed",
            DeliveryStatus::Canceled => "canceled",
        }
    }

    /// The status of that word.
    pub fn parse(word: &str) -> Option<DeliveryStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// What the last answer of a delivery was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseClass {
    /// A status of this hundred: 2 to 5.
    Hundred(u8),
    /// None at all.
    None,
}

impl ResponseClass {
    /// Reads `2xx`, `3xx`, `4xx`, `5xx` or `none`.
    pub fn parse(word: &str) -> Option<ResponseClass> {
        match word {
            "2xx" => Some(ResponseClass::Hundred(2)),
            "3xx" => Some(ResponseClass::Hundred(3)),
            "4xx" => Some(ResponseClass::Hundred(4)),
            "5xx" => Some(ResponseClass::Hundred(5)),
            "none" => Some(ResponseClass::None),
            _ => None,
        }
    }

    fn word(self) -> String {
        match self {
            ResponseClass::Hundred(hundred) => format!("{hundred}xx"),
            ResponseClass::None => "none".to_owned(),
        }
    }

    fn stored(self) -> LastAnswer {
        match self {
            ResponseClass::Hundred(hundred) => LastAnswer::Class(i64::from(hundred)),
            ResponseClass::None => LastAnswer::None,
        }
    }
}

/// Which deliveries are wanted.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only to this webhook.
    pub webhook: Option<WebhookId>,
    /// Only of this event.
    pub event: Option<EventId>,
    /// Only of events of this type.
    pub event_type: Option<String>,
    /// Only of this status.
    pub status: Option<DeliveryStatus>,
    /// Only where the last answer was of this kind.
    pub response_class: Option<ResponseClass>,
    /// Only made at this time or later, to the millisecond.
    pub from: Option<Timestamp>,
    /// Only made before this time, to the millisecond.
    pub until: Option<Timestamp>,
}

/// A delivery without its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliverySummary {
    /// Its id.
    pub id: DeliveryId,
    /// Its event.
    pub event_id: EventId,
    /// The type of that.
    pub event_type: String,
    /// To which webhook.
    pub webhook_id: WebhookId,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How many attempts were made.
    pub attempts_made: u32,
    /// When the next one is due; `None` where there is none, or it waits at its webhook: for an endpoint that answers nobody or
    /// takes no more at the moment, or for the webhook to be enabled.
    pub next_attempt_at: Option<Timestamp>,
    /// The status of the last answer, where there was one.
    pub last_response_status: Option<u16>,
    /// When it was made, to the millisecond.
    pub created_at: Timestamp,
    /// When it came to an end.
    pub completed_at: Option<Timestamp>,
}

/// A delivery with its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryDetail {
    /// The delivery.
    pub delivery: DeliverySummary,
    /// When its event happened; `None` where that is no longer kept.
    pub occurred_at: Option<Timestamp>,
    /// Its attempts, the first one first.
    pub attempts: Vec<Attempt>,
}

/// One HTTP request of a delivery, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// Why it was made: `first`, `retry` or `manual`.
    pub trigger: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took in all.
    pub duration: Duration,
    /// How long its parts took.
    pub timings: AttemptTimings,
    /// The status of the answer, where there was one.
    pub response_status: Option<u16>,
    /// What went wrong, as a stable word.
    pub error_code: Option<String>,
    /// What went wrong, as a sentence.
    pub error: Option<String>,
    /// What was sent.
    pub request: SentRequest,
    /// What came back, where anything did.
    pub response: Option<ReceivedResponse>,
}

/// How long the parts of an attempt took; on a connection that was open already, only the first byte was waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptTimings {
    /// To resolve the name.
    pub dns: Option<Duration>,
    /// To connect.
    pub connect: Option<Duration>,
    /// To shake hands.
    pub tls: Option<Duration>,
    /// From the request until the answer began.
    pub first_byte: Option<Duration>,
}

/// A request as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRequest {
    /// Where to.
    pub url: String,
    /// Its headers. The values of secret ones are nowhere in the log.
    pub headers: Vec<LoggedHeader>,
    /// The body, byte for byte; `None` where the event is no longer kept.
    pub body: Option<String>,
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedResponse {
    /// Its headers.
    pub headers: Vec<LoggedHeader>,
    /// As much of the body as was read; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// Whether there was more of it.
    pub truncated: bool,
}

/// A header of the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LoggedHeader {
    /// Its name.
    pub name: String,
    /// Its value; `None` where that is secret.
    pub value: Option<String>,
    /// Whether its value is secret.
    #[serde(default)]
    pub secret: bool,
}

impl App {
    /// Deliveries of a workspace, newest first. The page is full wherever there are so many that fit, however long that takes.
    pub async fn list_deliveries(
        &self,
        grant: Grant<ReadDeliveries>,
        filter: DeliveryFilter,
        page: Page,
    ) -> Result<Listing<DeliverySummary>, Problem> {
        self.look_at_deliveries(grant.workspace(), filter, page, usize::MAX).await
    }

    /// The same for a person who waits: where next to nothing fits, the page ends after a look at so many deliveries, and
    /// goes on by its cursor.
    pub async fn glance_at_deliveries(
        &self,
        grant: Grant<ReadDeliveries>,
        filter: DeliveryFilter,
        page: Page,
    ) -> Result<Listing<DeliverySummary>, Problem> {
        self.look_at_deliveries(grant.workspace(), filter, page, 1).await
    }

    async fn look_at_deliveries(
        &self,
        workspace: WorkspaceId,
        filter: DeliveryFilter,
        page: Page,
        looks: usize,
    ) -> Result<Listing<DeliverySummary>, Problem> {
        let after = page.after(DeliveryId::parse)?;
        let Some(range) = self.delivery_range(workspace, &filter).await? else {
            return Ok(Listing { data: Vec::new(), next_cursor: None });
        };
        let below = after.map_or(range.below, |after| after.min(range.below));
        let look = |below, rows| {
            self.store().read(ListDeliveries {
                workspace,
                below,
                from: range.from,
                webhook: filter.webhook,
                event: range.event,
                event_type: filter.event_type.clone(),
                status: filter.status.map(|status| status.as_str().to_owned()),
                last_answer: filter.response_class.map(ResponseClass::stored),
                rows,
                looked_at_max: LOOKED_AT_MAX,
            })
        };
        let page = page.looked(looks, below, look, |delivery: &LoggedDelivery| delivery.id).await?;
        let data: Result<Vec<_>, _> = page.data.into_iter().map(summary).collect();
        Ok(Listing { data: data?, next_cursor: page.next_cursor })
    }

    /// Which ids a filter means, by its times and its event; `None` where the event is not there.
    async fn delivery_range(
        &self,
        workspace: WorkspaceId,
        filter: &DeliveryFilter,
    ) -> Result<Option<IdRange>, Problem> {
        let mut range = IdRange {
            from: filter.from.map_or(DeliveryId::from_bytes([0; 16]), DeliveryId::first_of),
            below: filter.until.map_or(DeliveryId::from_bytes([0xff; 16]), DeliveryId::first_of),
            event: None,
        };
        if let Some(id) = &filter.event {
            let Some(found) = self.find_event(workspace, id).await? else { return Ok(None) };
            // An event's deliveries share its millisecond, so they are a range of keys.
            let key = found.record.key;
            let made_at = key.made_at();
            range.from = range.from.max(DeliveryId::first_of(made_at));
            range.below = range.below.min(DeliveryId::first_of(made_at + Duration::from_millis(1)));
            range.event = Some(key);
        }
        Ok(Some(range))
    }

    /// One delivery with its attempts, what each sent and what came back.
    pub async fn delivery(
        &self,
        grant: Grant<ReadPayloads>,
        id: DeliveryId,
    ) -> Result<DeliveryDetail, Problem> {
        let query = ReadDelivery { workspace: grant.workspace(), id };
        let found = self.store().read(query).await.map_err(of_store)?;
        let DeliveryWithAttempts { delivery, attempts, event } = found.ok_or(Code::NotFound)?;
        let public_url = self.settings().public_url.as_str();
        let attempts: Result<Vec<_>, _> =
            attempts.into_iter().map(|record| attempt(record, event.as_ref(), public_url)).collect();
        let occurred_at = event.map(|event| event.occurred_at);
        Ok(DeliveryDetail { delivery: summary(delivery)?, occurred_at, attempts: attempts? })
    }
}

/// A range of deliveries: from an id, below another one. Neither is ever a delivery's own: see [`DeliveryId::first_of`].
struct IdRange {
    from: DeliveryId,
    below: DeliveryId,
    /// The event that all of them are of, where one was named.
    event: Option<EventKey>,
}

fn summary(stored: LoggedDelivery) -> Result<DeliverySummary, Problem> {
    let (status, next_attempt_at, completed_at) = match stored.state {
        DeliveryState::Pending { parked: true, .. } => (DeliveryStatus::Pending, None, None),
        DeliveryState::Pending { next_attempt_at, .. } => {
            (DeliveryStatus::Pending, Some(next_attempt_at), None)
        }
        DeliveryState::Finished { status, completed_at } => {
            let known = DeliveryStatus::parse(&status)
                .ok_or_else(|| Problem::internal(format!("{} has the status {status}", stored.id)))?;
            (known, None, Some(completed_at))
        }
    };
    Ok(DeliverySummary {
        id: stored.id,
        event_id: event_id(stored.event_key, stored.event_supplied_id.as_deref()),
        event_type: stored.event_type,
        webhook_id: stored.webhook,
        status,
        attempts_made: u32::try_from(stored.attempts_made).unwrap_or(u32::MAX),
        next_attempt_at,
        last_response_status: stored.last_response_status.and_then(|status| u16::try_from(status).ok()),
        created_at: stored.id.made_at(),
        completed_at,
    })
}

pub(crate) fn attempt(
    record: AttemptRecord,
    event: Option<&EventRecord>,
    public_url: &str,
) -> Result<Attempt, Problem> {
    let content_type = ContentType::parse(&record.content_type).ok_or_else(|| {
        Problem::internal(format!("an attempt has the content type {}", record.content_type))
    })?;
    let body = event.map(|event| String::from_utf8(encoded(event, content_type, public_url)));
    let response = match (record.response_headers, record.response_body) {
        (Some(headers), Some(body)) => Some(ReceivedResponse {
            headers: logged(&headers)?,
            body: String::from_utf8_lossy(&body).into_owned(),
            truncated: record.response_truncated,
        }),
        _ => None,
    };
    Ok(Attempt {
        number: u32::try_from(record.number).unwrap_or(u32::MAX),
        trigger: record.trigger,
        started_at: record.started_at,
        duration: micros(record.duration_us),
        timings: AttemptTimings {
            dns: record.dns_us.map(micros),
            connect: record.connect_us.map(micros),
            tls: record.tls_us.map(micros),
            first_byte: record.first_byte_us.map(micros),
        },
        response_status: record.response_status.and_then(|status| u16::try_from(status).ok()),
        error_code: record.error_code,
        error: record.error,
        request: SentRequest {
            url: record.url,
            headers: logged(&record.request_headers)?,
            body: body.transpose().map_err(Problem::internal)?,
        },
        response,
    })
}

fn logged(json: &str) -> Result<Vec<LoggedHeader>, Problem> {
    serde_json::from_str(json).map_err(Problem::internal)
}

fn micros(stored: i64) -> Duration {
    Duration::from_micros(stored.unsigned_abs())
}
