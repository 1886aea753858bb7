//! The scopes of a key, made once and shared by whoever has the same.

use std::ops::Deref;
use std::sync::Arc;

/// The scopes of a key. Cheap to clone; keys with the same scopes can share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Arc<List>);

#[derive(Debug, PartialEq, Eq)]
struct List {
    names: Box<[Box<str>]>,
    joined: Box<str>,
}

impl Scopes {
    /// The scopes of these names, in this order.
    pub fn new(names: impl IntoIterator<Item = impl Into<Box<str>>>) -> Scopes {
        let names: Box<[Box<str>]> = names.into_iter().map(Into::into).collect();
        let joined = names.join(" ").into();
        Scopes(Arc::new(List { names, joined }))
    }

    /// All names, separated by spaces, as RFC 6749, section 3.3, writes them.
    pub fn joined(&self) -> &str {
        &self.0.joined
    }

    /// Whether this scope is one of them, by its whole name.
    pub fn has(&self, scope: &str) -> bool {
        self.0.names.iter().any(|own| **own == *scope)
    }

    /// How many hold these scopes together.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl Deref for Scopes {
    type Target = [Box<str>];

    fn deref(&self) -> &[Box<str>] {
        &self.0.names
    }
}
