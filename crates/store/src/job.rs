//! An operation on its way through a lane, without its types: run it, perhaps again, then tell its caller how it ended.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::StoreError;
use crate::tx::{Isolation, Op, Query, Read, Tx};

/// An operation that waits for its lane. However it ends, its caller hears of it exactly once.
pub(crate) trait Job: Send {
    /// The operation's name.
    fn name(&self) -> &'static str;

    /// How far it is kept apart from others.
    fn isolation(&self) -> Isolation;

    /// Whether its result must be on disk before its caller is told.
    fn must_last(&self) -> bool;

    /// Runs the operation and keeps its result; whether that is one to commit. A panic is a result not to commit.
    fn attempt(&mut self, tx: &mut dyn Tx) -> bool;

    /// Replaces the result of the last attempt by an error.
    fn refuse(&mut self, error: StoreError);

    /// Tells the caller: the result of the last attempt where the transaction `ended` well, else why it did not.
    fn settle(self: Box<Self>, ended: Result<(), StoreError>);
}

/// A job of the operation `O` whose caller is told through `F`.
pub(crate) struct Pending<O: Op, F: FnOnce(Result<O::Out, StoreError>) + Send> {
    op: O,
    result: Option<Result<O::Out, StoreError>>,
    tell: Option<F>,
}

impl<O: Op, F: FnOnce(Result<O::Out, StoreError>) + Send + 'static> Pending<O, F> {
    /// A job for a lane.
    pub(crate) fn boxed(op: O, tell: F) -> Box<dyn Job> {
        Box::new(Pending { op, result: None, tell: Some(tell) })
    }
}

impl<O: Op, F: FnOnce(Result<O::Out, StoreError>) + Send> Pending<O, F> {
    fn tell(&mut self, result: Result<O::Out, StoreError>) {
        let Some(tell) = self.tell.take() else { return };
        if catch_unwind(AssertUnwindSafe(|| tell(result))).is_err() {
            tracing::error!(operation = O::NAME, "what should follow an operation panicked");
        }
    }
}

impl<O: Op, F: FnOnce(Result<O::Out, StoreError>) + Send> Job for Pending<O, F> {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn isolation(&self) -> Isolation {
        O::ISOLATION
    }

    fn must_last(&self) -> bool {
        self.op.must_last()
    }

    fn attempt(&mut self, tx: &mut dyn Tx) -> bool {
        let op = &self.op;
        let result = catch_unwind(AssertUnwindSafe(|| op.run(tx))).unwrap_or_else(|panic| {
            Err(StoreError::Failed { operation: O::NAME, source: Panicked::of(&*panic) })
        });
        let good = result.is_ok();
        self.result = Some(result);
        good
    }

    fn refuse(&mut self, error: StoreError) {
        self.result = Some(Err(error));
    }

    fn settle(mut self: Box<Self>, ended: Result<(), StoreError>) {
        let result = match (self.result.take(), ended) {
            (Some(Err(own)), _) => Err(own),
            (Some(result), Ok(())) => result,
            (_, Err(error)) => Err(error),
            (None, Ok(())) => Err(not_run()),
        };
        self.tell(result);
    }
}

impl<O: Op, F: FnOnce(Result<O::Out, StoreError>) + Send> Drop for Pending<O, F> {
    fn drop(&mut self) {
        self.tell(Err(not_run()));
    }
}

fn not_run() -> StoreError {
    StoreError::Unavailable { what: "the store's lane ended before the operation was done", source: None }
}

/// A query as an operation, so that one kind of job does for both.
pub(crate) struct Reading<Q>(pub(crate) Q);

impl<Q: Query> Op for Reading<Q> {
    const NAME: &'static str = Q::NAME;
    type Out = Q::Out;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let read: &mut dyn Read = tx.as_read();
        self.0.run(read)
    }
}

/// The source of the error of an operation that panicked.
#[derive(Debug)]
struct Panicked(String);

impl Panicked {
    fn of(panic: &(dyn Any + Send)) -> Box<dyn Error + Send + Sync> {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Box::new(Panicked(text.unwrap_or_else(|| "no message".to_owned())))
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it panicked: {}", self.0)
    }
}

impl Error for Panicked {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    struct Nothing;
    impl Op for Nothing {
        const NAME: &'static str = "test.nothing";
        type Out = ();
        fn run(&self, _: &mut dyn Tx) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[test]
    fn a_job_that_is_dropped_tells_its_caller_that_it_was_not_done() {
        let (told, heard) = mpsc::channel();
        drop(Pending::boxed(Nothing, move |result| told.send(result).expect("the test listens")));
        assert!(matches!(heard.recv(), Ok(Err(StoreError::Unavailable { .. }))));
        assert!(heard.recv().is_err(), "told once");
    }

    #[test]
    fn a_job_that_never_ran_is_not_reported_as_done() {
        let (told, heard) = mpsc::channel();
        Pending::boxed(Nothing, move |result| told.send(result).expect("the test listens")).settle(Ok(()));
        assert!(matches!(heard.recv(), Ok(Err(StoreError::Unavailable { .. }))));
    }

    #[test]
    fn a_follow_up_that_panics_does_not_reach_the_lane() {
        Pending::boxed(Nothing, |_| panic!("follow-up")).settle(Ok(()));
    }
}
