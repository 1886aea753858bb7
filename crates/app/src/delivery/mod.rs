//! Delivery: ingest, dispatch, send, record.
//!
//! The database is the recovery log, memory is the queue. [`ingest`] keeps events and deliveries in one transaction and
//! hands them over in memory; [`dispatch`] sends them in fair turns; [`record`] takes the outcomes to disk. What does not
//! go well, or has no room, waits on disk and is taken up by [`claim`] under a lease. So a crash loses nothing, and a first
//! attempt that goes well reads nothing from the database.

mod book;
mod claim;
pub mod client;
pub mod connect;
mod dispatch;
pub mod exchange;
pub mod guard;
mod health;
mod house;
pub mod http1;
pub mod http2;
mod ingest;
mod job;
mod pace;
pub mod pool;
mod pulse;
mod queue;
mod record;
mod refill;
mod resend;
pub mod resolve;
mod retention;
pub mod roots;
mod send;
mod stats;
mod tally;
pub mod target;
mod watchdog;
mod webhook_test;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use keybell_core::delivery::RetryPolicy;
use keybell_core::{Clock, Problem, Randomness, WebhookId, WorkspaceId};
use keybell_store::Store;
use keybell_store::ops::deliveries::ReleaseNode;
use keybell_store::ops::events::{Acceptance, NewCall};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::problems::of_store;
use crate::registry::Registry;
use crate::settings::{RetentionSettings, Settings};
use crate::workspaces::Directory;
use book::Book;
use claim::Due;
use client::Client;
use connect::Connector;
use dispatch::{Message, Shard};
use exchange::Transport;
use guard::Guard;
use health::HealthRules;
use ingest::Ingest;
use job::Job;
use pulse::{Pulse, ShardPulse, ToShard};
use record::Recorder;
use resolve::Resolve;
use roots::Root;
use send::Rules;
use stats::{Counters, Sample};
use tally::Tallies;
use watchdog::Watchdog;
use webhook_test::WebhookTests;

pub use book::{
    Bounds, IN_MEMORY_BYTES_MAX, IN_MEMORY_MAX, IN_MEMORY_PER_WEBHOOK_MAX, IN_MEMORY_PER_WEBHOOK_MIN,
};
pub use ingest::{GATHERED_BYTES_MAX, GATHERED_EVENTS_MAX};
pub(crate) use job::encoded;
pub(crate) use resend::RESEND_ROWS;
pub use stats::{EngineStats, OnDisk, PENDING_COUNTED_MAX, show_all};
pub use watchdog::STANDSTILL_AFTER;
pub use webhook_test::{TESTS_MAX, TESTS_PER_WORKSPACE_MAX};

/// What a lease holds beside the time of two attempts: for the write that records the outcome.
const LEASE_MARGIN: Duration = Duration::from_secs(30);
/// What must be left of a lease beside the time of one attempt when that begins.
const LEASE_LEFT_MARGIN: Duration = Duration::from_secs(5);
/// No lease of any configuration is longer: attempts take two minutes at most, and leases hold two of them.
const LEASE_MAX: Duration = Duration::from_mins(10);
/// Least attempts under way of a shard: a webhook has a share of what is free there, and gets what it may have of this.
const SHARD_ATTEMPTS_MIN: usize = 128;
/// How long a shard waits after a claim that failed.
const WAITING_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The delivery engine of one installation on this node. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What the engine's parts share.
struct Shared {
    store: Store,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    registry: Arc<Registry>,
    directory: Arc<Directory>,
    rules: Rules,
    health: HealthRules,
    guard: Guard,
    extra_roots: Vec<Root>,
    retention: RetentionSettings,
    under_way_max: usize,
    under_way_per_webhook_max: usize,
    /// How long a delivery in memory is this node's.
    lease: Duration,
    /// What must be left of that when an attempt begins.
    lease_left_min: Duration,
    leased_by: String,
    book: Arc<Book>,
    due: Due,
    to_settle: Mutex<BTreeSet<(WorkspaceId, WebhookId)>>,
    /// Told when somebody made deliveries wait without saying so to their shards.
    waiting_wanted: Notify,
    ingest: Ingest,
    recorder: Recorder,
    recorded_all: Notify,
    /// Told when a workspace was deleted, for whoever clears what is left of it.
    workspace_gone: Notify,
    /// Somebody asks for many deliveries to be made again.
    resend_asked: Notify,
    counters: Counters,
    pulse: Pulse,
    sample: Sample,
    watchdog: Watchdog,
    tallies: Tallies,
    webhook_tests: WebhookTests,
    running: OnceLock<Running>,
    stopping: AtomicBool,
}

