//! A client of Keybell's API: all that a platform's backend needs of it, with its operator key.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde_json::Value;

/// Past this the answer is taken for lost.
const TIMEOUT: Duration = Duration::from_secs(10);
/// More than any answer that is asked for here.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Keybell's API, with the platform's operator key. It has no `Debug`, since it holds the key.
#[derive(Clone)]
pub struct Keybell {
    http: Client<HttpConnector, Full<Bytes>>,
    url: String,
    operator_key: String,
}

/// What Keybell answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, `null` where there is none.
    pub body: Value,
}

/// Why there is no answer that counts.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It is not there, or not quick enough: try again.
    #[error("Keybell does not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It refused, and will again.
    #[error("Keybell refused {what} with {status}: {detail}")]
    Refused {
        /// What was asked.
        what: String,
        /// The status.
        status: StatusCode,
        /// What it said.
        detail: String,
    },
}

impl Answer {
    fn is_to_be_tried_again(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS
    }
}

impl Keybell {
    /// The Keybell at `url`, such as `http://127.0.0.1:8080`.
    pub fn new(url: impl Into<String>, operator_key: impl Into<String>) -> Keybell {
        let http = Client::builder(TokioExecutor::new()).build_http();
        Keybell { http, url: url.into().trim_end_matches('/').to_owned(), operator_key: operator_key.into() }
    }

    /// Posts to the API. The answer is one of the statuses 2xx, or the 409 of something that is there already.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, CallError> {
        let body = serde_json::to_vec(body).expect("what is asked for has texts as its keys");
        let call = async {
            let request = Request::builder()
                .method(Method::POST)
                .uri(format!("{}{path}", self.url))
                .header(header::AUTHORIZATION, format!("Bearer {}", self.operator_key))
                .header(header::CONTENT_TYPE, "application/json")
                .body(Full::from(body))?;
            let (head, body) = self.http.request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes();
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            Ok(Answer { status: head.status, body })
        };
        let answer = match tokio::time::timeout(TIMEOUT, call).await {
            Ok(answer) => answer.map_err(CallError::Unreachable)?,
            Err(late) => return Err(CallError::Unreachable(late.into())),
        };
        if answer.is_to_be_tried_again() {
            return Err(CallError::Unreachable(format!("it answers {}", answer.status).into()));
        }
        if answer.status.is_success() || answer.status == StatusCode::CONFLICT {
            return Ok(answer);
        }
        let detail = answer.body["detail"].as_str().unwrap_or("no detail").to_owned();
        Err(CallError::Refused { what: format!("POST {path}"), status: answer.status, detail })
    }
}
