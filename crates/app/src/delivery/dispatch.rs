//! The shards: each a task that owns the queues of its webhooks and sends in turns.
//!
//! A webhook always belongs to the same shard, and a shard to one runtime, so that a queue needs no lock and a connection
//! stays on the thread that opened it. Turns go around webhooks, not deliveries: whoever has a thousand waiting gets the
//! same turn as whoever has one. What cannot begin soon waits on disk, not in memory: where a circuit is open, and where
//! leases would end. A shard never waits for the store; it is told by message.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use keybell_core::circuit::{Pass, Turn};
use keybell_core::delivery::Step;
use keybell_core::{DeliveryId, Timestamp, WebhookId, WorkspaceId};
use keybell_store::StoreError;
use keybell_store::ops::deliveries::{Claim, Claimed, PutBack};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::Shared;
use super::exchange::Transport;
use super::job::Job;
use super::queue::{Next, Queue, SLOW_AFTER};
use super::send::{self, Attempted, Route};

/// A webhook may have under way at most this part of what is still free, once it has one: however many hang, they leave
/// room for others, and the fewer are left, the less each may take.
const SHARE_OF_FREE: usize = 8;
/// The part of all attempts, in quarters, that slow webhooks may have under way together.
const SLOW_QUARTERS: usize = 3;
/// Deliveries that are taken from disk at once for a webhook that has not answered well yet.
const FIRST_ROWS: usize = 32;
/// How long a webhook with deliveries on disk waits where memory has no room.
const LOOK_FOR_ROOM_AFTER: Duration = Duration::from_millis(100);

