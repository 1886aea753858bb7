//! The use cases of Keybell, shared by its API, its pages and its commands.
//!
//! [`App`] is one installation at work. Its methods ask for the evidence they need (a `Grant`), call the pure crate to
//! decide and the store to remember, and keep in memory what must be quick: the keys, the webhooks, the catalogue, and the
//! deliveries that are under way.

pub mod page;
pub mod settings;

use std::sync::Arc;

use keybell_core::{Clock, Randomness};

pub use page::{Listing, Page};
pub use settings::Settings;

/// One installation at work. Cheap to clone; all clones are the same installation.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
}

impl App {
    /// The settings it was started with.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The present instant.
    pub fn now(&self) -> keybell_core::Timestamp {
        self.inner.clock.now()
    }

    /// Where random bytes come from.
    pub fn randomness(&self) -> &dyn Randomness {
        self.inner.randomness.as_ref()
    }
}
