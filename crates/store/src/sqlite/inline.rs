//! The inline lane: a database in memory without a thread. A job runs on the task that asks for it, at once, so that a
//! simulation with a paused clock sees no time pass.

use std::sync::{Arc, Mutex, PoisonError};

use keybell_core::Timestamp;
use rusqlite::Connection;

use super::connection;
use super::tx::Statements;
use super::{reader, writer};
use crate::error::StoreError;
use crate::job::Job;
use crate::open::{OpenError, OpenOptions, bring_up_to_date};
use crate::queue::closed;
use crate::stats::Counters;
use crate::url::DatabaseUrl;

/// A database in memory; none once it is closed.
pub(crate) struct Inline {
    connection: Mutex<Option<Connection>>,
    counters: Arc<Counters>,
}

impl Inline {
    /// An empty one, with the schema.
    pub(crate) fn open(counters: Arc<Counters>) -> Result<Self, OpenError> {
        let name = DatabaseUrl::sqlite(":memory:");
        let mut connection = connection::open_in_memory()
            .map_err(OpenError::unusable(&name, "memory for it cannot be had"))?;
        bring_up_to_date(&mut connection, &name, &OpenOptions::at(Timestamp::EPOCH))?;
        Ok(Inline { connection: Mutex::new(Some(connection)), counters })
    }

    /// Runs a job that writes.
    pub(crate) fn write(&self, mut job: Box<dyn Job>) {
        let ended = self.with(|statements| {
            writer::commit_together(statements, std::slice::from_mut(&mut job))
                .map_err(|error| error.unavailable())
        });
        job.settle(ended);
    }

    /// Runs a job that reads.
    pub(crate) fn read(&self, mut job: Box<dyn Job>) {
        let ended = self.with(|statements| reader::answer(statements, job.as_mut()));
        job.settle(ended);
    }

    /// Does something with the connection. The job is settled after it is free again, since what follows a job may ask
    /// for the next one.
    fn with(
        &self,
        work: impl FnOnce(&mut Statements<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = connection.as_ref().ok_or_else(closed)?;
        work(&mut Statements::new(connection, &self.counters))
    }

    /// Forgets everything.
    pub(crate) fn close(&self) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
