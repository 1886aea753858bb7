//! `POST /v1/api-keys/verify`: whether a key may do something now. What was decided is the answer, so it is always 200.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::verify::{Decision, VerifiedKey};
use keybell_core::grant::ReadKeys;
use keybell_core::key::{Asked, fields};
use keybell_core::{Actor, Code, Problem, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api_keys::EnvironmentWord;
use crate::extract::{Credential, JsonBody};
use crate::problem::Answer;

/// A key, and what is asked of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Verification {
    /// The secret key that a client presented.
    secret_key: String,
    /// Scopes that it must all have.
    #[serde(default)]
    #[schema(max_items = 64)]
    required_scopes: Vec<String>,
    /// The environment that it must belong to.
    environment: Option<EnvironmentWord>,
    /// The address of the client. A key with allowed networks is refused without it.
    source_address: Option<String>,
}

/// What was decided.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdict)]
pub(super) struct Verdict {
    /// Whether the key may do what was asked.
    valid: bool,
    /// `valid`, or why not.
    #[schema(example = "valid")]
    code: &'static str,
    /// The key, where it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Verified>,
}

/// What is known of a valid key.
#[derive(Serialize, ToSchema)]
#[schema(as = VerifiedKey)]
struct Verified {
    /// The public identifier.
    #[schema(example = "kb_live_7Hq2mZxK9TbW")]
    id: String,
    name: String,
    workspace_id: String,
    #[schema(required)]
    workspace_external_id: Option<String>,
    environment: EnvironmentWord,
    scopes: Vec<String>,
    #[schema(value_type = Object)]
    metadata: Box<RawValue>,
}

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(verify))
}

/// Verify an API key
///
/// An operator key asks about the keys of any workspace; an API key with `keybell:keys.read` about those of its own.
/// Every decision is 200: see `valid`. Why a key is refused is told only where its secret is right.
#[utoipa::path(post, path = "/v1/api-keys/verify", tag = "Checking a key", operation_id = "verify_api_key",
    request_body = Verification, responses((status = 200, body = Verdict)))]
pub(super) async fn verify(
    Credential { actor, origin }: Credential,
    State(app): State<App>,
    JsonBody(asked): JsonBody<Verification>,
) -> Answer<Json<Verdict>> {
    let within: Option<WorkspaceId> = match &*actor {
        Actor::Operator { .. } => None,
        other => {
            let own = other.current_workspace().ok_or(Code::Forbidden)?;
            Some(other.grant::<ReadKeys>(own, &origin)?.workspace())
        }
    };
    fields::required_scopes("required_scopes", &asked.required_scopes)
        .map_err(|error| Problem::invalid(vec![error]))?;
    let source_address = asked.source_address.as_deref().map(address).transpose()?;
    let environment = asked.environment.map(Into::into);
    let about = Asked { required_scopes: &asked.required_scopes, environment, source_address };
    Ok(Json(match app.verify_within(within, &asked.secret_key, &about) {
        Decision::Valid(key) => Verdict { valid: true, code: "valid", key: Some(Verified::of(&key)) },
        Decision::Refused(code) => Verdict { valid: false, code: code.as_str(), key: None },
    }))
}

fn address(text: &str) -> Result<IpAddr, Problem> {
    text.trim().parse().map_err(|_| {
        Problem::field("source_address", "invalid", "must be an IPv4 or IPv6 address such as 203.0.113.9")
    })
}

impl Verified {
    fn of(key: &VerifiedKey) -> Verified {
        Verified {
            id: key.public_identifier().to_string(),
            name: key.name().to_owned(),
            workspace_id: key.workspace().to_string(),
            workspace_external_id: key.workspace_external_id().map(str::to_owned),
            environment: key.environment().into(),
            scopes: key.scopes().iter().map(ToString::to_string).collect(),
            metadata: key.metadata().to_owned(),
        }
    }
}
