//! What the writers are at, what each operation took of their time, and whether writes fail.
//!
//! Looked at by whoever asks why nothing moves, and by `/metrics`. An operation is counted from where its body begins to
//! where it ends; beginning and committing a transaction, which operations share, are not part of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::stats::Counters;
use crate::tx::{Isolation, Op, Tx};

/// An operation that a writer is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writing {
    /// Its name.
    pub operation: &'static str,
    /// For how long.
    pub running_for: Duration,
}

/// What the runs of one operation took of the writers' time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// How often it was run, also where it had to be run again.
    pub runs: u64,
    /// In all.
    pub time: Duration,
    /// The longest run.
    pub longest: Duration,
}

/// What is known of the writers.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    work: Mutex<Work>,
    is_failing: AtomicBool,
    failing: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct Work {
    /// One for each writer at most.
    running: Vec<(&'static str, Instant)>,
    spent: BTreeMap<&'static str, Spent>,
}

impl Activity {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operation that a writer has been at for the longest time.
    pub(crate) fn writing(&self) -> Option<Writing> {
        let work = self.work();
        let longest = work.running.iter().min_by_key(|(_, since)| *since);
        longest.map(|(operation, since)| Writing { operation, running_for: since.elapsed() })
    }

    /// What each operation took so far.
    pub(crate) fn spent(&self) -> Vec<(&'static str, Spent)> {
        self.work().spent.iter().map(|(operation, spent)| (*operation, *spent)).collect()
    }

    /// Why writes fail, if the last that should have changed something did.
    pub(crate) fn failing(&self) -> Option<String> {
        if !self.is_failing.load(Ordering::Relaxed) {
            return None;
        }
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how a write ended. One that changed nothing says nothing of the disk.
    pub(crate) fn note<T>(&self, ended: &Result<(T, Changed), StoreError>) {
        match ended {
            Ok((_, Changed(true))) if self.is_failing.load(Ordering::Relaxed) => {
                *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = None;
                self.is_failing.store(false, Ordering::Relaxed);
            }
            Err(error @ StoreError::Unavailable { .. }) => {
                let mut what = error.to_string();
                let mut source = std::error::Error::source(error);
                while let Some(cause) = source {
                    what = format!("{what}: {cause}");
                    source = cause.source();
                }
                *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
                self.is_failing.store(true, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    fn begin(&self, operation: &'static str) -> Begun<'_> {
        let since = Instant::now();
        self.work().running.push((operation, since));
        Begun { activity: self, operation, since }
    }
}

/// A run under way. It is over when this is dropped, also by a panic.
struct Begun<'a> {
    activity: &'a Activity,
    operation: &'static str,
    since: Instant,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let took = self.since.elapsed();
        let mut work = self.activity.work();
        if let Some(place) = work.running.iter().position(|run| *run == (self.operation, self.since)) {
            work.running.swap_remove(place);
        }
        let spent = work.spent.entry(self.operation).or_default();
        spent.runs += 1;
        spent.time += took;
        spent.longest = spent.longest.max(took);
    }
}

/// Whether an operation changed any row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changed(bool);

/// An operation whose runs are seen.
pub(crate) struct Seen<O> {
    pub(crate) op: O,
    pub(crate) activity: Arc<Activity>,
    pub(crate) counters: Arc<Counters>,
}

impl<O: Op> Op for Seen<O> {
    const NAME: &'static str = O::NAME;
    const ISOLATION: Isolation = O::ISOLATION;
    type Out = (O::Out, Changed);

    fn must_last(&self) -> bool {
        self.op.must_last()
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let _begun = self.activity.begin(O::NAME);
        let before = self.counters.rows_changed.load(Ordering::Relaxed);
        let out = self.op.run(tx)?;
        // Another writer's rows, on PostgreSQL, are as good a sign.
        let changed = self.counters.rows_changed.load(Ordering::Relaxed) != before;
        Ok((out, Changed(changed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says of itself what an operation can say, each the other way than by default.
    struct Unusual;

    impl Op for Unusual {
        const NAME: &'static str = "test.unusual";
        const ISOLATION: Isolation = Isolation::PerStatement;
        type Out = ();

        fn must_last(&self) -> bool {
            false
        }

        fn run(&self, _: &mut dyn Tx) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn says<O: Op>(op: &O) -> (&'static str, Isolation, bool) {
        (O::NAME, O::ISOLATION, op.must_last())
    }

    #[test]
    fn an_operation_that_is_seen_or_timed_is_run_as_it_says_itself() {
        let seen = Seen { op: Unusual, activity: Arc::default(), counters: Arc::default() };
        assert_eq!(says(&seen), says(&Unusual));
        assert_eq!(says(&crate::Timed(Unusual)), says(&Unusual));
    }

    const NO_ROOM: StoreError = StoreError::Unavailable { what: "commit", source: None };

    #[test]
    fn writes_fail_from_one_that_the_disk_refused_until_one_that_changed_something() {
        let activity = Activity::default();
        assert_eq!(activity.failing(), None);
        activity.note::<()>(&Err(NO_ROOM));
        assert_eq!(activity.failing().as_deref(), Some("the database is not available: commit"));
        activity.note(&Ok(((), Changed(false))));
        assert!(activity.failing().is_some(), "it may have met no disk at all");
        activity.note(&Ok(((), Changed(true))));
        assert_eq!(activity.failing(), None);
        activity.note::<()>(&Err(StoreError::Busy { waiting: 1 }));
        assert_eq!(activity.failing(), None, "a full queue is no failing disk");
    }

    #[test]
    fn runs_are_seen_while_they_last_and_summed_up_afterwards() {
        let activity = Activity::default();
        let first = activity.begin("test.first");
        let second = activity.begin("test.second");
        assert_eq!(activity.writing().map(|writing| writing.operation), Some("test.first"));
        drop(first);
        assert_eq!(activity.writing().map(|writing| writing.operation), Some("test.second"));
        drop(second);
        drop(activity.begin("test.second"));
        assert_eq!(activity.writing(), None);
        let runs: Vec<_> = activity.spent().into_iter().map(|(name, spent)| (name, spent.runs)).collect();
        assert_eq!(runs, [("test.first", 1), ("test.second", 2)]);
    }
}
