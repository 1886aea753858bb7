//! Outcomes on their way to disk: while one write is under way the next ones gather.
//!
//! So a write grows with the load, and nobody waits for a timer. An outcome keeps its delivery's place in memory until it
//! is on disk: a store that is away slows the engine down and loses nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keybell_store::StoreError;
use keybell_store::ops::attempts::{After, Outcome, RecordAttempts};
use keybell_store::ops::webhook_health::{HealthChange, Judged};

use super::Shared;
use super::book::{Gauge, Place};
use super::send::Attempted;

/// Most outcomes of one write: enough that a commit costs nothing per outcome, few enough to be over in milliseconds.
const OUTCOMES_PER_WRITE_MAX: usize = 1_000;
/// How long a failed write waits for the next try.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often a write is tried. After that its deliveries are repeated when their leases end.
const WRITE_TRIES_MAX: u32 = 60;

/// Gathers outcomes.
#[derive(Default)]
pub(super) struct Recorder {
    gathered: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    outcomes: Vec<Outcome>,
    health: Vec<HealthChange>,
    places: Vec<Place>,
    under_way: bool,
    /// Outcomes of the write under way.
    being_written: usize,
}

/// What one write holds.
struct Batch {
    outcomes: Arc<Vec<Outcome>>,
    health: Arc<Vec<HealthChange>>,
    places: Vec<Place>,
}

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Outcomes that are not on disk yet.
    pub(super) fn waiting(&self) -> usize {
        let gathered = self.lock();
        gathered.outcomes.len() + gathered.being_written
    }

    /// Whether everything is on disk.
    pub(super) fn is_idle(&self) -> bool {
        !self.lock().under_way
    }
}

impl Gathered {
    fn next(&mut self) -> Option<Batch> {
        if self.outcomes.is_empty() {
            self.under_way = false;
            self.being_written = 0;
            return None;
        }
        self.under_way = true;
        // Two outcomes of one delivery, possible after a lease that ended too early, go one after the other.
        let mut deliveries = HashSet::new();
        let apart = |outcome: &&Outcome| deliveries.insert(outcome.delivery);
        let count = self.outcomes.iter().take(OUTCOMES_PER_WRITE_MAX).take_while(apart).count();
        self.being_written = count;
        let rest = self.outcomes.split_off(count);
        let outcomes = std::mem::replace(&mut self.outcomes, rest);
        let rest = self.places.split_off(count);
        let places = std::mem::replace(&mut self.places, rest);
        let health = std::mem::take(&mut self.health);
        Some(Batch { outcomes: Arc::new(outcomes), health: Arc::new(health), places })
    }
}

impl Shared {
    /// Takes an outcome to disk. `place` is given back when it is there.
    pub(super) fn record(self: &Arc<Self>, attempted: Attempted, gauge: &Gauge, place: Place) {
        let health = self.health_change(&attempted, gauge);
        let batch = {
            let mut gathered = self.recorder.lock();
            gathered.outcomes.push(attempted.outcome);
            gathered.places.push(place);
            gathered.health.extend(health);
            if gathered.under_way { None } else { gathered.next() }
        };
        if let Some(batch) = batch {
            self.write(batch, 1);
        }
    }

    fn write(self: &Arc<Self>, batch: Batch, tried: u32) {
        let op = RecordAttempts { outcomes: Arc::clone(&batch.outcomes), health: Arc::clone(&batch.health) };
        let shared = Arc::clone(self);
        self.store.write_then(op, move |result| shared.written(batch, tried, result));
    }

    fn written(self: &Arc<Self>, mut batch: Batch, tried: u32, result: Result<Vec<Judged>, StoreError>) {
        match result {
            Ok(judged) => {
                // First of all: what is due again may be claimed from now on, and must not be found in memory then.
                batch.places.clear();
                self.recorded(&batch, &judged);
            }
            Err(StoreError::Unavailable { .. } | StoreError::Busy { .. }) if tried < WRITE_TRIES_MAX => {
                let shared = Arc::clone(self);
                self.spawn(async move {
                    tokio::time::sleep(WRITE_AGAIN_AFTER).await;
                    shared.write(batch, tried + 1);
                });
                return;
            }
            Err(error) => {
                let outcomes = batch.outcomes.len();
                tracing::error!(%error, outcomes, "outcomes were not recorded: these attempts will be repeated");
                self.not_judged(&batch.health);
            }
        }
        self.pulse.outcomes_written.beat();
        drop(batch.places);
        let next = self.recorder.lock().next();
        match next {
            Some(next) => self.write(next, 1),
            None => self.recorded_all.notify_waiters(),
        }
    }

    fn recorded(&self, batch: &Batch, judged: &[Judged]) {
        let earliest = batch.outcomes.iter().filter_map(|outcome| match outcome.after {
            After::Retry { at } => Some(at),
            After::Finished { .. } => None,
        });
        if let Some(at) = earliest.min() {
            self.due.at(at);
        }
        self.judged(judged);
    }
}