/// The tasks of an engine that was started.
struct Running {
    runtime: Handle,
    /// What tests of webhooks are sent over.
    for_tests: Arc<dyn Transport>,
    shards: Vec<ToShard>,
    changed: UnboundedSender<(WorkspaceId, WebhookId)>,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    shards: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
}

impl Engine {
    /// An engine that keeps what is published and does not deliver yet.
    #[expect(clippy::too_many_arguments, reason = "the parts of an installation, handed over in one place")]
    pub(crate) fn new(
        settings: &Settings,
        store: Store,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        registry: Arc<Registry>,
        directory: Arc<Directory>,
        bounds: Bounds,
        resolver: Arc<dyn Resolve>,
    ) -> Engine {
        let delivery = &settings.delivery;
        let health = HealthRules {
            disable_after: delivery.disable_failing_after,
            operator_workspace: delivery.operator_workspace.clone(),
        };
        let retry = RetryPolicy {
            schedule: delivery.retry_schedule.clone(),
            jitter_percent: delivery.retry_jitter_percent,
        };
        let rules = Rules {
            timeout: delivery.timeout,
            connect_timeout: delivery.connect_timeout,
            retry,
            public_url: settings.public_url.to_string(),
        };
        let shared = Shared {
            store,
            clock,
            randomness,
            registry,
            directory,
            health,
            guard: Guard::new(delivery.target_policy(), resolver),
            extra_roots: delivery.extra_roots.clone(),
            retention: settings.retention.clone(),
            under_way_max: delivery.max_in_flight,
            under_way_per_webhook_max: delivery.max_in_flight_per_webhook,
            lease: 2 * rules.timeout + LEASE_MARGIN,
            lease_left_min: rules.timeout + LEASE_LEFT_MARGIN,
            rules,
            leased_by: settings.node.clone(),
            book: Arc::new(Book::within(bounds)),
            due: Due::default(),
            to_settle: Mutex::default(),
            waiting_wanted: Notify::new(),
            ingest: Ingest::default(),
            recorder: Recorder::default(),
            recorded_all: Notify::new(),
            workspace_gone: Notify::new(),
            resend_asked: Notify::new(),
            counters: Counters::default(),
            pulse: Pulse::default(),
            sample: Sample::default(),
            watchdog: Watchdog::default(),
            tallies: Tallies::new(),
            webhook_tests: WebhookTests::default(),
            running: OnceLock::new(),
            stopping: AtomicBool::new(false),
        };
        Engine { shared: Arc::new(shared) }
    }

    /// Starts to deliver over the network, a shard on each of `runtimes` (at least one), and takes up what this node had.
    pub async fn start(&self, runtimes: &[Handle]) -> Result<(), Problem> {
        let connector = Connector::new(self.shared.guard.clone(), &self.shared.extra_roots);
        self.start_over(runtimes, &|| Arc::new(Client::new(connector.clone()))).await
    }

    /// Where requests may go: for whoever wants to know before anything is sent.
    pub(crate) fn guard(&self) -> &Guard {
        &self.shared.guard
    }

