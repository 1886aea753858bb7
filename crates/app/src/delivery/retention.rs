//! What is old is deleted, and what is left of workspaces that are gone. In bites, with pauses: a backlog of millions holds
//! up nobody.
//!
//! The order is attempts, deliveries, events, so that nothing in the log ever points at something that is gone. A delivery
//! that still waits when its event's time is over goes with it, uncounted in the log (which has forgotten its event) and
//! counted in `keybell_deliveries_expired_total`.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{Timestamp, WorkspaceId};
use keybell_store::ops::retention::{
    Bite, CountsOf, Cutoffs, DeleteAged, DeleteExpiredAnswers, DeleteOldCounts, Large, StrayWorkspaces,
    Table, WithSomethingOld, WorkspacesAfter,
};
use keybell_store::ops::usage::Step;
use keybell_store::{Op, StoreError, Timed};

use super::Shared;
use super::pace::Pace;
use crate::settings::RetentionSettings;

/// Workspaces looked at in one read: some milliseconds of a reader's time.
const WORKSPACES_AT_ONCE: i64 = 250;
/// How often what is old is looked for.
const EVERY: Duration = Duration::from_mins(10);
/// How long a bite waits for the next try where the store's queue is full.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Deletes what is old, now and every ten minutes; what is left of a workspace, now and whenever one was deleted.
pub(super) async fn retain(shared: Arc<Shared>) {
    let failed = |error| tracing::warn!(%error, "what is old was not deleted; trying again later");
    loop {
        delete_old(&shared).await.map_or_else(failed, drop);
        let next_round = tokio::time::Instant::now() + EVERY;
        while tokio::time::timeout_at(next_round, shared.workspace_gone.notified()).await.is_ok() {
            delete_strays(&shared, &mut Pace::new()).await.map_or_else(failed, drop);
        }
    }
}

/// Deletes what is old of every workspace, and whatever is left of those that are gone. Gives how many rows went.
pub(super) async fn delete_old(shared: &Shared) -> Result<u64, StoreError> {
    let mut pace = Pace::new();
    let now = shared.clock.now();
    let cutoffs = cutoffs(&shared.retention, now);
    let mut gone = delete_strays(shared, &mut pace).await?;
    let mut after = None;
    loop {
        let next = shared.store.read(WorkspacesAfter { after, rows: WORKSPACES_AT_ONCE }).await?;
        let Some(until) = next.last().copied() else { break };
        for workspace in shared.store.read(WithSomethingOld { after, until, cutoffs }).await? {
            gone += delete_old_of(shared, &mut pace, workspace, &cutoffs).await?;
        }
        after = Some(until);
    }
    gone += bites(shared, &mut pace, |weight_max| DeleteExpiredAnswers { now, weight_max }).await?;
    Ok(gone)
}

/// Before which instants what is old. Attempts go with their deliveries, however long they were to be kept.
fn cutoffs(retention: &RetentionSettings, now: Timestamp) -> Cutoffs {
    let events = now.before(retention.events);
    Cutoffs {
        events,
        attempts: now.before(retention.attempts).max(events),
        usage: [retention.usage_minutes, retention.usage_hours, retention.usage_days]
            .map(|kept| now.before(kept)),
    }
}

async fn delete_old_of(
    shared: &Shared,
    pace: &mut Pace,
    workspace: WorkspaceId,
    cutoffs: &Cutoffs,
) -> Result<u64, StoreError> {
    let mut gone = 0;
    for table in Table::BY_AGE {
        let before = Some(if table == Table::Attempts { cutoffs.attempts } else { cutoffs.events });
        let rows =
            bites(shared, pace, |weight_max| DeleteAged { workspace, table, before, weight_max }).await?;
        if table == Table::PendingDeliveries && rows > 0 {
            metrics::counter!("keybell_deliveries_expired_total").increment(rows);
            tracing::info!(
                workspace.id = %workspace,
                deliveries = rows,
                "deliveries that still waited were deleted with their events, whose time is over"
            );
        }
        gone += rows;
    }
    for (step, before) in Step::ALL.into_iter().zip(cutoffs.usage) {
        for of in CountsOf::ALL {
            let before = Some(before);
            let bite = |weight_max| DeleteOldCounts { workspace, of, step, before, weight_max };
            gone += bites(shared, pace, bite).await?;
        }
    }
    Ok(gone)
}

/// Deletes what is left of workspaces that are gone: after a deletion, after a crash in the middle of that, and what was
/// on its way into a workspace while it was deleted.
async fn delete_strays(shared: &Shared, pace: &mut Pace) -> Result<u64, StoreError> {
    let mut gone = 0;
    for table in Large::ALL {
        let mut after = None;
        loop {
            let strays = StrayWorkspaces { table, after, rows: WORKSPACES_AT_ONCE };
            let strays = shared.store.read(strays).await?;
            for workspace in strays.gone {
                gone += delete_all_of(shared, pace, workspace, table).await?;
            }
            after = strays.last;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(gone)
}

async fn delete_all_of(
    shared: &Shared,
    pace: &mut Pace,
    workspace: WorkspaceId,
    table: Large,
) -> Result<u64, StoreError> {
    match table {
        Large::Of(table) => {
            bites(shared, pace, |weight_max| DeleteAged { workspace, table, before: None, weight_max }).await
        }
        Large::Counts(of) => {
            let mut gone = 0;
            for step in Step::ALL {
                let bite = |weight_max| DeleteOldCounts { workspace, of, step, before: None, weight_max };
                gone += bites(shared, pace, bite).await?;
            }
            Ok(gone)
        }
    }
}

/// Takes bites until nothing is left, with a pause after each that took anything. Gives how many rows went.
async fn bites<O: Op<Out = Bite>>(
    shared: &Shared,
    pace: &mut Pace,
    bite: impl Fn(i64) -> O,
) -> Result<u64, StoreError> {
    let mut gone = 0;
    loop {
        let (bitten, took) = match shared.store.write(Timed(bite(pace.weight()))).await {
            Err(StoreError::Busy { .. }) => {
                tokio::time::sleep(AGAIN_AFTER).await;
                continue;
            }
            done => done?,
        };
        gone += bitten.rows;
        if bitten.weight > 0 {
            metrics::counter!("keybell_retention_rows_deleted_total").increment(bitten.rows);
            tokio::time::sleep(pace.after(bitten.weight, took)).await;
        }
        if !bitten.more {
            return Ok(gone);
        }
    }
}
