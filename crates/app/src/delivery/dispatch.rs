//! The shards: each a task that owns the queues of its webhooks and sends in turns.
//!
//! A webhook always belongs to the same shard, and a shard to one runtime, so that a queue needs no lock and a connection
//! stays on the thread that opened it. Turns go around webhooks, not deliveries: whoever has a thousand waiting gets the
//! same turn as whoever has one. A shard never waits for the store; it is told by message.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use keybell_core::{Timestamp, WebhookId, WorkspaceId};
use keybell_store::StoreError;
use keybell_store::ops::deliveries::{Claim, Claimed};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::Shared;
use super::book::{Gauge, IN_MEMORY_PER_WEBHOOK_MAX};
use super::claim::CLAIM_ROWS_MAX;
use super::exchange::Transport;
use super::job::Job;
use super::send::{self, Attempted, Route};

/// What a shard is told. Jobs are bounded by their places in memory; the rest is a few for each webhook.
pub(super) enum Message {
    /// Deliveries to make.
    Jobs(Vec<Job>),
    /// Deliveries of this webhook wait on disk for want of room.
    Behind(WorkspaceId, WebhookId),
    /// The webhook was changed, disabled or deleted.
    Changed(WorkspaceId, WebhookId),
    /// What a claim for a webhook that is behind brought.
    TakenUp(WebhookId, Timestamp, Result<Claimed, StoreError>),
    /// Begin nothing more; end when what is under way is over, or after this time.
    Stop(Duration),
}

/// One shard.
pub(super) struct Shard {
    shared: Arc<Shared>,
    transport: Arc<dyn Transport>,
    queues: HashMap<WebhookId, Queue>,
    /// Whose turn comes next.
    turns: VecDeque<WebhookId>,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
    under_way_max: usize,
    /// Webhooks with deliveries on disk.
    behind: VecDeque<WebhookId>,
    taking_up: bool,
    stop_at: Option<Instant>,
}

/// The deliveries of one webhook.
struct Queue {
    workspace: WorkspaceId,
    jobs: VecDeque<Job>,
    under_way: usize,
    has_turn: bool,
    gauge: Arc<Gauge>,
    route: Option<Arc<Route>>,
    /// How often it was said that deliveries wait on disk; 0 where none do.
    behind: u64,
    /// What `behind` was when the claim under way began.
    behind_at_claim: u64,
}

/// An attempt that is over; without what came of it where it panicked.
struct Done {
    webhook: WebhookId,
    job: Option<(Job, Attempted)>,
}

impl Shard {
    /// A shard that sends over `transport`, up to `under_way_max` at once.
    pub(super) fn new(shared: Arc<Shared>, transport: Arc<dyn Transport>, under_way_max: usize) -> Shard {
        Shard {
            shared,
            transport,
            queues: HashMap::new(),
            turns: VecDeque::new(),
            under_way: FuturesUnordered::new(),
            under_way_max,
            behind: VecDeque::new(),
            taking_up: false,
            stop_at: None,
        }
    }

