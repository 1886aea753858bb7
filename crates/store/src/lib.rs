//! Where Keybell remembers. The only crate that knows SQL.
//!
//! An operation is a value ([`Op`] writes, [`Query`] reads) with one synchronous body in portable SQL. It is run as one
//! transaction on a *lane*: a thread that owns its connection, on SQLite or on PostgreSQL. The app calls
//! [`Store::write`] and [`Store::read`]; a dropped call cannot leave half a transaction, and an operation has no way to
//! wait for a network.

pub mod error;
pub mod inspect;
pub mod migrations;
pub mod open;
pub mod ops;
pub mod queue;
pub mod sql;
pub mod stats;
pub mod store;
pub mod tx;
pub mod url;

mod activity;
mod job;
mod postgres;
mod shared_error;
mod sqlite;
mod threads;
mod timed;

pub use activity::{Spent, Writing};
pub use error::StoreError;
pub use migrations::Migration;
pub use open::{OpenError, OpenOptions, known_migrations, migrate, pending_migrations};
pub use sql::{Bulk, Sql};
pub use sqlite::by_hand::{Hand, Turned};
pub use stats::Stats;
pub use store::Store;
pub use timed::Timed;
pub use tx::{Arg, EachPart, Isolation, Op, Part, Query, Read, Row, Tx};
pub use url::{BadDatabaseUrl, DatabaseUrl};
