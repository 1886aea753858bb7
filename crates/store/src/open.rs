//! Opening a database: options, what can go wrong, and bringing the schema up to date.

use std::error::Error;
use std::path::PathBuf;

use keybell_core::Timestamp;

use crate::migrations::{self, MIGRATIONS, Migration};
use crate::queue::QUEUE_MAX;
use crate::url::{DatabaseUrl, Engine};
use crate::{postgres, sqlite};

/// How to open a database.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Whether to bring the schema up to date. If not, a database that lacks steps is refused.
    pub migrate: bool,
    /// The present instant, for the record of applied steps.
    pub now: Timestamp,
    /// Connections that write, on PostgreSQL. SQLite has one writer. At least 1.
    pub postgres_writers: usize,
    /// Connections that read, on PostgreSQL. At least 1.
    pub postgres_readers: usize,
    /// Most operations that wait for a writer, and most queries that wait for a reader. One more is
    /// [`StoreError::Busy`](crate::StoreError::Busy).
    pub queue_max: usize,
    /// Most bytes that a file of SQLite may grow to; a write past it is refused as on a full disk. `None`: as the disk
    /// allows.
    pub sqlite_bytes_max: Option<u64>,
}

impl OpenOptions {
    /// Two writing connections are best where writes come in batches: measured 82,000 events a second, against 56,000
    /// with one and 68,000 with four.
    pub const POSTGRES_WRITERS: usize = 2;
    /// Two reading connections, so that one long list does not hold up every other read.
    pub const POSTGRES_READERS: usize = 2;

    /// The defaults: the schema is brought up to date, at `now`.
    pub const fn at(now: Timestamp) -> Self {
        OpenOptions {
            migrate: true,
            now,
            postgres_writers: Self::POSTGRES_WRITERS,
            postgres_readers: Self::POSTGRES_READERS,
            queue_max: QUEUE_MAX,
            sqlite_bytes_max: None,
        }
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has the file open.
    #[error("{} is in use by another Keybell process; stop that one first", path.display())]
    InUse {
        /// The file of the database.
        path: PathBuf,
    },
    /// The file or the server cannot be reached or used.
    #[error("the database {database} cannot be opened: {doing}")]
    Unusable {
        /// Which database, without its password.
        database: String,
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The database lacks steps of the schema, and the options say not to apply them.
    #[error("the database lacks {} step(s) of the schema, the first is {}; run keybell migrate", pending.len(), pending[0].name)]
    Pending {
        /// The steps it lacks, at least one.
        pending: Vec<Migration>,
    },
    /// The database has a step that this binary does not know.
    #[error(
        "the database has step {number} ({name}) of a schema that this binary knows only up to step {known}: it was \
         written by a newer Keybell, or it is not Keybell's"
    )]
    OtherSchema {
        /// The number of the step.
        number: i64,
        /// Its name.
        name: String,
        /// The last step that this binary knows before it.
        known: i64,
    },
    /// A step of the schema failed; nothing of it was kept.
    #[error("step {number} ({name}) of the schema failed")]
    Migration {
        /// The number of the step.
        number: i64,
        /// Its name.
        name: &'static str,
        /// The engine's own error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OpenError {
    /// An error about `database` while `doing` something, for `map_err`.
    pub(crate) fn unusable<E: Into<Box<dyn Error + Send + Sync>>>(
        database: &DatabaseUrl,
        doing: &'static str,
    ) -> impl FnOnce(E) -> OpenError {
        move |source| OpenError::Unusable { database: database.to_string(), doing, source: source.into() }
    }
}

/// A connection while the schema is looked at or brought up to date.
pub(crate) trait Schema {
    /// Makes the table of applied steps where it is missing, and gives what it holds, in order.
    fn applied(&mut self) -> Result<Vec<(i64, String)>, Box<dyn Error + Send + Sync>>;

    /// Applies a step and remembers it, in one transaction.
    fn apply(&mut self, step: &Migration, now: Timestamp) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// Brings the schema up to date as `options` say.
pub(crate) fn bring_up_to_date(
    schema: &mut dyn Schema,
    database: &DatabaseUrl,
    options: &OpenOptions,
) -> Result<Vec<Migration>, OpenError> {
    let applied = schema.applied().map_err(OpenError::unusable(database, "its schema cannot be read"))?;
    let pending = migrations::pending(&applied)?;
    if pending.is_empty() {
        return Ok(Vec::new());
    }
    if !options.migrate {
        return Err(OpenError::Pending { pending: pending.to_vec() });
    }
    for step in pending {
        schema.apply(step, options.now).map_err(|source| OpenError::Migration {
            number: step.number,
            name: step.name,
            source,
        })?;
        tracing::info!(step.number, step.name, "applied a step of the schema");
    }
    Ok(pending.to_vec())
}

/// The steps of the schema that `database` lacks, in order. Blocks; changes nothing but to make a missing file.
pub fn pending_migrations(database: &DatabaseUrl) -> Result<Vec<Migration>, OpenError> {
    let options = OpenOptions { migrate: false, ..OpenOptions::at(Timestamp::EPOCH) };
    match migrate_with(database, &options) {
        Err(OpenError::Pending { pending }) => Ok(pending),
        other => other,
    }
}

/// Brings the schema of `database` up to date and gives the steps that it lacked. Blocks.
pub fn migrate(database: &DatabaseUrl, now: Timestamp) -> Result<Vec<Migration>, OpenError> {
    migrate_with(database, &OpenOptions::at(now))
}

fn migrate_with(database: &DatabaseUrl, options: &OpenOptions) -> Result<Vec<Migration>, OpenError> {
    match &database.engine {
        Engine::Sqlite(path) => sqlite::migrate(path, database, options),
        Engine::Postgres(config) => postgres::migrate(config, database, options),
    }
}

/// Every step of the schema that this binary knows, in order.
pub fn known_migrations() -> &'static [Migration] {
    MIGRATIONS
}
