//! What a route needs of a key.

use keybell_core::key::Environment;

/// What a route needs of a key, besides being good. The default needs nothing more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Scopes that the key must all have; at most 64.
    pub scopes: Vec<String>,
    /// The environment that it must belong to.
    pub environment: Option<Environment>,
}

impl Needs {
    /// One scope.
    pub fn scope(name: impl Into<String>) -> Needs {
        Needs::default().and_scope(name)
    }

    /// The same and one more scope.
    #[must_use]
    pub fn and_scope(mut self, name: impl Into<String>) -> Needs {
        self.scopes.push(name.into());
        self
    }

    /// The same and that environment.
    #[must_use]
    pub fn in_environment(self, environment: Environment) -> Needs {
        Needs { environment: Some(environment), ..self }
    }
}
