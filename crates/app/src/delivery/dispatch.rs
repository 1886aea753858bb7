//! The shards: each a task that owns the queues of its webhooks and sends in turns.
//!
//! A webhook always belongs to the same shard, and a shard to one runtime, so that a queue needs no lock and a connection
//! stays on the thread that opened it. Turns go around webhooks, not deliveries: whoever has a thousand waiting gets the
//! same turn as whoever has one. What cannot begin soon waits on disk, not in memory: where a circuit is open, and where
//! leases would end. A shard never waits for the store; it is told by message.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use keybell_core::circuit::{Change, Pass};
use keybell_core::delivery::Step;
use keybell_core::{DeliveryId, Timestamp, WebhookId, WorkspaceId};
use keybell_store::StoreError;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use super::Shared;
use super::exchange::Transport;
use super::job::Job;
use super::pulse::ShardPulse;
use super::queue::{Next, Queue, SLOW_AFTER};
use super::refill::{TakenUp, held_back};
use super::send::{self, Attempted, Route};

/// A webhook may have under way at most this part of what is still free, once it has one: however many hang, they leave
/// room for others, and the fewer are left, the less each may take.
const SHARE_OF_FREE: usize = 4;
/// The part of all attempts, in quarters, that slow webhooks may have under way together.
const SLOW_QUARTERS: usize = 3;
/// The longest sleep of a shard that has to look at a webhook later: a clock may step back.
const CLOCK_EVERY: Duration = Duration::from_secs(5);
/// The least time that a clock tells apart.
const TICK: Duration = Duration::from_micros(1);

/// What a shard is told. Jobs are bounded by their places in memory; the rest is a few for each webhook and write.
pub(super) enum Message {
    /// Deliveries to make.
    Jobs(Vec<Job>),
    /// Deliveries of this webhook wait on disk for room.
    Waiting(WorkspaceId, WebhookId),
    /// The webhook was changed, disabled or deleted.
    Changed(WorkspaceId, WebhookId),
    /// What a claim for a webhook brought.
    TakenUp(WebhookId, Result<TakenUp, StoreError>),
    /// The clock may have been set.
    Look,
    /// Begin nothing more; end when what is under way is over, or after this time.
    Stop(Duration),
}

/// One shard.
pub(super) struct Shard {
    pub(super) shared: Arc<Shared>,
    transport: Arc<dyn Transport>,
    pub(super) queues: HashMap<WebhookId, Queue>,
    /// Whose turn comes next.
    turns: VecDeque<WebhookId>,
    /// Slow webhooks that had a turn and nothing under way, while slow ones had all that they may have together.
    held: VecDeque<WebhookId>,
    /// Who wants deliveries from disk, and may have some.
    pub(super) line: VecDeque<WebhookId>,
    /// Who is to be looked at when.
    alarms: BTreeSet<(Timestamp, WebhookId)>,
    /// What the clock said last.
    now: Timestamp,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
    under_way_max: usize,
    /// How many of those are of slow webhooks.
    slow_under_way: usize,
    pub(super) taking_up: bool,
    pub(super) stop_at: Option<Instant>,
    pulse: Arc<ShardPulse>,
}

/// An attempt that is over; without what came of it where it panicked.
struct Done {
    webhook: WebhookId,
    delivery: DeliveryId,
    /// Which endpoint of the webhook it went to: see [`Queue::endpoint`].
    endpoint: u32,
    job: Option<(Job, Attempted)>,
}

