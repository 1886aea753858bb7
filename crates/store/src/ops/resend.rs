//! One finished delivery made again: it is pending once more, with the attempts it had.

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, DeliveryId, Timestamp, WorkspaceId};

use super::audit::{self, AuditFact};
use super::deliveries::WAITING;
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Tx};

statements! {
    MOVE = "INSERT INTO pending_deliveries (workspace_id, id, webhook_id, event_id, event_type, attempts_made, \
            attempt_trigger, last_response_status, next_attempt_at, due_at, leased_by) \
            SELECT f.workspace_id, f.id, f.webhook_id, f.event_id, f.event_type, f.attempts_made, 'manual', \
            f.last_response_status, CAST($3 AS BIGINT), CAST($3 AS BIGINT), NULL FROM finished_deliveries f \
            WHERE f.workspace_id = $1 AND f.id = $2 \
            AND EXISTS (SELECT 1 FROM events e WHERE e.workspace_id = $1 AND e.id = f.event_id) \
            AND EXISTS (SELECT 1 FROM webhooks w WHERE w.workspace_id = $1 AND w.id = f.webhook_id AND w.enabled = 1 \
            AND (CAST($4 AS TEXT) IS NULL OR w.created_by_id = $4)) ON CONFLICT DO NOTHING";
    LEAVE = "DELETE FROM finished_deliveries WHERE workspace_id = $1 AND id = $2";
    PENDING = "SELECT due_at FROM pending_deliveries WHERE workspace_id = $1 AND id = $2";
    FINISHED = "SELECT w.created_by_id, w.enabled, e.id FROM finished_deliveries f \
                LEFT JOIN webhooks w ON w.workspace_id = f.workspace_id AND w.id = f.webhook_id \
                LEFT JOIN events e ON e.workspace_id = f.workspace_id AND e.id = f.event_id \
                WHERE f.workspace_id = $1 AND f.id = $2";
}

/// Makes one finished delivery pending again, due at once.
#[derive(Debug)]
pub struct ResendDelivery {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The delivery.
    pub id: DeliveryId,
    /// The present instant.
    pub now: Timestamp,
    /// Only if its webhook was made by this member.
    pub only_made_by: Option<String>,
    /// Who asks for it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resent {
    /// It is pending again.
    Done,
    /// It is pending already.
    Pending {
        /// Whether it waits at its webhook: for room at it, or for it to be enabled.
        parked: bool,
    },
    /// Its event is no longer kept.
    EventGone,
    /// Its webhook was deleted.
    WebhookGone,
    /// Its webhook is disabled.
    WebhookDisabled,
    /// Its webhook is somebody else's, and whoever asks may only call their own.
    NotTheirs,
    /// The workspace has no such delivery.
    Missing,
}

impl Op for ResendDelivery {
    const NAME: &'static str = "deliveries.resend";
    type Out = Resent;

    fn run(&self, tx: &mut dyn Tx) -> Result<Resent, StoreError> {
        let [workspace, id] = [(&self.workspace).into(), (&self.id).into()];
        let args = [workspace, id, self.now.into(), self.only_made_by.as_ref().into()];
        if tx.exec(&MOVE, &args)? == 0 {
            return self.why_not(tx);
        }
        tx.exec(&LEAVE, &[workspace, id])?;
        audit::entry(tx, self.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Resent::Done)
    }
}

impl ResendDelivery {
    fn why_not(&self, tx: &mut dyn Tx) -> Result<Resent, StoreError> {
        let args = [(&self.workspace).into(), (&self.id).into()];
        if let Some(due_at) = tx.as_read().first(&PENDING, &args, |row| row.at(0))? {
            return Ok(Resent::Pending { parked: due_at >= WAITING });
        }
        let why = tx.as_read().first(&FINISHED, &args, |row| {
            let Some(maker) = row.opt_text(0)? else { return Ok(Resent::WebhookGone) };
            if self.only_made_by.as_ref().is_some_and(|member| member != maker) {
                return Ok(Resent::NotTheirs);
            }
            if !row.bool(1)? {
                return Ok(Resent::WebhookDisabled);
            }
            Ok(if row.opt_bytes(2)?.is_none() {
                Resent::EventGone
            } else {
                Resent::Pending { parked: false }
            })
        })?;
        Ok(why.unwrap_or(Resent::Missing))
    }
}
