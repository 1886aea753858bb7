//! Where Keybell remembers. The only crate that knows SQL.
//!
//! An operation is a value ([`Op`] writes, [`Query`] reads) with one synchronous body in portable SQL. It is run as one
//! transaction on a *lane*: a thread that owns its connection, on SQLite or on PostgreSQL. The app calls
//! [`Store::write`] and [`Store::read`]; a dropped call cannot leave half a transaction, and an operation has no way to
//! wait for a network.

pub mod error;
pub mod ops;
pub mod sql;
pub mod tx;

pub use error::StoreError;
pub use sql::{Bulk, Sql};
pub use tx::{Arg, Op, Query, Read, Row, Tx};
