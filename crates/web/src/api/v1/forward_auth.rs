//! `/v1/forward-auth`: the answer that a gateway asks for before it lets a request through.
//!
//! The gateway sends the client's headers, and in the query, which is the gateway's own configuration, what the key must
//! be good for. It needs no credential of its own: it learns about a key what the key's holder may know.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use keybell_app::App;
use keybell_app::verify::{Decision, VerifiedKey};
use keybell_core::key::{Asked, Environment, fields};
use keybell_core::{Code, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::envelope::base_url;
use crate::extract::{Source, presented_in};
use crate::problem::{self, Failed};
use crate::request_id::RequestId;

const KEY_ID: HeaderName = HeaderName::from_static("x-keybell-key-id");
const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-keybell-workspace-id");
const WORKSPACE_EXTERNAL_ID: HeaderName = HeaderName::from_static("x-keybell-workspace-external-id");
const ENVIRONMENT: HeaderName = HeaderName::from_static("x-keybell-environment");
const SCOPES: HeaderName = HeaderName::from_static("x-keybell-scopes");
const CODE: HeaderName = HeaderName::from_static("x-keybell-code");
const TRUE_STATUS: HeaderName = HeaderName::from_static("x-keybell-status");

/// Every method: gateways ask with that of the client's request, or with `GET`.
pub(super) fn router() -> OpenApiRouter<App> {
    let (schemas, paths, methods) = routes!(forward_auth);
    OpenApiRouter::new().routes((schemas, paths, methods.fallback(forward_auth)))
}

/// Check a key for a gateway
///
/// For nginx `auth_request`, Traefik `ForwardAuth`, Caddy `forward_auth` and Envoy `ext_authz`, with any method. The key
/// is read from the client's `Authorization` or `X-API-Key`.
#[utoipa::path(get, path = "/v1/forward-auth", tag = "Checking a key", operation_id = "forward_auth", security(()),
    params(
        ("scope" = Option<Vec<String>>, Query, description = "A scope that the key must have; repeatable."),
        ("environment" = Option<String>, Query, description = "`live` or `test`: the environment it must belong to."),
        ("gateway" = Option<String>, Query, description = "`nginx` answers 403 for every refusal but 401, since nginx \
            makes a 500 of it otherwise; the true status is in `x-keybell-status`."),
    ),
    responses((status = 200, description = "The key may: who it is, for the application behind the gateway.", headers(
        ("x-keybell-key-id" = String, description = "The key's public identifier."),
        ("x-keybell-workspace-id" = String),
        ("x-keybell-workspace-external-id" = String, description = "Where the platform gave one."),
        ("x-keybell-environment" = String),
        ("x-keybell-scopes" = String, description = "Every scope of the key, separated by spaces."),
    ))))]
async fn forward_auth(State(app): State<App>, parts: Parts) -> Response {
    let wanted = match Wanted::of_query(parts.uri.query().unwrap_or_default()) {
        Ok(wanted) => wanted,
        // Which gateway asks is not known then, so the answer is the one that all of them refuse by.
        Err(problem) => return refused(&app, &parts, &Wanted { nginx: true, ..Wanted::default() }, problem),
    };
    match check(&app, &parts, &wanted) {
        Ok(key) => (StatusCode::OK, allowed(&key)).into_response(),
        Err(problem) => refused(&app, &parts, &wanted, problem),
    }
}

/// What the gateway's configuration asks of a key.
#[derive(Default)]
struct Wanted {
    scopes: Vec<String>,
    environment: Option<Environment>,
    nginx: bool,
}

impl Wanted {
    /// Reads the query. What is mistyped there is refused: left out silently, it would let more keys through.
    fn of_query(query: &str) -> Result<Wanted, Problem> {
        let mut wanted = Wanted::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                ("scope", _) => wanted.scopes.push(Cow::into_owned(value)),
                ("environment", word) => {
                    let environment = Environment::parse(word);
                    wanted.environment =
                        Some(environment.ok_or_else(|| mistyped("environment", "must be live or test"))?);
                }
                ("gateway", "nginx") => wanted.nginx = true,
                ("gateway", _) => return Err(mistyped("gateway", "must be nginx, or left out")),
                _ => {
                    return Err(mistyped(
                        &name,
                        "is not known here; known are scope, environment and gateway",
                    ));
                }
            }
        }
        fields::required_scopes("scope", &wanted.scopes).map_err(|error| Problem::invalid(vec![error]))?;
        Ok(wanted)
    }
}

fn mistyped(parameter: &str, message: &str) -> Problem {
    Problem::field(parameter, "invalid", message)
}

fn check(app: &App, parts: &Parts, wanted: &Wanted) -> Result<VerifiedKey, Problem> {
    let secret_key = presented_in(&parts.headers)?.ok_or(Code::MissingCredential)?;
    let asked = Asked {
        required_scopes: &wanted.scopes,
        environment: wanted.environment,
        source_address: Source::of_parts(parts, app).0,
    };
    match app.verify(secret_key.as_str(), &asked) {
        Decision::Valid(key) => Ok(key),
        Decision::Refused(code) => Err(code.into()),
    }
}

/// Who the key is, for the application behind the gateway.
fn allowed(key: &VerifiedKey) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut insert = |name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    insert(KEY_ID, &key.public_identifier().to_string());
    insert(WORKSPACE_ID, &key.workspace().to_string());
    if let Some(external_id) = key.workspace_external_id() {
        insert(WORKSPACE_EXTERNAL_ID, external_id);
    }
    insert(ENVIRONMENT, key.environment().as_str());
    insert(SCOPES, &key.scopes().join(" "));
    headers
}

fn refused(app: &App, parts: &Parts, wanted: &Wanted, problem: Problem) -> Response {
    let code = problem.code;
    let told = if wanted.nginx { nginx_status(code.status()) } else { code.status() };
    let mut response = if told == code.status() {
        Failed(problem).into_response()
    } else {
        // The envelope would answer with the problem's own status, so the document is written here.
        let document = problem::document(&problem, base_url(app), &RequestId::of_parts(parts));
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let status = StatusCode::from_u16(told).expect("401 and 403 are statuses");
        (status, content_type, Body::from(document)).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CODE, HeaderValue::from_static(code.as_str()));
    if wanted.nginx {
        headers.insert(TRUE_STATUS, HeaderValue::from(code.status()));
    }
    problem::challenge(headers, code, &wanted.scopes);
    response
}

/// nginx knows 401 and 403, and makes a 500 of every other refusal.
fn nginx_status(status: u16) -> u16 {
    if status == 401 { 401 } else { 403 }
}
