//! A lane: one thread with its own connection, which it renews when it is lost.
//!
//! A writing lane takes all that wait and runs them in one transaction, so that they share the wait for the disk. If one of
//! them fails or meets another transaction, all is rolled back and each is run alone: operations are values, and can be run
//! again. A savepoint each would cost every operation two round trips to spare the rare one.
//!
//! A reading lane takes one at a time, and runs it without a transaction, since most queries are one statement, which sees
//! one snapshot by itself. A query that asks for a second one is run again with a transaction around both, and from then on
//! at once so.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio_postgres::{Config, Error};

use super::connection::{Connection, Failure};
use super::tx::PostgresTx;
use crate::error::StoreError;
use crate::job::Job;
use crate::queue::Queue;
use crate::shared_error::Shared;
use crate::sqlite::went_on;
use crate::stats::{self, Counters, count};
use crate::tx::Isolation;

/// Most operations in one transaction: enough to hide the wait for the disk, few enough that the first does not wait long
/// for the last, and that row locks are held for milliseconds.
const GROUP_MAX: usize = 64;
/// Times an operation that is alone in its transaction is run again because it met another. Each meeting means that the
/// other one went through, so ten in a row is not bad luck but a queue for one row.
const RETRIES_MAX: u32 = 10;
/// Pause before the first of these; each further one is longer by as much.
const RETRY_PAUSE: Duration = Duration::from_millis(1);
/// How long a lane tries to connect anew before it tells those who wait. A restart of the server takes 1 to 3 s.
const RECONNECT_FOR: Duration = Duration::from_secs(5);
/// Pause after the first failed try; it doubles up to [`RECONNECT_PAUSE_MAX`].
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause between two tries.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(500);

/// What a lane is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Write,
}

impl Purpose {
    /// For names of threads.
    pub(super) fn word(self) -> &'static str {
        match self {
            Purpose::Read => "read",
            Purpose::Write => "write",
        }
    }

    /// Begins a transaction that is strict enough for all the jobs.
    fn begin(self, jobs: &[Box<dyn Job>]) -> &'static str {
        match self {
            Purpose::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            Purpose::Write if jobs.iter().any(|job| job.isolation() == Isolation::Alone) => {
                "BEGIN ISOLATION LEVEL SERIALIZABLE"
            }
            Purpose::Write if jobs.iter().any(|job| job.must_last()) => {
                "BEGIN ISOLATION LEVEL READ COMMITTED"
            }
            // In one message, so that it costs no round trip.
            Purpose::Write => "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit TO OFF",
        }
    }

    /// What its sessions are set to besides.
    fn session(self) -> &'static str {
        match self {
            Purpose::Read => "-c default_transaction_read_only=on",
            Purpose::Write => "",
        }
    }

    fn group_max(self) -> usize {
        match self {
            Purpose::Read => 1,
            Purpose::Write => GROUP_MAX,
        }
    }
}

/// A lane's state, on its thread.
pub(super) struct Lane {
    purpose: Purpose,
    config: Config,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    connection: Option<Connection>,
    connected_before: bool,
    /// The queries that ask for more than one statement, by name, as far as it was seen.
    several: BTreeSet<&'static str>,
    /// Whether the last try of any lane to connect failed. From then on nobody waits for a connection: whoever comes is told
    /// at once.
    down: Arc<AtomicBool>,
}

/// How one try of a transaction ended.
enum Ended {
    /// It is in the database.
    Committed,
    /// Nothing of it is in the database, because one of its operations failed by itself; that one holds its error.
    Refused,
    /// Nothing of it is in the database, because it met another transaction.
    Conflict(StoreError),
    /// Nothing of it is in the database, and the connection is lost.
    Lost(Shared),
    /// It is not in the database, or, where the connection was lost during the commit, nobody knows.
    Over(Shared),
}

impl Lane {
    /// A lane that connects when it is first needed.
    pub(super) fn new(
        purpose: Purpose,
        config: Config,
        queue: Arc<Queue>,
        counters: Arc<Counters>,
        down: Arc<AtomicBool>,
    ) -> Self {
        let several = BTreeSet::new();
        Lane { purpose, config, queue, counters, connection: None, connected_before: false, several, down }
    }

