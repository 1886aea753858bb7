//! Outcomes on their way to disk: they gather while a write is under way, or for a moment where none is.
//!
//! So a write grows with the load, and a quiet engine does not commit for each of them, in the way of whoever publishes.
//! What is taken back of a moment by a crash is delivered again. An outcome keeps its delivery's place in memory until it is
//! on disk: a store that is away slows the engine down and loses nothing.

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
/// How long the first outcome waits for others: longer than between two of them at 200 a second, and nothing to a person who
/// waits to see it.
const GATHER_FOR: Duration = Duration::from_millis(20);
/// As many outcomes are written at once.
const GATHERED_ENOUGH: usize = 32;
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
    stage: Stage,
    /// Outcomes of the write under way.
    being_written: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// No outcome is here.
    #[default]
    Idle,
    /// Some wait for more, or for the time to be over.
    Gathering,
    /// A write is under way.
    Writing,
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
        self.lock().stage == Stage::Idle
    }
}

impl Gathered {
    fn next(&mut self) -> Option<Batch> {
        if self.outcomes.is_empty() {
            self.stage = Stage::Idle;
            self.being_written = 0;
            return None;
        }
        self.stage = Stage::Writing;
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
        let mut gathered = self.recorder.lock();
        // What is new of a webhook is for everybody to know, and soon.
        let at_once = health.is_some() || gathered.outcomes.len() + 1 >= GATHERED_ENOUGH;
        gathered.outcomes.push(attempted.outcome);
        gathered.places.push(place);
        gathered.health.extend(health);
        match gathered.stage {
            Stage::Idle | Stage::Gathering if at_once => {
                let batch = gathered.next();
                drop(gathered);
                self.write_next(batch);
            }
            Stage::Gathering | Stage::Writing => {}
            Stage::Idle => {
                gathered.stage = Stage::Gathering;
                drop(gathered);
                let shared = Arc::clone(self);
                self.spawn(async move {
                    tokio::time::sleep(GATHER_FOR).await;
                    shared.write_gathered();
                });
            }
        }
    }

    /// Begins to write what gathers, unless that has been done.
    pub(super) fn write_gathered(self: &Arc<Self>) {
        let mut gathered = self.recorder.lock();
        if gathered.stage == Stage::Gathering {
            let batch = gathered.next();
            drop(gathered);
            self.write_next(batch);
        }
    }

    fn write_next(self: &Arc<Self>, batch: Option<Batch>) {
        match batch {
            Some(batch) => self.write(batch, 1),
            None => self.recorded_all.notify_waiters(),
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
        self.write_next(next);
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
