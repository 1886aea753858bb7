//! `POST /v1/api-keys/verify`: whether a key may do something now. What was decided is the answer, so it is always 200.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::verify::VerifiedKey;
use keybell_core::grant::ReadKeys;
use keybell_core::key::{Asked, LimitState, RequestKind, fields};
use keybell_core::{Actor, Code, Problem, WorkspaceId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api_keys::EnvironmentWord;
use super::shapes::json;
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
    /// The method of the client's request. Limits named `reads` and `writes` count by it, and `HEAD` and `OPTIONS` are
    /// never counted; where it is left out, every limit counts.
    #[schema(example = "GET", min_length = 1)]
    method: Option<String>,
    /// How many requests it counts as; 0 counts nothing and is never over a limit.
    #[schema(minimum = 0, maximum = 1_000_000_000, default = 1)]
    rate_limit_cost: Option<u64>,
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
    /// The rate limits that count the request, and what is left of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limits: Option<Vec<LimitLeft>>,
    /// Seconds after which the same request would not be over a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

/// What is left of a rate limit.
#[derive(Serialize, ToSchema)]
#[schema(as = RateLimitLeft)]
struct LimitLeft {
    #[schema(example = "reads")]
    name: String,
    /// How often in its window.
    limit: u64,
    /// In how many seconds.
    window_seconds: u64,
    /// How many more requests would be let through at once.
    remaining: u64,
    /// Seconds until all of it is free again.
    reset_seconds: u64,
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
    if asked.method.as_deref() == Some("") {
        return Err(Problem::field("method", "invalid", "must be the method of the client's request").into());
    }
    let about = Asked {
        required_scopes: &asked.required_scopes,
        environment: asked.environment.map(Into::into),
        source_address,
        request: asked.method.as_deref().map_or(RequestKind::Unknown, RequestKind::of_method),
        cost: cost(asked.rate_limit_cost)?,
    };
    let verdict = app.verify_within(within, &asked.secret_key, &about, |key| Verdict {
        valid: true,
        code: "valid",
        key: Some(Verified::of(key)),
        rate_limits: Some(left(key.rate_limits())),
        retry_after_seconds: None,
    });
    Ok(Json(match verdict {
        Ok(valid) => valid,
        Err(refused) => Verdict {
            valid: false,
            code: refused.code.as_str(),
            key: None,
            rate_limits: (refused.code == Code::RateLimited).then(|| left(&refused.rate_limits)),
            retry_after_seconds: refused.retry_after_seconds,
        },
    }))
}

fn cost(asked: Option<u64>) -> Result<u64, Problem> {
    let cost = asked.unwrap_or(1);
    if cost > fields::RATE_LIMIT_MAX {
        let message = format!("must be from 0 to {}", fields::RATE_LIMIT_MAX);
        return Err(Problem::field("rate_limit_cost", "out_of_range", message));
    }
    Ok(cost)
}

fn left(limits: &[LimitState]) -> Vec<LimitLeft> {
    let one = |state: &LimitState| LimitLeft {
        name: state.limit.name.clone(),
        limit: state.limit.limit,
        window_seconds: state.limit.window_seconds,
        remaining: state.left.remaining,
        reset_seconds: state.left.reset_seconds,
    };
    limits.iter().map(one).collect()
}

fn address(text: &str) -> Result<IpAddr, Problem> {
    text.trim().parse().map_err(|_| {
        Problem::field("source_address", "invalid", "must be an IPv4 or IPv6 address such as 203.0.113.9")
    })
}

impl Verified {
    fn of(key: &VerifiedKey<'_>) -> Verified {
        Verified {
            id: key.public_identifier().to_string(),
            name: key.name().to_owned(),
            workspace_id: key.workspace().to_string(),
            workspace_external_id: key.workspace_external_id().map(ToString::to_string),
            environment: key.environment().into(),
            scopes: key.scopes().iter().map(ToString::to_string).collect(),
            metadata: json(key.metadata().to_owned()),
        }
    }
}
