//! The store's tests: the same stories on SQLite and on PostgreSQL.

mod audit_log;
mod bites;
mod counts;
mod engine;
mod furniture;
mod identity;
mod lanes;
mod looks;
mod outcomes;
mod parity;
mod plans;
mod postgres_failures;
mod schema;
mod sqlite_failures;
mod statements;
mod webhook_health;