    /// Works until it is told to stop.
    pub(super) async fn run(mut self, mut messages: UnboundedReceiver<Message>) {
        loop {
            self.begin_attempts();
            self.take_up_from_disk();
            if self.stop_at.is_some() && self.under_way.is_empty() {
                return;
            }
            let stop_at = self.stop_at;
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.told(message),
                    None => return,
                },
                Some(done) = self.under_way.next(), if !self.under_way.is_empty() => self.over(done),
                () = end(stop_at) => return,
            }
            while let Ok(message) = messages.try_recv() {
                self.told(message);
            }
            while let Some(Some(done)) = self.under_way.next().now_or_never() {
                self.over(done);
            }
        }
    }

    fn told(&mut self, message: Message) {
        match message {
            Message::Jobs(_) if self.stop_at.is_some() => {}
            Message::Jobs(jobs) => jobs.into_iter().for_each(|job| self.enqueue(job)),
            Message::Behind(workspace, webhook) => self.now_behind(workspace, webhook),
            Message::Changed(workspace, webhook) => self.changed(workspace, webhook),
            Message::TakenUp(webhook, lease_until, claimed) => self.taken_up(webhook, lease_until, claimed),
            Message::Stop(grace) => {
                self.stop_at = Some(Instant::now() + grace);
                self.turns.clear();
                self.queues.values_mut().for_each(|queue| queue.jobs.clear());
            }
        }
    }

    fn queue(&mut self, workspace: WorkspaceId, webhook: WebhookId) -> &mut Queue {
        let book = &self.shared.book;
        self.queues.entry(webhook).or_insert_with(|| Queue {
            workspace,
            jobs: VecDeque::new(),
            under_way: 0,
            has_turn: false,
            gauge: book.gauge(webhook),
            route: None,
            behind: 0,
            behind_at_claim: 0,
        })
    }

    fn enqueue(&mut self, job: Job) {
        let webhook = job.webhook;
        self.queue(job.workspace, webhook).jobs.push_back(job);
        self.give_turn(webhook);
    }

    fn give_turn(&mut self, webhook: WebhookId) {
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        if !queue.jobs.is_empty() && !queue.has_turn {
            queue.has_turn = true;
            self.turns.push_back(webhook);
        }
    }

    /// Begins attempts, one for each webhook whose turn it is, while there is room for more.
    fn begin_attempts(&mut self) {
        while self.under_way.len() < self.under_way_max && self.stop_at.is_none() {
            let Some(webhook) = self.turns.pop_front() else { return };
            let Some(queue) = self.queues.get_mut(&webhook) else { continue };
            queue.has_turn = false;
            let Some(route) = self.shared.route(queue.workspace, webhook, queue.route.as_ref()) else {
                // It was disabled or deleted: what waits for it is on disk, and dealt with there.
                queue.jobs.clear();
                continue;
            };
            queue.route = Some(Arc::clone(&route));
            let own_max = route.webhook.max_in_flight.map_or(usize::MAX, |own| own as usize);
            if queue.under_way >= own_max.min(self.shared.under_way_per_webhook_max) {
                // Its turn comes again when one of them is over.
                continue;
            }
            let now = self.shared.clock.now();
            while queue.jobs.front().is_some_and(|job| job.lease_until < now + self.shared.lease_left_min) {
                // It waited so long that its lease might end during the attempt: it is taken up again from disk.
                queue.jobs.pop_front();
            }
            let Some(job) = queue.jobs.pop_front() else { continue };
            queue.under_way += 1;
            let attempt = attempt(Arc::clone(&self.shared), Arc::clone(&self.transport), route, job);
            self.under_way.push(attempt);
            self.give_turn(webhook);
        }
    }

    fn over(&mut self, done: Done) {
        if let Some(queue) = self.queues.get_mut(&done.webhook) {
            queue.under_way -= 1;
            if let Some((job, attempted)) = done.job {
                self.shared.record(attempted, &queue.gauge, job.place);
            }
        }
        self.give_turn(done.webhook);
    }

    fn changed(&mut self, workspace: WorkspaceId, webhook: WebhookId) {
        let live = self.shared.registry.get(workspace, webhook);
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        queue.route = None;
        queue.gauge.forget_health();
        if live.as_ref().is_some_and(|live| live.enabled) {
            return;
        }
        queue.jobs.clear();
        queue.behind = 0;
        queue.gauge.set_behind(false);
        if live.is_none() && queue.under_way == 0 {
            self.queues.remove(&webhook);
            self.shared.book.forget(webhook);
        }
    }

    fn now_behind(&mut self, workspace: WorkspaceId, webhook: WebhookId) {
        let queue = self.queue(workspace, webhook);
        queue.gauge.set_behind(true);
        queue.behind += 1;
        if !self.behind.contains(&webhook) {
            self.behind.push_back(webhook);
        }
    }

    /// Asks for deliveries of the next webhook that has some on disk and room for them; one claim at a time.
    fn take_up_from_disk(&mut self) {
        if self.taking_up || self.stop_at.is_some() || self.shared.book.room() == 0 {
            return;
        }
        for _ in 0..self.behind.len() {
            let Some(webhook) = self.behind.pop_front() else { return };
            let Some(queue) = self.queues.get_mut(&webhook).filter(|queue| queue.behind > 0) else {
                continue;
            };
            self.behind.push_back(webhook);
            if queue.gauge.in_memory() > IN_MEMORY_PER_WEBHOOK_MAX / 2 {
                continue;
            }
            queue.behind_at_claim = queue.behind;
            self.taking_up = true;
            self.shared.claim_of(queue.workspace, webhook, CLAIM_ROWS_MAX);
            return;
        }
    }

    fn taken_up(&mut self, webhook: WebhookId, lease_until: Timestamp, claimed: Result<Claimed, StoreError>) {
        self.taking_up = false;
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                // They stay in this node's care; the next time that something is said to wait it is tried again.
                tracing::warn!(%error, webhook.id = %webhook, "deliveries on disk could not be taken up");
                queue.behind = 0;
                self.shared.say_behind_later(queue.workspace, webhook);
                return;
            }
        };
        if !claimed.more && queue.behind == queue.behind_at_claim {
            queue.behind = 0;
            queue.gauge.set_behind(false);
        }
        let gauge = Arc::clone(&queue.gauge);
        let mut no_room = Vec::new();
        for delivery in claimed.deliveries.into_iter().filter(|delivery| delivery.event.is_some()) {
            match self.shared.job(delivery, lease_until, &gauge) {
                Ok(job) => self.enqueue(job),
                Err(delivery) => no_room.push(*delivery),
            }
        }
        if !no_room.is_empty() {
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                if let Err(error) = shared.put_back(no_room).await {
                    tracing::warn!(%error, "deliveries without room wait for their leases to end");
                }
            });
        }
    }
}

