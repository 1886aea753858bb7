//! How keys are used: counted in memory where they are checked, written down every ten seconds.
//!
//! No check writes anything. What a crash can lose is documented and small: up to [`USAGE_EVERY`] of counts, and up to
//! [`LAST_USES_EVERY`] of when keys were last used. An orderly end loses nothing.

mod read;
mod read_many;
mod write;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Mutex, PoisonError};

use keybell_core::key::{Counts, KeyId, Outcome};
use keybell_core::{Code, Timestamp, WorkspaceId};

use crate::keyring::{Keyring, LiveKey};

pub use keybell_store::ops::usage::Step;
pub use read::{POINTS_MAX, UsageQuestion};
pub(crate) use read::{Written, stored_and_waiting};
pub use read_many::{KeysUse, UseByKey};
pub(crate) use write::follow;
pub use write::{LAST_USES_EVERY, USAGE_EVERY};

/// Parts that keys are spread over, so that those who count different keys seldom meet.
const SHARDS: usize = 16;

/// Counts that may wait to be written while the database does not answer: some eighty megabytes. Past it, counts are
/// dropped and the metric `keybell_key_usage_dropped_total` says so.
const WAITING_MAX: usize = 2_000_000;

/// What is counted and not yet written.
pub(crate) struct Usage {
    /// Keys that have something to write down.
    listed: Box<[Mutex<Vec<KeyId>>]>,
    /// Everything but [`Outcome::Valid`] in the present minute, which is counted at the key itself.
    others: Box<[Mutex<Tallies>]>,
    /// Checks of what was no key, or of a key without its secret: nobody's use.
    unproved: AtomicU64,
    /// Held while it is written and while it is read, so that nothing is seen twice or not at all.
    waiting: tokio::sync::Mutex<Waiting>,
}

/// Counts by key, minute and outcome.
type Tallies = HashMap<(KeyId, u32, Outcome), Tally>;

/// What was gathered and waits to be written.
#[derive(Default)]
struct Waiting {
    tallies: Vec<Tally>,
    /// Keys whose last use is to be written, in turn; each once.
    last_uses: VecDeque<KeyId>,
    dropped: u64,
    /// What came of checks, to be told the metrics.
    outcomes: Counts,
    /// How many writings of counts were begun.
    written: u64,
}

impl Written for Waiting {
    fn written(&self) -> u64 {
        self.written
    }
}

/// How often one outcome came of one key in one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tally {
    workspace: WorkspaceId,
    /// In minutes since the Unix epoch.
    minute: u32,
    key: KeyId,
    outcome: Outcome,
    count: u32,
}

impl Tally {
    /// Whether the store keeps both in the rows of one time.
    fn is_stored_with(&self, other: &Tally) -> bool {
        (self.workspace, self.minute) == (other.workspace, other.minute)
    }
}

impl Usage {
    pub(crate) fn new() -> Usage {
        Usage {
            listed: (0..SHARDS).map(|_| Mutex::default()).collect(),
            others: (0..SHARDS).map(|_| Mutex::default()).collect(),
            unproved: AtomicU64::new(0),
            waiting: tokio::sync::Mutex::default(),
        }
    }

    /// Counts a check that proved no secret.
    pub(crate) fn count_unproved(&self) {
        self.unproved.fetch_add(1, Relaxed);
    }

    /// Counts what came of checking a key.
    ///
    /// A count is never lost in memory, nor told of another minute.
    pub(crate) fn count(&self, key: &LiveKey, outcome: Outcome, now: Timestamp) {
        let minute = u32::try_from(now.seconds() / Step::Minute.seconds()).unwrap_or(0);
        if outcome != Outcome::Valid {
            return self.count_other(key, outcome, minute, 1);
        }
        if let Some((before, counted)) = key.activity.count(minute) {
            self.count_other(key, Outcome::Valid, before, counted);
        }
        self.list(key);
        if key.activity.is_retired.load(SeqCst) {
            self.take_over(key);
        }
    }

