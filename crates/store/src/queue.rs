//! The bounded queue between the callers of the store and its lanes.
//!
//! Callers push one job; a lane takes all that wait, in one swap. Nobody waits for a batch to grow.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::StoreError;
use crate::job::Job;

/// Most jobs that wait in one queue. At the slowest rate measured on a disk with 5 ms a flush (20,000 operations a
/// second) this is under a second of work; more would only make callers wait longer for the same refusal.
pub const QUEUE_MAX: usize = 16_384;

/// Jobs that wait for a lane.
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    limit: usize,
}

struct State {
    jobs: VecDeque<Box<dyn Job>>,
    /// Lanes asleep, so that a push makes no system call when all are at work.
    sleeping: usize,
    closed: bool,
}

impl Queue {
    /// An empty queue for at most `limit` jobs.
    pub(crate) fn new(limit: usize) -> Self {
        let state = State { jobs: VecDeque::new(), sleeping: 0, closed: false };
        Queue { state: Mutex::new(state), arrived: Condvar::new(), limit }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job, or gives it back with the reason why not.
    pub(crate) fn push(&self, job: Box<dyn Job>) -> Result<(), (Box<dyn Job>, StoreError)> {
        let mut state = self.state();
        if state.closed {
            return Err((job, closed()));
        }
        if state.jobs.len() >= self.limit {
            let waiting = state.jobs.len();
            return Err((job, StoreError::Busy { waiting }));
        }
        state.jobs.push_back(job);
        let wake = state.sleeping > 0;
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits until there is a job, then moves up to `most` of them into `into`. `false` when the queue is closed and
    /// empty.
    pub(crate) fn take(&self, most: usize, into: &mut VecDeque<Box<dyn Job>>) -> bool {
        let mut state = self.state();
        while state.jobs.is_empty() {
            if state.closed {
                return false;
            }
            state.sleeping += 1;
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
        }
        if state.jobs.len() <= most && into.is_empty() {
            std::mem::swap(&mut state.jobs, into);
        } else {
            let count = state.jobs.len().min(most);
            into.extend(state.jobs.drain(..count));
        }
        true
    }

    /// How many jobs wait.
    pub(crate) fn waiting(&self) -> usize {
        self.state().jobs.len()
    }

    /// Whether nothing more is accepted.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Accepts nothing more. What waits is still taken.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_all();
    }

    /// Accepts nothing more, and answers what waits that it was not done: for a lane that ends before its queue.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.closed = true;
        let left = std::mem::take(&mut state.jobs);
        drop(state);
        self.arrived.notify_all();
        for job in left {
            job.settle(Err(closed()));
        }
    }
}

/// The answer to whoever comes after the end.
pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable { what: "the store is closed", source: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Pending;
    use crate::tx::{Op, Tx};

    struct Nothing;
    impl Op for Nothing {
        const NAME: &'static str = "test.nothing";
        type Out = ();
        fn run(&self, _: &mut dyn Tx) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn job() -> Box<dyn Job> {
        Pending::boxed(Nothing, |_| ())
    }

    #[test]
    fn holds_its_limit_and_refuses_one_more() {
        let queue = Queue::new(QUEUE_MAX);
        for _ in 0..QUEUE_MAX {
            assert!(queue.push(job()).is_ok());
        }
        let Err((_, error)) = queue.push(job()) else { panic!("one past the limit went in") };
        assert!(matches!(error, StoreError::Busy { waiting: QUEUE_MAX }), "{error}");
        assert_eq!(queue.waiting(), QUEUE_MAX);
    }

    #[test]
    fn gives_out_at_most_what_was_asked_for_in_order_of_arrival() {
        let queue = Queue::new(10);
        for _ in 0..5 {
            assert!(queue.push(job()).is_ok());
        }
        let mut taken = VecDeque::new();
        assert!(queue.take(2, &mut taken));
        assert_eq!((taken.len(), queue.waiting()), (2, 3));
        assert!(queue.take(10, &mut taken));
        assert_eq!((taken.len(), queue.waiting()), (5, 0));
    }

    #[test]
    fn hands_out_what_waits_after_it_is_closed_and_then_ends() {
        let queue = Queue::new(10);
        assert!(queue.push(job()).is_ok());
        queue.close();
        assert!(queue.push(job()).is_err());
        let mut taken = VecDeque::new();
        assert!(queue.take(10, &mut taken));
        taken.clear();
        assert!(!queue.take(10, &mut taken));
    }
}
