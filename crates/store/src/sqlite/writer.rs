//! The writer lane: one thread, one connection, many operations per commit.
//!
//! It takes all that wait, runs each in a savepoint of one transaction, commits, and answers everybody. While the disk
//! takes its time, the next group gathers; nobody waits for a timer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::checkpoint::Checkpoints;
use super::tx::{SqliteTx, Statements};
use crate::error::StoreError;
use crate::job::Job;
use crate::queue::Queue;
use crate::shared_error::{Cause, Shared};
use crate::sql::Sql;
use crate::stats::{Counters, count};

/// Most operations in one transaction, so that the last of a full queue does not make the first wait for all. Below
/// 1,024 a bound only costs.
pub(super) const GROUP_MAX: usize = 4_096;

static BEGIN: Sql = Sql { name: "sqlite::BEGIN", text: "BEGIN IMMEDIATE" };
static COMMIT: Sql = Sql { name: "sqlite::COMMIT", text: "COMMIT" };
static SAVE: Sql = Sql { name: "sqlite::SAVE", text: "SAVEPOINT operation" };
static RELEASE: Sql = Sql { name: "sqlite::RELEASE", text: "RELEASE operation" };
static UNDO: Sql = Sql { name: "sqlite::UNDO", text: "ROLLBACK TO operation" };
pub(super) static ROLLBACK: Sql = Sql { name: "sqlite::ROLLBACK", text: "ROLLBACK" };

/// Serves `queue` until it is closed and empty.
pub(super) fn run(
    connection: &mut Connection,
    queue: &Queue,
    counters: &Arc<Counters>,
    checkpoints: &Checkpoints,
) {
    let log_pages = Arc::new(AtomicI32::new(0));
    let seen = Arc::clone(&log_pages);
    let hook = move |_: &mut Wal, pages| {
        seen.store(pages, Ordering::Relaxed);
        Ok(())
    };
    if let Err(error) = connection.wal_hook(Some(hook)) {
        tracing::error!(%error, "the length of the write-ahead log cannot be watched");
    }
    let mut statements = Statements::new(connection, counters);
    let mut group = VecDeque::new();
    while queue.take(GROUP_MAX, &mut group) {
        let ended = commit_together(&mut statements, group.make_contiguous());
        for job in group.drain(..) {
            job.settle(ended.as_ref().map_err(Shared::unavailable).copied());
        }
        checkpoints.after_commit(statements.connection(), log_pages.load(Ordering::Relaxed));
    }
}

/// Runs the jobs in one transaction, each in its savepoint. To settle them is the caller's part.
pub(super) fn commit_together(
    statements: &mut Statements<'_>,
    jobs: &mut [Box<dyn Job>],
) -> Result<(), Shared> {
    let counters = statements.counters();
    let all = jobs.len();
    let ended = together(statements, jobs);
    let committed = *ended.as_ref().unwrap_or(&0);
    count(&counters.commits, usize::from(ended.is_ok()));
    count(&counters.operations, committed);
    count(&counters.operations_failed, all - committed);
    ended.map(drop)
}

/// How many of the jobs are in the transaction that was committed.
fn together(statements: &mut Statements<'_>, jobs: &mut [Box<dyn Job>]) -> Result<usize, Shared> {
    let connection = statements.connection();
    statements.control(&BEGIN).map_err(|error| Shared::new("begin a transaction", error))?;
    let mut committed = 0;
    for job in jobs {
        match in_savepoint(statements, job.as_mut()) {
            Ok(good) => committed += usize::from(good),
            Err(cause) => {
                if !connection.is_autocommit() {
                    roll_back(statements);
                }
                return Err(Shared::with("run an operation in a transaction with others", cause));
            }
        }
    }
    statements.control(&COMMIT).map_err(|error| {
        if !connection.is_autocommit() {
            roll_back(statements);
        }
        Shared::new("commit", error)
    })?;
    Ok(committed)
}

/// Runs one job; whether it is in the transaction. An error means that the transaction is lost for all.
fn in_savepoint(statements: &mut Statements<'_>, job: &mut dyn Job) -> Result<bool, Cause> {
    control(statements, &SAVE)?;
    let mut tx = SqliteTx::new(statements, job.name());
    let mut good = job.attempt(&mut tx);
    if let Some(cause) = tx.into_failure() {
        // On a full disk SQLite takes back the whole transaction by itself, and with it those who went before.
        if statements.connection().is_autocommit() {
            return Err(cause);
        }
        if good {
            job.refuse(went_on(job.name()));
            good = false;
        }
    }
    if !good {
        control(statements, &UNDO)?;
    }
    control(statements, &RELEASE)?;
    Ok(good)
}

fn control(statements: &mut Statements<'_>, sql: &'static Sql) -> Result<(), Cause> {
    statements.control(sql).map_err(|error| -> Cause { Arc::new(error) })
}

fn roll_back(statements: &mut Statements<'_>) {
    if let Err(error) = statements.control(&ROLLBACK) {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

/// The error of an operation that took a failed statement for a success.
pub(crate) fn went_on(operation: &'static str) -> StoreError {
    let source = "a statement failed, and the operation went on as if it had not";
    StoreError::Failed { operation, source: source.into() }
}
