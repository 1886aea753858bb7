//! Between a shard and the disk: what waits there is asked for when there is room, and what cannot go soon is put back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keybell_core::circuit::Pass;
use keybell_core::{DeliveryId, Timestamp, WebhookId, WorkspaceId};
use keybell_store::StoreError;
use keybell_store::ops::deliveries::{Claim, Claimed, ClaimedDelivery, PutBack};

use super::Shared;
use super::book::NoPlace;
use super::dispatch::{Message, Shard};
use super::job::{Job, Outgoing};

/// Deliveries that are taken from disk at once for a webhook that has not answered well yet.
const FIRST_ROWS: usize = 32;
/// How long a webhook with deliveries on disk waits where memory has no room.
const LOOK_FOR_ROOM_AFTER: Duration = Duration::from_millis(100);

/// What a claim brought, with places in memory.
pub(super) struct TakenUp {
    jobs: Vec<Job>,
    /// Whether some of it had no room.
    no_room: bool,
    /// Whether more may wait.
    more: bool,
}

impl Shard {
    /// Says that deliveries of a webhook wait on disk for room.
    pub(super) fn now_waiting(&mut self, workspace: WorkspaceId, webhook: WebhookId) {
        if self.shared.registry.get(workspace, webhook).is_none_or(|live| !live.enabled) {
            // It is said again when it is enabled; what waits for a webhook that is deleted is canceled.
            return;
        }
        let queue = self.queue(workspace, webhook);
        queue.gauge.set_behind(true);
        queue.waiting += 1;
        self.want_more(webhook);
    }

    /// Has a webhook stand in line for deliveries from disk, where some wait there and it may have them.
    pub(super) fn want_more(&mut self, webhook: WebhookId) {
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        if queue.waiting == 0 || queue.in_line || queue.queued() > queue.gauge.cap() / 2 {
            return;
        }
        let now = self.shared.clock.now();
        // A clock may step back: then it is not believed.
        let full = queue.full_until.filter(|until| *until > now && until.since(now) <= LOOK_FOR_ROOM_AFTER);
        if let Some(until) = full {
            return self.wake_at(webhook, until);
        }
        match queue.circuit.pass(now) {
            Pass::Closed => {}
            // One is enough to probe with.
            Pass::Probe if queue.queued() == 0 => {}
            Pass::Probe | Pass::Probing => return,
            Pass::NotBefore(until) => return self.wake_at(webhook, until),
        }
        queue.in_line = true;
        self.line.push_back(webhook);
    }

    /// Asks for deliveries of the webhook that stands first in line; one claim at a time.
    pub(super) fn take_up_from_disk(&mut self) {
        while !self.taking_up && self.stop_at.is_none() {
            let Some(webhook) = self.line.pop_front() else { return };
            let Some(queue) = self.queues.get_mut(&webhook) else { continue };
            queue.in_line = false;
            if queue.waiting == 0 {
                continue;
            }
            let (now, book) = (self.shared.clock.now(), &self.shared.book);
            let claim_rows = book.bounds().claim_rows;
            let rows_max = match queue.circuit.pass(now) {
                Pass::Closed if queue.gauge.pulse().is_good() => claim_rows,
                Pass::Closed => FIRST_ROWS.min(claim_rows),
                Pass::Probe => 1,
                Pass::Probing | Pass::NotBefore(_) => continue,
            };
            let rows = rows_max.min(book.room_for(&queue.gauge));
            if rows == 0 {
                queue.full_until = Some(now + LOOK_FOR_ROOM_AFTER);
                self.want_more(webhook);
                continue;
            }
            queue.waiting_at_claim = queue.waiting;
            self.taking_up = true;
            self.shared.claim_of(queue.workspace, webhook, rows);
        }
    }

    /// Takes over what a claim brought.
    pub(super) fn taken_up(&mut self, webhook: WebhookId, taken_up: Result<TakenUp, StoreError>) {
        self.taking_up = false;
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        let TakenUp { jobs, no_room, more } = match taken_up {
            Ok(taken_up) => taken_up,
            Err(error) => {
                // They stay where they are; it is said again after a while that they wait.
                tracing::warn!(%error, webhook.id = %webhook, "deliveries on disk could not be taken up");
                queue.waiting = 0;
                self.shared.say_waiting_later(queue.workspace, webhook);
                return;
            }
        };
        if !more && !no_room && queue.waiting == queue.waiting_at_claim {
            queue.waiting = 0;
            queue.gauge.set_behind(false);
        }
        queue.full_until = no_room.then(|| self.shared.clock.now() + LOOK_FOR_ROOM_AFTER);
        if self.stop_at.is_none() {
            for job in jobs {
                self.enqueue(job);
            }
        }
        self.want_more(webhook);
    }
}

