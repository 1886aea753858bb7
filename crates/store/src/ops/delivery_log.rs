//! The delivery log: pending and finished deliveries as one list, and one delivery with its attempts.

use keybell_core::{DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};

use crate::error::StoreError;
use crate::ops::attempts::{self, AttemptRecord};
use crate::ops::events::EventRecord;
use crate::ops::look::Looked;
use crate::sql::Sql;
use crate::statements;
use crate::tx::{Arg, Query, Read, Row};

/// The columns of a pending delivery as the log shows it.
macro_rules! pending {
    ($hint:literal, $($condition:tt)*) => {
        concat!(
            "SELECT d.id, d.webhook_id, d.event_id, d.event_type, 'pending', d.attempts_made, d.last_response_status, \
             d.next_attempt_at, d.due_at, e.supplied_id FROM pending_deliveries d ",
            $hint,
            " LEFT JOIN events e ON e.workspace_id = d.workspace_id AND e.id = d.event_id WHERE ",
            $($condition)*
        )
    };
}
/// The columns of a finished delivery as the log shows it.
macro_rules! finished {
    ($hint:literal, $($condition:tt)*) => {
        concat!(
            "SELECT d.id, d.webhook_id, d.event_id, d.event_type, d.status, d.attempts_made, d.last_response_status, \
             d.completed_at, 0, e.supplied_id FROM finished_deliveries d ",
            $hint,
            " LEFT JOIN events e ON e.workspace_id = d.workspace_id AND e.id = d.event_id WHERE ",
            $($condition)*
        )
    };
}
/// After `$3` the window of ids, after `$4` the filters.
macro_rules! filtered {
    () => {
        "d.workspace_id = $1 AND d.id < $2 AND d.id >= $3 AND (CAST($4 AS TEXT) IS NULL OR d.event_type = $4) \
         AND (CAST($5 AS BIGINT) IS NULL OR d.last_response_status BETWEEN $5 AND $6) \
         AND (CAST($7 AS BIGINT) = 0 OR d.last_response_status IS NULL) \
         AND (CAST($8 AS BIGINT) = 0 OR d.event_id = $9) "
    };
}
macro_rules! finished_filtered {
    ($hint:literal, $more:literal) => {
        finished!(
            $hint,
            filtered!(),
            "AND (CAST($11 AS TEXT) IS NULL OR d.status = $11) ",
            $more,
            "ORDER BY d.id DESC LIMIT $10"
        )
    };
}
/// Found in the index alone, so that only what is meant is looked up. Not for one event: the index does not name it.
macro_rules! unsuccessful {
    ($hint:literal, $more:literal) => {
        finished!(
            "",
            "d.workspace_id = $1 AND (CAST($8 AS BIGINT) = 0 OR d.event_id = $9) AND d.id IN \
             (SELECT b.id FROM finished_deliveries b ",
            $hint,
            " WHERE b.workspace_id = $1 AND b.id < $2 AND b.id >= $3 AND b.status <> 'succeeded' ",
            $more,
            "AND (CAST($4 AS TEXT) IS NULL OR b.event_type = $4) \
             AND (CAST($5 AS BIGINT) IS NULL OR b.last_response_status BETWEEN $5 AND $6) \
             AND (CAST($7 AS BIGINT) = 0 OR b.last_response_status IS NULL) \
             AND (CAST($11 AS TEXT) IS NULL OR b.status = $11) ORDER BY b.id DESC LIMIT $10) ORDER BY d.id DESC"
        )
    };
}
/// The last of the next deliveries that have to be looked at.
macro_rules! end_of_look {
    ($table:literal, $more:literal) => {
        concat!(
            "SELECT d.id FROM ",
            $table,
            " WHERE d.workspace_id = $1 AND d.id < $2 AND d.id >= $3 ",
            $more,
            "ORDER BY d.id DESC LIMIT 1 OFFSET $4"
        )
    };
}

// What did not succeed has indexes of its own: it is little among much, and what is asked for most.
statements! {
    PENDING = pending!("", filtered!(), "ORDER BY d.id DESC LIMIT $10");
    PENDING_OF_WEBHOOK = pending!(
        "/*indexed by pending_deliveries_webhook*/",
        filtered!(), "AND d.webhook_id = $11 ORDER BY d.id DESC LIMIT $10");
    FINISHED = finished_filtered!("", "");
    FINISHED_OF_WEBHOOK =
        finished_filtered!("/*indexed by finished_deliveries_webhook*/", "AND d.webhook_id = $12 ");
    UNSUCCESSFUL = unsuccessful!("/*indexed by finished_deliveries_unsuccessful*/", "");
    UNSUCCESSFUL_OF_WEBHOOK = unsuccessful!(
        "/*indexed by finished_deliveries_unsuccessful_webhook*/", "AND b.webhook_id = $12 ");
    END_OF_PENDING = end_of_look!("pending_deliveries d", "");
    END_OF_PENDING_OF_WEBHOOK = end_of_look!(
        "pending_deliveries d /*indexed by pending_deliveries_webhook*/", "AND d.webhook_id = $5 ");
    END_OF_FINISHED = end_of_look!("finished_deliveries d", "");
    END_OF_FINISHED_OF_WEBHOOK = end_of_look!(
        "finished_deliveries d /*indexed by finished_deliveries_webhook*/", "AND d.webhook_id = $5 ");
    END_OF_UNSUCCESSFUL = end_of_look!(
        "finished_deliveries d /*indexed by finished_deliveries_unsuccessful*/", "AND d.status <> 'succeeded' ");
    END_OF_UNSUCCESSFUL_OF_WEBHOOK = end_of_look!(
        "finished_deliveries d /*indexed by finished_deliveries_unsuccessful_webhook*/",
        "AND d.status <> 'succeeded' AND d.webhook_id = $5 ");
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
    /// Most deliveries to look at, at least 1, where a filter may leave most of them out.
    pub looked_at_max: i64,
}

