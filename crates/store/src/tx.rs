//! What an operation sees: a transaction, statements, rows. Nothing of an engine.

use keybell_core::Timestamp;
use keybell_core::id::{Id, Kind};

use crate::error::StoreError;
use crate::sql::{Bulk, Sql};

/// An operation that writes: one value, one transaction.
///
/// `run` takes `&self`, because it is run again where the engine asks for it (a serialization failure), and has no way
/// to wait for anything but the database. On an error, nothing of it stays.
pub trait Op: Send + 'static {
    /// Its name in logs, metrics and errors, such as `keys.revoke`.
    const NAME: &'static str;
    /// How far it is kept apart from others on PostgreSQL. On SQLite there is one writer, and every operation is alone.
    const ISOLATION: Isolation = Isolation::Alone;
    /// What it gives back.
    type Out: Send + 'static;
    /// Whether it must be on disk before its answer is given. Where it need not, a power failure or a crash of PostgreSQL may
    /// take it back, and whoever relies on it has to do it again; a crash of Keybell takes nothing back. It then waits for
    /// no disk, and nobody waits for its disk.
    fn must_last(&self) -> bool {
        true
    }
    /// Does it.
    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError>;
}

/// How far an operation is kept apart from others that run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// As if no other ran meanwhile, also where it reads first and then writes what follows from it. `SERIALIZABLE`.
    Alone,
    /// Each statement sees what was committed when it began. For hot operations whose guards all stand in their statements:
    /// it spares PostgreSQL a tenth of the work of inserts and a third of that of deletes. `READ COMMITTED`.
    PerStatement,
}

/// An operation that only reads: one value, one snapshot of the database.
pub trait Query: Send + 'static {
    /// Its name in logs, metrics and errors, such as `keys.list`.
    const NAME: &'static str;
    /// What it gives back.
    type Out: Send + 'static;
    /// Does it.
    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError>;
}

/// Reading from one snapshot of the database.
pub trait Read {
    /// Runs `sql` and hands each row to `each`, in order. An error of `each` ends it.
    fn rows(
        &mut self,
        sql: &'static Sql,
        args: &[Arg<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// The same of a statement with the columns `at` and `counts`, where only a part of `counts` is wanted: hands over the
    /// instant of each row that has it, and the part. PostgreSQL sends no more than that. A statement that is run so is
    /// never run otherwise.
    fn parts(
        &mut self,
        sql: &'static Sql,
        args: &[Arg<'_>],
        part: Part<'_>,
        each: EachPart<'_>,
    ) -> Result<(), StoreError>;
}

impl Part<'_> {
    /// Whether a value that begins with `first` is of the form that its reader knows.
    pub(crate) fn check(&self, first: &[u8]) -> Result<(), StoreError> {
        if first.first() == Some(&self.form) {
            return Ok(());
        }
        Err(StoreError::Corrupt { what: "a value of another form" })
    }
}

/// What is done with each part of [`Read::parts`].
pub type EachPart<'e> = &'e mut dyn FnMut(Timestamp, &[u8]) -> Result<(), StoreError>;

/// A part of a value: what it begins with where it first stands, and how long it is at most, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The first byte of the whole value. A value that begins otherwise is of a form that its reader does not know, and corrupt.
    pub form: u8,
    /// What it begins with.
    pub begins: &'a [u8],
    /// How long it is at most. Where the value ends before, so does the part.
    pub length_max: usize,
}

impl dyn Read + '_ {
    /// All rows, each turned into a `T`.
    pub fn all<T>(
        &mut self,
        sql: &'static Sql,
        args: &[Arg<'_>],
        make: impl Fn(&dyn Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.rows(sql, args, &mut |row| {
            found.push(make(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The first row, if there is one.
    pub fn first<T>(
        &mut self,
        sql: &'static Sql,
        args: &[Arg<'_>],
        make: impl Fn(&dyn Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut found = None;
        self.rows(sql, args, &mut |row| {
            if found.is_none() {
                found = Some(make(row)?);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Reading and writing within a transaction. `as_read` is there for the helpers of [`Read`].
pub trait Tx: Read {
    /// Runs a statement that changes something; how many rows it changed.
    fn exec(&mut self, sql: &'static Sql, args: &[Arg<'_>]) -> Result<u64, StoreError>;

    /// Runs a bulk statement over rows that stand one after the other in `values`, `bulk.columns.len()` values each; how
    /// many rows were changed. Costs one round trip on PostgreSQL, however many rows; none where `values` is empty.
    fn bulk(&mut self, bulk: &'static Bulk, values: &[Arg<'_>]) -> Result<u64, StoreError>;

    /// The same transaction, for reading.
    fn as_read(&mut self) -> &mut dyn Read;
}

/// A value for a placeholder, borrowed from the operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arg<'a> {
    /// SQL's null.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl From<i64> for Arg<'_> {
    fn from(value: i64) -> Self {
        Arg::Int(value)
    }
}
impl From<bool> for Arg<'_> {
    fn from(value: bool) -> Self {
        Arg::Int(i64::from(value))
    }
}
impl From<Timestamp> for Arg<'_> {
    fn from(value: Timestamp) -> Self {
        Arg::Int(value.micros())
    }
}
impl<'a> From<&'a str> for Arg<'a> {
    fn from(value: &'a str) -> Self {
        Arg::Text(value)
    }
}
impl<'a> From<&'a String> for Arg<'a> {
    fn from(value: &'a String) -> Self {
        Arg::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(value: &'a [u8]) -> Self {
        Arg::Bytes(value)
    }
}
impl<'a> From<&'a Vec<u8>> for Arg<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Arg::Bytes(value)
    }
}
impl<'a, K: Kind> From<&'a Id<K>> for Arg<'a> {
    fn from(value: &'a Id<K>) -> Self {
        Arg::Bytes(value.as_bytes())
    }
}
impl<'a, T: Into<Arg<'a>>> From<Option<T>> for Arg<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Arg::Null, Into::into)
    }
}

/// One row of an answer. Columns are counted from 0; a column of another type than asked is [`StoreError::Corrupt`].
pub trait Row {
    /// An integer, or null.
    fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError>;
    /// Text, or null.
    fn opt_text(&self, column: usize) -> Result<Option<&str>, StoreError>;
    /// Bytes, or null.
    fn opt_bytes(&self, column: usize) -> Result<Option<&[u8]>, StoreError>;
}

impl dyn Row + '_ {
    /// An integer.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.opt_int(column)?.ok_or(StoreError::Corrupt { what: "integer" })
    }

    /// A truth value, stored as 0 or 1.
    pub fn bool(&self, column: usize) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }

    /// Text.
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        self.opt_text(column)?.ok_or(StoreError::Corrupt { what: "text" })
    }

    /// Bytes.
    pub fn bytes(&self, column: usize) -> Result<&[u8], StoreError> {
        self.opt_bytes(column)?.ok_or(StoreError::Corrupt { what: "bytes" })
    }

    /// An instant.
    pub fn at(&self, column: usize) -> Result<Timestamp, StoreError> {
        self.int(column).map(Timestamp::from_micros)
    }

    /// An instant, or null.
    pub fn opt_at(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.opt_int(column)?.map(Timestamp::from_micros))
    }

    /// An id.
    pub fn id<K: Kind>(&self, column: usize) -> Result<Id<K>, StoreError> {
        let bytes = self.bytes(column)?;
        bytes.try_into().map(Id::from_bytes).map_err(|_| StoreError::Corrupt { what: "id" })
    }
}
