//! What is around every page: headers that keep other sites and other scripts out, and refusals as pages.

use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderName, HeaderValue, Method, Uri, header};
use keybell_app::App;
use keybell_core::{Code, Problem};

use super::packed::Packing;
use super::view::access::{ClosedPage, ProblemPage};
use super::view::form::Errors;
use super::view::frame::{Door, Frame};
use super::{assets, page};
use crate::csrf;
use crate::problem::{self, Failed};
use crate::request_id::RequestId;
use crate::routes::NEVER;

/// Nothing but our own style, scripts and answers; nothing inline, and no text ever becomes markup by a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// The frame of the person who asks, once an extractor has found out who that is.
pub(super) type KnownFrame = Arc<OnceLock<Frame>>;

pub(super) async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let known = KnownFrame::default();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let packing = Packing::of(&method, request.headers());
    let id = request.extensions().get::<RequestId>().cloned();
    let checked = csrf::check(&method, request.headers(), &app.settings().public_url);
    request.extensions_mut().insert(Arc::clone(&known));
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(code) => Failed::from(code).into_response(),
    };
    if let Some(id) = id
        && let Some(refused) = problem::take(&mut response, &id)
    {
        response = told(&app, &refused, &id, &method, &uri, known.get());
    }
    packing.answer(with_headers(response)).await
}

fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Pages tell what only their reader may know, some of it once: no cache keeps any, nor does Back after signing out. The
    // reference is the same for everybody, and says so itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(NEVER));
    response
}

/// A refusal as a page; whoever is not signed in is sent to sign in, and comes back afterwards.
fn told(
    app: &App,
    refused: &Problem,
    id: &RequestId,
    method: &Method,
    uri: &Uri,
    frame: Option<&Frame>,
) -> Response {
    if refused.code == Code::MissingCredential {
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("next", path).finish();
        let to = if method == Method::GET && path != "/" {
            format!("/sign-in?{query}")
        } else {
            "/sign-in".to_owned()
        };
        return Redirect::to(&to).into_response();
    }
    let (status, title) = (refused.code.status(), refused.code.title().to_owned());
    let (detail, request_id) = (refused.detail.clone(), id.as_str().to_owned());
    let drawn = match frame {
        Some(frame) => {
            let (frame, errors) = (frame.clone(), Errors::new(refused.errors.clone()));
            page(&ProblemPage { frame, status, title, detail, request_id, errors })
        }
        None => page(&ClosedPage { door: door(app), status, title, detail, request_id }),
    };
    let mut response = drawn.unwrap_or_else(|problem| problem::status(&problem).into_response());
    *response.status_mut() = problem::status(refused);
    if let Some(seconds) = refused.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The surroundings of pages for whoever is not signed in.
pub(super) fn door(app: &App) -> Door {
    Door { brand: app.settings().brand_name.clone(), assets: assets::links() }
}
