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
use crate::shared_error::Shared;
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
        let ended = self.commit(std::slice::from_mut(&mut job));
        job.settle(ended.map_or_else(|| Err(closed()), |ended| ended.map_err(|error| error.unavailable())));
    }

    /// Runs a job that reads.
    pub(crate) fn read(&self, mut job: Box<dyn Job>) {
        let ended = self.answer(job.as_mut());
        job.settle(ended);
    }

    /// Runs jobs that write, in one transaction; `None` once it is closed. To settle them is the caller's part.
    pub(super) fn commit(&self, jobs: &mut [Box<dyn Job>]) -> Option<Result<(), Shared>> {
        self.with(|statements| writer::commit_together(statements, jobs))
    }

    /// Runs a job that reads. To settle it is the caller's part.
    pub(super) fn answer(&self, job: &mut dyn Job) -> Result<(), StoreError> {
        self.with(|statements| reader::answer(statements, job)).unwrap_or_else(|| Err(closed()))
    }

    /// Does something with the connection, if there is one. A job is settled after it is free again, since what follows a
    /// job may ask for the next one.
    fn with<T>(&self, work: impl FnOnce(&mut Statements<'_>) -> T) -> Option<T> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = connection.as_ref()?;
        Some(work(&mut Statements::new(connection, &self.counters)))
    }

    /// Forgets everything.
    pub(crate) fn close(&self) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
