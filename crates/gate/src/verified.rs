//! Who calls: what is known of a key that was let through.

use keybell_core::key::Environment;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What is known of a key that was let through. A handler finds it in the request's extensions.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Verified {
    /// The key's public identifier, such as `kb_live_7Hq2mZxK9TbW`: safe in logs.
    #[serde(rename = "id")]
    pub key_id: String,
    /// What people call the key.
    pub name: String,
    /// The workspace it belongs to, as Keybell names it.
    pub workspace_id: String,
    /// The workspace as the platform names it, where it told.
    pub workspace_external_id: Option<String>,
    /// Which half of the platform it opens.
    pub environment: Environment,
    /// Every scope it has.
    pub scopes: Vec<String>,
    /// What the platform wanted to know of it.
    pub metadata: Map<String, Value>,
}

impl Verified {
    /// Whether the key has that scope, for what a handler decides by itself.
    pub fn has_scope(&self, name: &str) -> bool {
        self.scopes.iter().any(|own| own == name)
    }
}