/// Counts deliveries that are held back, for that reason.
pub(super) fn held_back(reason: &'static str, deliveries: u64) {
    metrics::counter!("keybell_deliveries_held_back_total", "reason" => reason).increment(deliveries);
}

impl Shared {
    /// Claims what waits on disk for one webhook, and tells its shard.
    fn claim_of(self: &Arc<Self>, workspace: WorkspaceId, webhook: WebhookId, rows: usize) {
        let op = self.claim(Claim::OfWebhook { workspace, webhook }, rows);
        let lease_until = op.lease_until;
        let shared = Arc::clone(self);
        self.store.write_then(op, move |claimed| {
            let taken_up = claimed.map(|claimed| shared.into_memory(claimed, lease_until));
            shared.tell(webhook, Message::TakenUp(webhook, taken_up));
        });
    }

    /// Takes what was claimed into memory, on the thread that committed the claim: so that what is in memory already is
    /// found there. What has no room goes back to wait on disk.
    pub(super) fn into_memory(self: &Arc<Self>, claimed: Claimed, lease_until: Timestamp) -> TakenUp {
        let Claimed { deliveries, more, .. } = claimed;
        let (mut jobs, mut no_room) = (Vec::with_capacity(deliveries.len()), Vec::new());
        for delivery in deliveries {
            let (workspace, webhook, id) = (delivery.workspace, delivery.webhook, delivery.id);
            match self.job(delivery, lease_until) {
                Ok(job) => jobs.extend(job),
                Err(NoPlace::Twice) => {}
                Err(NoPlace::Full) => no_room.push((workspace, webhook, id)),
            }
        }
        let found_room = no_room.is_empty();
        self.put_back_later(no_room, "no_room");
        TakenUp { jobs, no_room: !found_room, more }
    }

    /// A claimed delivery in memory; `None` where its event is gone: retention, which removed that, removes the delivery too.
    pub(super) fn job(
        &self,
        delivery: ClaimedDelivery,
        lease_until: Timestamp,
    ) -> Result<Option<Job>, NoPlace> {
        let ClaimedDelivery { id, webhook, attempts_made, trigger, workspace, event, .. } = delivery;
        let Some(event) = event else { return Ok(None) };
        let place = self.book.place(&self.book.gauge(webhook), id, event.data.len())?;
        let event = Outgoing::new(Arc::new(event));
        let attempts_made = u32::try_from(attempts_made).unwrap_or(u32::MAX);
        Ok(Some(Job { id, workspace, webhook, event, attempts_made, trigger, lease_until, place }))
    }

    /// Has deliveries that were queued wait on disk. Their places are given back by whoever drops them.
    pub(super) fn put_back_soon(self: &Arc<Self>, jobs: &[Job], reason: &'static str) {
        let deliveries = jobs.iter().map(|job| (job.workspace, job.webhook, job.id));
        self.put_back_later(deliveries.collect(), reason);
    }

    /// Has deliveries that are this node's wait on disk for room at their webhooks, for that reason.
    pub(super) fn put_back_later(
        self: &Arc<Self>,
        deliveries: Vec<(WorkspaceId, WebhookId, DeliveryId)>,
        reason: &'static str,
    ) {
        if deliveries.is_empty() {
            return;
        }
        held_back(reason, deliveries.len() as u64);
        let waiting: BTreeSet<_> =
            deliveries.iter().map(|(workspace, webhook, _)| (*workspace, *webhook)).collect();
        let deliveries = deliveries.into_iter().map(|(workspace, _, delivery)| (workspace, delivery));
        let op = PutBack { deliveries: deliveries.collect(), leased_by: self.leased_by.clone() };
        let shared = Arc::clone(self);
        self.store.write_then(op, move |ended| match ended {
            Ok(()) => shared.say_waiting(waiting),
            Err(error) => {
                tracing::warn!(%error, "deliveries could not be put back; they are due when their leases end");
                // Nothing else would look at the disk for them before that.
                shared.due.at(shared.clock.now() + shared.lease);
            }
        });
    }
}
