//! A transaction on PostgreSQL, or the one statement of a query that needs none.

use futures_util::TryStreamExt;
use std::pin::pin;
use tokio_postgres::{Error, Statement};

use super::connection::{Connection, Failure};
use super::value::{PostgresRow, Value};
use crate::error::StoreError;
use crate::sql::{Bulk, Column, Sql, Verb};
use crate::stats::{Counters, changed, count};
use crate::tx::{Arg, EachPart, Part, Read, Row, Tx};

/// One operation's view of the connection: of the transaction that is open there, or of the statement that it may run.
pub(super) struct PostgresTx<'t> {
    connection: &'t mut Connection,
    counters: &'t Counters,
    operation: &'static str,
    failure: Option<Failure>,
    extent: Extent,
}

/// What is open on the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// A transaction, until its end is asked for.
    Transaction,
    /// Nothing: a statement would be a transaction by itself.
    Nothing,
    /// Nothing any more, since a statement was run.
    Ended,
    /// The same, and another statement was asked for, which would not see the snapshot of the first.
    TooShort,
}

impl<'t> PostgresTx<'t> {
    /// For the operation of that name.
    pub(super) fn new(
        connection: &'t mut Connection,
        counters: &'t Counters,
        operation: &'static str,
    ) -> Self {
        PostgresTx { connection, counters, operation, failure: None, extent: Extent::Transaction }
    }

    /// The same where no transaction is open: a view that one statement can be run in.
    pub(super) fn of_one_statement(
        connection: &'t mut Connection,
        counters: &'t Counters,
        operation: &'static str,
    ) -> Self {
        PostgresTx { extent: Extent::Nothing, ..Self::new(connection, counters, operation) }
    }

    /// Whether more was asked for than the one statement. Whatever the operation gave, nothing of it counts then.
    pub(super) fn has_asked_for_more(&self) -> bool {
        self.extent == Extent::TooShort
    }

    /// What went wrong first, if anything did. The transaction does nothing more then.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure
    }

    fn fail(&mut self, statement: &'static str, error: Error) -> StoreError {
        let failure = Failure::of(&error);
        self.failure.get_or_insert(failure);
        if failure == Failure::Statement {
            tracing::debug!(operation = self.operation, statement, %error, "a statement failed");
            return StoreError::Failed { operation: self.operation, source: Box::new(error) };
        }
        StoreError::Unavailable { what: statement, source: Some(Box::new(error)) }
    }

    fn prepare(
        &mut self,
        name: &'static str,
        address: usize,
        arguments: usize,
        text: impl FnOnce() -> String,
    ) -> Result<Statement, StoreError> {
        self.extent = match self.extent {
            Extent::Transaction => Extent::Transaction,
            Extent::Nothing => Extent::Ended,
            Extent::Ended | Extent::TooShort => {
                self.extent = Extent::TooShort;
                let source = "it needs a transaction for its second statement";
                return Err(StoreError::Failed { operation: self.operation, source: source.into() });
            }
        };
        count(&self.counters.statements, 1);
        let statement = self.connection.prepare(address, text).map_err(|error| self.fail(name, error))?;
        let wanted = statement.params().len();
        if wanted == arguments {
            return Ok(statement);
        }
        self.failure.get_or_insert(Failure::Statement);
        let source = format!("{name} wants {wanted} arguments and was given {arguments}");
        Err(StoreError::Failed { operation: self.operation, source: source.into() })
    }

    fn query(
        &mut self,
        name: &'static str,
        statement: &Statement,
        args: &[Arg<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Connection { client, wire, .. } = &mut *self.connection;
        let outcome = wire.wait(async {
            let mut rows = pin!(client.query_raw(statement, args.iter().map(|arg| Value(*arg))).await?);
            while let Some(row) = rows.try_next().await? {
                each(&PostgresRow(row)).map_err(Stopped::Operation)?;
            }
            Ok(())
        });
        outcome.map_err(|stopped| match stopped {
            Stopped::Engine(error) => self.fail(name, error),
            Stopped::Operation(error) => error,
        })
    }
}

/// Why a statement did not run to its end.
enum Stopped {
    Engine(Error),
    Operation(StoreError),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Stopped::Engine(error)
    }
}

fn address_of<T>(declared: &'static T) -> usize {
    std::ptr::from_ref(declared).addr()
}

