//! `[database]`: where the database is.

use keybell_store::DatabaseUrl;

use super::reader::Reader;

/// PostgreSQL's own default for all its clients together is 100 connections.
const CONNECTIONS_MAX: usize = 64;

/// Where the database is.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    /// Where it is.
    pub(crate) url: DatabaseUrl,
    /// Whether to bring the schema up to date at start.
    pub(crate) migrate: bool,
    /// Connections that write, on PostgreSQL.
    pub(crate) writers: usize,
    /// Connections that read, on PostgreSQL.
    pub(crate) readers: usize,
}

impl Database {
    pub(super) fn read(from: &mut Reader) -> Option<Database> {
        let url = from.text("database.url").and_then(|text| match DatabaseUrl::parse(&text) {
            Ok(url) => Some(url),
            Err(why) => {
                let allowed = "sqlite:PATH or postgres://user:password@host:port/database";
                from.refuse_unseen("database.url", format!("{allowed} ({why})"));
                None
            }
        });
        let migrate = from.flag("database.migrate");
        let writers = from.number("database.writers", 1..=CONNECTIONS_MAX);
        let readers = from.number("database.readers", 1..=CONNECTIONS_MAX);
        Some(Database { url: url?, migrate: migrate?, writers: writers?, readers: readers? })
    }
}
