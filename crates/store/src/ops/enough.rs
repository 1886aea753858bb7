//! Ending a reading before its end. The rows that follow are not read then.

use crate::error::StoreError;

/// What ends the reading of rows where there are enough of them. It goes no further than [`unless_enough`].
pub(super) const ENOUGH: StoreError = StoreError::Corrupt { what: "enough rows" };

/// A reading that ended because there were enough rows ended well.
pub(super) fn unless_enough(read: Result<(), StoreError>) -> Result<(), StoreError> {
    match (read, ENOUGH) {
        (Err(StoreError::Corrupt { what }), StoreError::Corrupt { what: enough }) if what == enough => Ok(()),
        (read, _) => read,
    }
}
