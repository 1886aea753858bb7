//! Every statement that the operations use, as each engine gets it: for tests and tools that prepare or explain them.

use crate::ops::{all_bulks, all_statements};
use crate::postgres::array_statement;
use crate::sqlite::{numbered, row_statement};

/// One statement in the words of both engines.
#[derive(Clone, Debug)]
pub struct Portable {
    /// `module::NAME`.
    pub name: &'static str,
    /// What SQLite prepares; for a bulk statement, what it runs for each row.
    pub sqlite: String,
    /// What PostgreSQL prepares; for a bulk statement, the one that takes all rows as arrays.
    pub postgres: String,
    /// How many columns a row of a bulk statement has.
    pub bulk_columns: Option<usize>,
}

/// Every statement and bulk statement that is registered.
pub fn statements() -> Vec<Portable> {
    let single = all_statements().into_iter().map(|sql| Portable {
        name: sql.name,
        sqlite: numbered(sql.text),
        postgres: sql.for_postgres(),
        bulk_columns: None,
    });
    let bulk = all_bulks().into_iter().map(|bulk| Portable {
        name: bulk.name,
        sqlite: numbered(&row_statement(bulk)),
        postgres: array_statement(bulk),
        bulk_columns: Some(bulk.columns.len()),
    });
    single.chain(bulk).collect()
}
