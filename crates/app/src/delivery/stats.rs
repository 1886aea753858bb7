//! What the engine has done and holds, as numbers: for metrics, benches and tests.
//!
//! Every name that `/metrics` shows stands in `docs/metrics.md`, and a test compares the two.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keybell_core::delivery::Step;
use keybell_store::ops::attempts::Outcome;
use keybell_store::ops::waiting::{DeliveriesWaiting, Waiting};
use tokio::time::Instant;

use super::send::Attempted;
use super::{Engine, Shared};

/// Counts what was done since the start.
#[derive(Default)]
pub(super) struct Counters {
    succeeded: AtomicU64,
    to_be_retried: AtomicU64,
    given_up: AtomicU64,
}

/// What the engine holds, and what it did since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Events that wait to be written.
    pub events_gathered: usize,
    /// Deliveries in memory: queued, under way, or with an outcome that is not on disk yet.
    pub in_memory: usize,
    /// Bytes of data that they hold, counted once for each delivery.
    pub in_memory_bytes: usize,
    /// Those of them that wait for their turn.
    pub queued: usize,
    /// Those of them whose attempt is under way.
    pub under_way: usize,
    /// Those of them whose outcome waits to be written.
    pub outcomes_waiting: usize,
    /// Attempts that succeeded.
    pub succeeded: u64,
    /// Attempts that failed and are repeated.
    pub to_be_retried: u64,
    /// Attempts that failed and were the last ones.
    pub given_up: u64,
}

impl Engine {
    /// What the engine holds, and what it did since its start. Read at slightly different moments: at rest the parts of what
    /// is in memory add up.
    pub fn stats(&self) -> EngineStats {
        let shared = &self.shared;
        let (in_memory, in_memory_bytes) = shared.book.held();
        let shards = shared.running.get().map_or(&[][..], |running| &running.shards);
        let under_way = shards.iter().map(|shard| shard.pulse.under_way()).sum::<u64>();
        let under_way = usize::try_from(under_way).unwrap_or(usize::MAX);
        let outcomes_waiting = shared.recorder.waiting();
        let counters = &shared.counters;
        EngineStats {
            events_gathered: shared.ingest.waiting(),
            in_memory,
            in_memory_bytes,
            queued: in_memory.saturating_sub(under_way.saturating_add(outcomes_waiting)),
            under_way,
            outcomes_waiting,
            succeeded: counters.succeeded.load(Ordering::Relaxed),
            to_be_retried: counters.to_be_retried.load(Ordering::Relaxed),
            given_up: counters.given_up.load(Ordering::Relaxed),
        }
    }
}

/// What waits on disk, as far as it was looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OnDisk {
    /// Deliveries that are not over, those in memory included. Counted up to [`PENDING_COUNTED_MAX`].
    pub pending: u64,
    /// For how long the one has been due that has been due for longest.
    pub due_for: Duration,
}

/// Most deliveries that are counted on disk: so many take a reader some 50 ms.
pub const PENDING_COUNTED_MAX: u64 = 1_000_000;
/// For how long what was looked up on disk does for everybody who asks, so that no number of scrapes keeps a reader busy.
const SAMPLE_EVERY: Duration = Duration::from_secs(10);

/// The last look at the disk.
#[derive(Debug, Default)]
pub(super) struct Sample {
    last: Mutex<(OnDisk, Option<Instant>)>,
}

impl Engine {
    /// What waits on disk. What was looked up last, at once; where that is too old, it is looked up anew for the next who
    /// asks. So nobody waits for the database, and it costs nothing while nobody asks.
    pub fn on_disk(&self) -> OnDisk {
        let shared = &self.shared;
        let mut last = shared.sample.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, at) = *last;
        if at.is_none_or(|at| at.elapsed() >= SAMPLE_EVERY) && shared.running.get().is_some() {
            last.1 = Some(Instant::now());
            let looking = Arc::clone(shared);
            shared.spawn(async move { looking.sample().await });
        }
        found
    }
}

impl Shared {
    async fn sample(&self) {
        let count_max = i64::try_from(PENDING_COUNTED_MAX).unwrap_or(i64::MAX);
        match self.store.read(DeliveriesWaiting { count_max }).await {
            Ok(Waiting { pending, first_due_at }) => {
                let due_for = first_due_at.map_or(Duration::ZERO, |at| self.clock.now().since(at));
                let found = OnDisk { pending: pending.unsigned_abs(), due_for };
                self.sample.last.lock().unwrap_or_else(PoisonError::into_inner).0 = found;
            }
            Err(error) => tracing::debug!(%error, "what waits on disk could not be looked up"),
        }
    }
}

/// Shows every counter of the engine's from the start, at nothing: a counter that appears with its first count hides it.
pub fn show_all() {
    for name in [
        "keybell_publish_calls_refused_total",
        "keybell_deliveries_expired_total",
        "keybell_retention_rows_deleted_total",
    ] {
        metrics::counter!(name).increment(0);
    }
    for outcome in ["succeeded", "to_be_retried", "given_up"] {
        metrics::counter!("keybell_attempts_total", "outcome" => outcome).increment(0);
    }
    for limit in ["webhook", "deliveries", "bytes"] {
        metrics::counter!("keybell_deliveries_without_room_total", "limit" => limit).increment(0);
    }
    for reason in ["circuit_open", "rate_limit", "too_slow", "no_room"] {
        metrics::counter!("keybell_deliveries_held_back_total", "reason" => reason).increment(0);
    }
    metrics::gauge!("keybell_webhooks_circuit_open").set(0.0);
}

impl Shared {
    /// Counts an attempt.
    pub(super) fn count(&self, attempted: &Attempted) {
        let (counter, outcome) = match attempted.step {
            Step::Succeeded => (&self.counters.succeeded, "succeeded"),
            Step::RetryAt(_) => (&self.counters.to_be_retried, "to_be_retried"),
            Step::GiveUp | Step::GiveUpAndDisable => (&self.counters.given_up, "given_up"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let Outcome { workspace, webhook, attempt, .. } = &attempted.outcome;
        let succeeded = attempted.step == Step::Succeeded;
        let micros = attempt.duration_us.unsigned_abs();
        self.tallies.count(*workspace, *webhook, attempt.started_at, succeeded, micros);
        metrics::counter!("keybell_attempts_total", "outcome" => outcome).increment(1);
        let attempt = &attempted.outcome.attempt;
        let duration = Duration::from_micros(attempt.duration_us.unsigned_abs());
        metrics::histogram!("keybell_attempt_duration_seconds").record(duration);
        if attempt.number == 1 {
            // Its id was made when its event was accepted, and remembers the millisecond.
            let waited = attempt.started_at.since(attempted.outcome.delivery.made_at());
            metrics::histogram!("keybell_first_attempt_wait_seconds").record(waited);
        }
        if let Some(code) = &attempt.error_code {
            metrics::counter!("keybell_attempt_failures_total", "code" => code.clone()).increment(1);
        }
    }
}
