//! How much waits on disk, for the figures: looked up now and then, never in the way of a delivery.

use keybell_core::Timestamp;

use crate::error::StoreError;
use crate::statements;
use crate::tx::{Query, Read};

statements! {
    COUNT = "SELECT COUNT(*) AS pending FROM (SELECT 1 AS one FROM pending_deliveries LIMIT $1) AS pending";
    OLDEST_DUE = "SELECT MIN(due_at) AS due_at FROM pending_deliveries";
}

/// Counts the deliveries that are not over, up to a limit, and finds when the oldest of them is due.
#[derive(Debug)]
pub struct DeliveriesWaiting {
    /// Most deliveries to count: a million are some 50 ms of a reader's time on SQLite.
    pub count_max: i64,
}

/// What [`DeliveriesWaiting`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Deliveries that are not over, those in memory included; the limit where there are more.
    pub pending: i64,
    /// When the one is due that is due first. Of what is in memory, that is the end of its lease.
    pub first_due_at: Option<Timestamp>,
}

impl Query for DeliveriesWaiting {
    const NAME: &'static str = "deliveries.waiting";
    type Out = Waiting;

    fn run(&self, tx: &mut dyn Read) -> Result<Waiting, StoreError> {
        let pending = tx.first(&COUNT, &[self.count_max.into()], |row| row.int(0))?.unwrap_or(0);
        let first_due_at = tx.first(&OLDEST_DUE, &[], |row| row.opt_at(0))?.flatten();
        Ok(Waiting { pending, first_due_at })
    }
}