    /// Serves the queue until it is closed and empty.
    pub(super) fn run(mut self) {
        let (mut waiting, mut group) = (VecDeque::new(), VecDeque::new());
        let queue = Arc::clone(&self.queue);
        loop {
            // Without a connection, all who wait hear of it together.
            let most = if self.is_down() { usize::MAX } else { self.purpose.group_max() };
            if !queue.take(most, &mut waiting) {
                return;
            }
            if let Err(error) = self.connect() {
                self.note(0, waiting.len());
                waiting.drain(..).for_each(|job| job.settle(Err(error.unavailable())));
            }
            while !waiting.is_empty() {
                let count = waiting.len().min(self.purpose.group_max());
                group.extend(waiting.drain(..count));
                self.serve(&mut group);
            }
        }
    }

    fn serve(&mut self, group: &mut VecDeque<Box<dyn Job>>) {
        let all = group.len();
        match self.attempt(group.make_contiguous()) {
            Ok(Ended::Committed) => {
                self.note(all, 0);
                group.drain(..).for_each(|job| job.settle(Ok(())));
            }
            Ok(Ended::Refused) if all == 1 => {
                self.note(0, all);
                group.drain(..).for_each(|job| job.settle(Ok(())));
            }
            Ok(Ended::Refused | Ended::Conflict(_)) => group.drain(..).for_each(|job| self.alone(job)),
            Ok(Ended::Lost(error) | Ended::Over(error)) | Err(error) => {
                self.note(0, all);
                group.drain(..).for_each(|job| job.settle(Err(error.unavailable())));
            }
        }
    }

    /// Runs one job in a transaction of its own, again and again while it meets others.
    fn alone(&mut self, mut job: Box<dyn Job>) {
        let mut retries = 0;
        let ended = loop {
            match self.attempt(std::slice::from_mut(&mut job)) {
                Ok(Ended::Conflict(error)) if retries == RETRIES_MAX => break Err(error),
                Ok(Ended::Conflict(_)) => {
                    retries += 1;
                    count(&self.counters.retries, 1);
                    thread::sleep(RETRY_PAUSE * retries);
                }
                Ok(Ended::Committed) => {
                    self.note(1, 0);
                    return job.settle(Ok(()));
                }
                Ok(Ended::Refused) => break Ok(()),
                Ok(Ended::Lost(error) | Ended::Over(error)) | Err(error) => break Err(error.unavailable()),
            }
        };
        self.note(0, 1);
        job.settle(ended);
    }

    /// Tries a transaction of all `jobs`: once more if the connection is lost before its commit, and once more if several
    /// met another transaction, which is over then. An error means that there is no connection to be had.
    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Ended, Shared> {
        match self.once(jobs)? {
            Ended::Lost(error) => {
                tracing::warn!(error = %error.unavailable(), "the connection to PostgreSQL is lost; connecting anew");
                self.once(jobs)
            }
            Ended::Conflict(_) if jobs.len() > 1 => {
                count(&self.counters.retries, 1);
                self.once(jobs)
            }
            ended => Ok(ended),
        }
    }