impl Shard {
    /// A shard that sends over `transport`, up to `under_way_max` at once, and counts in `pulse` what moves.
    pub(super) fn new(
        shared: Arc<Shared>,
        transport: Arc<dyn Transport>,
        under_way_max: usize,
        pulse: Arc<ShardPulse>,
    ) -> Shard {
        Shard {
            shared,
            transport,
            queues: HashMap::new(),
            turns: VecDeque::new(),
            held: VecDeque::new(),
            line: VecDeque::new(),
            alarms: BTreeSet::new(),
            now: Timestamp::EPOCH,
            under_way: FuturesUnordered::new(),
            under_way_max,
            slow_under_way: 0,
            taking_up: false,
            stop_at: None,
            pulse,
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
        self.pulse.heard.beat();
        match message {
            Message::Jobs(_) if self.stop_at.is_some() => {}
            Message::Jobs(jobs) => jobs.into_iter().for_each(|job| self.enqueue(job)),
            Message::Waiting(workspace, webhook) => self.now_waiting(workspace, webhook),
            Message::Changed(workspace, webhook) => self.changed(workspace, webhook),
            Message::TakenUp(webhook, taken_up) => self.taken_up(webhook, taken_up),
            Message::Look => {}
            Message::Stop(grace) => {
                self.stop_at = Some(Instant::now() + grace);
                self.turns.clear();
                self.held.clear();
                self.queues.values_mut().for_each(|queue| drop(queue.take_all()));
            }
        }
    }

    pub(super) fn queue(&mut self, workspace: WorkspaceId, webhook: WebhookId) -> &mut Queue {
        let book = &self.shared.book;
        self.queues.entry(webhook).or_insert_with(|| Queue::new(workspace, book.gauge(webhook)))
    }

    pub(super) fn enqueue(&mut self, job: Job) {
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
            self.forget_if_gone(webhook);
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
                let endpoint = queue.endpoint;
                let attempt =
                    attempt(Arc::clone(&self.shared), Arc::clone(&self.transport), route, job, endpoint);
                self.pulse.begun.beat();
                self.under_way.push(attempt);
                self.give_turn(webhook);
                self.want_more(webhook);
            }
            // Its turn comes again when one of them is over, or something is queued.
            Next::WhenOneIsOver | Next::Nothing => {}
            Next::NotBefore(until) => {
                held_back("rate_limit", 1);
                // Not later than what is queued has to go back to disk.
                let leases = queue.first_lease_ends().map(|end| end.before(self.shared.lease_left_min));
                self.wake_at(webhook, leases.map_or(until, |stale| until.min(stale.max(now) + TICK)));
            }
            Next::Open(until) => {
                let jobs = queue.take_all();
                self.shared.put_back_soon(&jobs, "circuit_open");
                self.wake_at(webhook, until);
            }
        }
    }

    fn over(&mut self, done: Done) {
        self.pulse.ended.beat();
        let webhook = done.webhook;
        if let Some(queue) = self.queues.get_mut(&webhook) {
            queue.under_way -= 1;
            self.slow_under_way -= usize::from(queue.slow);
            let of_this_endpoint = done.endpoint == queue.endpoint;
            match done.job {
                None if of_this_endpoint => queue.circuit.abandoned(done.delivery),
                None => {}
                Some((job, attempted)) => {
                    if of_this_endpoint {
                        self.ended(webhook, job.id, &attempted);
                    }
                    let gauge = self.shared.book.gauge(webhook);
                    self.shared.record(attempted, &gauge, job.place);
                }
            }
        }
        self.give_turn(webhook);
        self.want_more(webhook);
        self.forget_if_gone(webhook);
        let let_on = self.slow_max().saturating_sub(self.slow_under_way).min(self.held.len());
        self.turns.extend(self.held.drain(..let_on));
    }

    /// How many attempts of slow webhooks may be under way.
    fn slow_max(&self) -> usize {
        (self.under_way_max * SLOW_QUARTERS / 4).max(1)
    }

    /// What an attempt says of its webhook.
    fn ended(&mut self, webhook: WebhookId, delivery: DeliveryId, attempted: &Attempted) {
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
        match queue.circuit.ended(delivery, good, now, self.shared.randomness.dice()) {
            Change::Opened => {
                metrics::gauge!("keybell_webhooks_circuit_open").increment(1);
                tracing::info!(
                    webhook.id = %webhook,
                    "circuit opened: its deliveries wait until its endpoint answers again"
                );
            }
            Change::Closed => {
                metrics::gauge!("keybell_webhooks_circuit_open").decrement(1);
                tracing::info!(webhook.id = %webhook, "circuit closed: its endpoint answers again");
            }
            Change::None => {}
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
        if let Some(place) = self.held.iter().position(|held| *held == webhook) {
            self.held.remove(place);
            self.turns.push_back(webhook);
        }
        if live.is_some_and(|live| live.enabled) {
            self.give_turn(webhook);
            self.want_more(webhook);
            return;
        }
        // They wait on disk until it is enabled; what waits for a webhook that is deleted is canceled there.
        let jobs = queue.take_all();
        self.shared.put_back_soon(&jobs, "disabled");
        queue.waiting = 0;
        queue.gauge.set_behind(false);
        self.forget_if_gone(webhook);
    }

    /// Forgets a webhook that was deleted, when its last attempt is over.
    fn forget_if_gone(&mut self, webhook: WebhookId) {
        let Some(queue) = self.queues.get(&webhook) else { return };
        if queue.under_way > 0 || self.shared.registry.get(queue.workspace, webhook).is_some() {
            return;
        }
        if queue.circuit.is_open() {
            metrics::gauge!("keybell_webhooks_circuit_open").decrement(1);
        }
        self.queues.remove(&webhook);
        self.shared.book.forget(webhook);
    }

    /// Has a webhook looked at again at `at`, or before.
    pub(super) fn wake_at(&mut self, webhook: WebhookId, at: Timestamp) {
        let Some(queue) = self.queues.get_mut(&webhook) else { return };
        if let Some(alarm) = queue.alarm {
            if alarm <= at {
                return;
            }
            self.alarms.remove(&(alarm, webhook));
        }
        queue.alarm = Some(at);
        self.alarms.insert((at, webhook));
    }

    /// Looks at the webhooks whose time has come; at all of them where the clock stepped back.
    fn ring(&mut self) {
        if self.alarms.is_empty() {
            return;
        }
        let now = self.shared.clock.now();
        let stepped_back = now < self.now;
        self.now = now;
        let mut woken = Vec::new();
        while let Some((at, webhook)) =
            self.alarms.first().copied().filter(|(at, _)| *at <= now || stepped_back)
        {
            self.alarms.remove(&(at, webhook));
            if let Some(queue) = self.queues.get_mut(&webhook) {
                queue.alarm = None;
                woken.push(webhook);
            }
        }
        for webhook in woken {
            self.give_turn(webhook);
            self.want_more(webhook);
        }
    }

    fn next_alarm(&self) -> Option<Instant> {
        let (at, _) = self.alarms.first()?;
        Some(Instant::now() + at.since(self.shared.clock.now()).min(CLOCK_EVERY))
    }
}

/// Comes back at an instant; never where there is none.
async fn at(instant: Option<Instant>) {
    match instant {
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
    endpoint: u32,
) -> BoxFuture<'static, Done> {
    let (webhook, delivery) = (job.webhook, job.id);
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
        Done { webhook, delivery, endpoint, job }
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
}
