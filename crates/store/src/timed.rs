//! An operation that also says how long it held its lane.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::StoreError;
use crate::tx::{Isolation, Op, Tx};

/// Runs an operation as it is, and gives how long its body took beside what it gives: the time for which no other operation
/// could run on its lane. Waiting in the queue and the commit, which is shared, are not counted. Where tokio's time is
/// simulated, so is this: nothing takes any, and what paces itself by it does the same in every run.
#[derive(Debug)]
pub struct Timed<O>(pub O);

impl<O: Op> Op for Timed<O> {
    const NAME: &'static str = O::NAME;
    const ISOLATION: Isolation = O::ISOLATION;
    type Out = (O::Out, Duration);

    fn must_last(&self) -> bool {
        self.0.must_last()
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let began = Instant::now();
        let out = self.0.run(tx)?;
        Ok((out, began.elapsed()))
    }
}
