//! One error told to many: when a commit fails, everybody in its group hears why.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::error::StoreError;

/// Why a transaction with many operations did not happen.
#[derive(Clone)]
pub(crate) struct Shared {
    what: &'static str,
    source: Cause,
}

/// An engine's error, held by several.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

impl Shared {
    /// `what` was tried, and failed because of `source`.
    pub(crate) fn new(what: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        Shared { what, source: Arc::new(source) }
    }

    /// `what` was tried, and failed because of what somebody else failed of.
    pub(crate) fn with(what: &'static str, source: Cause) -> Self {
        Shared { what, source }
    }

    /// `what` was tried, and failed because of `source`, whatever it is.
    pub(crate) fn of(what: &'static str, source: Box<dyn Error + Send + Sync>) -> Self {
        Shared { what, source: Arc::from(source) }
    }

    /// The connection was lost while `what` was tried.
    pub(crate) fn lost(what: &'static str) -> Self {
        Shared::of(what, "the connection to the database was lost".into())
    }

    /// The error for one of them.
    pub(crate) fn unavailable(&self) -> StoreError {
        StoreError::Unavailable { what: self.what, source: Some(boxed(&self.source)) }
    }
}

/// The cause as the source of one error.
pub(crate) fn boxed(cause: &Cause) -> Box<dyn Error + Send + Sync> {
    Box::new(Source(Arc::clone(cause)))
}

#[derive(Debug)]
struct Source(Cause);

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Error for Source {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
