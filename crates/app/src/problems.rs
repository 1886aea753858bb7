//! Problems that every use case may have: the store fails, or fields are not valid.

use keybell_core::{FieldError, Problem};
use keybell_store::StoreError;

/// A database that is away or overloaded is worth another try; anything else is a fault of ours.
pub(crate) fn of_store(error: StoreError) -> Problem {
    match error {
        StoreError::Unavailable { .. } | StoreError::Busy { .. } => Problem::unavailable(error),
        StoreError::Failed { .. } | StoreError::Corrupt { .. } => Problem::internal(error),
    }
}

/// The errors of all fields, so that whoever sent them is told all of them at once.
#[derive(Default)]
pub(crate) struct Errors(Vec<FieldError>);

impl Errors {
    /// Takes in what came of checking one field, and gives what was checked.
    pub(crate) fn one<T>(&mut self, checked: Result<T, FieldError>) -> Option<T> {
        checked.map_err(|error| self.0.push(error)).ok()
    }

    /// The same of a field with parts; nothing where one of them is wrong.
    pub(crate) fn many<T: Default>(&mut self, checked: Result<T, Vec<FieldError>>) -> T {
        checked.unwrap_or_else(|errors| {
            self.0.extend(errors);
            T::default()
        })
    }

    /// All of them, with their fields named as parts of `whole`.
    pub(crate) fn within(self, whole: &str) -> impl Iterator<Item = FieldError> {
        self.0.into_iter().map(move |error| FieldError { field: format!("{whole}.{}", error.field), ..error })
    }

    /// [`Code::Validation`](keybell_core::Code::Validation) where there is any.
    pub(crate) fn refuse_any(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }
}

/// Refuses where one of the checks failed, with all that did.
pub(crate) fn refuse_any(checks: impl IntoIterator<Item = Result<(), FieldError>>) -> Result<(), Problem> {
    let mut errors = Errors::default();
    for checked in checks {
        errors.one(checked);
    }
    errors.refuse_any()
}
