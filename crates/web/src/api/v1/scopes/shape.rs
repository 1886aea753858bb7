//! What a scope looks like from outside.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::v1::shapes::At;

/// A permission that a key can carry.
#[derive(Serialize, ToSchema)]
pub(super) struct Scope {
    #[schema(example = "reports:read")]
    name: String,
    description: String,
    created_at: At,
}

impl From<keybell_app::scopes::Scope> for Scope {
    fn from(scope: keybell_app::scopes::Scope) -> Self {
        Scope { name: scope.name, description: scope.description, created_at: scope.created_at.into() }
    }
}
