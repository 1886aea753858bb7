//! Retention: what is old enough is deleted, in bites small enough that nobody waits for them.

use keybell_core::{DeliveryId, EventKey, Timestamp, WorkspaceId};

use crate::error::StoreError;
use crate::statements;
use crate::tx::{Arg, Isolation, Op, Query, Read, Tx};

statements! {
    WORKSPACES = "SELECT id FROM workspaces WHERE id > $1 ORDER BY id LIMIT $2";
    STRAYS = "WITH RECURSIVE owners (id) AS (SELECT (SELECT workspace_id FROM events ORDER BY workspace_id LIMIT 1) \
              UNION ALL SELECT (SELECT workspace_id FROM events WHERE workspace_id > owners.id \
              ORDER BY workspace_id LIMIT 1) FROM owners WHERE owners.id IS NOT NULL) \
              SELECT id FROM owners WHERE id IS NOT NULL \
              AND NOT EXISTS (SELECT 1 FROM workspaces WHERE workspaces.id = owners.id) ORDER BY id LIMIT $1";
    DELETE_ATTEMPTS = "DELETE FROM attempts WHERE workspace_id = $1 AND (delivery_id, number) IN \
                       (SELECT delivery_id, number FROM attempts WHERE workspace_id = $1 AND delivery_id < $2 \
                       ORDER BY delivery_id, number LIMIT $3)";
    DELETE_FINISHED = "DELETE FROM finished_deliveries WHERE workspace_id = $1 AND id IN \
                       (SELECT id FROM finished_deliveries WHERE workspace_id = $1 AND id < $2 ORDER BY id LIMIT $3)";
    DELETE_PENDING = "DELETE FROM pending_deliveries WHERE workspace_id = $1 AND id IN \
                      (SELECT id FROM pending_deliveries WHERE workspace_id = $1 AND id < $2 ORDER BY id LIMIT $3)";
    DELETE_EVENTS = "DELETE FROM events WHERE workspace_id = $1 AND id IN \
                     (SELECT id FROM events WHERE workspace_id = $1 AND id < $2 ORDER BY id LIMIT $3)";
    DELETE_ANSWERS = "DELETE FROM idempotent_answers WHERE (owner, idempotency_key) IN \
                      (SELECT owner, idempotency_key FROM idempotent_answers WHERE expires_at <= $1 \
                      ORDER BY expires_at, owner, idempotency_key LIMIT $2)";
}

/// The next workspaces to look at, by id.
#[derive(Debug)]
pub struct WorkspacesAfter {
    /// Only workspaces after this one; `None` at the beginning.
    pub after: Option<WorkspaceId>,
    /// Most workspaces to give.
    pub rows: i64,
}

impl Query for WorkspacesAfter {
    const NAME: &'static str = "retention.workspaces";
    type Out = Vec<WorkspaceId>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let after = self.after.unwrap_or(WorkspaceId::from_bytes([0; 16]));
        tx.all(&WORKSPACES, &[(&after).into(), self.rows.into()], |row| row.id(0))
    }
}

/// Workspaces that are gone and have events all the same: those were being published while the workspace was deleted.
///
/// It steps from workspace to workspace along the primary key of the events, however many each has.
#[derive(Debug)]
pub struct StrayWorkspaces {
    /// Most workspaces to give.
    pub rows: i64,
}

impl Query for StrayWorkspaces {
    const NAME: &'static str = "retention.strays";
    type Out = Vec<WorkspaceId>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.all(&STRAYS, &[self.rows.into()], |row| row.id(0))
    }
}

/// Deletes one bite of what is old in a workspace. Gives how many rows went; 0 when there is nothing left to delete.
///
/// A delivery that is still pending when its event's time is over goes with it: it waited as long as anything is kept.
#[derive(Debug)]
pub struct DeleteOld {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Events and deliveries made before this instant go.
    pub events_before: Timestamp,
    /// Attempts of deliveries made before this instant go.
    pub attempts_before: Timestamp,
    /// Most rows of each table.
    pub rows: i64,
}

impl Op for DeleteOld {
    const NAME: &'static str = "retention.delete_old";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        let attempts = DeliveryId::first_of(self.attempts_before.max(self.events_before));
        let deliveries = DeliveryId::first_of(self.events_before);
        let events = EventKey::first_of(self.events_before);
        let workspace = Arg::from(&self.workspace);
        let rows = Arg::Int(self.rows);
        let mut gone = tx.exec(&DELETE_ATTEMPTS, &[workspace, (&attempts).into(), rows])?;
        let pending = tx.exec(&DELETE_PENDING, &[workspace, (&deliveries).into(), rows])?;
        gone += pending + tx.exec(&DELETE_FINISHED, &[workspace, (&deliveries).into(), rows])?;
        // No pending delivery is ever without its event.
        if pending < self.rows.unsigned_abs() {
            gone += tx.exec(&DELETE_EVENTS, &[workspace, (&events).into(), rows])?;
        }
        Ok(gone)
    }
}

/// Deletes one bite of stored answers whose time is over. Gives how many went.
#[derive(Debug)]
pub struct DeleteExpiredAnswers {
    /// The present instant.
    pub now: Timestamp,
    /// Most rows.
    pub rows: i64,
}

impl Op for DeleteExpiredAnswers {
    const NAME: &'static str = "retention.delete_answers";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        tx.exec(&DELETE_ANSWERS, &[self.now.into(), self.rows.into()])
    }
}
