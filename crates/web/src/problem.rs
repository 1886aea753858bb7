//! From a problem to the answer that tells it.
//!
//! A handler returns [`Failed`]; it travels outwards as an extension of the response, and the envelope around all
//! routes writes the document of RFC 9457 (the pages write HTML instead). That is the one place where a fault of ours is
//! logged, with the chain of its sources; the client sees the request's id and nothing of the chain.

use std::error::Error;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use keybell_core::challenge::challenges;
use keybell_core::key::{LimitState, limit_headers};
use keybell_core::{Code, Forbidden, Problem, Timestamp};

use crate::request_id::RequestId;
use crate::routes::NEVER;

/// What a handler gives back.
pub type Answer<T> = Result<T, Failed>;

/// A problem on its way to the client.
#[derive(Debug)]
pub struct Failed(pub Problem);

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Failed(problem)
    }
}

impl From<Code> for Failed {
    fn from(code: Code) -> Self {
        Failed(code.into())
    }
}

impl From<Forbidden> for Failed {
    fn from(forbidden: Forbidden) -> Self {
        Failed(forbidden.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(&self.0);
        response.extensions_mut().insert(Arc::new(self.0));
        response
    }
}

/// The status a problem is answered with.
pub fn status(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.code.status()).expect("the catalogue holds HTTP statuses")
}

/// The problem that `response` carries and that nobody has written out yet, logged if it is a fault of ours.
pub fn take(response: &mut Response, request_id: &RequestId) -> Option<Arc<Problem>> {
    let problem = response.extensions_mut().remove::<Arc<Problem>>()?;
    count(&problem, request_id);
    Some(problem)
}

/// Counts and logs a refusal or a fault. For those that no answer carries, since theirs has begun.
pub(crate) fn count(problem: &Problem, request_id: &RequestId) {
    metrics::counter!("keybell_problems_total", "code" => problem.code.as_str()).increment(1);
    log(problem, request_id);
}

/// The document of RFC 9457. `base` is the public URL, without a slash at its end.
pub fn document(problem: &Problem, base: &str, request_id: &RequestId) -> Vec<u8> {
    problem.document(base, Some(request_id.as_str()))
}

/// Writes `problem` into `response`: body, content type, and the headers that its status asks for.
/// Limits are told as they are at `now`.
pub(crate) fn write(
    response: &mut Response,
    problem: &Problem,
    base: &str,
    request_id: &RequestId,
    now: Timestamp,
) {
    *response.status_mut() = status(problem);
    *response.body_mut() = Body::from(document(problem, base, request_id));
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(NEVER));
    tell_waiting(headers, problem, now);
    if !headers.contains_key(header::WWW_AUTHENTICATE) {
        challenge(headers, problem.code, &[]);
    }
}

/// Adds how long to wait, and what is left of rate limits, where that is the problem.
pub(crate) fn tell_waiting(headers: &mut HeaderMap, problem: &Problem, now: Timestamp) {
    if let Some(seconds) = problem.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    tell_limits(headers, &problem.rate_limits, now);
}

/// Adds what is left of rate limits.
pub(crate) fn tell_limits(headers: &mut HeaderMap, limits: &[LimitState], now: Timestamp) {
    for (name, value) in limit_headers(limits, now) {
        let value = HeaderValue::from_str(&value).expect("names of limits are letters, digits, _ and -");
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Adds what a refusal tells about credentials.
pub(crate) fn challenge(headers: &mut HeaderMap, code: Code, required_scopes: &[String]) {
    for challenge in challenges(code, required_scopes) {
        let value = HeaderValue::from_str(&challenge).expect("a challenge is visible ASCII");
        headers.append(header::WWW_AUTHENTICATE, value);
    }
}

/// A fault of ours is an error; something that does not answer is a warning, since it comes in crowds and passes.
fn log(problem: &Problem, request_id: &RequestId) {
    let chain = chain(problem);
    match problem.code.status() {
        503 => tracing::warn!(
            request.id = request_id.as_str(),
            problem.chain = chain,
            "not available: {problem}"
        ),
        500.. => tracing::error!(
            request.id = request_id.as_str(),
            problem.chain = chain,
            "request failed: {problem}"
        ),
        _ => {}
    }
}

/// What lies behind a problem, for the log: the source of each source.
pub(crate) fn chain(problem: &Problem) -> String {
    let mut chain = String::new();
    let mut next = problem.source();
    while let Some(error) = next {
        if !chain.is_empty() {
            chain.push_str(": ");
        }
        chain.push_str(&error.to_string());
        next = error.source();
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_ours_shows_the_request_id_and_nothing_of_its_source() {
        let problem = Problem::internal("password=hunter2");
        let mut response = Failed(problem).into_response();
        let id = RequestId::from("req_1");
        let problem = take(&mut response, &id).expect("it was put there");
        let text = String::from_utf8(document(&problem, "https://keys.example", &id)).expect("JSON is UTF-8");
        assert!(text.contains("req_1") && !text.contains("hunter2"), "{text}");
        assert!(chain(&problem).contains("hunter2"));
    }

    #[test]
    fn a_problem_says_what_rfc_9457_asks_and_how_to_authenticate() {
        let mut response = Failed::from(Code::MissingCredential).into_response();
        let id = RequestId::from("req_1");
        let problem = take(&mut response, &id).expect("it was put there");
        write(&mut response, &problem, "https://keys.example", &id, Timestamp::EPOCH);
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"keybell\"");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        insta::assert_snapshot!(
            String::from_utf8_lossy(&document(&problem, "https://keys.example", &id)),
            @r#"{"type":"https://keys.example/problems/missing_credential","title":"No credential was sent","status":401,"detail":"Send the secret key as `Authorization: Bearer <secret key>`.","code":"missing_credential","request_id":"req_1"}"#
        );
    }

    #[test]
    fn a_time_to_wait_is_told_in_the_header() {
        let problem = Problem::from(Code::RateLimited).retry_after(7);
        let mut response = Response::new(Body::empty());
        write(&mut response, &problem, "https://keys.example", &RequestId::from("req_1"), Timestamp::EPOCH);
        assert_eq!(
            (response.status().as_u16(), &response.headers()[header::RETRY_AFTER]),
            (429, &HeaderValue::from(7))
        );
    }
}