impl Read for PostgresTx<'_> {
    fn rows(
        &mut self,
        sql: &'static Sql,
        args: &[Arg<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let statement = self.prepare(sql.name, address_of(sql), args.len(), || sql.for_postgres())?;
        self.query(sql.name, &statement, args, each)
    }

    fn parts(
        &mut self,
        sql: &'static Sql,
        args: &[Arg<'_>],
        part: Part<'_>,
        each: EachPart<'_>,
    ) -> Result<(), StoreError> {
        let length = Arg::Int(i64::try_from(part.length_max).unwrap_or(i64::MAX));
        let args: Vec<_> = args.iter().copied().chain([Arg::Bytes(part.begins), length]).collect();
        let text = || part_statement(sql, args.len());
        let statement = self.prepare(sql.name, address_of(sql), args.len(), text)?;
        self.query(sql.name, &statement, &args, &mut |row| {
            part.check(row.bytes(1)?)?;
            let given = row.bytes(2)?;
            // Where the value does not have it, what comes is its beginning.
            if given.starts_with(part.begins) { each(row.at(0)?, given) } else { Ok(()) }
        })
    }
}

impl Tx for PostgresTx<'_> {
    fn exec(&mut self, sql: &'static Sql, args: &[Arg<'_>]) -> Result<u64, StoreError> {
        let statement = self.prepare(sql.name, address_of(sql), args.len(), || sql.for_postgres())?;
        let Connection { client, wire, .. } = &mut *self.connection;
        let rows = wire.wait(client.execute_raw(&statement, args.iter().map(|arg| Value(*arg))));
        let rows = rows.map_err(|error| self.fail(sql.name, error))?;
        Ok(changed(self.counters, rows))
    }

    fn bulk(&mut self, bulk: &'static Bulk, values: &[Arg<'_>]) -> Result<u64, StoreError> {
        bulk.check(values);
        if values.is_empty() {
            return Ok(0);
        }
        let width = bulk.columns.len();
        let statement = self.prepare(bulk.name, address_of(bulk), width, || array_statement(bulk))?;
        let column =
            |place| values.iter().skip(place).step_by(width).map(|arg| Value(*arg)).collect::<Vec<_>>();
        let columns: Vec<_> = (0..width).map(column).collect();
        let Connection { client, wire, .. } = &mut *self.connection;
        let rows = wire.wait(client.execute_raw(&statement, &columns));
        let rows = rows.map_err(|error| self.fail(bulk.name, error))?;
        Ok(changed(self.counters, rows))
    }

    fn as_read(&mut self) -> &mut dyn Read {
        self
    }
}

/// The statement that gives, of each `counts` that `sql` gives, the first byte, and the part that begins with the last argument
/// but one and is as long as the last one says.
fn part_statement(sql: &Sql, arguments: usize) -> String {
    let (begins, length) = (arguments - 1, arguments);
    let part = format!(
        "substring(counts FROM position(${begins} IN counts) FOR CAST(CAST(${length} AS BIGINT) AS INT))"
    );
    format!("SELECT at, substring(counts FROM 1 FOR 1), {part} FROM ({}) AS found", sql.for_postgres())
}

/// The one statement that does what `bulk` does with all its rows, which come as an array per column.
pub(crate) fn array_statement(bulk: &Bulk) -> String {
    let names: Vec<_> = bulk.columns.iter().map(|(name, _)| *name).collect();
    let arrays: Vec<_> = bulk
        .columns
        .iter()
        .zip(1..)
        .map(|((_, column), place)| match column {
            Column::Int => format!("CAST(${place} AS BIGINT[])"),
            Column::Text => format!("CAST(${place} AS TEXT[])"),
            Column::Bytes => format!("CAST(${place} AS BYTEA[])"),
        })
        .collect();
    let (table, list, rows) = (bulk.table, names.join(", "), format!("UNNEST({})", arrays.join(", ")));
    // By place, since an update may find a row by a column and set it too.
    let places: Vec<_> = (1..=names.len()).map(|place| format!("c{place}")).collect();
    let given = format!("{rows} AS given ({})", places.join(", "));
    let pairs: Vec<_> = names.iter().zip(&places).collect();
    let matched = |keys: &[(&&str, &String)]| {
        let pairs: Vec<_> =
            keys.iter().map(|(name, place)| format!("{table}.{name} = given.{place}")).collect();
        pairs.join(" AND ")
    };
    match bulk.verb {
        Verb::Insert => format!("INSERT INTO {table} ({list}) SELECT * FROM {rows}"),
        Verb::InsertNew => {
            format!("INSERT INTO {table} ({list}) SELECT * FROM {rows} ON CONFLICT DO NOTHING")
        }
        Verb::Update { keys } => {
            let set: Vec<_> =
                pairs[keys..].iter().map(|(name, place)| format!("{name} = given.{place}")).collect();
            let (set, found) = (set.join(", "), matched(&pairs[..keys]));
            format!("UPDATE {table} SET {set} FROM {given} WHERE {found}")
        }
        Verb::Delete => {
            format!("DELETE FROM {table} USING {given} WHERE {}", matched(&pairs))
        }
    }
}
