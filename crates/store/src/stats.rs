//! What the store has done since it was opened, as plain numbers for metrics and benches.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Counts since the store was opened, and how many jobs wait now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Operations that were run and committed. Divided by `commits`: operations per commit.
    pub operations: u64,
    /// Operations that failed by themselves or with their transaction.
    pub operations_failed: u64,
    /// Operations and queries refused because the queue was full.
    pub refused: u64,
    /// Transactions committed by writers.
    pub commits: u64,
    /// Queries that were answered.
    pub queries: u64,
    /// Statements executed; a bulk statement counts once, however many rows.
    pub statements: u64,
    /// Rows that statements changed, also those of transactions that were then taken back.
    pub rows_changed: u64,
    /// Transactions run again because they met another one.
    pub retries: u64,
    /// Times a lane connected anew to the database.
    pub reconnects: u64,
    /// Operations waiting for a writer at this moment.
    pub writes_waiting: u64,
    /// Queries waiting for a reader at this moment.
    pub reads_waiting: u64,
}

/// The counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) operations: AtomicU64,
    pub(crate) operations_failed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) queries: AtomicU64,
    pub(crate) statements: AtomicU64,
    pub(crate) rows_changed: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) reconnects: AtomicU64,
}

impl Counters {
    /// The counts, with nothing waiting.
    pub(crate) fn read(&self) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            operations: load(&self.operations),
            operations_failed: load(&self.operations_failed),
            refused: load(&self.refused),
            commits: load(&self.commits),
            queries: load(&self.queries),
            statements: load(&self.statements),
            rows_changed: load(&self.rows_changed),
            retries: load(&self.retries),
            reconnects: load(&self.reconnects),
            writes_waiting: 0,
            reads_waiting: 0,
        }
    }
}

/// Adds one, or more, to a counter.
pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

/// Counts the rows that a statement changed, and gives how many those were.
pub(crate) fn changed(counters: &Counters, rows: u64) -> u64 {
    if rows > 0 {
        counters.rows_changed.fetch_add(rows, Ordering::Relaxed);
    }
    rows
}

/// Notes a transaction of writes that was tried: how many operations shared it, and how long it took since `began`, from
/// its beginning to the disk's answer.
#[expect(clippy::cast_precision_loss, reason = "a transaction has a few thousand operations at most")]
pub(crate) fn transaction(operations: usize, began: Instant) {
    metrics::histogram!("keybell_store_transaction_operations").record(operations as f64);
    metrics::histogram!("keybell_store_transaction_seconds").record(began.elapsed());
}
