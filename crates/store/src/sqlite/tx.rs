//! A transaction on SQLite: statements kept prepared, rows read in place.

use std::collections::HashMap;
use std::sync::Arc;

use memchr::memmem::Finder;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, ToSql};

use crate::error::StoreError;
use crate::shared_error::{Cause, boxed};
use crate::sql::{Bulk, Sql, Verb};
use crate::stats::{Counters, changed, count};
use crate::tx::{Arg, EachPart, Part, Read, Row, Tx};

/// A connection with its prepared statements, found by the address of the `static` that declares them: cheaper than
/// hashing their text for each execution.
pub(super) struct Statements<'c> {
    connection: &'c Connection,
    counters: &'c Arc<Counters>,
    prepared: HashMap<usize, CachedStatement<'c>>,
}

impl<'c> Statements<'c> {
    /// None prepared yet.
    pub(super) fn new(connection: &'c Connection, counters: &'c Arc<Counters>) -> Self {
        Statements { connection, counters, prepared: HashMap::new() }
    }

    /// The connection.
    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// The store's counters.
    pub(super) fn counters(&self) -> &'c Counters {
        self.counters
    }

    /// Runs a statement without arguments, such as `BEGIN`.
    pub(super) fn control(&mut self, sql: &'static Sql) -> rusqlite::Result<()> {
        self.prepared(address_of(sql), || sql.text.to_owned())?.raw_execute().map(drop)
    }

    fn prepared(
        &mut self,
        address: usize,
        text: impl FnOnce() -> String,
    ) -> rusqlite::Result<&mut CachedStatement<'c>> {
        use std::collections::hash_map::Entry;
        match self.prepared.entry(address) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(self.connection.prepare_cached(&numbered(&text()))?)),
        }
    }
}

fn address_of<T>(declared: &'static T) -> usize {
    std::ptr::from_ref(declared).addr()
}

/// Where SQLite would take a worse index, since it keeps no statistics of its tables, the right one is named so. PostgreSQL
/// reads it as a comment.
const HINT: (&str, &str) = ("/*indexed by ", "*/");

/// The text with `$1` as `?1`: to SQLite, `$1` is a parameter with a name. No statement of ours has `$` elsewhere.
pub(crate) fn numbered(text: &str) -> String {
    let mut numbered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, hinted)) = rest.split_once(HINT.0) {
        let (index, after) = hinted.split_once(HINT.1).unwrap_or((hinted, ""));
        numbered.push_str(before);
        numbered.push_str("INDEXED BY ");
        numbered.push_str(index);
        rest = after;
    }
    numbered.push_str(rest);
    numbered.replace('$', "?")
}

/// One operation's view of the transaction that is open on the connection.
pub(super) struct SqliteTx<'t, 'c> {
    statements: &'t mut Statements<'c>,
    operation: &'static str,
    failure: Option<Cause>,
}

impl<'t, 'c> SqliteTx<'t, 'c> {
    /// For the operation of that name.
    pub(super) fn new(statements: &'t mut Statements<'c>, operation: &'static str) -> Self {
        SqliteTx { statements, operation, failure: None }
    }

    /// Why a statement failed, if one did. PostgreSQL would not let such a transaction go on, so neither does SQLite.
    pub(super) fn into_failure(self) -> Option<Cause> {
        self.failure
    }

    fn fail(&mut self, statement: &'static str, error: rusqlite::Error) -> StoreError {
        tracing::debug!(operation = self.operation, statement, %error, "a statement failed");
        let of_the_world = is_of_the_world(&error);
        let cause: Cause = Arc::new(error);
        let source = boxed(&cause);
        self.failure.get_or_insert(cause);
        if of_the_world {
            StoreError::Unavailable { what: statement, source: Some(source) }
        } else {
            StoreError::Failed { operation: self.operation, source }
        }
    }

    /// Prepares, binds and hands over to `run`; keeps count.
    fn with<T>(
        &mut self,
        sql: &'static Sql,
        args: &[Arg<'_>],
        run: impl FnOnce(&mut CachedStatement<'c>) -> Result<T, Stopped>,
    ) -> Result<T, StoreError> {
        count(&self.statements.counters().statements, 1);
        let outcome =
            self.statements.prepared(address_of(sql), || sql.text.to_owned()).map_err(Stopped::Engine);
        let outcome = outcome.and_then(|statement| {
            bind(statement, args)?;
            run(statement)
        });
        outcome.map_err(|stopped| match stopped {
            Stopped::Engine(error) => self.fail(sql.name, error),
            Stopped::Operation(error) => error,
        })
    }
}

/// Why a statement did not run to its end.
enum Stopped {
    Engine(rusqlite::Error),
    Operation(StoreError),
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Stopped::Engine(error)
    }
}

fn bind(statement: &mut CachedStatement<'_>, args: &[Arg<'_>]) -> Result<(), rusqlite::Error> {
    if statement.parameter_count() != args.len() {
        return Err(rusqlite::Error::InvalidParameterCount(args.len(), statement.parameter_count()));
    }
    for (place, arg) in (1..).zip(args) {
        if let Arg::Text(text) = arg
            && text.contains('\0')
        {
            // PostgreSQL cannot hold it, so that it must not work here either.
            return Err(rusqlite::Error::ToSqlConversionFailure(
                "text with a zero byte cannot be stored".into(),
            ));
        }
        statement.raw_bind_parameter::<usize, _>(place, Bound(*arg))?;
    }
    Ok(())
}

