//! HTTP/1.1: one request at a time on a connection, and what is left of an answer after it was read up to its cap.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::connect::Stream;
use super::exchange::{ANSWER_HEAD_BYTES_MAX, Failure, FailureCode};
use super::pool::Pool;
use super::target::{Endpoint, Target};

/// Read buffer of a connection, at most: room for the largest head, and little enough for thousands of connections.
const BUFFER_BYTES_MAX: usize = 2 * ANSWER_HEAD_BYTES_MAX;
/// Most headers of an answer: hyper's own limit, within which it needs no memory for each.
pub const ANSWER_HEADERS_MAX: usize = 100;
/// Most bytes of an answer that are read after those that are kept, so that the connection can be used again: reading them
/// costs less than another handshake.
pub const DRAINED_BYTES_MAX: u64 = 64 * 1024;
/// How long they may take.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The sending half of an open connection.
pub(super) type Sender = http1::SendRequest<Full<Bytes>>;

/// A request that had no answer.
pub(super) enum Unsent {
    /// Nothing of it left: here are its headers again.
    Whole(HeaderMap),
    /// Some of it may have left.
    Lost(Failure),
}

/// Makes a connection of a stream.
pub(super) async fn open(stream: Stream) -> Result<Sender, Failure> {
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(BUFFER_BYTES_MAX)
        .max_header_size(ANSWER_HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failure(&error))?;
    tokio::spawn(async move {
        // What goes wrong on a connection is told to the request that is on it.
        connection.await.ok();
    });
    Ok(sender)
}

/// Sends a request and waits for the head of the answer.
pub(super) async fn send(
    mut sender: Sender,
    target: &Target,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(Sender, Response<Incoming>), Unsent> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.path.clone().into();
    *request.headers_mut() = headers;
    request.headers_mut().insert(HOST, target.host.clone());
    match sender.try_send_request(request).await {
        Ok(response) => Ok((sender, response)),
        Err(mut error) => match error.take_message() {
            Some(request) => {
                let mut headers = request.into_parts().0.headers;
                headers.remove(HOST);
                Err(Unsent::Whole(headers))
            }
            None => Err(Unsent::Lost(failure(error.error()))),
        },
    }
}

/// Reads what is left of an answer, where that is known to be little, and keeps the connection. Nobody waits for it.
pub(super) fn drain(mut body: Incoming, sender: Sender, pool: &Pool, endpoint: &Arc<Endpoint>) {
    // Without a length it may be endless, and dropping the connection is cheap.
    if body.size_hint().exact().is_none_or(|left| left > DRAINED_BYTES_MAX) {
        return;
    }
    let (pool, endpoint) = (pool.clone(), Arc::clone(endpoint));
    tokio::spawn(timeout(DRAIN_TIME, async move {
        while let Some(frame) = body.frame().await {
            if frame.is_err() {
                return;
            }
        }
        pool.keep(&endpoint, sender);
    }));
}

/// What went wrong on a connection.
pub(super) fn failure(error: &hyper::Error) -> Failure {
    if error.is_parse_too_large() {
        let sentence = format!(
            "The answer's headers are more than {ANSWER_HEADERS_MAX} or larger than {ANSWER_HEAD_BYTES_MAX} bytes."
        );
        return Failure::new(FailureCode::ProtocolError, sentence);
    }
    if error.is_parse() {
        return Failure::new(FailureCode::ProtocolError, format!("The answer is not HTTP/1.1: {error}."));
    }
    let cause = std::error::Error::source(error);
    let io = cause.and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    // So hyper says that the lengths in a chunked body are none.
    if matches!(io, Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)) {
        return Failure::new(
            FailureCode::ProtocolError,
            format!("The answer's body is not HTTP/1.1{cause}."),
        );
    }
    let sentence = format!("The connection was closed before the answer was complete{cause}.");
    Failure::new(FailureCode::Reset, sentence)
}
