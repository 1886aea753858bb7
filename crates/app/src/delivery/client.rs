//! The client: one request over a kept or a new connection, within its time, the answer read up to its cap.
//!
//! It follows no redirect, decompresses nothing and keeps no cookie. Each shard of the engine has one, since a connection
//! is cheapest on the runtime that opened it. A request goes a second time only where none of it was sent, or where the
//! receiver says that it has not processed it.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use h2::RecvStream;
use http::response::Parts;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use super::connect::Connector;
use super::exchange::{
    ANSWER_BODY_BYTES_MAX, Answer, Exchange, Failure, FailureCode, Outbound, Timings, Transport,
};
use super::http2::{Connection, Slot};
use super::pool::{Line, Pool};
use super::target::{Endpoint, Target};
use super::{http1, http2};

/// How often a request is sent within one attempt, where its receiver says that it has not processed it: once more each
/// for a connection that was just closing and for a receiver that is restarting.
pub const SENDS_MAX: usize = 3;

/// Sends requests to strangers. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    connector: Connector,
    pool: Pool,
}

impl Client {
    /// A client without connections yet.
    pub fn new(connector: Connector) -> Client {
        Client { connector, pool: Pool::default() }
    }

    async fn attempt(&self, outbound: Outbound, exchange: &mut Exchange) -> Result<(), Failure> {
        let Outbound { target, mut headers, body, connect_timeout, .. } = outbound;
        let mut sends = 0;
        loop {
            let kept = self.pool.take(&target.endpoint).await;
            let was_kept = kept.is_some();
            let line = match kept {
                Some(line) => line,
                None => self.open(&target, connect_timeout, &mut exchange.timings).await?,
            };
            let sent = Instant::now();
            let answering = match line {
                Line::Http1(sender) => match http1::send(sender, &target, headers, body.clone()).await {
                    Ok((sender, response)) => {
                        let (head, body) = response.into_parts();
                        Answering { head, body: Body::Http1(body, sender) }
                    }
                    // It was closed before anything was sent: that says nothing about the endpoint.
                    Err(http1::Unsent::Whole(returned)) if was_kept => {
                        headers = returned;
                        continue;
                    }
                    Err(http1::Unsent::Whole(_)) => return Err(closed_early()),
                    Err(http1::Unsent::Lost(failure)) => return Err(failure),
                },
                Line::Http2(mut slot) => match slot.send(&target, headers.clone(), body.clone()).await {
                    Ok(response) => {
                        let (head, body) = response.into_parts();
                        Answering { head, body: Body::Http2(body, slot) }
                    }
                    Err(http2::Unsent::Unprocessed(failure)) => {
                        sends += 1;
                        if sends == SENDS_MAX {
                            return Err(failure);
                        }
                        continue;
                    }
                    Err(http2::Unsent::Lost(failure)) => return Err(failure),
                },
            };
            exchange.timings.first_byte = Some(sent.elapsed());
            return self.read(&target.endpoint, answering, &mut exchange.answer).await;
        }
    }

    async fn open(
        &self,
        target: &Target,
        within: std::time::Duration,
        timings: &mut Timings,
    ) -> Result<Line, Failure> {
        let stream = self.connector.connect(target, within, timings).await?;
        if !stream.speaks_http2() {
            return http1::open(stream).await.map(Line::Http1);
        }
        let connection = Connection::open(stream).await?;
        connection.slot().map(Line::Http2).ok_or_else(closed_early)
    }

    /// Reads the answer into `kept` as it comes, so that a time-out leaves what there was.
    async fn read(
        &self,
        endpoint: &Arc<Endpoint>,
        Answering { head, mut body }: Answering,
        kept: &mut Option<Answer>,
    ) -> Result<(), Failure> {
        let headers = head.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let answer = kept.insert(Answer {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: Vec::new(),
            truncated: false,
        });
        if let Body::Http2(_, slot) = &body {
            self.pool.share(endpoint, slot.connection());
        }
        while let Some(data) = body.next().await {
            let data = data?;
            let room = ANSWER_BODY_BYTES_MAX - answer.body.len();
            answer.body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                answer.truncated = true;
                // Of HTTP/2, dropping it ends the stream and nothing else.
                if let Body::Http1(body, sender) = body {
                    http1::drain(body, sender, &self.pool, endpoint);
                }
                return Ok(());
            }
        }
        if let Body::Http1(_, sender) = body {
            self.pool.keep(endpoint, sender);
        }
        Ok(())
    }
}

/// An answer whose head has arrived.
struct Answering {
    head: Parts,
    body: Body,
}

/// The body of an answer on its way, with what it comes by.
enum Body {
    Http1(Incoming, http1::Sender),
    Http2(RecvStream, Slot),
}

impl Body {
    /// The next piece of it.
    async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        match self {
            Body::Http1(body, _) => loop {
                match body.frame().await? {
                    Ok(frame) => {
                        // Otherwise they are trailers: nobody asked for them.
                        if let Ok(data) = frame.into_data() {
                            return Some(Ok(data));
                        }
                    }
                    Err(error) => return Some(Err(http1::failure(&error))),
                }
            },
            Body::Http2(body, _) => {
                let data = body.data().await?;
                if let Ok(data) = &data {
                    // An error means that the stream is over, which the next piece says.
                    body.flow_control().release_capacity(data.len()).ok();
                }
                Some(data.map_err(|error| http2::failure(&error)))
            }
        }
    }
}

impl Transport for Client {
    fn exchange(&self, request: Outbound) -> BoxFuture<'_, Exchange> {
        async move {
            let began = Instant::now();
            let within = request.timeout;
            let mut exchange = Exchange::default();
            exchange.failure = match timeout(within, self.attempt(request, &mut exchange)).await {
                Ok(done) => done.err(),
                Err(_) => Some(timed_out(within, &exchange)),
            };
            exchange.duration = began.elapsed();
            exchange
        }
        .boxed()
    }
}

fn closed_early() -> Failure {
    Failure::new(FailureCode::Reset, "The connection was closed before the request was sent.")
}

fn timed_out(within: std::time::Duration, exchange: &Exchange) -> Failure {
    let within = within.as_millis();
    match &exchange.answer {
        None => Failure::new(FailureCode::Timeout, format!("No answer within {within} ms.")),
        Some(answer) => {
            let status = answer.status;
            let sentence = format!("It answered {status}, but its body did not end within {within} ms.");
            Failure::new(FailureCode::BodyTimeout, sentence)
        }
    }
}
