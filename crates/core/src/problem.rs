//! The catalogue of problems: everything that Keybell answers when it does not do what was asked.
//!
//! A problem is what RFC 9457 calls a problem details object. Its `code` is stable; clients branch on it. The catalogue is
//! closed: tests walk [`Code::ALL`], and each code has a page under `/problems/`.

use std::error::Error;
use std::fmt;

use serde::Serialize;

use crate::grant::Forbidden;
use crate::key::LimitState;

macro_rules! codes {
    ($($name:ident $code:literal $status:literal $title:literal $help:literal;)*) => {
        /// The stable code of a problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code),* }
            }

            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status),* }
            }

            /// What went wrong, in a few words that are the same each time.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $title),* }
            }

            /// What to do about it: the text of its page, and the detail where nothing more precise is known.
            pub const fn help(self) -> &'static str {
                match self { $(Code::$name => $help),* }
            }
        }
    };
}

codes! {
    Malformed "malformed_request" 400 "The request could not be read"
        "Send a well-formed request: valid JSON in UTF-8, with the members the documentation names.";
    ConflictingCredentials "conflicting_credentials" 400 "Two different credentials in one request"
        "Send one credential: Authorization, or X-API-Key, not both with different keys.";
    InvalidAuthorization "invalid_authorization" 400 "The Authorization header could not be read"
        "Send `Authorization: Bearer <secret key>`, or Basic with the public identifier as user and the secret key as password.";
    MissingCredential "missing_credential" 401 "No credential was sent"
        "Send the secret key as `Authorization: Bearer <secret key>`.";
    InvalidKey "invalid_key" 401 "The key is not valid"
        "Check that the whole secret key was copied. If it is lost, create or rotate a key on the Developer page.";
    KeyRevoked "key_revoked" 401 "The key was revoked"
        "A revoked key stays revoked. Create a new one on the Developer page.";
    KeyDisabled "key_disabled" 401 "The key is disabled"
        "Somebody switched this key off. It can be enabled again on the Developer page.";
    KeyExpired "key_expired" 401 "The key has expired"
        "Create a new key, or change the expiry of this one, on the Developer page.";
    SecretRotatedOut "secret_rotated_out" 401 "This secret was rotated out"
        "The key was rotated and the overlap is over: use the new secret key.";
    Forbidden "forbidden" 403 "Not allowed"
        "This credential may not do that. Ask an owner or admin of the workspace.";
    InsufficientScope "insufficient_scope" 403 "The key lacks a scope"
        "Give the key the scopes that this call needs, on the Developer page.";
    SourceNotAllowed "source_not_allowed" 403 "The key may not be used from this address"
        "Call from one of the key's allowed networks, or change them on the Developer page.";
    WrongEnvironment "wrong_environment" 403 "The key belongs to another environment"
        "Use a key of the environment that is asked for: live or test.";
    SecretKeyInBrowser "secret_key_in_browser" 403 "A secret key was sent from a browser"
        "Whoever opens the page can read the key: rotate it now, and call from a server of yours instead.";
    CrossSite "cross_site_request" 403 "The form came from another site"
        "Open the page again and send the form from there.";
    NotFound "not_found" 404 "Not found"
        "There is nothing here that this credential can see. Check the id and the workspace.";
    MethodNotAllowed "method_not_allowed" 405 "The method is not allowed here"
        "See the Allow header for the methods of this address.";
    RequestTimeout "request_timeout" 408 "The request took too long to arrive"
        "Send the whole body at once; if the line is slow, send less at a time.";
    Conflict "conflict" 409 "It conflicts with what is there"
        "Something with that name or id is there already.";
    IdempotencyMismatch "idempotency_mismatch" 409 "The idempotency key was used for another request"
        "Use a new Idempotency-Key for a new request; repeat the same request for a retry.";
    IdempotencyInProgress "idempotency_in_progress" 409 "A request with this idempotency key is under way"
        "Wait until the first request is answered, then send this one again.";
    DeliveryPending "delivery_pending" 409 "An attempt of this delivery is due already"
        "Wait for the next attempt; its time is in next_attempt_at.";
    TooLarge "payload_too_large" 413 "The request is too large"
        "Send less: the documentation names the limit.";
    UnsupportedMediaType "unsupported_media_type" 415 "The content type is not supported"
        "Send `Content-Type: application/json`.";
    Validation "validation_failed" 422 "Some of the values are not valid"
        "See errors: each names a field and what it must be.";
    UnknownEventType "unknown_event_type" 422 "The event type is not in the catalogue"
        "Declare the event type first with POST /v1/event-types.";
    SchemaMismatch "schema_mismatch" 422 "The data does not fit the event type's schema"
        "See errors: each names a place in data and what the schema asks there.";
    RateLimited "rate_limited" 429 "Too many requests"
        "Wait as long as Retry-After says.";
    Internal "internal_error" 500 "Something went wrong on our side"
        "Try again; if it stays, give the request id to whoever runs this installation.";
    Unavailable "unavailable" 503 "Not available at the moment"
        "Try again as soon as Retry-After says.";
}