/// Comes back when the grace of a stop is over; never where there was none.
async fn end(stop_at: Option<Instant>) {
    match stop_at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// One attempt as a future of its own: a panic in it ends it and nothing else, and its delivery is repeated when its lease
/// ends.
fn attempt(
    shared: Arc<Shared>,
    transport: Arc<dyn Transport>,
    route: Arc<Route>,
    job: Job,
) -> BoxFuture<'static, Done> {
    let webhook = job.webhook;
    let work = async move {
        let (clock, randomness) = (shared.clock.as_ref(), shared.randomness.as_ref());
        let attempted =
            send::attempt(transport.as_ref(), &route, &job, &shared.rules, clock, randomness).await;
        shared.count(&attempted);
        (job, attempted)
    };
    async move {
        let job = AssertUnwindSafe(work).catch_unwind().await.ok();
        if job.is_none() {
            tracing::error!(webhook.id = %webhook, "an attempt panicked; its delivery is repeated");
        }
        Done { webhook, job }
    }
    .boxed()
}

impl Shared {
    /// The way to a webhook, made anew where it changed; `None` where it is disabled or deleted.
    fn route(
        &self,
        workspace: WorkspaceId,
        webhook: WebhookId,
        known: Option<&Arc<Route>>,
    ) -> Option<Arc<Route>> {
        let live = self.registry.get(workspace, webhook).filter(|live| live.enabled)?;
        match known {
            Some(route) if Arc::ptr_eq(&route.webhook, &live) => Some(Arc::clone(route)),
            _ => Some(Arc::new(Route::new(live))),
        }
    }

    /// Claims what waits on disk for one webhook, and tells its shard.
    fn claim_of(self: &Arc<Self>, workspace: WorkspaceId, webhook: WebhookId, rows: usize) {
        let cared_for_by = self.cared_for_by.clone();
        let op = self.claim(Claim::OfWebhook { workspace, webhook, cared_for_by }, rows);
        let lease_until = op.lease_until;
        let shared = Arc::clone(self);
        self.store.write_then(op, move |claimed| {
            shared.tell(webhook, Message::TakenUp(webhook, lease_until, claimed));
        });
    }
}
