//! What a workspace looks like from outside.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::v1::shapes::At;

/// A tenant of the platform: keys, webhooks, events and members belong to exactly one.
#[derive(Serialize, ToSchema)]
pub(super) struct Workspace {
    #[schema(example = "ws_06dhtsbh1nxwk8n6s4c3v9r7e0")]
    id: String,
    /// The platform's own id for it; it can stand wherever the id can.
    #[schema(required)]
    external_id: Option<String>,
    name: String,
    created_at: At,
}

impl From<keybell_app::workspaces::Workspace> for Workspace {
    fn from(workspace: keybell_app::workspaces::Workspace) -> Self {
        Workspace {
            id: workspace.id.to_string(),
            external_id: workspace.external_id,
            name: workspace.name,
            created_at: workspace.created_at.into(),
        }
    }
}
