//! What the store says when it fails, as a problem for whoever asked.

use keybell_core::Problem;
use keybell_store::StoreError;

/// A database that is away or overloaded is worth another try; anything else is a fault of ours.
pub(crate) fn of_store(error: StoreError) -> Problem {
    match error {
        StoreError::Unavailable { .. } | StoreError::Busy { .. } => Problem::unavailable(error),
        StoreError::Failed { .. } | StoreError::Corrupt { .. } => Problem::internal(error),
    }
}