    fn once(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Ended, Shared> {
        self.connect()?;
        let began = Instant::now();
        let connection = self.connection.as_mut().expect("it was connected just now");
        let alone = match &mut *jobs {
            [query] if self.purpose == Purpose::Read && !self.several.contains(query.name()) => {
                let ended = statement(connection, &self.counters, query);
                if ended.is_none() {
                    self.several.insert(query.name());
                }
                ended
            }
            _ => None,
        };
        let ended = match alone {
            Some(ended) => ended,
            None => transaction(connection, &self.counters, self.purpose, jobs),
        };
        if self.purpose == Purpose::Write {
            stats::transaction(jobs.len(), began);
        }
        if connection.is_over() || matches!(ended, Ended::Lost(_)) {
            self.connection = None;
        }
        Ok(ended)
    }

    /// Sees to it that there is a connection.
    fn connect(&mut self) -> Result<(), Shared> {
        if self.connection.as_ref().is_some_and(|connection| !connection.is_over()) {
            return Ok(());
        }
        let started = Instant::now();
        let mut pause = RECONNECT_PAUSE;
        loop {
            match Connection::connect(&self.config, self.purpose.session()) {
                Ok(connection) => {
                    count(&self.counters.reconnects, usize::from(self.connected_before));
                    self.connected_before = true;
                    self.down.store(false, Ordering::Relaxed);
                    self.connection = Some(connection);
                    return Ok(());
                }
                Err(error)
                    if self.is_down()
                        || started.elapsed() + pause > RECONNECT_FOR
                        || self.queue.is_closed() =>
                {
                    self.down.store(true, Ordering::Relaxed);
                    return Err(Shared::of("connect to PostgreSQL", error));
                }
                Err(_) => thread::sleep(pause),
            }
            pause = (pause * 2).min(RECONNECT_PAUSE_MAX);
        }
    }

    fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    fn note(&self, good: usize, failed: usize) {
        if self.purpose == Purpose::Read {
            count(&self.counters.queries, good + failed);
        } else {
            count(&self.counters.commits, usize::from(good > 0));
            count(&self.counters.operations, good);
            count(&self.counters.operations_failed, failed);
        }
    }
}

/// Runs a query of one statement, without a transaction around it. `None` where it asked for more: nothing of it counts then.
fn statement(connection: &mut Connection, counters: &Counters, job: &mut Box<dyn Job>) -> Option<Ended> {
    let mut tx = PostgresTx::of_one_statement(connection, counters, job.name());
    let good = job.attempt(&mut tx);
    if tx.has_asked_for_more() {
        return None;
    }
    let failure = tx.failure();
    Some(failed(job, good, failure).unwrap_or(Ended::Committed))
}

/// Runs the jobs in one transaction.
fn transaction(
    connection: &mut Connection,
    counters: &Counters,
    purpose: Purpose,
    jobs: &mut [Box<dyn Job>],
) -> Ended {
    // A query waits for its beginning together with its first statement, and not for its end, where it has nothing to lose.
    let began = match purpose {
        Purpose::Read => connection.control_before_next(purpose.begin(jobs)),
        Purpose::Write => connection.control(purpose.begin(jobs)),
    };
    if let Err(error) = began {
        return ended_by(Failure::of(&error), "begin a transaction", error);
    }
    for job in jobs {
        let mut tx = PostgresTx::new(connection, counters, job.name());
        let good = job.attempt(&mut tx);
        let failure = tx.failure();
        let Some(ended) = failed(job, good, failure) else { continue };
        if matches!(ended, Ended::Lost(_)) {
            return ended;
        }
        // Where this fails, the connection is lost, and with it the transaction.
        drop(connection.control("ROLLBACK"));
        return ended;
    }
    if purpose == Purpose::Read {
        // Where this fails, the connection is lost, which whoever reads next finds out.
        drop(connection.control_soon("COMMIT"));
        return Ended::Committed;
    }
    match connection.control("COMMIT") {
        Ok(()) => Ended::Committed,
        Err(error) => match Failure::of(&error) {
            Failure::Lost => Ended::Over(Shared::new("commit; whether it was done is not known", error)),
            failure => ended_by(failure, "commit", error),
        },
    }
}

/// How a job ended that failed, or whose statements did; `None` where all went well.
fn failed(job: &mut Box<dyn Job>, good: bool, failure: Option<Failure>) -> Option<Ended> {
    let name = job.name();
    match failure {
        None if good => None,
        Some(Failure::Lost) => Some(Ended::Lost(Shared::lost("run an operation"))),
        Some(Failure::Conflict) => Some(Ended::Conflict(conflict())),
        Some(Failure::Unavailable | Failure::Statement) if good => {
            job.refuse(went_on(name));
            Some(Ended::Refused)
        }
        _ => Some(Ended::Refused),
    }
}

fn ended_by(failure: Failure, what: &'static str, error: Error) -> Ended {
    match failure {
        Failure::Lost => Ended::Lost(Shared::new(what, error)),
        Failure::Conflict => Ended::Conflict(conflict()),
        Failure::Unavailable | Failure::Statement => Ended::Over(Shared::new(what, error)),
    }
}

fn conflict() -> StoreError {
    let what = "run an operation that others kept getting in the way of";
    StoreError::Unavailable { what, source: None }
}
