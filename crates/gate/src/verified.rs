//! Who calls: what is known of a key that was let through.

use std::sync::Arc;

use keybell_core::key::{Environment, LimitState};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

#[cfg(feature = "local")]
use crate::local::Held;

/// What is known of a key that was let through. A handler finds it in the request's extensions. Cheap to clone.
#[derive(Clone)]
pub struct Verified(Known);

#[derive(Clone)]
enum Known {
    /// What another process said.
    Told(Arc<Told>),
    /// What the memory of this process has.
    #[cfg(feature = "local")]
    Held(Arc<Held>),
}

/// A key as Keybell tells of it.
#[derive(Deserialize)]
pub(crate) struct Told {
    id: String,
    name: String,
    workspace_id: String,
    workspace_external_id: Option<String>,
    environment: Environment,
    scopes: Vec<String>,
    metadata: Box<RawValue>,
    #[serde(skip)]
    rate_limits: Vec<LimitState>,
}

/// Asks whichever of the two knows.
macro_rules! known {
    ($self:ident, $told:ident => $of_told:expr, $held:ident => $of_held:expr) => {
        match &$self.0 {
            Known::Told($told) => $of_told,
            #[cfg(feature = "local")]
            Known::Held($held) => $of_held,
        }
    };
}

impl Verified {
    pub(crate) fn told(mut key: Told, rate_limits: Vec<LimitState>) -> Verified {
        key.rate_limits = rate_limits;
        Verified(Known::Told(Arc::new(key)))
    }

    #[cfg(feature = "local")]
    pub(crate) fn held(key: Held) -> Verified {
        Verified(Known::Held(Arc::new(key)))
    }

    /// The key's public identifier, such as `kb_live_7Hq2mZxK9TbW`: safe in logs.
    pub fn key_id(&self) -> String {
        known!(self, told => told.id.clone(), held => held.id.to_string())
    }

    /// What people call the key.
    pub fn name(&self) -> String {
        known!(self, told => told.name.clone(), held => held.name())
    }

    /// The workspace it belongs to, as Keybell names it.
    pub fn workspace_id(&self) -> String {
        known!(self, told => told.workspace_id.clone(), held => held.workspace.to_string())
    }

    /// The workspace as the platform names it, where it told.
    pub fn workspace_external_id(&self) -> Option<&str> {
        known!(self, told => told.workspace_external_id.as_deref(), held => held.workspace_external_id.as_deref())
    }

    /// Which half of the platform it opens.
    pub fn environment(&self) -> Environment {
        known!(self, told => told.environment, held => held.environment)
    }

    /// Every scope it has.
    pub fn scopes(&self) -> Vec<&str> {
        known!(self,
            told => told.scopes.iter().map(String::as_str).collect(),
            held => held.scopes.iter().map(AsRef::as_ref).collect())
    }

    /// Whether it has that scope, for what a handler decides by itself.
    pub fn has_scope(&self, name: &str) -> bool {
        known!(self, told => told.scopes.iter().any(|own| own == name), held => held.scopes.has(name))
    }

    /// What the platform wanted to know of it. It is read anew each time.
    pub fn metadata(&self) -> Map<String, Value> {
        let text = known!(self, told => told.metadata.get().to_owned(), held => held.metadata());
        // Keybell stores and tells nothing but objects there.
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The rate limits that counted the request, and what is left of them.
    pub fn rate_limits(&self) -> &[LimitState] {
        known!(self, told => &told.rate_limits, held => &held.rate_limits)
    }
}
