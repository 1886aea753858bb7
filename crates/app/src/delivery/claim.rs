//! Taking up what is due on disk: retries, and what a dead node left.
//!
//! One task looks at the disk when something is due and there is room in memory, and sleeps until then. What it finds for
//! a webhook that has no room goes back to wait for that on disk, and the webhook's shard asks for it by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keybell_core::{Timestamp, WebhookId, WorkspaceId};
use keybell_store::StoreError;
use keybell_store::ops::deliveries::{
    Claim, ClaimDeliveries, Claimed, NextDue, WAITING, WaitingAt, WaitingWebhooks,
};
use tokio::sync::{Notify, oneshot};

use super::Shared;
use super::book::NoPlace;

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

    /// When something is due next, as far as is known.
    pub(super) fn next(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}

/// Takes up what is due, until the task is ended.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        wait(&shared).await;
        shared.book.wait_for_room().await;
        shared.pulse.claims_begun.beat();
        let claimed = claim(&shared).await;
        shared.pulse.claims_ended.beat();
        if let Err(error) = claimed {
            tracing::warn!(%error, "what is due could not be claimed; trying again");
            shared.due.at(shared.clock.now());
            tokio::time::sleep(CLAIM_AGAIN_AFTER).await;
        } else {
            shared.pulse.claims_done.beat();
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

/// Looks, now and then, for webhooks at which deliveries wait on disk, until the task is ended.
pub(super) async fn find_waiting(shared: Arc<Shared>) {
    loop {
        let mut after = None;
        loop {
            match shared.store.read(WaitingWebhooks { after, rows: WAITING_ROWS }).await {
                Ok(found) => {
                    after = found.last().copied();
                    for waiting in found {
                        shared.found_waiting(waiting);
                    }
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
        // Woken or not, it looks.
        tokio::time::timeout(WAITING_EVERY, shared.waiting_wanted.notified()).await.ok();
    }
}

async fn claim(shared: &Arc<Shared>) -> Result<(), StoreError> {
    // Forgotten before looking: what is said meanwhile stays said.
    shared.due.micros.store(i64::MAX, Ordering::SeqCst);
    let rows = shared.book.room().clamp(1, shared.book.bounds().claim_rows);
    let op = shared.claim(Claim::Due, rows);
    let lease_until = op.lease_until;
    let (done, ended) = oneshot::channel();
    let claiming = Arc::clone(shared);
    shared.store.write_then(op, move |claimed| {
        done.send(claimed.map(|claimed| claiming.take_up(claimed, lease_until))).ok();
    });
    let again =
        ended.await.map_err(|_| StoreError::Unavailable { what: "the store was closed", source: None })??;
    if let Some(at) = again {
        // What is due and was not given is held by another node at this moment.
        shared.due.at(at);
    }
    Ok(())
}

impl Shared {
    /// The claim of this node for up to `rows` deliveries.
    pub(super) fn claim(&self, claim: Claim, rows: usize) -> ClaimDeliveries {
        let now = self.clock.now();
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        ClaimDeliveries { claim, now, lease_until: now + self.lease, leased_by: self.leased_by.clone(), rows }
    }

    /// Takes what is due into memory and to the shards. Gives when to look again, if that is known.
    fn take_up(self: &Arc<Self>, claimed: Claimed, lease_until: Timestamp) -> Option<Timestamp> {
        let Claimed { deliveries, more, next_due } = claimed;
        let now = self.clock.now();
        let again = match next_due {
            _ if more => Some(now),
            // What is due and was not given is being taken by another node.
            Some(at) if deliveries.is_empty() && at <= now => Some(now + CLAIM_AGAIN_AFTER),
            next_due => next_due,
        };
        let (mut jobs, mut no_room) = (Vec::new(), Vec::new());
        let mut not_wanted: BTreeSet<(WorkspaceId, WebhookId)> = BTreeSet::new();
        for delivery in deliveries {
            let (workspace, webhook, id) = (delivery.workspace, delivery.webhook, delivery.id);
            if self.registry.get(workspace, webhook).is_none_or(|live| !live.enabled) {
                not_wanted.insert((workspace, webhook));
                continue;
            }
            if self.book.gauge(webhook).behind() && !self.book.holds(id) {
                no_room.push((workspace, webhook, id));
                continue;
            }
            match self.job(delivery, lease_until) {
                Ok(job) => jobs.extend(job),
                Err(NoPlace::Twice) => {}
                Err(NoPlace::Full) => no_room.push((workspace, webhook, id)),
            }
        }
        for (workspace, webhook) in not_wanted {
            self.settle(workspace, webhook);
        }
        self.hand_over(jobs);
        self.put_back_later(no_room, "behind");
        again
    }

    /// Has somebody care for what was found to wait at a webhook: the end of a process leaves it to whoever looks.
    fn found_waiting(&self, found: WaitingAt) {
        let WaitingAt { workspace, webhook, due_at } = found;
        match self.registry.get(workspace, webhook) {
            Some(live) if live.enabled && due_at == WAITING => self.say_waiting([(workspace, webhook)]),
            // It waits on until the webhook is enabled.
            Some(live) if !live.enabled => {}
            // It was enabled, or deleted, and what waits was not settled to the end.
            Some(_) | None => self.settle(workspace, webhook),
        }
    }
}