/// One field that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field as the request names it, with dots and indices for what is inside: `headers[0].name`.
    pub field: String,
    /// A stable word for what is wrong, such as `required`, `too_long` or `not_allowed`.
    pub code: &'static str,
    /// What it must be, for a person.
    pub message: String,
}

impl FieldError {
    /// What is wrong with `field`: a stable word and a sentence for a person.
    pub fn new(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        FieldError { field: field.into(), code, message: message.into() }
    }
}

/// Why something was not done, ready to be told to whoever asked.
///
/// It prints its detail. Where a fault of ours is behind it, [`Error::source`] has it for the log, and the detail says
/// nothing of it.
#[derive(Debug)]
pub struct Problem {
    /// Which problem of the catalogue.
    pub code: Code,
    /// What happened this time, and what to do.
    pub detail: String,
    /// The fields that are not valid, where that is the problem.
    pub errors: Vec<FieldError>,
    /// Seconds to wait before trying again, where waiting helps.
    pub retry_after_seconds: Option<u64>,
    /// The rate limits of the key that was used, where it was more than one of them allows.
    pub rate_limits: Vec<LimitState>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem with a detail of its own.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Problem {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after_seconds: None,
            rate_limits: Vec::new(),
            source: None,
        }
    }

    /// Fields that are not valid. `errors` is not empty.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        Problem { errors, ..Problem::from(Code::Validation) }
    }

    /// One field that is not valid.
    pub fn field(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Problem::invalid(vec![FieldError::new(field, code, message)])
    }

    /// A fault of ours. The source goes to the log and never to the client.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Problem { source: Some(source.into()), ..Problem::from(Code::Internal) }
    }

    /// Something we depend on does not answer; trying again helps.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Problem {
            source: Some(source.into()),
            retry_after_seconds: Some(1),
            ..Problem::from(Code::Unavailable)
        }
    }

    /// The document of RFC 9457 that tells it. `base` is the public URL without a slash at its end; without a request id,
    /// the document has none.
    pub fn document(&self, base: &str, request_id: Option<&str>) -> Vec<u8> {
        let document = Document {
            r#type: format!("{base}/problems/{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            code: self.code.as_str(),
            request_id,
            errors: &self.errors,
        };
        serde_json::to_vec(&document).expect("texts and numbers are always JSON")
    }

    /// The same problem with a time to wait.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Problem { retry_after_seconds: Some(seconds), ..self }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Problem::new(code, code.help())
    }
}

impl From<Forbidden> for Problem {
    fn from(forbidden: Forbidden) -> Self {
        match forbidden {
            Forbidden::Stranger => Problem::from(Code::NotFound),
            Forbidden::NotAllowed { missing_scope: None } => Problem::from(Code::Forbidden),
            Forbidden::NotAllowed { missing_scope: Some(scope) } => Problem::new(
                Code::InsufficientScope,
                format!("The key needs the scope {scope} for this call."),
            ),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_unique_snake_case_and_says_what_to_do() {
        for (index, code) in Code::ALL.iter().enumerate() {
            let word = code.as_str();
            assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{word}");
            assert!(!Code::ALL[..index].iter().any(|other| other.as_str() == word), "{word} twice");
            assert!((400..=503).contains(&code.status()) && code.help().ends_with('.'), "{word}");
        }
    }

    #[test]
    fn a_fault_of_ours_shows_nothing_of_its_source() {
        let problem = Problem::internal("password=hunter2");
        assert!(!problem.to_string().contains("hunter2"));
        assert!(problem.source().is_some_and(|source| source.to_string().contains("hunter2")));
    }
}
