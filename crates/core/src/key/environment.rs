//! Live or test: which half of the platform a key opens.

use serde::{Deserialize, Serialize};

use super::Kind;

/// Which half of the platform a key opens. It stands in the key itself and in its record, and the two must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Real data.
    Live,
    /// Data to try things out on.
    Test,
}

impl Environment {
    /// Both.
    pub const ALL: [Environment; 2] = [Environment::Live, Environment::Test];

    /// Its word in keys, in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Environment::Live => "live",
            Environment::Test => "test",
        }
    }

    /// The environment of that word.
    pub fn parse(word: &str) -> Option<Environment> {
        Environment::ALL.into_iter().find(|environment| environment.as_str() == word)
    }

    /// The kind of credential that its keys are.
    pub const fn kind(self) -> Kind {
        match self {
            Environment::Live => Kind::Live,
            Environment::Test => Kind::Test,
        }
    }
}
