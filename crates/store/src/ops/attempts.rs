//! Attempts: what was sent and what came back, recorded many at a time.
//!
//! One [`RecordAttempts`] holds the outcomes of many deliveries. A delivery that came to an end leaves the table of
//! pending ones and becomes a compact row of history; one that is tried again gets its next time. What the outcomes mean
//! for their webhooks is written [in the same transaction](super::webhook_health).

use std::sync::Arc;

use keybell_core::{DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};

use crate::error::StoreError;
use crate::ops::webhook_health::{self, HealthChange, Judged};
use crate::sql::Sql;
use crate::tx::{Arg, Isolation, Op, Read, Row, Tx};
use crate::{bulks, statements};

statements! {
    OF_DELIVERY = "SELECT number, attempt_trigger, started_at, duration_us, dns_us, connect_us, tls_us, first_byte_us, \
                   url, content_type, request_headers, response_status, response_headers, response_body, \
                   response_truncated, error_code, error FROM attempts \
                   WHERE workspace_id = $1 AND delivery_id = $2 ORDER BY number";
    EVENT_IS_THERE = "SELECT 1 FROM events WHERE workspace_id = $1 AND id = $2";
    IS_PENDING = "SELECT 1 FROM pending_deliveries WHERE workspace_id = $1 AND id = $2";
}

// Both find a delivery as it was before the attempt: an outcome that is written again after its commit's answer was lost, or
// after another node took the delivery over, undoes nothing of what came later. Where two nodes made the same attempt, the one
// that is written first counts.
bulks! {
    DELETE_PENDING = Delete "pending_deliveries" [workspace_id: Bytes, id: Bytes, attempts_made: Int];
    INSERT_FINISHED = InsertNew "finished_deliveries" [
        workspace_id: Bytes, id: Bytes, webhook_id: Bytes, event_id: Bytes, event_type: Text, status: Text,
        attempts_made: Int, last_response_status: Int, completed_at: Int,
    ];
    RESCHEDULE = Update { keys: 3 } "pending_deliveries" [
        workspace_id: Bytes, id: Bytes, attempts_made: Int,
        attempts_made: Int, attempt_trigger: Text, last_response_status: Int,
        next_attempt_at: Int, due_at: Int, leased_by: Text,
    ];
    INSERT_ATTEMPTS = InsertNew "attempts" [
        workspace_id: Bytes, delivery_id: Bytes, number: Int, attempt_trigger: Text, started_at: Int, duration_us: Int,
        dns_us: Int, connect_us: Int, tls_us: Int, first_byte_us: Int, url: Text, content_type: Text,
        request_headers: Text, response_status: Int, response_headers: Text, response_body: Bytes,
        response_truncated: Int, error_code: Text, error: Text,
    ];
}

/// One HTTP request of a delivery, and what came back. Durations are microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRecord {
    /// Counted from 1.
    pub number: i64,
    /// Why it was made: `first`, `retry` or `manual`.
    pub trigger: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took in all.
    pub duration_us: i64,
    /// To resolve the name, where a connection was made.
    pub dns_us: Option<i64>,
    /// To connect, where a connection was made.
    pub connect_us: Option<i64>,
    /// To shake hands, where a connection with TLS was made.
    pub tls_us: Option<i64>,
    /// From the request until the answer began.
    pub first_byte_us: Option<i64>,
    /// Where it was sent.
    pub url: String,
    /// How the event was encoded: with the event, this is the body.
    pub content_type: String,
    /// JSON: an array of `{"name", "value"}`, or `{"name", "secret": true}`.
    pub request_headers: String,
    /// The answer's status, where there was one.
    pub response_status: Option<i64>,
    /// JSON: an array of `{"name", "value"}`.
    pub response_headers: Option<String>,
    /// As much of the answer's body as was read.
    pub response_body: Option<Vec<u8>>,
    /// Whether there was more of the body.
    pub response_truncated: bool,
    /// What went wrong, as a stable word.
    pub error_code: Option<String>,
    /// What went wrong, as a sentence.
    pub error: Option<String>,
}

/// What comes after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The delivery came to an end: `succeeded` or `failed`.
    Finished {
        /// The status it has from now on.
        status: &'static str,
        /// When.
        at: Timestamp,
    },
    /// It is tried again.
    Retry {
        /// When.
        at: Timestamp,
    },
}

/// The outcome of one attempt.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whose delivery it is.
    pub workspace: WorkspaceId,
    /// The delivery.
    pub delivery: DeliveryId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Of which event.
    pub event: EventKey,
    /// Of which type.
    pub event_type: String,
    /// What was sent and what came back.
    pub attempt: AttemptRecord,
    /// What comes next.
    pub after: After,
}

/// Records outcomes. Gives what became of webhooks that failed. Shared with whoever tries again where the store is away.
#[derive(Debug)]
pub struct RecordAttempts {
    /// The outcomes, no two of the same delivery.
    pub outcomes: Arc<Vec<Outcome>>,
    /// What they mean for the health of webhooks.
    pub health: Arc<Vec<HealthChange>>,
}

impl Op for RecordAttempts {
    const NAME: &'static str = "attempts.record";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = Vec<Judged>;

