//! Values that are stored as JSON text, which the database never looks into. For the operations; it knows none of them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// The text to store.
pub(super) fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what is stored as JSON has texts as its keys")
}

/// What was stored; `what` it is, where it cannot be read.
pub(super) fn read<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { what })
}
