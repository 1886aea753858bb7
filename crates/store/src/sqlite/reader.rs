//! A read-only lane: one thread, one connection, one query after the other, each on one snapshot.

use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::Connection;

use super::tx::{SqliteTx, Statements};
use super::writer::ROLLBACK;
use crate::error::StoreError;
use crate::job::Job;
use crate::queue::Queue;
use crate::shared_error::Shared;
use crate::sql::Sql;
use crate::stats::{Counters, count};

static BEGIN: Sql = Sql { name: "sqlite::BEGIN_READ", text: "BEGIN DEFERRED" };

/// Serves `queue` until it is closed and empty.
pub(super) fn run(connection: &Connection, queue: &Queue, counters: &Arc<Counters>) {
    let mut statements = Statements::new(connection, counters);
    let mut jobs = VecDeque::new();
    while queue.take(1, &mut jobs) {
        for mut job in jobs.drain(..) {
            let ended = answer(&mut statements, job.as_mut());
            job.settle(ended);
        }
    }
}

/// Runs one query in a transaction of its own. To settle it is the caller's part.
pub(super) fn answer(statements: &mut Statements<'_>, job: &mut dyn Job) -> Result<(), StoreError> {
    statements.control(&BEGIN).map_err(|error| Shared::new("begin to read", error).unavailable())?;
    job.attempt(&mut SqliteTx::new(statements, job.name()));
    if let Err(error) = statements.control(&ROLLBACK) {
        tracing::error!(%error, "a snapshot could not be given back");
    }
    count(&statements.counters().queries, 1);
    Ok(())
}
