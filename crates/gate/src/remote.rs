//! Keys checked over HTTP, by `POST /v1/api-keys/verify` with an operator key.

mod pool;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use keybell_core::Code;
use keybell_core::key::gcra::Left;
use keybell_core::key::{Environment, LimitState, RateLimit, Refused};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use url::Url;

use crate::verified::Told;
use crate::verifier::Question;
use crate::{Denied, Unreachable, Verified, Verifier};
use pool::Pool;

/// For the whole of a question, connecting and waiting for a turn included. An answer takes a fraction of a millisecond;
/// a client should not wait longer for a refusal than for most answers.
const DEADLINE_DEFAULT: Duration = Duration::from_secs(2);

/// Most questions under way at once. More wait for their turn, within the deadline.
const IN_FLIGHT_MAX: usize = 256;

/// Most bytes of an answer: a key with all the scopes and metadata that it can have is a tenth of this.
const ANSWER_BYTES_MAX: usize = 128 * 1024;

/// Asks a Keybell over HTTP, on connections that are kept open.
#[derive(Clone)]
pub struct RemoteVerifier {
    shared: Arc<Shared>,
    deadline: Duration,
}

struct Shared {
    base_url: String,
    target: Uri,
    host: HeaderValue,
    authorization: HeaderValue,
    pool: Pool,
    in_flight: Semaphore,
}

/// Why a remote Keybell cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRemote {
    /// The address is not `http://` and a host.
    #[error(
        "Keybell's address must be http:// and a host, such as http://127.0.0.1:8080; \
         for another machine use a private network or a proxy that speaks TLS"
    )]
    Address,
    /// The operator key cannot be sent in a header.
    #[error("the operator key has characters that no key has")]
    OperatorKey,
}

impl RemoteVerifier {
    /// Asks the Keybell at `base_url` (`http://` and where it listens), as the operator key `operator_key` may. Nothing
    /// is connected yet.
    pub fn new(base_url: &str, operator_key: &str) -> Result<RemoteVerifier, BadRemote> {
        let url = Url::parse(base_url).map_err(|_| BadRemote::Address)?;
        let host = url.host_str().ok_or(BadRemote::Address)?;
        let plain = url.scheme() == "http" && url.username().is_empty() && url.query().is_none();
        if !plain || url.password().is_some() || url.fragment().is_some() {
            return Err(BadRemote::Address);
        }
        let port = url.port_or_known_default().ok_or(BadRemote::Address)?;
        let authority: Authority = format!("{host}:{port}").parse().map_err(|_| BadRemote::Address)?;
        let path = format!("{}/v1/api-keys/verify", url.path().trim_end_matches('/'));
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {operator_key}")).map_err(|_| BadRemote::OperatorKey)?;
        authorization.set_sensitive(true);
        let shared = Shared {
            base_url: url.as_str().trim_end_matches('/').to_owned(),
            target: path.parse().map_err(|_| BadRemote::Address)?,
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| BadRemote::Address)?,
            authorization,
            pool: Pool::new(host.trim_matches(['[', ']']).to_owned(), port),
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
        };
        Ok(RemoteVerifier { shared: Arc::new(shared), deadline: DEADLINE_DEFAULT })
    }

    /// The same with another time for the whole of a question; two seconds where none is set.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> RemoteVerifier {
        RemoteVerifier { deadline, ..self }
    }

    async fn ask(&self, question: Bytes) -> Result<Verdict, Unreachable> {
        let shared = &*self.shared;
        let _turn = shared.in_flight.acquire().await.expect("the semaphore is never closed");
        let mut request = Request::new(Full::new(question));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = shared.target.clone();
        let headers = request.headers_mut();
        headers.insert(header::HOST, shared.host.clone());
        headers.insert(header::AUTHORIZATION, shared.authorization.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));

        let (response, connection) = shared.pool.send(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Unreachable::because("reading the answer", error))?.to_bytes();
        // Only now is the connection free for the next question.
        shared.pool.put_back(connection);
        if status != StatusCode::OK {
            let said = format!("it answered {status}");
            return Err(match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    Unreachable::because("the operator key is not accepted", said)
                }
                _ => Unreachable::because("the question was not answered", said),
            });
        }
        serde_json::from_slice(&body).map_err(|error| Unreachable::because("understanding the answer", error))
    }
}

impl Verifier for RemoteVerifier {
    async fn verify(&self, question: Question<'_>) -> Result<Verified, Denied> {
        let Question { secret_key, needs, source, method } = question;
        let question = Asked {
            secret_key,
            required_scopes: &needs.scopes,
            environment: needs.environment,
            source_address: source,
            method,
        };
        let question = serde_json::to_vec(&question).expect("texts are always JSON");
        let asked = tokio::time::timeout(self.deadline, self.ask(question.into())).await;
        let verdict = asked.unwrap_or_else(|_| Err(Unreachable::at("the deadline is over")));
        let Verdict { valid, code, key, rate_limits, retry_after_seconds } =
            verdict.map_err(Denied::Unreachable)?;
        let rate_limits = rate_limits.into_iter().map(LimitState::from).collect();
        match key {
            Some(key) if valid => Ok(Verified::told(key, rate_limits)),
            _ => {
                // A code that only a newer Keybell knows is a refusal all the same.
                let known = Code::ALL.iter().find(|known| known.as_str() == code);
                let code = known.copied().unwrap_or(Code::InvalidKey);
                Err(Denied::Refused(Refused { code, rate_limits, retry_after_seconds }))
            }
        }
    }

    fn base_url(&self) -> &str {
        &self.shared.base_url
    }
}

#[derive(Serialize)]
struct Asked<'a> {
    secret_key: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    required_scopes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Environment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_address: Option<IpAddr>,
    method: &'a str,
}

#[derive(Deserialize)]
struct Verdict {
    valid: bool,
    code: String,
    key: Option<Told>,
    #[serde(default)]
    rate_limits: Vec<LimitLeft>,
    retry_after_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct LimitLeft {
    name: String,
    limit: u64,
    window_seconds: u64,
    remaining: u64,
    reset_seconds: u64,
}

impl From<LimitLeft> for LimitState {
    fn from(LimitLeft { name, limit, window_seconds, remaining, reset_seconds }: LimitLeft) -> Self {
        let limit = Arc::new(RateLimit { name, limit, window_seconds });
        LimitState { limit, left: Left { remaining, reset_seconds } }
    }
}
