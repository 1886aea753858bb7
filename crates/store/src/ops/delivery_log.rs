//! The delivery log: pending and finished deliveries as one list, and one delivery with its attempts.

use keybell_core::{DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};

use crate::error::StoreError;
use crate::ops::attempts::{self, AttemptRecord};
use crate::ops::events::EventRecord;
use crate::statements;
use crate::tx::{Arg, Query, Read, Row};

/// The columns of a pending delivery as the log shows it; after `$3` the window of ids, after `$4` the filters.
macro_rules! pending {
    ($hint:literal, $condition:literal) => {
        concat!(
            "SELECT d.id, d.webhook_id, d.event_id, d.event_type, 'pending', d.attempts_made, d.last_response_status, \
             d.next_attempt_at, d.due_at, e.supplied_id FROM pending_deliveries d ",
            $hint,
            " LEFT JOIN events e ON e.workspace_id = d.workspace_id AND e.id = d.event_id WHERE ",
            $condition
        )
    };
}
/// The columns of a finished delivery as the log shows it.
macro_rules! finished {
    ($hint:literal, $condition:literal) => {
        concat!(
            "SELECT d.id, d.webhook_id, d.event_id, d.event_type, d.status, d.attempts_made, d.last_response_status, \
             d.completed_at, 0, e.supplied_id FROM finished_deliveries d ",
            $hint,
            " LEFT JOIN events e ON e.workspace_id = d.workspace_id AND e.id = d.event_id WHERE ",
            $condition
        )
    };
}

statements! {
    PENDING = pending!(
        "",
        "d.workspace_id = $1 AND d.id < $2 AND d.id >= $3 AND (CAST($4 AS TEXT) IS NULL OR d.event_type = $4) \
         AND (CAST($5 AS BIGINT) IS NULL OR d.last_response_status BETWEEN $5 AND $6) \
         AND (CAST($7 AS BIGINT) = 0 OR d.last_response_status IS NULL) \
         AND (CAST($8 AS BIGINT) = 0 OR d.event_id = $9) ORDER BY d.id DESC LIMIT $10");
    PENDING_OF_WEBHOOK = pending!(
        "/*indexed by pending_deliveries_webhook*/",
        "d.workspace_id = $1 AND d.id < $2 AND d.id >= $3 AND (CAST($4 AS TEXT) IS NULL OR d.event_type = $4) \
         AND (CAST($5 AS BIGINT) IS NULL OR d.last_response_status BETWEEN $5 AND $6) \
         AND (CAST($7 AS BIGINT) = 0 OR d.last_response_status IS NULL) \
         AND (CAST($8 AS BIGINT) = 0 OR d.event_id = $9) AND d.webhook_id = $11 ORDER BY d.id DESC LIMIT $10");
    FINISHED = finished!(
        "",
        "d.workspace_id = $1 AND d.id < $2 AND d.id >= $3 AND (CAST($4 AS TEXT) IS NULL OR d.event_type = $4) \
         AND (CAST($5 AS BIGINT) IS NULL OR d.last_response_status BETWEEN $5 AND $6) \
         AND (CAST($7 AS BIGINT) = 0 OR d.last_response_status IS NULL) \
         AND (CAST($8 AS BIGINT) = 0 OR d.event_id = $9) \
         AND (CAST($11 AS TEXT) IS NULL OR d.status = $11) ORDER BY d.id DESC LIMIT $10");
    FINISHED_OF_WEBHOOK = finished!(
        "/*indexed by finished_deliveries_webhook*/",
        "d.workspace_id = $1 AND d.id < $2 AND d.id >= $3 AND (CAST($4 AS TEXT) IS NULL OR d.event_type = $4) \
         AND (CAST($5 AS BIGINT) IS NULL OR d.last_response_status BETWEEN $5 AND $6) \
         AND (CAST($7 AS BIGINT) = 0 OR d.last_response_status IS NULL) \
         AND (CAST($8 AS BIGINT) = 0 OR d.event_id = $9) \
         AND (CAST($11 AS TEXT) IS NULL OR d.status = $11) AND d.webhook_id = $12 ORDER BY d.id DESC LIMIT $10");
    ONE_PENDING = pending!("", "d.workspace_id = $1 AND d.id = $2");
    ONE_FINISHED = finished!("", "d.workspace_id = $1 AND d.id = $2");
    EVENT = "SELECT supplied_id, type, occurred_at, data FROM events WHERE workspace_id = $1 AND id = $2";
}

/// A delivery as the log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// The key of its event.
    pub event_key: EventKey,
    /// The publisher's own id of its event, where it gave one.
    pub event_supplied_id: Option<String>,
    /// The type of its event.
    pub event_type: String,
    /// How many attempts were made.
    pub attempts_made: i64,
    /// The status of the last answer, where there was one.
    pub last_response_status: Option<i64>,
    /// Where it stands.
    pub state: DeliveryState,
}

/// Where a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// Attempts are still to be made.
    Pending {
        /// When the next one is due.
        next_attempt_at: Timestamp,
        /// Whether it waits at its webhook: for room at it, or for it to be enabled.
        parked: bool,
    },
    /// It came to an end.
    Finished {
        /// `succeeded`, `failed` or `canceled`.
        status: String,
        /// When.
        completed_at: Timestamp,
    },
}

/// Which last answer a delivery must have had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastAnswer {
    /// A status of this hundred: 2 for 200 to 299.
    Class(i64),
    /// None at all.
    None,
}

