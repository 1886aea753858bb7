//! Permission as an argument of a handler.

use axum::extract::FromRequestParts;
use http::request::Parts;
use keybell_app::App;
use keybell_core::Grant;
use keybell_core::grant::{Action, OperatorGrant};

use super::credential::Credential;
use super::path::parameter;
use crate::problem::Failed;

/// Evidence that whoever sends the request may do `A` in the workspace that the path names as `{workspace}`.
///
/// No credential is 401, a workspace that is none of theirs 404, and what their role or scopes do not allow 403.
pub struct Granted<A>(pub Grant<A>);

impl<A: Action> FromRequestParts<App> for Granted<A> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let Credential { actor, origin } = Credential::of_parts(parts, app).await?;
        let named = parameter(parts, Some("workspace")).await;
        let workspace = app.resolve_workspace(&actor, &named)?;
        Ok(Granted(actor.grant(workspace, &origin)?))
    }
}

/// Evidence that an operator sends the request, for what belongs to no workspace.
pub struct Operator(pub OperatorGrant);

impl FromRequestParts<App> for Operator {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let Credential { actor, origin } = Credential::of_parts(parts, app).await?;
        Ok(Operator(actor.grant_operator(&origin)?))
    }
}
