//! Whoever knows the keys.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;

use keybell_core::Code;
use keybell_core::key::Refused;

use crate::{Needs, Verified};

/// Whoever knows the keys. Cheap to clone; all clones share what they hold.
pub trait Verifier: Clone + Send + Sync + 'static {
    /// Whether the key that a request presents is good for what is needed.
    fn verify(&self, question: Question<'_>) -> impl Future<Output = Result<Verified, Denied>> + Send;

    /// Where Keybell's pages about problems are: its address without a slash at the end.
    fn base_url(&self) -> &str;
}

/// What is asked about a request.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What the client presents as its secret key.
    pub secret_key: &'a str,
    /// What the route needs of it.
    pub needs: &'a Needs,
    /// Where the client is, where that is known.
    pub source: Option<IpAddr>,
    /// The method of the request: rate limits count reads and writes apart.
    pub method: &'a str,
}

/// Why a request is not let through.
#[derive(Debug)]
pub enum Denied {
    /// The key is not good for it.
    Refused(Refused),
    /// Nobody could say whether the key is good.
    Unreachable(Unreachable),
}

impl From<Code> for Denied {
    fn from(code: Code) -> Self {
        Denied::Refused(code.into())
    }
}

/// Why nobody could say whether a key is good: for the log, and never for the client.
#[derive(Debug)]
pub struct Unreachable {
    what: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Unreachable {
    /// It failed at `what`.
    pub fn at(what: &'static str) -> Unreachable {
        Unreachable { what, source: None }
    }

    /// It failed at `what`, and why.
    pub fn because(what: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Unreachable {
        Unreachable { what, source: Some(source.into()) }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keybell could not be asked about a key: {}", self.what)
    }
}

impl Error for Unreachable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