    /// What is taken back of attempts is made again, with the same event ids; what became of a webhook has to last.
    fn must_last(&self) -> bool {
        !self.health.is_empty()
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let finished: Vec<&Outcome> =
            self.outcomes.iter().filter(|outcome| matches!(outcome.after, After::Finished { .. })).collect();
        let ended = end(tx, &finished)?;
        let again: Vec<&Outcome> =
            self.outcomes.iter().filter(|outcome| matches!(outcome.after, After::Retry { .. })).collect();
        let rescheduled = reschedule(tx, &again)?;
        if ended == finished.len() as u64 && rescheduled == again.len() as u64 {
            insert_finished(tx, &finished)?;
            insert_attempts(tx, &self.outcomes.iter().collect::<Vec<_>>())?;
        } else {
            // Where a delivery is no longer there, its workspace may have been deleted meanwhile: then nothing of it may
            // come back. Where it is pending all the same, it went on without this outcome.
            let (mut kept, mut over) = (Vec::new(), Vec::new());
            for outcome in self.outcomes.iter() {
                if is_there(tx.as_read(), &EVENT_IS_THERE, outcome, (&outcome.event).into())? {
                    kept.push(outcome);
                    let is_over = matches!(outcome.after, After::Finished { .. });
                    if is_over && !is_there(tx.as_read(), &IS_PENDING, outcome, (&outcome.delivery).into())? {
                        over.push(outcome);
                    }
                }
            }
            insert_finished(tx, &over)?;
            insert_attempts(tx, &kept)?;
        }
        webhook_health::apply(tx, &self.health)
    }
}

fn end(tx: &mut dyn Tx, finished: &[&Outcome]) -> Result<u64, StoreError> {
    let keys: Vec<Arg<'_>> = finished
        .iter()
        .flat_map(|outcome| {
            [(&outcome.workspace).into(), (&outcome.delivery).into(), (outcome.attempt.number - 1).into()]
        })
        .collect();
    tx.bulk(&DELETE_PENDING, &keys)
}

fn reschedule(tx: &mut dyn Tx, again: &[&Outcome]) -> Result<u64, StoreError> {
    let mut values = Vec::with_capacity(again.len() * RESCHEDULE.columns.len());
    for outcome in again {
        let After::Retry { at } = outcome.after else { continue };
        values.extend_from_slice(&[
            (&outcome.workspace).into(),
            (&outcome.delivery).into(),
            (outcome.attempt.number - 1).into(),
            outcome.attempt.number.into(),
            "retry".into(),
            outcome.attempt.response_status.into(),
            at.into(),
            at.into(),
            Arg::Null,
        ]);
    }
    tx.bulk(&RESCHEDULE, &values)
}

fn is_there(
    tx: &mut dyn Read,
    sql: &'static Sql,
    outcome: &Outcome,
    id: Arg<'_>,
) -> Result<bool, StoreError> {
    Ok(tx.first(sql, &[(&outcome.workspace).into(), id], |_| Ok(()))?.is_some())
}

fn insert_finished(tx: &mut dyn Tx, outcomes: &[&Outcome]) -> Result<(), StoreError> {
    let mut values = Vec::with_capacity(outcomes.len() * INSERT_FINISHED.columns.len());
    for outcome in outcomes {
        let After::Finished { status, at } = outcome.after else { continue };
        values.extend_from_slice(&[
            (&outcome.workspace).into(),
            (&outcome.delivery).into(),
            (&outcome.webhook).into(),
            (&outcome.event).into(),
            (&outcome.event_type).into(),
            status.into(),
            outcome.attempt.number.into(),
            outcome.attempt.response_status.into(),
            at.into(),
        ]);
    }
    tx.bulk(&INSERT_FINISHED, &values)?;
    Ok(())
}

fn insert_attempts(tx: &mut dyn Tx, outcomes: &[&Outcome]) -> Result<(), StoreError> {
    let mut values = Vec::with_capacity(outcomes.len() * INSERT_ATTEMPTS.columns.len());
    for outcome in outcomes {
        let attempt = &outcome.attempt;
        values.extend_from_slice(&[
            (&outcome.workspace).into(),
            (&outcome.delivery).into(),
            attempt.number.into(),
            (&attempt.trigger).into(),
            attempt.started_at.into(),
            attempt.duration_us.into(),
            attempt.dns_us.into(),
            attempt.connect_us.into(),
            attempt.tls_us.into(),
            attempt.first_byte_us.into(),
            (&attempt.url).into(),
            (&attempt.content_type).into(),
            (&attempt.request_headers).into(),
            attempt.response_status.into(),
            attempt.response_headers.as_ref().into(),
            attempt.response_body.as_ref().into(),
            attempt.response_truncated.into(),
            attempt.error_code.as_ref().into(),
            attempt.error.as_ref().into(),
        ]);
    }
    tx.bulk(&INSERT_ATTEMPTS, &values)?;
    Ok(())
}

/// The attempts of a delivery, the first one first.
pub(crate) fn of_delivery(
    tx: &mut dyn Read,
    workspace: WorkspaceId,
    delivery: DeliveryId,
) -> Result<Vec<AttemptRecord>, StoreError> {
    tx.all(&OF_DELIVERY, &[(&workspace).into(), (&delivery).into()], read_attempt)
}

fn read_attempt(row: &dyn Row) -> Result<AttemptRecord, StoreError> {
    Ok(AttemptRecord {
        number: row.int(0)?,
        trigger: row.text(1)?.to_owned(),
        started_at: row.at(2)?,
        duration_us: row.int(3)?,
        dns_us: row.opt_int(4)?,
        connect_us: row.opt_int(5)?,
        tls_us: row.opt_int(6)?,
        first_byte_us: row.opt_int(7)?,
        url: row.text(8)?.to_owned(),
        content_type: row.text(9)?.to_owned(),
        request_headers: row.text(10)?.to_owned(),
        response_status: row.opt_int(11)?,
        response_headers: row.opt_text(12)?.map(str::to_owned),
        response_body: row.opt_bytes(13)?.map(<[u8]>::to_vec),
        response_truncated: row.bool(14)?,
        error_code: row.opt_text(15)?.map(str::to_owned),
        error: row.opt_text(16)?.map(str::to_owned),
    })
}
