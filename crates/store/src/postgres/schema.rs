//! The schema over a connection to PostgreSQL, under a lock so that many nodes can start at once.

use std::error::Error;

use keybell_core::Timestamp;
use tokio_postgres::SimpleQueryMessage;

use super::connection::Connection;
use crate::migrations::{Dialect, Migration};
use crate::open::Schema;

/// The key of the advisory lock under which the schema is changed: `keybell` in ASCII.
const LOCK: i64 = 0x006b_6579_6265_6c6c;

/// A connection that holds the lock until it is closed.
pub(super) struct PostgresSchema(Connection);

impl PostgresSchema {
    /// Waits for the lock. Another node may hold it as long as its steps take, so no time limit applies to this session.
    pub(super) fn locked(mut connection: Connection) -> Result<Self, Box<dyn Error + Send + Sync>> {
        connection.control("SET statement_timeout = 0")?;
        connection.control(&format!("SELECT pg_advisory_lock({LOCK})"))?;
        Ok(PostgresSchema(connection))
    }
}

impl Schema for PostgresSchema {
    fn applied(&mut self) -> Result<Vec<(i64, String)>, Box<dyn Error + Send + Sync>> {
        self.0.control(&Dialect::Postgres.history())?;
        let Connection { client, wire, .. } = &mut self.0;
        let text = "SELECT number, name FROM schema_migrations ORDER BY number";
        let rows = wire.wait(client.simple_query(text))?;
        let mut applied = Vec::new();
        for row in rows {
            if let SimpleQueryMessage::Row(row) = row {
                let number = row.get(0).unwrap_or_default().parse()?;
                applied.push((number, row.get(1).unwrap_or_default().to_owned()));
            }
        }
        Ok(applied)
    }

    fn apply(&mut self, step: &Migration, now: Timestamp) -> Result<(), Box<dyn Error + Send + Sync>> {
        // The name is one of our own file names: letters and underscores.
        let remember = format!(
            "INSERT INTO schema_migrations (number, name, applied_at) VALUES ({}, '{}', {})",
            step.number,
            step.name,
            now.micros()
        );
        let statements = Dialect::Postgres.statements(step);
        let applied = self.0.control(&format!("BEGIN;\n{statements};\n{remember};\nCOMMIT"));
        Ok(applied.inspect_err(|_| drop(self.0.control("ROLLBACK")))?)
    }
}
