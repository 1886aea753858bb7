//! The kinds of credentials that share the shape of a key, each with its own word, so that none is taken for another.

use super::Environment;

/// What a credential is, by the word after the brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An API key for live data.
    Live,
    /// An API key for test data.
    Test,
    /// An operator key.
    Operator,
    /// A portal session.
    PortalSession,
    /// An invitation.
    Invitation,
    /// The one-time link of the first owner.
    Setup,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] =
        [Kind::Live, Kind::Test, Kind::Operator, Kind::PortalSession, Kind::Invitation, Kind::Setup];

    /// The word after the brand.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Live => "live",
            Kind::Test => "test",
            Kind::Operator => "op",
            Kind::PortalSession => "ps",
            Kind::Invitation => "inv",
            Kind::Setup => "setup",
        }
    }

    /// The kind of that word.
    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Which environment's API key this is; `None` for what is no API key.
    pub const fn environment(self) -> Option<Environment> {
        match self {
            Kind::Live => Some(Environment::Live),
            Kind::Test => Some(Environment::Test),
            _ => None,
        }
    }
}
