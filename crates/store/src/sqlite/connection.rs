//! A connection to a file, set up for what it is for; and the schema over it.

use std::error::Error;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use keybell_core::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::migrations::{Dialect, Migration};
use crate::open::Schema;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// How long a statement waits for another connection of this process before it fails. The writer is alone, so only a
/// checkpoint or the last connection's closing can be in the way, for milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a page. Rows of events are some hundred bytes; 8 KiB costs a tenth less CPU per event than 4 KiB.
const PAGE_BYTES: u32 = 8_192;
/// KiB of pages that the writer keeps.
const WRITER_CACHE_KIB: u32 = 32 * 1_024;
/// The same of each reader, as SQLite has it by default. The system keeps what they read, too; memory of ours is better
/// spent on keys.
const READER_CACHE_KIB: u32 = 2 * 1_024;
/// Statements a connection keeps prepared; there are some 150 in all.
const STATEMENTS_MAX: usize = 512;

/// Opens the file, making it where it is missing and this connection writes.
pub(super) fn open(path: &Path, access: Access) -> Result<Connection, Box<dyn Error + Send + Sync>> {
    let flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => {
            make_private(path)?;
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        }
    };
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    keep_statements(&connection)?;
    let cache_kib = match access {
        Access::Read => READER_CACHE_KIB,
        Access::Write => WRITER_CACHE_KIB,
    };
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    if access == Access::Read {
        connection.pragma_update(None, "query_only", true)?;
        return Ok(connection);
    }
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // A commit is on disk before it is answered.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The checkpointer does it, beside the writer.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    Ok(connection)
}

/// Has a statement prepared once. SQLite would prepare those anew for each value whose plan could depend on it, such as a time
/// that a partial index speaks of; all of ours have the plan that their tests say.
fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Keeps the file from growing past `bytes`.
pub(super) fn limit(connection: &Connection, bytes: u64) -> rusqlite::Result<()> {
    let pages = i64::try_from(bytes / u64::from(PAGE_BYTES)).unwrap_or(i64::MAX).max(1);
    connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
}

/// An empty database in memory.
pub(super) fn open_in_memory() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    keep_statements(&connection)?;
    Ok(connection)
}

/// Makes the file where it is missing, readable by its owner only. SQLite gives the files beside it the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    match File::options().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

impl Schema for Connection {
    fn applied(&mut self) -> Result<Vec<(i64, String)>, Box<dyn Error + Send + Sync>> {
        self.execute_batch(&Dialect::Sqlite.history())?;
        let mut statement = self.prepare("SELECT number, name FROM schema_migrations ORDER BY number")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn apply(&mut self, step: &Migration, now: Timestamp) -> Result<(), Box<dyn Error + Send + Sync>> {
        let transaction = self.transaction()?;
        transaction.execute_batch(&Dialect::Sqlite.statements(step))?;
        transaction.execute(
            "INSERT INTO schema_migrations (number, name, applied_at) VALUES (?1, ?2, ?3)",
            (step.number, step.name, now.micros()),
        )?;
        Ok(transaction.commit()?)
    }
}
