//! What is done to a webhook's waiting deliveries when the webhook changes. In small bites: a long queue blocks nobody.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{WebhookId, WorkspaceId};
use keybell_store::ops::deliveries::{Sweep, SweepWebhook};
use keybell_store::{StoreError, Timed};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Shared;
use super::pace::Pace;

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
    let mut pace = Pace::new();
    loop {
        let rows = pace.weight();
        let bite = SweepWebhook { workspace, webhook, sweep, after, rows };
        let (last, took) = shared.store.write(Timed(bite)).await?;
        after = last;
        if after.is_none() {
            break;
        }
        tokio::time::sleep(pace.after(rows, took)).await;
    }
    if matches!(sweep, Sweep::TakeUp { .. }) {
        shared.due.now();
        shared.say_waiting([(workspace, webhook)]);
    }
    Ok(())
}
