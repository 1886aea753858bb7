//! Reading a request's body: no longer than its limit, no slower than its deadline, and with an answer in either case.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use keybell_core::{Code, Problem};

/// Longest body of a request, in bytes: an event's data (256 KiB) four times over, and far more than any form.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Longest body of a batch of events, in bytes: a thousand events of 16 KiB, or 64 of the largest.
pub const BATCH_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long a body may take to arrive. A batch over a line of 5 Mbit/s needs this long.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How much of a body that is too large is read and thrown away, in bytes, so that the client is done sending and reads
/// the answer instead of a connection reset.
const DISCARDED_BYTES_MAX: usize = 2 * BATCH_BODY_BYTES_MAX;

/// How long such a body is thrown away for.
const DISCARDING_TIMEOUT: Duration = Duration::from_secs(5);

/// Raises or lowers the limit of a route, as an extension of its requests (`axum::Extension` as a layer).
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

/// The limit of the route that the request took.
pub fn limit_of(parts: &Parts) -> usize {
    parts.extensions.get::<BodyLimit>().map_or(BODY_BYTES_MAX, |limit| limit.0)
}

/// The whole body, at most `max` bytes of it.
///
/// Too large is [`Code::TooLarge`], too slow [`Code::RequestTimeout`], broken off [`Code::Malformed`].
pub async fn read(headers: &HeaderMap, body: Body, max: usize) -> Result<Bytes, Problem> {
    // The inner future is polled first: a body that came with its headers never sets a timer.
    match tokio::time::timeout(BODY_TIMEOUT, gather(headers, body, max)).await {
        Ok(read) => read,
        Err(_) => Err(Code::RequestTimeout.into()),
    }
}

async fn gather(headers: &HeaderMap, mut body: Body, max: usize) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > max as u64 {
        // Who asks first whether to send (RFC 9110, section 10.1.1) has sent nothing yet, and need not.
        if !headers.contains_key(header::EXPECT) {
            discard(body).await;
        }
        return Err(too_large(max));
    }
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let broken = |_| Problem::new(Code::Malformed, "The body ended too early.");
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if gathered.len() + data.len() > max {
            discard(body).await;
            return Err(too_large(max));
        }
        if gathered.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        gathered.extend_from_slice(&data);
    }
    Ok(gathered.freeze())
}

fn too_large(max: usize) -> Problem {
    Problem::new(Code::TooLarge, format!("The body is larger than {max} bytes, which is the limit here."))
}

async fn discard(mut body: Body) {
    let reading = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > DISCARDED_BYTES_MAX {
                break;
            }
        }
    };
    // Either way the answer is the same; only whether the client will read it differs.
    let _ = tokio::time::timeout(DISCARDING_TIMEOUT, reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn code_of(body: Body, max: usize) -> Result<usize, Code> {
        read(&HeaderMap::new(), body, max).await.map(|bytes| bytes.len()).map_err(|problem| problem.code)
    }

    #[tokio::test]
    async fn a_body_is_read_at_its_limit_and_refused_one_past_it() {
        assert_eq!(code_of(Body::from(vec![b' '; 8]), 8).await, Ok(8));
        assert_eq!(code_of(Body::from(vec![b' '; 9]), 8).await, Err(Code::TooLarge));
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_counted_as_it_comes() {
        let chunks =
            |count: usize| {
                let chunk = Ok::<_, std::io::Error>(Bytes::from_static(b"1234"));
                Body::from_stream(futures_util::stream::iter((0..count).map(move |_| {
                    chunk.as_ref().map(Bytes::clone).map_err(|_| std::io::Error::other("never"))
                })))
            };
        assert_eq!(code_of(chunks(2), 8).await, Ok(8));
        assert_eq!(code_of(chunks(3), 8).await, Err(Code::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let hanging = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(code_of(hanging, 8).await, Err(Code::RequestTimeout));
    }
}
