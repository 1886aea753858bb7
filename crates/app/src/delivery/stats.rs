//! What the engine has done and holds, as numbers: for metrics, benches and tests.

use std::sync::atomic::{AtomicU64, Ordering};

use keybell_core::delivery::Step;

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
    /// Attempts that succeeded.
    pub succeeded: u64,
    /// Attempts that failed and are repeated.
    pub to_be_retried: u64,
    /// Attempts that failed and were the last ones.
    pub given_up: u64,
}

impl Engine {
    /// What the engine holds, and what it did since its start.
    pub fn stats(&self) -> EngineStats {
        let (in_memory, in_memory_bytes) = self.shared.book.held();
        let counters = &self.shared.counters;
        EngineStats {
            events_gathered: self.shared.ingest.waiting(),
            in_memory,
            in_memory_bytes,
            succeeded: counters.succeeded.load(Ordering::Relaxed),
            to_be_retried: counters.to_be_retried.load(Ordering::Relaxed),
            given_up: counters.given_up.load(Ordering::Relaxed),
        }
    }
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
        metrics::counter!("keybell_attempts_total", "outcome" => outcome).increment(1);
        #[expect(
            clippy::cast_precision_loss,
            reason = "microseconds below 2^52 are exact, and those are 142 years"
        )]
        let seconds = attempted.outcome.attempt.duration_us as f64 / 1e6;
        metrics::histogram!("keybell_attempt_duration_seconds").record(seconds);
        if let Some(code) = &attempted.outcome.attempt.error_code {
            metrics::counter!("keybell_attempt_failures_total", "code" => code.clone()).increment(1);
        }
    }
}
