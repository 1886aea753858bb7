//! The answer to a request that is not let through: the same that Keybell gives itself.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use keybell_core::challenge::challenges;
use keybell_core::key::{LimitState, Refused, limit_headers};
use keybell_core::{Code, Problem, Timestamp};

use crate::Needs;

const CODE: HeaderName = HeaderName::from_static("x-keybell-code");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Seconds after which a client may try again where Keybell could not be asked.
const TRY_AGAIN_SECONDS: u64 = 1;

/// Refuses a request. `base_url` is where the pages about problems are; `headers` are the request's.
pub(crate) fn refusal<B: From<Bytes>>(
    refused: Refused,
    needs: &Needs,
    headers: &HeaderMap,
    base_url: &str,
) -> Response<B> {
    let mut problem = Problem::from(refused);
    let code = problem.code;
    if code == Code::Unavailable {
        problem = problem.retry_after(TRY_AGAIN_SECONDS);
    }
    let request_id = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let mut response = Response::new(B::from(problem.document(base_url, request_id).into()));
    *response.status_mut() = StatusCode::from_u16(code.status()).expect("the catalogue holds HTTP statuses");
    let told = response.headers_mut();
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    told.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    told.insert(CODE, HeaderValue::from_static(code.as_str()));
    if let Some(seconds) = problem.retry_after_seconds {
        told.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    tell_limits(told, &problem.rate_limits);
    for challenge in challenges(code, &needs.scopes) {
        let value = HeaderValue::from_str(&challenge).expect("a challenge is visible ASCII");
        told.append(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// Tells what is left of rate limits.
pub(crate) fn tell_limits(headers: &mut HeaderMap, limits: &[LimitState]) {
    if limits.is_empty() {
        return;
    }
    for (name, value) in limit_headers(limits, now()) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the gate stands in a platform's process, which hands in no clock"
)]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH + since
}