/// Deliveries of a workspace, newest first.
#[derive(Debug)]
pub struct ListDeliveries {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Only deliveries whose id is lower.
    pub below: DeliveryId,
    /// Only deliveries whose id is not lower.
    pub from: DeliveryId,
    /// Only to this webhook.
    pub webhook: Option<WebhookId>,
    /// Only of this event.
    pub event: Option<EventKey>,
    /// Only of events of this type.
    pub event_type: Option<String>,
    /// Only of this status.
    pub status: Option<String>,
    /// Only where the last answer was of this kind.
    pub last_answer: Option<LastAnswer>,
    /// Most deliveries to give.
    pub rows: i64,
}

impl Query for ListDeliveries {
    const NAME: &'static str = "deliveries.list";
    type Out = Vec<LoggedDelivery>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let pending = self.status.as_deref().is_none_or(|status| status == "pending");
        let finished = self.status.as_deref() != Some("pending");
        let mut found = if pending { self.pending(tx)? } else { Vec::new() };
        if finished {
            found.extend(self.finished(tx)?);
        }
        // A delivery that is finished in this moment stands in one table only: both are read from one snapshot.
        found.sort_unstable_by_key(|delivery| std::cmp::Reverse(delivery.id));
        found.truncate(usize::try_from(self.rows).unwrap_or(0));
        Ok(found)
    }
}

impl ListDeliveries {
    fn common(&self) -> [Arg<'_>; 10] {
        let (from, to, none) = match self.last_answer {
            Some(LastAnswer::Class(class)) => (Arg::Int(class * 100), Arg::Int(class * 100 + 99), 0),
            Some(LastAnswer::None) => (Arg::Null, Arg::Null, 1),
            None => (Arg::Null, Arg::Null, 0),
        };
        [
            (&self.workspace).into(),
            (&self.below).into(),
            (&self.from).into(),
            self.event_type.as_ref().into(),
            from,
            to,
            Arg::Int(none),
            self.event.is_some().into(),
            self.event.as_ref().into(),
            self.rows.into(),
        ]
    }

    fn pending(&self, tx: &mut dyn Read) -> Result<Vec<LoggedDelivery>, StoreError> {
        let mut args = self.common().to_vec();
        let Some(webhook) = &self.webhook else { return tx.all(&PENDING, &args, read_pending) };
        args.push(webhook.into());
        tx.all(&PENDING_OF_WEBHOOK, &args, read_pending)
    }

    fn finished(&self, tx: &mut dyn Read) -> Result<Vec<LoggedDelivery>, StoreError> {
        let mut args = self.common().to_vec();
        args.push(self.status.as_ref().into());
        let Some(webhook) = &self.webhook else { return tx.all(&FINISHED, &args, read_finished) };
        args.push(webhook.into());
        tx.all(&FINISHED_OF_WEBHOOK, &args, read_finished)
    }
}

fn read_pending(row: &dyn Row) -> Result<LoggedDelivery, StoreError> {
    let parked = row.at(8)? >= super::deliveries::WAITING;
    read_logged(row, DeliveryState::Pending { next_attempt_at: row.at(7)?, parked })
}

fn read_finished(row: &dyn Row) -> Result<LoggedDelivery, StoreError> {
    read_logged(row, DeliveryState::Finished { status: row.text(4)?.to_owned(), completed_at: row.at(7)? })
}

fn read_logged(row: &dyn Row, state: DeliveryState) -> Result<LoggedDelivery, StoreError> {
    Ok(LoggedDelivery {
        id: row.id(0)?,
        webhook: row.id(1)?,
        event_key: row.id(2)?,
        event_supplied_id: row.opt_text(9)?.map(str::to_owned),
        event_type: row.text(3)?.to_owned(),
        attempts_made: row.int(5)?,
        last_response_status: row.opt_int(6)?,
        state,
    })
}

/// One delivery with all that is known of it.
#[derive(Clone, Debug)]
pub struct DeliveryWithAttempts {
    /// The delivery.
    pub delivery: LoggedDelivery,
    /// Its attempts, the first one first.
    pub attempts: Vec<AttemptRecord>,
    /// Its event; `None` where retention removed it.
    pub event: Option<EventRecord>,
}

/// Reads one delivery.
#[derive(Debug)]
pub struct ReadDelivery {
    /// Whose it is.
    pub workspace: WorkspaceId,
    /// Which.
    pub id: DeliveryId,
}

impl Query for ReadDelivery {
    const NAME: &'static str = "deliveries.read";
    type Out = Option<DeliveryWithAttempts>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let args = [(&self.workspace).into(), (&self.id).into()];
        let mut delivery = tx.first(&ONE_PENDING, &args, read_pending)?;
        if delivery.is_none() {
            delivery = tx.first(&ONE_FINISHED, &args, read_finished)?;
        }
        let Some(delivery) = delivery else { return Ok(None) };
        let attempts = attempts::of_delivery(tx, self.workspace, self.id)?;
        let event_args = [(&self.workspace).into(), (&delivery.event_key).into()];
        let event = tx.first(&EVENT, &event_args, |row| {
            Ok(EventRecord {
                workspace: self.workspace,
                key: delivery.event_key,
                supplied_id: row.opt_text(0)?.map(str::to_owned),
                event_type: row.text(1)?.to_owned(),
                occurred_at: row.at(2)?,
                data: row.bytes(3)?.to_vec(),
            })
        })?;
        Ok(Some(DeliveryWithAttempts { delivery, attempts, event }))
    }
}
