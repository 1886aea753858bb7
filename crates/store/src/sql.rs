//! Statements as values, so that a test can prepare every one of them on both engines.

use std::collections::HashSet;

use crate::tx::Arg;

/// One portable statement. Placeholders are `$1`, `$2`, …; SQLite reads them as `?1`, `?2`, ….
#[derive(Debug)]
pub struct Sql {
    /// Its name in errors and in tests: `module::NAME`.
    pub name: &'static str,
    /// The text, in SQL that both engines read alike.
    pub text: &'static str,
}

/// Where a statement of PostgreSQL leaves out the rows that another node is taking at this moment. SQLite has one writer,
/// and reads it as a comment.
const SKIP_LOCKED: &str = "/*skip locked*/";

impl Sql {
    /// The text as PostgreSQL is given it.
    pub fn for_postgres(&self) -> String {
        self.text.replace(SKIP_LOCKED, "FOR UPDATE SKIP LOCKED")
    }
}

/// The type of a column: the four that both engines share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// 64-bit integer; instants are microseconds.
    Int,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Bytes,
}

/// Many rows to one table in one round trip: inserted, updated by key, or deleted by key.
///
/// Each engine does it its best way: SQLite a prepared statement per row, PostgreSQL one statement over `UNNEST`.
#[derive(Debug)]
pub struct Bulk {
    /// Its name in errors and in tests.
    pub name: &'static str,
    /// What is done with each row.
    pub verb: Verb,
    /// The table.
    pub table: &'static str,
    /// The columns that a row's values fill, in order. For updates and deletes the first `keys` of them find the row.
    pub columns: &'static [(&'static str, Column)],
}

impl Bulk {
    /// Whether `values` are whole rows, and an update's rows have different keys: where one came twice, SQLite would take
    /// the last and PostgreSQL either. Checking the keys is left out of release builds.
    pub(crate) fn check(&self, values: &[Arg<'_>]) {
        let width = self.columns.len();
        assert!(
            values.len().is_multiple_of(width),
            "{}: {} values are not rows of {width}",
            self.name,
            values.len()
        );
        if cfg!(debug_assertions)
            && let Verb::Update { keys } = self.verb
        {
            let mut seen = HashSet::new();
            for row in values.chunks_exact(width) {
                assert!(seen.insert(format!("{:?}", &row[..keys])), "{}: a row is updated twice", self.name);
            }
        }
    }
}

/// What a [`Bulk`] does with each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `INSERT`; a row that clashes fails the operation.
    Insert,
    /// `INSERT … ON CONFLICT DO NOTHING`; the count says how many went in.
    InsertNew,
    /// `UPDATE … SET` the columns after the first `keys`, where the first `keys` match. No two rows of one call may have
    /// the same keys.
    Update {
        /// How many of the columns find the row.
        keys: usize,
    },
    /// `DELETE` where all columns match.
    Delete,
}

/// Declares the statements of a module, and `STATEMENTS` with all of them for the test that prepares them.
///
/// ```text
/// statements! {
///     INSERT = "INSERT INTO workspaces (id, name) VALUES ($1, $2)";
///     BY_ID = "SELECT name FROM workspaces WHERE id = $1";
/// }
/// ```
#[macro_export]
macro_rules! statements {
    ($($name:ident = $text:expr;)*) => {
        $(static $name: $crate::sql::Sql = $crate::sql::Sql {
            name: concat!(module_path!(), "::", stringify!($name)),
            text: $text,
        };)*
        /// Every statement of this module.
        pub(crate) static STATEMENTS: &[&$crate::sql::Sql] = &[$(&$name),*];
    };
}

/// Declares the bulk statements of a module, and `BULKS` with all of them for the test that prepares them.
///
/// ```text
/// bulks! {
///     INSERT_EVENTS = Insert "events" [workspace_id: Bytes, id: Bytes, data: Bytes];
///     DELETE_PENDING = Delete "pending_deliveries" [workspace_id: Bytes, id: Bytes];
///     RESCHEDULE = Update { keys: 2 } "pending_deliveries" [workspace_id: Bytes, id: Bytes, next_attempt_at: Int];
/// }
/// ```
#[macro_export]
macro_rules! bulks {
    ($($name:ident = $verb:ident $({ keys: $keys:literal })? $table:literal [$($column:ident: $type:ident),* $(,)?];)*) => {
        $(static $name: $crate::sql::Bulk = $crate::sql::Bulk {
            name: concat!(module_path!(), "::", stringify!($name)),
            verb: $crate::sql::Verb::$verb $({ keys: $keys })?,
            table: $table,
            columns: &[$((stringify!($column), $crate::sql::Column::$type)),*],
        };)*
        /// Every bulk statement of this module.
        pub(crate) static BULKS: &[&$crate::sql::Bulk] = &[$(&$name),*];
    };
}
