//! One attempt as values: what is sent, what came back, and the trait between the engine and the network.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::HeaderMap;

use super::target::Target;

/// Most bytes of an answer's body that are read and kept: enough to see what went wrong, and no more, since whoever
/// answers is a stranger.
pub const ANSWER_BODY_BYTES_MAX: usize = 16 * 1024;
/// Most bytes of an answer's head.
pub const ANSWER_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Sends requests to endpoints. The engine has the real client, a test or a simulation may put a modelled network here.
pub trait Transport: Send + Sync + 'static {
    /// Sends one request and waits for what comes back, no longer than the request's time-out. It never fails: a failure
    /// is an exchange without an answer.
    fn exchange(&self, request: Outbound) -> BoxFuture<'_, Exchange>;
}

/// A request about to leave.
#[derive(Debug)]
pub struct Outbound {
    /// Where to.
    pub target: Target,
    /// All headers but `host` and `content-length`, which the transport adds.
    pub headers: HeaderMap,
    /// The body, as it was signed.
    pub body: Bytes,
    /// For the whole attempt.
    pub timeout: Duration,
    /// To resolve, connect and shake hands.
    pub connect_timeout: Duration,
}

/// What became of a request.
#[derive(Debug, Default)]
pub struct Exchange {
    /// How long it took in all.
    pub duration: Duration,
    /// How long its parts took.
    pub timings: Timings,
    /// The answer, as far as there was one.
    pub answer: Option<Answer>,
    /// What went wrong, if anything did. With an answer beside it, its body did not arrive.
    pub failure: Option<Failure>,
}

/// How long the parts of an exchange took. On a connection that was open already only the first byte was waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// To resolve the name.
    pub dns: Option<Duration>,
    /// To connect.
    pub connect: Option<Duration>,
    /// To shake hands.
    pub tls: Option<Duration>,
    /// From the request until the answer began.
    pub first_byte: Option<Duration>,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers in their order; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// Up to [`ANSWER_BODY_BYTES_MAX`] of the body.
    pub body: Vec<u8>,
    /// Whether there was more of it.
    pub truncated: bool,
}

impl Answer {
    /// The first value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why no answer came, or not the whole of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub code: FailureCode,
    /// The same as a sentence for the delivery log.
    pub sentence: String,
}

impl Failure {
    /// A failure.
    pub fn new(code: FailureCode, sentence: impl Into<String>) -> Self {
        Failure { code, sentence: sentence.into() }
    }
}

/// The kinds of failures. Their words are stable: they stand in the API as `error_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The name could not be resolved.
    DnsFailed,
    /// The target may not be called: every address of it is refused, or its URL is.
    TargetRefused,
    /// The connection was refused.
    ConnectRefused,
    /// The connection failed in another way, such as no route.
    ConnectFailed,
    /// No connection within the time for it.
    ConnectTimeout,
    /// The TLS handshake failed.
    TlsFailed,
    /// No answer within the time for the whole attempt.
    Timeout,
    /// The answer began, but did not end within the time for the whole attempt.
    BodyTimeout,
    /// The connection was closed before the answer was complete.
    Reset,
    /// What came back is not HTTP, or has too large a head.
    ProtocolError,
    /// A fault of ours.
    Internal,
}

impl FailureCode {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            FailureCode::DnsFailed => "dns_failed",
            FailureCode::TargetRefused => "target_refused",
            FailureCode::ConnectRefused => "connect_refused",
            FailureCode::ConnectFailed => "connect_failed",
            FailureCode::ConnectTimeout => "connect_timeout",
            FailureCode::TlsFailed => "tls_failed",
            FailureCode::Timeout => "timeout",
            FailureCode::BodyTimeout => "body_timeout",
            FailureCode::Reset => "reset",
            FailureCode::ProtocolError => "protocol_error",
            FailureCode::Internal => "internal_error",
        }
    }
}