struct Bound<'a>(Arg<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Arg::Null => ValueRef::Null,
            Arg::Int(number) => ValueRef::Integer(number),
            Arg::Text(text) => ValueRef::Text(text.as_bytes()),
            Arg::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Read for SqliteTx<'_, '_> {
    fn rows(
        &mut self,
        sql: &'static Sql,
        args: &[Arg<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.with(sql, args, |statement| {
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                each(&SqliteRow(row)).map_err(Stopped::Operation)?;
            }
            Ok(())
        })
    }

    fn parts(
        &mut self,
        sql: &'static Sql,
        args: &[Arg<'_>],
        part: Part<'_>,
        each: EachPart<'_>,
    ) -> Result<(), StoreError> {
        let beginning = Finder::new(part.begins);
        self.rows(sql, args, &mut |row| {
            let whole = row.bytes(1)?;
            part.check(whole)?;
            let Some(begin) = beginning.find(whole) else { return Ok(()) };
            let end = whole.len().min(begin + part.length_max);
            each(row.at(0)?, &whole[begin..end])
        })
    }
}

impl Tx for SqliteTx<'_, '_> {
    fn exec(&mut self, sql: &'static Sql, args: &[Arg<'_>]) -> Result<u64, StoreError> {
        let rows = self.with(sql, args, |statement| Ok(statement.raw_execute()? as u64))?;
        Ok(changed(self.statements.counters(), rows))
    }

    fn bulk(&mut self, bulk: &'static Bulk, values: &[Arg<'_>]) -> Result<u64, StoreError> {
        bulk.check(values);
        if values.is_empty() {
            return Ok(0);
        }
        count(&self.statements.counters().statements, 1);
        let run = |statements: &mut Statements<'_>| {
            let statement = statements.prepared(address_of(bulk), || row_statement(bulk))?;
            let mut rows = 0;
            for row in values.chunks_exact(bulk.columns.len()) {
                bind(statement, row)?;
                rows += statement.raw_execute()? as u64;
            }
            Ok(rows)
        };
        let rows = run(self.statements).map_err(|error| self.fail(bulk.name, error))?;
        Ok(changed(self.statements.counters(), rows))
    }

    fn as_read(&mut self) -> &mut dyn Read {
        self
    }
}

/// The statement that does for one row what `bulk` does for many.
pub(crate) fn row_statement(bulk: &Bulk) -> String {
    let assign = |(place, (name, _)): (usize, &(&str, _))| format!("{name} = ${}", place + 1);
    let places = || bulk.columns.iter().enumerate();
    match bulk.verb {
        Verb::Insert | Verb::InsertNew => {
            let names: Vec<_> = bulk.columns.iter().map(|(name, _)| *name).collect();
            let values: Vec<_> = (1..=names.len()).map(|place| format!("${place}")).collect();
            let clash = if bulk.verb == Verb::InsertNew { " ON CONFLICT DO NOTHING" } else { "" };
            format!("INSERT INTO {} ({}) VALUES ({}){clash}", bulk.table, names.join(", "), values.join(", "))
        }
        Verb::Update { keys } => {
            let set: Vec<_> = places().skip(keys).map(assign).collect();
            let find: Vec<_> = places().take(keys).map(assign).collect();
            format!("UPDATE {} SET {} WHERE {}", bulk.table, set.join(", "), find.join(" AND "))
        }
        Verb::Delete => {
            let find: Vec<_> = places().map(assign).collect();
            format!("DELETE FROM {} WHERE {}", bulk.table, find.join(" AND "))
        }
    }
}

struct SqliteRow<'r>(&'r rusqlite::Row<'r>);

impl SqliteRow<'_> {
    fn value(&self, column: usize, what: &'static str) -> Result<ValueRef<'_>, StoreError> {
        self.0.get_ref(column).map_err(|_| StoreError::Corrupt { what })
    }
}

impl Row for SqliteRow<'_> {
    fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.value(column, "integer")? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            _ => Err(StoreError::Corrupt { what: "integer" }),
        }
    }

    fn opt_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        match self.value(column, "text")? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => {
                std::str::from_utf8(bytes).map(Some).map_err(|_| StoreError::Corrupt { what: "text" })
            }
            _ => Err(StoreError::Corrupt { what: "text" }),
        }
    }

    fn opt_bytes(&self, column: usize) -> Result<Option<&[u8]>, StoreError> {
        match self.value(column, "bytes")? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(bytes) => Ok(Some(bytes)),
            _ => Err(StoreError::Corrupt { what: "bytes" }),
        }
    }
}

/// Whether the disk, the memory or another process is at fault, rather than the statement.
fn is_of_the_world(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}