    /// As [`Engine::start`], over other transports than the network: `transport` makes one for each shard, and one for tests
    /// of webhooks.
    pub async fn start_over(
        &self,
        runtimes: &[Handle],
        transport: &(dyn Fn() -> Arc<dyn Transport> + Sync),
    ) -> Result<(), Problem> {
        let shared = &self.shared;
        let first = runtimes.first().ok_or_else(|| Problem::internal("the engine needs a runtime"))?;
        let released = shared.store.write(shared.release()).await.map_err(of_store)?;
        if released > 0 {
            tracing::info!(deliveries = released, "deliveries of the last run are taken up");
        }
        // A shard with few attempts could give a webhook only a few of them.
        let shards_max = (shared.under_way_max / SHARD_ATTEMPTS_MIN).max(1);
        let runtimes = &runtimes[..runtimes.len().min(shards_max)];
        let under_way_max = shared.under_way_max.div_ceil(runtimes.len()).max(1);
        let (tell, told): (Vec<_>, Vec<_>) = runtimes.iter().map(|_| unbounded_channel()).unzip();
        let pulses: Vec<_> = runtimes.iter().map(|_| Arc::new(ShardPulse::default())).collect();
        let shards = tell.into_iter().zip(&pulses).map(|(tell, pulse)| ToShard::new(tell, Arc::clone(pulse)));
        let (changed, to_settle) = unbounded_channel();
        // Who tells a shard finds it, from the first moment on.
        let running = Running {
            runtime: first.clone(),
            for_tests: transport(),
            shards: shards.collect(),
            changed,
            tasks: Mutex::default(),
        };
        if shared.running.set(running).is_err() {
            return Err(Problem::internal("the engine was started twice"));
        }
        let mut tasks = Tasks::default();
        for ((runtime, told), pulse) in runtimes.iter().zip(told).zip(pulses) {
            let work = Shard::new(Arc::clone(shared), transport(), under_way_max, pulse).run(told);
            tasks.shards.push(runtime.spawn(work));
        }
        tasks.others.push(first.spawn(house::settle_webhooks(Arc::clone(shared), to_settle)));
        tasks.others.push(first.spawn(retention::retain(Arc::clone(shared))));
        tasks.others.push(first.spawn(claim::run(Arc::clone(shared))));
        tasks.others.push(first.spawn(claim::find_waiting(Arc::clone(shared))));
        tasks.others.push(first.spawn(resend::run(Arc::clone(shared))));
        // On the caller's runtime: the shards' may be what stands still.
        tasks.others.push(tokio::spawn(watchdog::watch(Arc::clone(shared))));
        if let Some(running) = shared.running.get() {
            *running.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
        }
        shared.due.now();
        Ok(())
    }

    /// Begins nothing more, waits up to `grace` for the attempts under way, and leaves the rest on disk, due at once for
    /// whoever starts next.
    pub async fn stop(&self, grace: Duration) {
        let until = Instant::now() + grace;
        self.shared.stopping.store(true, Ordering::SeqCst);
        let Some(running) = self.shared.running.get() else { return };
        for shard in &running.shards {
            shard.tell(Message::Stop(grace));
        }
        let tasks = std::mem::take(&mut *running.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.others.iter().for_each(JoinHandle::abort);
        for task in tasks.shards.into_iter().chain(tasks.others) {
            // A task that ended otherwise than by itself has nothing more to do either.
            task.await.ok();
        }
        self.shared.write_gathered();
        loop {
            let recorded = self.shared.recorded_all.notified();
            if self.shared.recorder.is_idle() || tokio::time::timeout_at(until, recorded).await.is_err() {
                break;
            }
        }
        if let Err(error) = self.shared.store.write(self.shared.release()).await {
            tracing::warn!(%error, "deliveries were not released; they are due when their leases end");
        }
    }

    /// Says that a webhook was made, edited, enabled, disabled or deleted, after the change is in the registry: what waits
    /// for it is parked, taken up or canceled.
    pub fn webhook_changed(&self, workspace: WorkspaceId, webhook: WebhookId) {
        self.shared.webhook_changed(workspace, webhook);
    }

    /// Says that a workspace was deleted, with these webhooks, after that is in the registry: nothing is begun for it any
    /// more, and what is left of it is cleared.
    pub(crate) fn workspace_deleted(&self, workspace: WorkspaceId, webhooks: Vec<WebhookId>) {
        for webhook in webhooks {
            self.shared.tell(webhook, Message::Changed(workspace, webhook));
        }
        self.shared.workspace_gone.notify_one();
    }

    /// Looks at the clock and the disk again: for whoever moved a clock, or wrote to the database by another way.
    pub fn look_again(&self) {
        self.shared.due.now();
        if let Some(running) = self.shared.running.get() {
            for shard in &running.shards {
                shard.tell(Message::Look);
            }
        }
    }

    /// Says that a request to make many deliveries again is on disk.
    pub(crate) fn resend(&self) {
        self.shared.resend_asked.notify_one();
    }

    /// How attempts went.
    pub(crate) fn tallies(&self) -> &Tallies {
        &self.shared.tallies
    }

    /// Comes back when no delivery is in memory: what was begun is over, and on disk.
    pub async fn quiet(&self) {
        self.shared.book.wait_until_empty().await;
    }

    /// Deletes what is older than it is kept, as happens every ten minutes by itself. Gives how many rows went.
    pub async fn delete_old(&self) -> Result<u64, Problem> {
        retention::delete_old(&self.shared).await.map_err(of_store)
    }

    /// Keeps the events of one call, all or none, and begins their deliveries.
    pub(crate) async fn accept(&self, call: NewCall) -> Result<Vec<Acceptance>, Problem> {
        self.shared.accept(call).await
    }
}

impl Shared {
    /// Whether new deliveries are taken into memory.
    fn takes_into_memory(&self) -> bool {
        self.running.get().is_some() && !self.stopping.load(Ordering::Relaxed)
    }

