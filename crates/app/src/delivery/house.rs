//! What is done to a webhook's waiting deliveries when the webhook changes, and what is deleted by age. In small bites:
//! a long queue blocks nobody.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{Timestamp, WebhookId, WorkspaceId};
use keybell_store::StoreError;
use keybell_store::ops::deliveries::{Sweep, SweepWebhook};
use keybell_store::ops::retention::{DeleteExpiredAnswers, DeleteOld, StrayWorkspaces, WorkspacesAfter};
use keybell_store::ops::usage::{DeleteOldUsage, Step};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Shared;
use crate::settings::RetentionSettings;

/// Rows of one bite: some milliseconds of the writer's time.
const BITE_ROWS: i64 = 500;
/// Workspaces read at once.
const WORKSPACES_AT_ONCE: i64 = 250;
/// How often what is old is looked for.
const RETENTION_EVERY: Duration = Duration::from_mins(10);
/// How long a failed sweep waits for the next try.
const SWEEP_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Settles, one after the other, the waiting deliveries of webhooks that changed.
pub(super) async fn settle_webhooks(
    shared: Arc<Shared>,
    mut changed: UnboundedReceiver<(WorkspaceId, WebhookId)>,
) {
    while let Some((workspace, webhook)) = changed.recv().await {
        // Before looking at it: what changes meanwhile is said again.
        shared.to_settle().remove(&(workspace, webhook));
        while let Err(error) = settle(&shared, workspace, webhook).await {
            tracing::warn!(%error, webhook.id = %webhook, "waiting deliveries were not settled; trying again");
            tokio::time::sleep(SWEEP_AGAIN_AFTER).await;
        }
    }
}

/// Parks, takes up or cancels what waits for a webhook, by what the webhook is now.
async fn settle(shared: &Arc<Shared>, workspace: WorkspaceId, webhook: WebhookId) -> Result<(), StoreError> {
    let sweep = match shared.registry.get(workspace, webhook) {
        None => Sweep::Cancel { at: shared.clock.now() },
        Some(live) if live.enabled => Sweep::TakeUp { now: shared.clock.now() },
        Some(_) => Sweep::Park,
    };
    let mut after = None;
    loop {
        let bite = SweepWebhook { workspace, webhook, sweep, after, rows: BITE_ROWS };
        after = shared.store.write(bite).await?;
        if after.is_none() {
            break;
        }
    }
    if matches!(sweep, Sweep::TakeUp { .. }) {
        shared.due.now();
        shared.say_waiting([(workspace, webhook)]);
    }
    Ok(())
}

/// Deletes what is old, now and every ten minutes.
pub(super) async fn retain(shared: Arc<Shared>, retention: RetentionSettings) {
    loop {
        if let Err(error) = delete_old(&shared, &retention).await {
            tracing::warn!(%error, "what is old was not deleted; trying again later");
        }
        tokio::time::sleep(RETENTION_EVERY).await;
    }
}

/// Deletes what is old of every workspace, and whatever is left of one that is gone. Gives how many rows went.
pub(super) async fn delete_old(shared: &Shared, retention: &RetentionSettings) -> Result<u64, StoreError> {
    let now = shared.clock.now();
    let mut gone = 0;
    let mut after = None;
    loop {
        let workspaces = shared.store.read(WorkspacesAfter { after, rows: WORKSPACES_AT_ONCE }).await?;
        for workspace in &workspaces {
            let (events, attempts) = (now.before(retention.events), now.before(retention.attempts));
            gone += delete_before(shared, *workspace, events, attempts).await?;
            gone += delete_usage(shared, *workspace, retention, now).await?;
        }
        after = workspaces.last().copied();
        if after.is_none() {
            break;
        }
    }
    for workspace in shared.store.read(StrayWorkspaces { rows: WORKSPACES_AT_ONCE }).await? {
        gone += delete_before(shared, workspace, now, now).await?;
    }
    while shared.store.write(DeleteExpiredAnswers { now, rows: BITE_ROWS }).await? > 0 {}
    Ok(gone)
}

async fn delete_usage(
    shared: &Shared,
    workspace: WorkspaceId,
    retention: &RetentionSettings,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut gone = 0;
    let kept = [
        (Step::Minute, retention.usage_minutes),
        (Step::Hour, retention.usage_hours),
        (Step::Day, retention.usage_days),
    ];
    for (step, kept) in kept {
        loop {
            let bite = DeleteOldUsage { workspace, step, before: now.before(kept), rows: BITE_ROWS };
            let rows = shared.store.write(bite).await?;
            gone += rows;
            if rows == 0 {
                break;
            }
        }
    }
    Ok(gone)
}

async fn delete_before(
    shared: &Shared,
    workspace: WorkspaceId,
    events_before: Timestamp,
    attempts_before: Timestamp,
) -> Result<u64, StoreError> {
    let mut gone = 0;
    loop {
        let bite = DeleteOld { workspace, events_before, attempts_before, rows: BITE_ROWS };
        let rows = shared.store.write(bite).await?;
        gone += rows;
        if rows == 0 {
            return Ok(gone);
        }
    }
}
