//! Taking up what is due on disk: retries, and what a dead node left.
//!
//! One task looks at the disk when something is due and there is room in memory, and sleeps until then. What it finds for
//! a webhook that has no room goes back to wait for that on disk, and the webhook's shard asks for it by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keybell_core::{Timestamp, WebhookId, WorkspaceId};
use keybell_store::ops::deliveries::{
    Claim, ClaimDeliveries, Claimed, ClaimedDelivery, NextDue, WaitingWebhooks,
};
use tokio::sync::Notify;

use super::Shared;
use super::book::Gauge;
use super::job::{Job, Outgoing};

/// The longest sleep: another node may have left work behind, and a clock may be set. One look that finds nothing is one
/// statement that reads.
const POLL_AFTER: Duration = Duration::from_secs(5);
/// How often it is looked for webhooks for which deliveries wait on disk and nobody asks: a node may have died that did.
const WAITING_EVERY: Duration = Duration::from_mins(1);
/// Webhooks that are found at once.
const WAITING_ROWS: i64 = 500;
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
            biased;
            () = sooner => {}
            () = tokio::time::sleep(next.since(now).min(POLL_AFTER)) => {
                match shared.store.read(NextDue).await {
                    Ok(Some(at)) => shared.due.at(at),
                    Ok(None) => {}
                    Err(error) => tracing::warn!(%error, "what is due could not be read; looking again"),
                }
            }
        }
    }
}

/// Looks, now and then, for webhooks for which deliveries wait on disk, until the task is ended.
pub(super) async fn find_waiting(shared: Arc<Shared>) {
    loop {
        let mut after = None;
        loop {
            match shared.store.read(WaitingWebhooks { after, rows: WAITING_ROWS }).await {
                Ok(found) => {
                    after = found.last().copied();
                    shared.say_found_waiting(found);
                }
                Err(error) => {
                    tracing::warn!(%error, "waiting deliveries could not be looked for; trying again");
                    after = None;
                }
            }
            if after.is_none() {
                break;
            }
        }
        tokio::time::sleep(WAITING_EVERY).await;
    }
}

async fn claim(shared: &Arc<Shared>) -> Result<(), keybell_store::StoreError> {
    // Forgotten before looking: what is said meanwhile stays said.
    shared.due.micros.store(i64::MAX, Ordering::SeqCst);
    let rows = shared.book.room().clamp(1, shared.book.bounds().claim_rows);
    let op = shared.claim(Claim::Due, rows);
    let lease_until = op.lease_until;
    let Claimed { deliveries, more, next_due } = shared.store.write(op).await?;
    if more {
        shared.due.at(shared.clock.now());
    } else if let Some(at) = next_due {
        shared.due.at(at);
    }
    shared.take_up(deliveries, lease_until);
    Ok(())
}

impl Shared {
    /// The claim of this node for up to `rows` deliveries.
    pub(super) fn claim(&self, claim: Claim, rows: usize) -> ClaimDeliveries {
        let now = self.clock.now();
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        ClaimDeliveries { claim, now, lease_until: now + self.lease, leased_by: self.leased_by.clone(), rows }
    }

    fn take_up(self: &Arc<Self>, claimed: Vec<ClaimedDelivery>, lease_until: Timestamp) {
        let mut jobs = Vec::new();
        let mut no_room = Vec::new();
        let mut not_wanted: BTreeSet<(WorkspaceId, WebhookId)> = BTreeSet::new();
        // Without its event nothing can be sent: retention, which removed that, removes the delivery too.
        for delivery in claimed.into_iter().filter(|delivery| delivery.event.is_some()) {
            let (workspace, webhook) = (delivery.workspace, delivery.webhook);
            if self.registry.get(workspace, webhook).is_none_or(|live| !live.enabled) {
                not_wanted.insert((workspace, webhook));
                continue;
            }
            let gauge = self.book.gauge(webhook);
            if gauge.behind() {
                no_room.push((workspace, webhook, delivery.id));
                continue;
            }
            match self.job(delivery, lease_until, &gauge) {
                Ok(job) => jobs.push(job),
                Err(delivery) => no_room.push((workspace, webhook, delivery.id)),
            }
        }
        for (workspace, webhook) in not_wanted {
            self.settle(workspace, webhook);
        }
        self.hand_over(jobs);
        self.put_back_later(no_room, "no_room");
    }

    /// Tells the shards of webhooks for which deliveries were found on disk, where they do not know it.
    fn say_found_waiting(&self, found: Vec<(WorkspaceId, WebhookId)>) {
        for (workspace, webhook) in found {
            match self.registry.get(workspace, webhook) {
                // What waits for a webhook that is disabled waits on.
                Some(live) if !live.enabled => {}
                Some(_) if self.book.gauge(webhook).behind() => {}
                Some(_) => self.say_waiting([(workspace, webhook)]),
                None => self.settle(workspace, webhook),
            }
        }
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
}