    /// Puts a key into the list of those that have something to write down. To be called after there is something: whoever
    /// gathers takes a key out of the list before looking at it, so that one of the two sees the other.
    pub(crate) fn list(&self, key: &LiveKey) {
        if !key.activity.is_listed.load(SeqCst) && !key.activity.is_listed.swap(true, SeqCst) {
            lock(shard(&self.listed, key.id)).push(key.id);
        }
    }

    /// Takes over what was counted at a record that another has replaced, and what will be by those who still look at it.
    pub(crate) fn take_over(&self, old: &LiveKey) {
        old.activity.is_retired.store(true, SeqCst);
        if let Some((minute, counted)) = old.activity.take() {
            self.count_other(old, Outcome::Valid, minute, counted);
        }
    }

    fn count_other(&self, key: &LiveKey, outcome: Outcome, minute: u32, count: u32) {
        let tally = Tally { workspace: key.workspace, minute, key: key.id, outcome, count: 0 };
        let mut others = lock(shard(&self.others, key.id));
        let tally = others.entry((key.id, minute, outcome)).or_insert(tally);
        tally.count = tally.count.saturating_add(count);
    }

    /// Moves what was counted into what waits.
    fn gather(&self, waiting: &mut Waiting, keyring: &Keyring) {
        for listed in &self.listed {
            let listed = std::mem::take(&mut *lock(listed));
            for id in listed {
                // A key that is gone was deleted with its workspace, and its counts with it.
                let _ = keyring.with(id, |key| waiting.take(key));
            }
        }
        for others in &self.others {
            let others = std::mem::take(&mut *lock(others));
            for tally in others.into_values() {
                waiting.push(tally);
            }
        }
        count_outcome(Code::InvalidKey.as_str(), self.unproved.swap(0, Relaxed));
        for (outcome, count) in std::mem::take(&mut waiting.outcomes).iter() {
            count_outcome(outcome.as_str(), count);
        }
    }
}

impl Waiting {
    fn take(&mut self, key: &LiveKey) {
        // First: whoever counts or notes a use after this lists the key again.
        key.activity.is_listed.store(false, SeqCst);
        if let Some((minute, count)) = key.activity.take() {
            let outcome = Outcome::Valid;
            self.push(Tally { workspace: key.workspace, minute, key: key.id, outcome, count });
        }
        if !key.activity.is_use_queued.swap(true, SeqCst) {
            self.last_uses.push_back(key.id);
        }
    }

    /// The counts of one key.
    fn of_key(&self, id: KeyId) -> Vec<Tally> {
        self.tallies.iter().filter(|tally| tally.key == id).copied().collect()
    }

    fn push(&mut self, tally: Tally) {
        self.outcomes.add(tally.outcome, tally.count.into());
        if self.tallies.len() < WAITING_MAX {
            self.tallies.push(tally);
        } else {
            self.dropped += u64::from(tally.count);
        }
    }
}

/// Tells the metrics of checks, which are counted here and not where they happen: that costs a check nothing.
fn count_outcome(outcome: &'static str, count: u64) {
    if count > 0 {
        metrics::counter!("keybell_key_checks_total", "outcome" => outcome).increment(count);
    }
}

fn shard<T>(shards: &[T], id: KeyId) -> &T {
    let last = id.as_str().as_bytes().last().copied().unwrap_or(0);
    &shards[usize::from(last) % SHARDS]
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_wait_up_to_their_limit_and_those_past_it_are_counted_as_dropped() {
        let tally = Tally {
            workspace: WorkspaceId::from_bytes([1; 16]),
            minute: 1,
            key: KeyId::parse("000000000000").expect("twelve digits"),
            outcome: Outcome::Valid,
            count: 3,
        };
        let mut waiting = Waiting { tallies: vec![tally; WAITING_MAX - 1], ..Waiting::default() };
        waiting.push(tally);
        assert_eq!((waiting.tallies.len(), waiting.dropped), (WAITING_MAX, 0));
        waiting.push(tally);
        assert_eq!((waiting.tallies.len(), waiting.dropped), (WAITING_MAX, 3));
    }
}
