//! `Idempotency-Key`: a `POST` that names one is done once, however often it is sent.
//!
//! A request without the header passes untouched. With it, the request is done in a task of its own, so that a client that
//! goes away leaves neither half a request nor a key that stays taken; its answer is kept without secrets, and a repetition
//! is answered with it.

mod without_secrets;

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use keybell_app::App;
use keybell_app::idempotency::{Fingerprint, Repeatable, UnderWay};
use keybell_core::{Code, Problem};

use crate::body;
use crate::envelope::panicked;
use crate::extract::Credential;
use crate::problem::Failed;
use crate::request_id::RequestId;

/// Longest `Idempotency-Key`, in characters: a UUID and much beside it.
pub const KEY_CHARS_MAX: usize = 255;

/// Longest answer that is kept, in bytes. The longest of ours is that of an import of a thousand keys: they repeat what the
/// request had, which is at most 1 MiB, with some 500 bytes more for each.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Around every route whose `POST` may be repeated.
pub(crate) async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    if *request.method() != Method::POST || !request.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(request).await;
    }
    repeatable(app, request, next).await.unwrap_or_else(|problem| Failed(problem).into_response())
}

async fn repeatable(app: App, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let key = key_of(&parts.headers)?;
    let owner = Credential::of_parts(&mut parts, &app).await?.owner();
    let bytes = body::read(&parts.headers, body, body::limit_of(&parts)).await?;
    let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let fingerprint = Fingerprint::of(parts.method.as_str(), path, &bytes);
    let id = RequestId::of_parts(&parts);
    let request = Request::from_parts(parts, Body::from(bytes));
    // From taking the key to keeping the answer it is one task: it ends though nobody waits for it any more.
    let task = tokio::spawn(async move {
        match app.begin_repeatable(owner, key, fingerprint).await? {
            Repeatable::Answered { status, body } => Ok(replayed(status, body)),
            Repeatable::First(under_way) => {
                let ran = AssertUnwindSafe(next.run(request)).catch_unwind().await;
                let response = ran.unwrap_or_else(|panic| Failed(panicked(&*panic)).into_response());
                settled(&app, under_way, response, &id).await
            }
        }
    });
    task.await.map_err(Problem::internal)?
}

/// The key, where it is one: visible ASCII, once.
fn key_of(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let value = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fits =
        (1..=KEY_CHARS_MAX).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits || values.next().is_some() {
        let detail = format!("Send one Idempotency-Key of 1 to {KEY_CHARS_MAX} visible ASCII characters.");
        return Err(Problem::new(Code::Malformed, detail));
    }
    Ok(value.to_owned())
}

/// Keeps the answer or frees the key, and gives the answer on.
///
/// Only what was done is kept. A refusal changed nothing, and what it was for may be mended before the request is sent
/// again: an event type declared, a permission given.
async fn settled(
    app: &App,
    under_way: UnderWay,
    response: Response,
    id: &RequestId,
) -> Result<Response, Problem> {
    let (outcome, response) = if response.status().is_success() {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.map_err(Problem::internal)?;
        let outcome = app.keep_answer(under_way, parts.status.as_u16(), without_secrets::of(&bytes)).await;
        (outcome, Response::from_parts(parts, Body::from(bytes)))
    } else {
        (app.abandon_answer(under_way).await, response)
    };
    // What was asked is done: that stands, and is told, though it will not be remembered as answered.
    if let Err(problem) = outcome {
        let why = std::error::Error::source(&problem).map(ToString::to_string);
        tracing::error!(request.id = id.as_str(), problem.chain = why, "an idempotent answer was not kept");
    }
    Ok(response)
}

fn replayed(status: u16, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &[&str]) -> Result<String, Code> {
        let values =
            keys.iter().map(|key| (IDEMPOTENCY_KEY, HeaderValue::from_str(key).expect("a header value")));
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(name, value);
        }
        key_of(&headers).map_err(|problem| problem.code)
    }

    #[test]
    fn a_key_holds_up_to_its_limit() {
        assert!(read(&[&"k".repeat(KEY_CHARS_MAX)]).is_ok());
        assert_eq!(read(&[&"k".repeat(KEY_CHARS_MAX + 1)]), Err(Code::Malformed));
        assert_eq!(read(&[""]), Err(Code::Malformed));
        assert_eq!(read(&["a b"]), Err(Code::Malformed));
        assert_eq!(read(&["a", "b"]), Err(Code::Malformed));
    }
}
