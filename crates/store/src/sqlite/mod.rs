//! SQLite: a file, one writer lane with group commit, two read-only lanes, a checkpointer beside them.
//!
//! The file belongs to one process: what is known in memory (keys, webhooks, deliveries under way) is known to that one
//! only, so a second process is refused by a lock on `<file>.lock`.

pub(crate) mod by_hand;
mod checkpoint;
mod connection;
mod inline;
mod reader;
mod tx;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::migrations::Migration;
use crate::open::{OpenError, OpenOptions, bring_up_to_date};
use crate::queue::Queue;
use crate::stats::Counters;
use crate::threads::Threads;
use crate::url::DatabaseUrl;

pub(crate) use inline::Inline;
pub(crate) use tx::{numbered, row_statement};
pub(crate) use writer::went_on;

use checkpoint::{Checkpointing, Checkpoints};
use connection::Access;

/// Read-only lanes: two, so that one long list does not hold up every other read.
const READERS: usize = 2;

/// Opens the file, brings its schema up to date and starts the lanes.
pub(crate) fn start(
    path: &Path,
    database: &DatabaseUrl,
    options: &OpenOptions,
    writes: &Arc<Queue>,
    reads: &Arc<Queue>,
    counters: &Arc<Counters>,
) -> Result<Threads, OpenError> {
    let lock = Arc::new(lock(path, database)?);
    let unusable = "its file cannot be opened";
    let open = |access| connection::open(path, access).map_err(OpenError::unusable(database, unusable));

    let mut connection = open(Access::Write)?;
    bring_up_to_date(&mut connection, database, options)?;

    if let Some(bytes) = options.sqlite_bytes_max {
        connection::limit(&connection, bytes)
            .map_err(OpenError::unusable(database, "its size cannot be limited"))?;
    }

    let threads = Threads::new();
    let no_thread = "a thread cannot be started";
    let checkpoints = Arc::new(Checkpoints::default());
    for number in 1..=READERS {
        let reader = open(Access::Read)?;
        let (queue, counters, lock) = (Arc::clone(reads), Arc::clone(counters), Arc::clone(&lock));
        let work = move || {
            reader::run(&reader, &queue, &counters);
            drop(reader);
            drop(lock);
        };
        let name = format!("sqlite-read-{number}");
        threads.start(&name, reads, work).map_err(OpenError::unusable(database, no_thread))?;
    }
    {
        let connection = open(Access::Write)?;
        let (checkpoints, lock) = (Arc::clone(&checkpoints), Arc::clone(&lock));
        let work = move || {
            checkpoints.run(&connection);
            drop(connection);
            drop(lock);
        };
        // It serves no queue of its own; should it end early, the writer's is closed, since the log would grow for ever.
        threads.start("sqlite-checkpoint", writes, work).map_err(OpenError::unusable(database, no_thread))?;
    }
    let (queue, counters) = (Arc::clone(writes), Arc::clone(counters));
    let checkpointing = Checkpointing(checkpoints);
    let work = move || {
        writer::run(&mut connection, &queue, &counters, &checkpointing.0);
        drop(connection);
        drop(checkpointing);
        drop(lock);
    };
    threads.start("sqlite-write", writes, work).map_err(OpenError::unusable(database, no_thread))?;
    Ok(threads)
}

/// Brings the schema of the file up to date as `options` say.
pub(crate) fn migrate(
    path: &Path,
    database: &DatabaseUrl,
    options: &OpenOptions,
) -> Result<Vec<Migration>, OpenError> {
    let _lock = lock(path, database)?;
    let mut connection = connection::open(path, Access::Write)
        .map_err(OpenError::unusable(database, "its file cannot be opened"))?;
    bring_up_to_date(&mut connection, database, options)
}

/// Takes the file for this process, or says that another one has it. The system gives it back when the lock is dropped,
/// also when the process is killed.
fn lock(path: &Path, database: &DatabaseUrl) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let doing = "its lock file cannot be made";
    let file = File::options().create(true).truncate(false).write(true).open(PathBuf::from(name));
    let file = file.map_err(OpenError::unusable(database, doing))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(OpenError::unusable(database, doing)(error)),
    }
}
