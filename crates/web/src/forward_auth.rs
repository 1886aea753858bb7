//! What a gateway is answered before it lets a request through: the one endpoint that stands in the way of every request of
//! a platform's API.
//!
//! So it is answered in two ways alike: as one of the routes, and, in front of them, by [`Site`](crate::Site), which goes
//! through none. Everything it needs is in memory.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use keybell_app::App;
use keybell_app::verify::VerifiedKey;
use keybell_core::credential::sent_by_browser;
use keybell_core::key::{Asked, Environment, RequestKind, fields};
use keybell_core::{Code, Problem};

use crate::envelope::base_url;
use crate::extract::{Source, is_from_trusted_proxy, presented_in};
use crate::problem::{self, Failed};
use crate::request_id::RequestId;
use crate::routes::NEVER;

/// Where it is answered.
pub(crate) const PATH: &str = "/v1/forward-auth";

const KEY_ID: HeaderName = HeaderName::from_static("x-keybell-key-id");
const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-keybell-workspace-id");
const WORKSPACE_EXTERNAL_ID: HeaderName = HeaderName::from_static("x-keybell-workspace-external-id");
const ENVIRONMENT: HeaderName = HeaderName::from_static("x-keybell-environment");
const SCOPES: HeaderName = HeaderName::from_static("x-keybell-scopes");
const CODE: HeaderName = HeaderName::from_static("x-keybell-code");
const TRUE_STATUS: HeaderName = HeaderName::from_static("x-keybell-status");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");

/// The answer to a gateway that asks with a request of these `parts`, whatever its method.
pub(crate) fn answer(app: &App, parts: &Parts, id: &RequestId) -> Response {
    let mut response = match wanted_by(parts.uri.query().unwrap_or_default()) {
        Ok(wanted) => check(app, parts, &wanted).unwrap_or_else(|problem| refused(app, id, &wanted, problem)),
        // Which gateway asks is not known then, so the answer is the one that all of them refuse by.
        Err(problem) => refused(app, id, &Wanted { nginx: true, ..Wanted::default() }, problem),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(NEVER));
    response
}

thread_local! {
    /// The last query that this thread read, and what it wants: a gateway asks with the same ones again and again.
    static LAST_QUERY: RefCell<(String, Rc<Wanted>)> = RefCell::default();
}

fn wanted_by(query: &str) -> Result<Rc<Wanted>, Problem> {
    LAST_QUERY.with_borrow_mut(|(last, wanted)| {
        if last != query {
            *wanted = Rc::new(Wanted::of_query(query)?);
            query.clone_into(last);
        }
        Ok(Rc::clone(wanted))
    })
}

/// What the gateway's configuration asks of a key.
#[derive(Default)]
struct Wanted {
    scopes: Vec<String>,
    environment: Option<Environment>,
    /// What kind of request the client sent, where the gateway says so in the query.
    request: Option<RequestKind>,
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
                ("method", "") => {
                    return Err(mistyped("method", "must be the method of the client's request"));
                }
                ("method", method) => wanted.request = Some(RequestKind::of_method(method)),
                ("gateway", "nginx") => wanted.nginx = true,
                ("gateway", _) => return Err(mistyped("gateway", "must be nginx, or left out")),
                _ => {
                    return Err(mistyped(
                        &name,
                        "is not known here; known are scope, environment, method and gateway",
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

fn check(app: &App, parts: &Parts, wanted: &Wanted) -> Result<Response, Problem> {
    let secret_key = presented_in(&parts.headers)?.ok_or(Code::MissingCredential)?;
    if app.settings().refuse_browsers && sent_by_browser(parts.headers.keys().map(HeaderName::as_str)) {
        return Err(Code::SecretKeyInBrowser.into());
    }
    let asked = Asked {
        required_scopes: &wanted.scopes,
        environment: wanted.environment,
        source_address: Source::of_parts(parts, app).0,
        request: request_kind(app, parts, wanted),
        ..Asked::default()
    };
    Ok(app.verify(secret_key.as_str(), &asked, |key| allowed(app, key))?)
}

/// What kind of request the client sent: as the gateway says in the query, in `X-Forwarded-Method`, or by asking with the
/// same method.
///
/// The header is believed from proxies that are trusted, as `X-Forwarded-For` is, and not from nginx, which passes the
/// client's headers on. What is not believed is not known, and is counted by every limit.
fn request_kind(app: &App, parts: &Parts, wanted: &Wanted) -> RequestKind {
    if let Some(said) = wanted.request {
        return said;
    }
    if wanted.nginx {
        return RequestKind::Unknown;
    }
    let mut forwarded = parts.headers.get_all(FORWARDED_METHOD).iter();
    match (forwarded.next(), forwarded.next()) {
        (None, _) => RequestKind::of_method(parts.method.as_str()),
        (Some(method), None) if is_from_trusted_proxy(parts, app) => {
            method.to_str().map_or(RequestKind::Unknown, RequestKind::of_method)
        }
        _ => RequestKind::Unknown,
    }
}

/// Who the key is, for the application behind the gateway; and what is left of its limits, for the client.
fn allowed(app: &App, key: &VerifiedKey<'_>) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.reserve(12);
    let mut insert = |name, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    };
    insert(KEY_ID, key.public_identifier().text());
    insert(WORKSPACE_ID, key.workspace().to_string());
    if let Some(external_id) = key.workspace_external_id() {
        insert(WORKSPACE_EXTERNAL_ID, external_id.to_string());
    }
    insert(SCOPES, key.scopes().joined().to_owned());
    headers.insert(ENVIRONMENT, HeaderValue::from_static(key.environment().as_str()));
    problem::tell_limits(headers, key.rate_limits(), app.now());
    response
}

fn refused(app: &App, id: &RequestId, wanted: &Wanted, problem: Problem) -> Response {
    let code = problem.code;
    let told = if wanted.nginx { nginx_status(code.status()) } else { code.status() };
    let mut response = if told == code.status() {
        Failed(problem).into_response()
    } else {
        // The envelope would answer with the problem's own status, so the document is written here.
        let document = problem::document(&problem, base_url(app), id);
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let status = StatusCode::from_u16(told).expect("401 and 403 are statuses");
        let mut response = (status, content_type, Body::from(document)).into_response();
        problem::tell_waiting(response.headers_mut(), &problem, app.now());
        response
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
