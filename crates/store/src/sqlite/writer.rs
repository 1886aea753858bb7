//! The writer lane: one thread, one connection, many operations per commit.
//!
//! It takes all that wait, runs them in one transaction, commits, and answers everybody. Where one of them fails, all is
//! taken back and they are run again, each in a savepoint. While the disk takes its time, the next group gathers; nobody
//! waits for a timer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::checkpoint::Checkpoints;
use super::tx::{SqliteTx, Statements};
use crate::error::StoreError;
use crate::job::Job;
use crate::queue::Queue;
use crate::shared_error::{Cause, Shared};
use crate::sql::Sql;
use crate::stats::{Counters, count, transaction};

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
    let mut synced = Synced::Always;
    while queue.take(GROUP_MAX, &mut group) {
        let wanted =
            if group.iter().any(|job| job.must_last()) { Synced::Always } else { Synced::WithTheNext };
        let ended = synced
            .switch_to(wanted, statements.connection())
            .and_then(|()| commit_together(&mut statements, group.make_contiguous()));
        for job in group.drain(..) {
            job.settle(ended.as_ref().map_err(Shared::unavailable).copied());
        }
        checkpoints.after_commit(statements.connection(), log_pages.load(Ordering::Relaxed));
    }
}

/// When a commit is on disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Synced {
    /// Before it is answered.
    Always,
    /// With the next one that has to be: what a power failure takes back is done again.
    WithTheNext,
}

impl Synced {
    /// Has the next commits be on disk as `wanted`. Not a prepared statement: SQLite does this while it reads it.
    fn switch_to(&mut self, wanted: Synced, connection: &Connection) -> Result<(), Shared> {
        if *self == wanted {
            return Ok(());
        }
        let level = match wanted {
            Synced::Always => "FULL",
            Synced::WithTheNext => "NORMAL",
        };
        connection
            .pragma_update(None, "synchronous", level)
            .map_err(|error| Shared::new("say when commits are on disk", error))?;
        *self = wanted;
        Ok(())
    }
}

/// Runs the jobs in one transaction. To settle them is the caller's part.
pub(super) fn commit_together(
    statements: &mut Statements<'_>,
    jobs: &mut [Box<dyn Job>],
) -> Result<(), Shared> {
    let counters = statements.counters();
    let (all, began) = (jobs.len(), Instant::now());
    let ended = match together(statements, jobs, without_savepoint) {
        // Nothing of it was kept. Operations are values, so that they can be run again: now each by itself.
        Ok(Together::Refused) if all > 1 => together(statements, jobs, in_savepoint),
        ended => ended,
    };
    let committed = if let Ok(Together::Committed(jobs)) = ended { jobs } else { 0 };
    count(&counters.commits, usize::from(committed > 0));
    count(&counters.operations, committed);
    count(&counters.operations_failed, all - committed);
    transaction(all, began);
    ended.map(drop)
}

/// How a transaction of several jobs ended.
enum Together {
    /// So many of them are in the database; the others hold their errors.
    Committed(usize),
    /// One refused, and nothing was kept. It holds its error.
    Refused,
}

/// What one job did to the transaction that it shares.
enum Did {
    /// It is in it.
    Good,
    /// It was taken out of it, and holds its error.
    Undone,
    /// It cannot be taken out of it alone. It holds its error.
    Spoilt,
    /// The transaction is lost for all.
    Lost(Cause),
}

fn together(
    statements: &mut Statements<'_>,
    jobs: &mut [Box<dyn Job>],
    run: fn(&mut Statements<'_>, &mut dyn Job) -> Did,
) -> Result<Together, Shared> {
    let connection = statements.connection();
    statements.control(&BEGIN).map_err(|error| Shared::new("begin a transaction", error))?;
    let mut committed = 0;
    for job in jobs {
        match run(statements, job.as_mut()) {
            Did::Good => committed += 1,
            Did::Undone => {}
            Did::Spoilt => {
                roll_back(statements);
                return Ok(Together::Refused);
            }
            Did::Lost(cause) => {
                roll_back(statements);
                return Err(Shared::with("run an operation in a transaction with others", cause));
            }
        }
    }
    let done = statements.control(&COMMIT);
    if !connection.is_autocommit() {
        roll_back(statements);
    }
    done.map_err(|error| Shared::new("commit", error))?;
    Ok(Together::Committed(committed))
}

/// Runs one job as if none could fail: a savepoint each would triple what an operation costs, because SQLite copies every
/// page that it touches to a file first.
fn without_savepoint(statements: &mut Statements<'_>, job: &mut dyn Job) -> Did {
    match attempt(statements, job) {
        (true, None) => Did::Good,
        _ => Did::Spoilt,
    }
}

/// Runs one job so that it can be taken out again.
fn in_savepoint(statements: &mut Statements<'_>, job: &mut dyn Job) -> Did {
    saved(statements, job).unwrap_or_else(Did::Lost)
}

fn saved(statements: &mut Statements<'_>, job: &mut dyn Job) -> Result<Did, Cause> {
    control(statements, &SAVE)?;
    let (good, failure) = attempt(statements, job);
    match failure {
        // On a full disk SQLite takes back the whole transaction by itself, and with it those who went before.
        Some(cause) if statements.connection().is_autocommit() => return Err(cause),
        None if good => {
            control(statements, &RELEASE)?;
            return Ok(Did::Good);
        }
        _ => {}
    }
    control(statements, &UNDO)?;
    control(statements, &RELEASE)?;
    Ok(Did::Undone)
}

/// Runs one job; whether it is good as far as it knows, and why a statement of it failed, if one did.
fn attempt(statements: &mut Statements<'_>, job: &mut dyn Job) -> (bool, Option<Cause>) {
    let mut tx = SqliteTx::new(statements, job.name());
    let good = job.attempt(&mut tx);
    let failure = tx.into_failure();
    if good && failure.is_some() {
        job.refuse(went_on(job.name()));
    }
    (good, failure)
}

fn control(statements: &mut Statements<'_>, sql: &'static Sql) -> Result<(), Cause> {
    statements.control(sql).map_err(|error| -> Cause { Arc::new(error) })
}

/// Takes the transaction back, where SQLite has not done so by itself.
fn roll_back(statements: &mut Statements<'_>) {
    if statements.connection().is_autocommit() {
        return;
    }
    if let Err(error) = statements.control(&ROLLBACK) {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}

/// The error of an operation that took a failed statement for a success.
pub(crate) fn went_on(operation: &'static str) -> StoreError {
    let source = "a statement failed, and the operation went on as if it had not";
    StoreError::Failed { operation, source: source.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_that_must_last_are_synced_and_those_that_need_not_are_not() {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let path = directory.path().join("keybell.db");
        let connection = super::super::connection::open(&path, super::super::connection::Access::Write);
        let connection = connection.expect("an empty file opens");
        let level = || -> i64 {
            connection.pragma_query_value(None, "synchronous", |row| row.get(0)).expect("it has a value")
        };
        let (normal, full) = (1, 2);
        let mut synced = Synced::Always;
        assert_eq!(level(), full);
        for (wanted, expected) in
            [(Synced::WithTheNext, normal), (Synced::WithTheNext, normal), (Synced::Always, full)]
        {
            assert!(synced.switch_to(wanted, &connection).is_ok());
            assert_eq!(level(), expected);
        }
    }
}