/// What a shard is told. Jobs are bounded by their places in memory; the rest is a few for each webhook.
pub(super) enum Message {
    /// Deliveries to make.
    Jobs(Vec<Job>),
    /// Deliveries of this webhook wait on disk for room.
    Waiting(WorkspaceId, WebhookId),
    /// The webhook was changed, disabled or deleted.
    Changed(WorkspaceId, WebhookId),
    /// What a claim for a webhook brought.
    TakenUp(WebhookId, Timestamp, Result<Claimed, StoreError>),
    /// The clock may have been set.
    Look,
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
    /// Slow webhooks that had a turn and nothing under way, while slow ones had all that they may have together.
    held: VecDeque<WebhookId>,
    /// Who wants deliveries from disk, and may have some.
    line: VecDeque<WebhookId>,
    /// Who is to be looked at when.
    alarms: BinaryHeap<Reverse<(Timestamp, WebhookId)>>,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
    under_way_max: usize,
    /// How many of those are of slow webhooks.
    slow_under_way: usize,
    taking_up: bool,
    stop_at: Option<Instant>,
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
            held: VecDeque::new(),
            line: VecDeque::new(),
            alarms: BinaryHeap::new(),
            under_way: FuturesUnordered::new(),
            under_way_max,
            slow_under_way: 0,
            taking_up: false,
            stop_at: None,
        }
    }

    /// Works until it is told to stop.
    pub(super) async fn run(mut self, mut messages: UnboundedReceiver<Message>) {
        loop {
            self.ring();
            self.begin_attempts();
            self.take_up_from_disk();
            if self.stop_at.is_some() && self.under_way.is_empty() {
                return;
            }
            let (stop_at, alarm) = (self.stop_at, self.next_alarm());
            tokio::select! {
                biased;
                message = messages.recv() => match message {
                    Some(message) => self.told(message),
                    None => return,
                },
                Some(done) = self.under_way.next(), if !self.under_way.is_empty() => self.over(done),
                () = at(alarm) => {}
                () = at(stop_at) => return,
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
            Message::Waiting(workspace, webhook) => self.now_waiting(workspace, webhook),
            Message::Changed(workspace, webhook) => self.changed(workspace, webhook),
            Message::TakenUp(webhook, lease_until, claimed) => self.taken_up(webhook, lease_until, claimed),
            Message::Look => {}
            Message::Stop(grace) => {
                self.stop_at = Some(Instant::now() + grace);
                self.turns.clear();
                self.held.clear();
                self.queues.values_mut().for_each(|queue| drop(queue.take_all()));
            }
        }
    }

    fn queue(&mut self, workspace: WorkspaceId, webhook: WebhookId) -> &mut Queue {
        let book = &self.shared.book;
        self.queues.entry(webhook).or_insert_with(|| Queue::new(workspace, book.gauge(webhook)))
    }

    fn enqueue(&mut self, job: Job) {
        let webhook = job.webhook;
        self.queue(job.workspace, webhook).push(job);
        self.give_turn(webhook);
    }

    fn give_turn(&mut self, webhook: WebhookId) {
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        if queue.queued() > 0 && !queue.in_turn {
            queue.in_turn = true;
            self.turns.push_back(webhook);
        }
    }

    /// Begins attempts, one for each webhook whose turn it is, while there is room for more.
    fn begin_attempts(&mut self) {
        while self.under_way.len() < self.under_way_max && self.stop_at.is_none() {
            match self.turns.pop_front() {
                Some(webhook) => self.turn_of(webhook),
                // Nothing is under way whose end would let them on; and so nothing holds them back.
                None if self.under_way.is_empty() && !self.held.is_empty() => {
                    self.turns.append(&mut self.held);
                }
                None => return,
            }
        }
    }

    fn turn_of(&mut self, webhook: WebhookId) {
        let free = self.under_way_max - self.under_way.len();
        let slow_full = self.slow_under_way >= self.slow_max();
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        queue.in_turn = false;
        let Some(route) = self.shared.route(queue.workspace, webhook, queue.route()) else {
            // It was disabled or deleted: what waits for it is on disk, and dealt with there.
            drop(queue.take_all());
            return;
        };
        let now = self.shared.clock.now();
        let stale = queue.take_stale(now + self.shared.lease_left_min);
        if !stale.is_empty() {
            queue.gauge.shrink();
            self.shared.put_back_soon(&stale, "too_slow");
        }
        if queue.under_way == 0 && queue.slow && slow_full {
            queue.in_turn = true;
            self.held.push_back(webhook);
            return;
        }
        if queue.under_way >= (free / SHARE_OF_FREE).max(1) || (queue.slow && slow_full) {
            // Its turn comes again when one of its own is over.
            return;
        }
        match queue.next(route, self.shared.under_way_per_webhook_max, now) {
            Next::Begin(job, route) => {
                self.slow_under_way += usize::from(queue.slow);
                if queue.queued() == 0 {
                    queue.gauge.grow();
                }
                let attempt = attempt(Arc::clone(&self.shared), Arc::clone(&self.transport), route, job);
                self.under_way.push(attempt);
                self.give_turn(webhook);
                self.want_more(webhook);
            }
            // Its turn comes again when one of them is over, or something is queued.
            Next::WhenOneIsOver | Next::Nothing => {}
            Next::NotBefore(until) => {
                held_back("rate_limit", 1);
                self.wake_at(webhook, until);
            }
            Next::Open(until) => {
                let jobs = queue.take_all();
                self.shared.put_back_soon(&jobs, "circuit_open");
                self.wake_at(webhook, until);
            }
        }
    }

    fn over(&mut self, done: Done) {
        let webhook = done.webhook;
        if let Some(queue) = self.queues.get_mut(&webhook) {
            queue.under_way -= 1;
            self.slow_under_way -= usize::from(queue.slow);
            match done.job {
                None => queue.circuit.abandoned(),
                Some((job, attempted)) => self.ended(webhook, job, attempted),
            }
        }
        self.give_turn(webhook);
        self.want_more(webhook);
        let let_on = self.slow_max().saturating_sub(self.slow_under_way).min(self.held.len());
        self.turns.extend(self.held.drain(..let_on));
    }

    /// How many attempts of slow webhooks may be under way.
    fn slow_max(&self) -> usize {
        (self.under_way_max * SLOW_QUARTERS / 4).max(1)
    }

    /// What an attempt says of its webhook.
    fn ended(&mut self, webhook: WebhookId, job: Job, attempted: Attempted) {
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        let slow = attempted.took >= SLOW_AFTER;
        if slow != queue.slow {
            queue.slow = slow;
            self.slow_under_way = if slow {
                self.slow_under_way + queue.under_way
            } else {
                self.slow_under_way - queue.under_way
            };
        }
        let (now, good) = (self.shared.clock.now(), attempted.step == Step::Succeeded);
        let turn = queue.circuit.ended(job.id, good, now, self.shared.randomness.dice());
        self.shared.record(attempted, &queue.gauge, job.place);
        match turn {
            Turn::Opened => {
                metrics::gauge!("keybell_webhooks_circuit_open").increment(1);
                tracing::info!(webhook.id = %webhook, "circuit opened: its deliveries wait until its endpoint answers again");
            }
            Turn::Closed => {
                metrics::gauge!("keybell_webhooks_circuit_open").decrement(1);
                tracing::info!(webhook.id = %webhook, "circuit closed: its endpoint answers again");
            }
            Turn::None => {}
        }
        if let Pass::NotBefore(until) = queue.circuit.pass(now) {
            let jobs = queue.take_all();
            self.shared.put_back_soon(&jobs, "circuit_open");
            self.wake_at(webhook, until);
        }
    }

    fn changed(&mut self, workspace: WorkspaceId, webhook: WebhookId) {
        let live = self.shared.registry.get(workspace, webhook);
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        if queue.circuit.is_open() {
            metrics::gauge!("keybell_webhooks_circuit_open").decrement(1);
        }
        if std::mem::take(&mut queue.slow) {
            self.slow_under_way -= queue.under_way;
        }
        queue.forget_endpoint();
        if live.as_ref().is_some_and(|live| live.enabled) {
            self.give_turn(webhook);
            self.want_more(webhook);
            return;
        }
        drop(queue.take_all());
        queue.waiting = 0;
        queue.gauge.set_behind(false);
        if live.is_none() && queue.under_way == 0 {
            self.queues.remove(&webhook);
            self.shared.book.forget(webhook);
        }
    }

    fn now_waiting(&mut self, workspace: WorkspaceId, webhook: WebhookId) {
        let queue = self.queue(workspace, webhook);
        queue.gauge.set_behind(true);
        queue.waiting += 1;
        self.want_more(webhook);
    }

    /// Has a webhook stand in line for deliveries from disk, where some wait there and it may have them.
    fn want_more(&mut self, webhook: WebhookId) {
        let now = self.shared.clock.now();
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        if queue.waiting == 0 || queue.in_line || queue.queued() > queue.gauge.cap() / 2 {
            return;
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
    fn take_up_from_disk(&mut self) {
        while !self.taking_up && self.stop_at.is_none() {
            let Some(webhook) = self.line.pop_front() else { return };
            let Some(queue) = self.queues.get_mut(&webhook) else { continue };
            queue.in_line = false;
            if queue.waiting == 0 {
                continue;
            }
            let claim_rows = self.shared.book.bounds().claim_rows;
            let rows_max = match queue.circuit.pass(self.shared.clock.now()) {
                Pass::Closed if queue.gauge.is_good() => claim_rows,
                Pass::Closed => FIRST_ROWS.min(claim_rows),
                Pass::Probe => 1,
                Pass::Probing | Pass::NotBefore(_) => continue,
            };
            let rows = rows_max.min(queue.gauge.room()).min(self.shared.book.room());
            if rows == 0 {
                let again = self.shared.clock.now() + LOOK_FOR_ROOM_AFTER;
                self.wake_at(webhook, again);
                continue;
            }
            queue.waiting_at_claim = queue.waiting;
            self.taking_up = true;
            self.shared.claim_of(queue.workspace, webhook, rows);
        }
    }

    fn taken_up(&mut self, webhook: WebhookId, lease_until: Timestamp, claimed: Result<Claimed, StoreError>) {
        self.taking_up = false;
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                // They stay where they are; it is said again after a while that they wait.
                tracing::warn!(%error, webhook.id = %webhook, "deliveries on disk could not be taken up");
                queue.waiting = 0;
                self.shared.say_waiting_later(queue.workspace, webhook);
                return;
            }
        };
        if !claimed.more && queue.waiting == queue.waiting_at_claim {
            queue.waiting = 0;
            queue.gauge.set_behind(false);
        }
        let gauge = Arc::clone(&queue.gauge);
        let mut no_room = Vec::new();
        for delivery in claimed.deliveries.into_iter().filter(|delivery| delivery.event.is_some()) {
            match self.shared.job(delivery, lease_until, &gauge) {
                Ok(job) if self.stop_at.is_none() => self.enqueue(job),
                Ok(_) => {}
                Err(delivery) => no_room.push((delivery.workspace, delivery.webhook, delivery.id)),
            }
        }
        self.shared.put_back_later(no_room, "no_room");
        self.want_more(webhook);
    }

    /// Has a webhook looked at again at `at`, or before.
    fn wake_at(&mut self, webhook: WebhookId, at: Timestamp) {
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        if queue.alarm.is_none_or(|alarm| at < alarm) {
            queue.alarm = Some(at);
            self.alarms.push(Reverse((at, webhook)));
        }
    }

    /// Looks at the webhooks whose time has come.
    fn ring(&mut self) {
        let Some(Reverse((first, _))) = self.alarms.peek() else { return };
        let now = self.shared.clock.now();
        if *first > now {
            return;
        }
        while let Some(Reverse((at, webhook))) = self.alarms.peek().copied().filter(|alarm| alarm.0.0 <= now)
        {
            self.alarms.pop();
            let Some(queue) = self.queues.get_mut(&webhook).filter(|queue| queue.alarm == Some(at)) else {
                continue;
            };
            queue.alarm = None;
            self.give_turn(webhook);
            self.want_more(webhook);
        }
    }

    fn next_alarm(&self) -> Option<Instant> {
        let Reverse((at, _)) = self.alarms.peek()?;
        Some(Instant::now() + at.since(self.shared.clock.now()))
    }
}

/// Comes back at an instant; never where there is none.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn held_back(reason: &'static str, deliveries: u64) {
    metrics::counter!("keybell_deliveries_held_back_total", "reason" => reason).increment(deliveries);
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
        let op = self.claim(Claim::OfWebhook { workspace, webhook }, rows);
        let lease_until = op.lease_until;
        let shared = Arc::clone(self);
        self.store.write_then(op, move |claimed| {
            shared.tell(webhook, Message::TakenUp(webhook, lease_until, claimed));
        });
    }

    /// Has deliveries that were queued wait on disk. Their places are given back by whoever drops them.
    fn put_back_soon(self: &Arc<Self>, jobs: &[Job], reason: &'static str) {
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
        let op = PutBack { deliveries: deliveries.collect() };
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
