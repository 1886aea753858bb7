//! Taking up what is due on disk: retries, what a dead node left, and what had no room.
//!
//! One task looks at the disk when something is due and there is room in memory, and sleeps until then. What it finds for
//! a webhook that has no room goes back to wait in this node's care, and its shard asks for it by itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keybell_core::{Timestamp, WebhookId, WorkspaceId};
use keybell_store::ops::deliveries::{
    Claim, ClaimDeliveries, Claimed, ClaimedDelivery, MoveDeliveries, MovedDelivery,
};
use tokio::sync::Notify;

use super::Shared;
use super::book::Gauge;
use super::job::{Job, Outgoing};

/// Most deliveries of one claim.
pub(super) const CLAIM_ROWS_MAX: usize = 500;
/// The longest sleep: another node may have left work behind, and a clock may be set. One look that finds nothing costs
/// some tens of microseconds and writes nothing.
const POLL_AFTER: Duration = Duration::from_secs(5);
/// How long a failed claim waits.
const CLAIM_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// When something is due next, and who waits for it.
pub(super) struct Due {
    micros: AtomicI64,
    sooner: Notify,
}

impl Default for Due {
    fn default() -> Self {
        Due { micros: AtomicI64::new(i64::MAX), sooner: Notify::new() }
    }
}

impl Due {
    /// Says that something is due at `at`.
    pub(super) fn at(&self, at: Timestamp) {
        if at.micros() < self.micros.fetch_min(at.micros(), Ordering::SeqCst) {
            self.sooner.notify_one();
        }
    }

    /// Has the disk looked at whatever is known.
    pub(super) fn now(&self) {
        self.at(Timestamp::EPOCH);
        self.sooner.notify_one();
    }

    fn next(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}

/// Takes up what is due, until the task is ended.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        wait(&shared).await;
        shared.book.wait_for_room().await;
        if let Err(error) = claim(&shared).await {
            tracing::warn!(%error, "what is due could not be claimed; trying again");
            shared.due.at(shared.clock.now());
            tokio::time::sleep(CLAIM_AGAIN_AFTER).await;
        }
    }
}

/// Sleeps until something is due.
async fn wait(shared: &Shared) {
    loop {
        let sooner = shared.due.sooner.notified();
        let now = shared.clock.now();
        let next = shared.due.next();
        if next <= now {
            return;
        }
        tokio::select! {
            () = sooner => {}
            () = tokio::time::sleep(next.since(now).min(POLL_AFTER)) => return,
        }
    }
}

async fn claim(shared: &Arc<Shared>) -> Result<(), keybell_store::StoreError> {
    // Forgotten before looking: what is said meanwhile stays said.
    shared.due.micros.store(i64::MAX, Ordering::SeqCst);
    let rows = shared.book.room().clamp(1, CLAIM_ROWS_MAX);
    let op = shared.claim(Claim::Due, rows);
    let lease_until = op.lease_until;
    let Claimed { deliveries, more, next_due } = shared.store.write(op).await?;
    if more {
        shared.due.at(shared.clock.now());
    } else if let Some(at) = next_due {
        shared.due.at(at);
    }
    shared.take_up(deliveries, lease_until).await
}

impl Shared {
    /// The claim of this node for up to `rows` deliveries.
    pub(super) fn claim(&self, claim: Claim, rows: usize) -> ClaimDeliveries {
        let now = self.clock.now();
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        ClaimDeliveries { claim, now, lease_until: now + self.lease, leased_by: self.leased_by.clone(), rows }
    }

    async fn take_up(
        self: &Arc<Self>,
        claimed: Vec<ClaimedDelivery>,
        lease_until: Timestamp,
    ) -> Result<(), keybell_store::StoreError> {
        let mut jobs = Vec::new();
        let mut no_room = Vec::new();
        let mut not_wanted: HashSet<(WorkspaceId, WebhookId)> = HashSet::new();
        // Without its event nothing can be sent: retention, which removed that, removes the delivery too.
        for delivery in claimed.into_iter().filter(|delivery| delivery.event.is_some()) {
            let (workspace, webhook) = (delivery.workspace, delivery.webhook);
            if self.registry.get(workspace, webhook).is_none_or(|live| !live.enabled) {
                not_wanted.insert((workspace, webhook));
                continue;
            }
            let gauge = self.book.gauge(webhook);
            match self.job(delivery, lease_until, &gauge) {
                Ok(job) => jobs.push(job),
                Err(delivery) => no_room.push(*delivery),
            }
        }
        for (workspace, webhook) in not_wanted {
            self.settle(workspace, webhook);
        }
        self.hand_over(jobs);
        self.put_back(no_room).await
    }

    /// A claimed delivery in memory, or the delivery where there is no room.
    pub(super) fn job(
        &self,
        delivery: ClaimedDelivery,
        lease_until: Timestamp,
        gauge: &Arc<Gauge>,
    ) -> Result<Job, Box<ClaimedDelivery>> {
        let bytes = delivery.event.as_ref().map_or(0, |event| event.data.len());
        let Some(place) = self.book.place(gauge, bytes) else { return Err(Box::new(delivery)) };
        let Some(event) = delivery.event else { return Err(Box::new(delivery)) };
        let ClaimedDelivery { id, webhook, attempts_made, trigger, workspace, .. } = delivery;
        let event = Outgoing::new(Arc::new(event));
        let attempts_made = u32::try_from(attempts_made).unwrap_or(u32::MAX);
        Ok(Job { id, workspace, webhook, event, attempts_made, trigger, lease_until, place })
    }

    /// Puts deliveries back to wait on disk, in this node's care, for room at their webhooks.
    pub(super) async fn put_back(
        self: &Arc<Self>,
        deliveries: Vec<ClaimedDelivery>,
    ) -> Result<(), keybell_store::StoreError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let due_at = self.clock.now() + super::CARE;
        let behind: HashSet<_> = deliveries.iter().map(|gone| (gone.workspace, gone.webhook)).collect();
        let moved = deliveries.into_iter().map(|delivery| MovedDelivery {
            workspace: delivery.workspace,
            id: delivery.id,
            due_at,
            leased_by: Some(self.cared_for_by.clone()),
        });
        self.store.write(MoveDeliveries { moved: moved.collect() }).await?;
        self.say_behind(behind);
        Ok(())
    }
}
