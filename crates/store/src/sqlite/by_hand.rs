//! A lane that is turned by hand: a database in memory whose operations wait until somebody runs them. For simulations,
//! which decide what shares a commit, how long it takes, and whether whoever asked ever hears of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::inline::Inline;
use crate::error::StoreError;
use crate::job::Job;
use crate::queue::closed;
use crate::shared_error::Shared;

/// Turns the lane of a [`Store`](crate::Store) that was opened with it. Clones turn the same lane.
#[derive(Clone)]
pub struct Hand {
    lane: Arc<Lane>,
}

/// What waits, and the database that it waits for.
pub(crate) struct Lane {
    inline: Inline,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    writes: VecDeque<Box<dyn Job>>,
    reads: VecDeque<Box<dyn Job>>,
}

/// Operations that were run, and whose callers were not told yet. Dropping it tells them that the store is away.
#[must_use]
pub struct Turned {
    jobs: Vec<Box<dyn Job>>,
    ended: Result<(), Shared>,
}

impl Lane {
    pub(crate) fn new(inline: Inline) -> Arc<Lane> {
        Arc::new(Lane { inline, waiting: Mutex::default(), arrived: Notify::new() })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self, job: Box<dyn Job>) {
        self.waiting().writes.push_back(job);
        self.arrived.notify_one();
    }

    pub(crate) fn read(&self, job: Box<dyn Job>) {
        self.waiting().reads.push_back(job);
        self.arrived.notify_one();
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        let waiting = self.waiting();
        (waiting.writes.len(), waiting.reads.len())
    }

    pub(crate) fn close(&self) {
        self.inline.close();
    }

    fn take_writes(&self, most: usize) -> Vec<Box<dyn Job>> {
        let mut waiting = self.waiting();
        let count = waiting.writes.len().min(most);
        waiting.writes.drain(..count).collect()
    }
}

impl Hand {
    pub(crate) fn of(lane: &Arc<Lane>) -> Hand {
        Hand { lane: Arc::clone(lane) }
    }

    /// Comes back when something waits.
    pub async fn arrived(&self) {
        while self.waiting() == (0, 0) {
            self.lane.arrived.notified().await;
        }
    }

    /// How many writes and how many reads wait.
    pub fn waiting(&self) -> (usize, usize) {
        self.lane.counts()
    }

    /// Runs up to `most` of the writes that wait longest, in one transaction, and commits. Nobody is told of it yet.
    pub fn commit(&self, most: usize) -> Turned {
        let mut jobs = self.lane.take_writes(most);
        let ended = self.lane.inline.commit(&mut jobs).unwrap_or_else(|| Err(gone()));
        Turned { jobs, ended }
    }

    /// Runs the read that waits longest. Nobody is told of it yet.
    pub fn read(&self) -> Turned {
        let mut jobs: Vec<_> = self.lane.waiting().reads.pop_front().into_iter().collect();
        let ended = jobs.iter_mut().try_for_each(|job| self.lane.inline.answer(job.as_mut()));
        Turned { jobs, ended: ended.map_err(|_| gone()) }
    }

    /// Takes up to `most` of the writes that wait longest and does not run them: the store is away.
    pub fn refuse(&self, most: usize) {
        Turned { jobs: self.lane.take_writes(most), ended: Err(gone()) }.tell();
    }

    /// Forgets what waits, as the end of a process does. Whatever its callers do about it, is forgotten too.
    pub fn forget(&self) {
        while self.waiting() != (0, 0) {
            let Waiting { writes, reads } = std::mem::take(&mut *self.lane.waiting());
            drop((writes, reads));
        }
    }

    /// Forgets what waits and the database too: whatever still holds the store, its memory is given back.
    pub fn end(&self) {
        self.forget();
        self.lane.close();
    }
}

impl Turned {
    /// The names of the operations.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.jobs.iter().map(|job| job.name())
    }

    /// Tells the callers how it ended.
    pub fn tell(self) {
        for job in self.jobs {
            job.settle(self.ended.as_ref().map_err(Shared::unavailable).copied());
        }
    }

    /// Tells the callers that the store is away, although their operations were run: the connection was lost in the
    /// commit.
    pub fn tell_unavailable(self) {
        for job in self.jobs {
            job.settle(Err(gone().unavailable()));
        }
    }
}

fn gone() -> Shared {
    let closed: StoreError = closed();
    Shared::of("use a store that is away", Box::new(closed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use crate::ops::health::Answers;
    use crate::ops::retention::{CountsOf, DeleteOldCounts};
    use crate::ops::usage::Step;

    #[tokio::test]
    async fn nothing_happens_until_the_hand_turns_and_a_lost_commit_is_one_all_the_same() {
        let (store, hand) = Store::by_hand();
        let asked = tokio::spawn({
            let store = store.clone();
            async move { store.read(Answers).await }
        });
        hand.arrived().await;
        assert!(!asked.is_finished());
        hand.read().tell();
        assert!(asked.await.expect("no panic").is_ok());

        let commits = store.stats().commits;
        let write = |store: Store| async move { store.write(bite()).await };
        let asked = [tokio::spawn(write(store.clone())), tokio::spawn(write(store.clone()))];
        while hand.waiting() != (2, 0) {
            tokio::task::yield_now().await;
        }
        let turned = hand.commit(2);
        assert_eq!((turned.names().count(), store.stats().commits), (2, commits + 1));
        turned.tell_unavailable();
        for asked in asked {
            assert!(matches!(asked.await.expect("no panic"), Err(StoreError::Unavailable { .. })));
        }
    }

    #[tokio::test]
    async fn what_is_refused_or_forgotten_is_not_done() {
        let (store, hand) = Store::by_hand();
        let commits = store.stats().commits;
        let write = |store: Store| async move { store.write(bite()).await };
        for end in [|hand: &Hand| hand.refuse(1), Hand::forget] {
            let asked = tokio::spawn(write(store.clone()));
            hand.arrived().await;
            end(&hand);
            assert!(matches!(asked.await.expect("no panic"), Err(StoreError::Unavailable { .. })));
        }
        assert_eq!((hand.waiting(), store.stats().commits), ((0, 0), commits));
    }

    fn bite() -> DeleteOldCounts {
        let (workspace, before) =
            (keybell_core::WorkspaceId::from_bytes([1; 16]), keybell_core::Timestamp::EPOCH);
        DeleteOldCounts {
            workspace,
            of: CountsOf::Keys,
            step: Step::Day,
            before: Some(before),
            weight_max: 1,
        }
    }
}
