//! What can go wrong in the store.

use std::error::Error;

/// Why an operation was not done. Nothing of it is in the database then, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database does not answer, is shutting down, or its disk is full. Trying again later helps.
    #[error("the database is not available: {what}")]
    Unavailable {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The store's queue is at its bound; nothing was tried.
    #[error("the database's queue is full ({waiting} operations wait)")]
    Busy {
        /// How many operations wait.
        waiting: usize,
    },
    /// A statement failed in a way that trying again does not mend: a bug, or a database somebody else changed.
    #[error("the operation {operation} failed in the database")]
    Failed {
        /// The operation's name.
        operation: &'static str,
        /// The engine's own error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A stored value is not what was written: a bug, or a database somebody else changed.
    #[error("a stored {what} cannot be read")]
    Corrupt {
        /// What was being read.
        what: &'static str,
    },
}