/// One of the ways through the log.
struct Way {
    list: &'static Sql,
    end: &'static Sql,
    read: fn(&dyn Row) -> Result<LoggedDelivery, StoreError>,
    /// Whether its deliveries have a status of their own, so that `list` asks for one.
    has_status: bool,
}

const fn of_pending(list: &'static Sql, end: &'static Sql) -> Way {
    Way { list, end, read: read_pending, has_status: false }
}

const fn of_finished(list: &'static Sql, end: &'static Sql) -> Way {
    Way { list, end, read: read_finished, has_status: true }
}

impl Query for ListDeliveries {
    const NAME: &'static str = "deliveries.list";
    type Out = Looked<LoggedDelivery, DeliveryId>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let (mut found, mut to) = (Vec::new(), None);
        for way in [self.pending(), self.finished()].into_iter().flatten() {
            let end = if self.leaves_out() { self.end(tx, &way)? } else { None };
            found.extend(tx.all(way.list, &self.args(&way, end.as_ref()), way.read)?);
            to = to.max(end);
        }
        // A delivery that is finished in this moment stands in one table only: both are read from one snapshot.
        found.retain(|delivery| to.is_none_or(|to| delivery.id >= to));
        found.sort_unstable_by_key(|delivery| std::cmp::Reverse(delivery.id));
        Ok(Looked::at_most(self.rows, found, to))
    }
}

impl ListDeliveries {
    /// Whether deliveries have to be looked at that are not meant. Those of one event are next to each other.
    fn leaves_out(&self) -> bool {
        let other = self.event_type.is_some() || self.status.is_some() || self.last_answer.is_some();
        other && self.event.is_none()
    }

    fn pending(&self) -> Option<Way> {
        self.status.as_deref().is_none_or(|status| status == "pending").then_some(match self.webhook {
            None => of_pending(&PENDING, &END_OF_PENDING),
            Some(_) => of_pending(&PENDING_OF_WEBHOOK, &END_OF_PENDING_OF_WEBHOOK),
        })
    }

    fn finished(&self) -> Option<Way> {
        // What was answered otherwise than by a success, or by nothing, did not succeed.
        let unsuccessful = match (self.status.as_deref(), self.last_answer) {
            (Some("pending"), _) => return None,
            _ if self.event.is_some() => false,
            (Some(status), _) if status != "succeeded" => true,
            (None, Some(answer)) => answer != LastAnswer::Class(2),
            _ => false,
        };
        Some(match (unsuccessful, self.webhook) {
            (false, None) => of_finished(&FINISHED, &END_OF_FINISHED),
            (false, Some(_)) => of_finished(&FINISHED_OF_WEBHOOK, &END_OF_FINISHED_OF_WEBHOOK),
            (true, None) => of_finished(&UNSUCCESSFUL, &END_OF_UNSUCCESSFUL),
            (true, Some(_)) => of_finished(&UNSUCCESSFUL_OF_WEBHOOK, &END_OF_UNSUCCESSFUL_OF_WEBHOOK),
        })
    }

    /// The last delivery to look at on this way; `None` where there are not so many.
    fn end(&self, tx: &mut dyn Read, way: &Way) -> Result<Option<DeliveryId>, StoreError> {
        let mut args = vec![
            (&self.workspace).into(),
            (&self.below).into(),
            (&self.from).into(),
            Arg::Int(self.looked_at_max.saturating_sub(1)),
        ];
        args.extend(self.webhook.as_ref().map(Arg::from));
        tx.first(way.end, &args, |row| row.id(0))
    }

    fn args<'a>(&'a self, way: &Way, end: Option<&'a DeliveryId>) -> Vec<Arg<'a>> {
        let (from, to, none) = match self.last_answer {
            Some(LastAnswer::Class(class)) => (Arg::Int(class * 100), Arg::Int(class * 100 + 99), 0),
            Some(LastAnswer::None) => (Arg::Null, Arg::Null, 1),
            None => (Arg::Null, Arg::Null, 0),
        };
        let mut args = vec![
            (&self.workspace).into(),
            (&self.below).into(),
            end.unwrap_or(&self.from).into(),
            self.event_type.as_ref().into(),
            from,
            to,
            Arg::Int(none),
            self.event.is_some().into(),
            self.event.as_ref().into(),
            self.rows.into(),
        ];
        args.extend(way.has_status.then(|| Arg::from(self.status.as_ref())));
        args.extend(self.webhook.as_ref().map(Arg::from));
        args
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