    fn shard_of(&self, webhook: WebhookId) -> Option<&ToShard> {
        let shards = &self.running.get()?.shards;
        shards.get(shard_index(webhook, shards.len()))
    }

    /// Tells the shard of `webhook`. A shard that has stopped needs to know nothing.
    fn tell(&self, webhook: WebhookId, message: Message) {
        if let Some(shard) = self.shard_of(webhook) {
            shard.tell(message);
        }
    }

    /// Hands deliveries to the shards of their webhooks, one message for each shard.
    fn hand_over(&self, jobs: Vec<Job>) {
        let Some(running) = self.running.get() else { return };
        let mut by_shard: Vec<Vec<Job>> = running.shards.iter().map(|_| Vec::new()).collect();
        for job in jobs {
            by_shard[shard_index(job.webhook, running.shards.len())].push(job);
        }
        for (shard, jobs) in running.shards.iter().zip(by_shard).filter(|(_, jobs)| !jobs.is_empty()) {
            shard.tell(Message::Jobs(jobs));
        }
    }

    /// Says that deliveries of these webhooks wait on disk for room.
    fn say_waiting(&self, waiting: impl IntoIterator<Item = (WorkspaceId, WebhookId)>) {
        for (workspace, webhook) in waiting {
            self.tell(webhook, Message::Waiting(workspace, webhook));
        }
    }

    /// The same after a while.
    fn say_waiting_later(self: &Arc<Self>, workspace: WorkspaceId, webhook: WebhookId) {
        let shared = Arc::clone(self);
        self.spawn(async move {
            tokio::time::sleep(WAITING_AGAIN_AFTER).await;
            shared.say_waiting([(workspace, webhook)]);
        });
    }

    /// Has the leases of this node end.
    fn release(&self) -> ReleaseNode {
        ReleaseNode { leased_by: self.leased_by.clone(), leases_end_by: self.clock.now() + LEASE_MAX }
    }

    fn webhook_changed(&self, workspace: WorkspaceId, webhook: WebhookId) {
        self.tell(webhook, Message::Changed(workspace, webhook));
        self.settle(workspace, webhook);
    }

    /// Has what waits for a webhook parked, taken up or canceled.
    fn settle(&self, workspace: WorkspaceId, webhook: WebhookId) {
        let Some(running) = self.running.get() else { return };
        if self.to_settle().insert((workspace, webhook)) {
            running.changed.send((workspace, webhook)).ok();
        }
    }

    /// The webhooks that stand in line to be settled: each once, however often it is said.
    fn to_settle(&self) -> MutexGuard<'_, BTreeSet<(WorkspaceId, WebhookId)>> {
        self.to_settle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(running) = self.running.get() {
            running.runtime.spawn(work);
        }
    }
}

fn shard_index(webhook: WebhookId, shards: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    webhook.hash(&mut hasher);
    let shards = u64::try_from(shards).unwrap_or(1).max(1);
    usize::try_from(hasher.finish() % shards).unwrap_or(0)
}
