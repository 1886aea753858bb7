//! The id that each answer bears in `x-request-id`, and each log line and audit entry about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use keybell_core::Randomness;

use crate::problem::Failed;

/// The header that bears it, in requests and in answers.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken from a request: room for a UUID and a prefix, too little to fill a log with, and one less than the
/// shortest secret key of ours has, so that none that is sent here by mistake is repeated or logged.
pub const REQUEST_ID_CHARS_MAX: usize = 56;

/// The id of one request: at most [`REQUEST_ID_CHARS_MAX`] of `[A-Za-z0-9_-]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as audit entries keep it.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The id that the request came with, if it is one.
    pub fn of_headers(headers: &HeaderMap) -> Option<RequestId> {
        let text = headers.get(X_REQUEST_ID)?.to_str().ok()?;
        let fits = (1..=REQUEST_ID_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        fits.then(|| RequestId::from(text))
    }

    /// The id as a header's value.
    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("an id has only letters, digits, _ and -")
    }
}

impl From<&str> for RequestId {
    fn from(text: &str) -> Self {
        RequestId(text.into())
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        Ok(RequestId::of_parts(parts))
    }
}

impl RequestId {
    /// The id that the envelope gave to the request.
    pub(crate) fn of_parts(parts: &Parts) -> RequestId {
        parts.extensions.get::<RequestId>().cloned().expect("the envelope gives every request its id")
    }
}

/// The bits of a request's number, twelve digits of it: more than a server answers in a century.
const NUMBER_BITS: u128 = (1 << 48) - 1;

/// Makes the ids of requests that come without one. They need to be distinct, not secret: a random beginning and a
/// number cost no system call per request.
#[derive(Debug)]
pub(crate) struct RequestIds {
    beginning: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(randomness: &dyn Randomness) -> Self {
        RequestIds { beginning: randomness.dice(), next: AtomicU64::new(1) }
    }

    pub(crate) fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut text = *b"req_0000000000000000000000000000";
        // Written by hand, since it is made for every request.
        let mut digits = u128::from(self.beginning) << 48 | u128::from(number) & NUMBER_BITS;
        for place in text[4..].iter_mut().rev() {
            *place = b"0123456789abcdef"[(digits & 15) as usize];
            digits >>= 4;
        }
        RequestId(std::str::from_utf8(&text).expect("digits are ASCII").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_str(text).expect("a header value"));
        RequestId::of_headers(&headers).is_some()
    }

    #[test]
    fn an_incoming_id_is_taken_up_to_its_limit_and_in_its_alphabet() {
        assert!(taken(&"a".repeat(REQUEST_ID_CHARS_MAX)));
        assert!(!taken(&"a".repeat(REQUEST_ID_CHARS_MAX + 1)));
        assert!(
            !taken("kb_op_000000000000_00000000000000000000000000000000000000"),
            "the shortest secret key"
        );
        assert!(taken("018f-AZ_09") && !taken("") && !taken("a b") && !taken("a\"b"));
    }

    #[test]
    fn ids_are_distinct_and_of_one_length() {
        struct Fixed;
        impl Randomness for Fixed {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(0xab);
            }
        }
        let ids = RequestIds::new(&Fixed);
        assert_eq!(ids.next().as_str(), "req_abababababababab000000000001");
        assert_eq!(ids.next().as_str(), "req_abababababababab000000000002");
        assert!(taken(ids.next().as_str()));
    }
}
