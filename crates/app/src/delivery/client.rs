//! The client: one request over a kept or a new connection, within its time, the answer read up to its cap.
//!
//! It follows no redirect, decompresses nothing and keeps no cookie. Each shard of the engine has one, since a connection
//! is cheapest on the runtime that opened it.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::HOST;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout};

use super::connect::Connector;
use super::exchange::{
    ANSWER_BODY_BYTES_MAX, ANSWER_HEAD_BYTES_MAX, Answer, Exchange, Failure, FailureCode, Outbound, Timings,
    Transport,
};
use super::pool::{Pool, Sender};
use super::target::Target;

/// Read buffer of a connection, at most: room for the largest head, and little enough for thousands of connections.
const BUFFER_BYTES_MAX: usize = 2 * ANSWER_HEAD_BYTES_MAX;

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
        let Outbound { target, headers, body, connect_timeout, .. } = outbound;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.path.clone().into();
        *request.headers_mut() = headers;
        request.headers_mut().insert(HOST, target.host.clone());

        if let Some(sender) = self.pool.take(&target.endpoint).await {
            match send(sender, request, &mut exchange.timings).await {
                Ok(answered) => return self.read(&target, answered, exchange).await,
                // It was closed before anything was sent: that says nothing about the endpoint.
                Err(Unsent::Whole(returned)) => request = *returned,
                Err(Unsent::Lost(failure)) => return Err(failure),
            }
        }
        let sender = self.open(&target, connect_timeout, &mut exchange.timings).await?;
        match send(sender, request, &mut exchange.timings).await {
            Ok(answered) => self.read(&target, answered, exchange).await,
            Err(Unsent::Lost(failure)) => Err(failure),
            Err(Unsent::Whole(_)) => Err(closed_early()),
        }
    }

    async fn open(
        &self,
        target: &Target,
        within: std::time::Duration,
        timings: &mut Timings,
    ) -> Result<Sender, Failure> {
        let stream = self.connector.connect(target, within, timings).await?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER_BYTES_MAX)
            .max_header_size(ANSWER_HEAD_BYTES_MAX)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| from_hyper(&error))?;
        tokio::spawn(async move {
            // What goes wrong on a connection is told to the request that is on it.
            connection.await.ok();
        });
        Ok(sender)
    }

    /// Reads the answer into `exchange` as it comes, so that a time-out leaves what there was.
    async fn read(
        &self,
        target: &Target,
        (sender, response): (Sender, Response<Incoming>),
        exchange: &mut Exchange,
    ) -> Result<(), Failure> {
        let (head, mut body) = response.into_parts();
        let headers = head.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let answer = exchange.answer.insert(Answer {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: Vec::new(),
            truncated: false,
        });
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| from_hyper(&error))?;
            let Some(data) = frame.data_ref() else { continue };
            let room = ANSWER_BODY_BYTES_MAX - answer.body.len();
            answer.body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                // Dropping the connection is cheaper than reading what nobody will look at.
                answer.truncated = true;
                return Ok(());
            }
        }
        self.pool.put(&target.endpoint, sender);
        Ok(())
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

/// A request that had no answer.
enum Unsent {
    /// Nothing of it left: it can be sent again.
    Whole(Box<Request<Full<Bytes>>>),
    /// Some of it may have left.
    Lost(Failure),
}

async fn send(
    mut sender: Sender,
    request: Request<Full<Bytes>>,
    timings: &mut Timings,
) -> Result<(Sender, Response<Incoming>), Unsent> {
    let sent = Instant::now();
    match sender.try_send_request(request).await {
        Ok(response) => {
            timings.first_byte = Some(sent.elapsed());
            Ok((sender, response))
        }
        Err(mut error) => match error.take_message() {
            Some(request) => Err(Unsent::Whole(Box::new(request))),
            None => Err(Unsent::Lost(from_hyper(error.error()))),
        },
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

fn from_hyper(error: &hyper::Error) -> Failure {
    if error.is_parse_too_large() {
        let sentence = format!("The answer's headers are larger than {ANSWER_HEAD_BYTES_MAX} bytes.");
        return Failure::new(FailureCode::ProtocolError, sentence);
    }
    if error.is_parse() {
        return Failure::new(FailureCode::ProtocolError, format!("The answer is not HTTP/1.1: {error}."));
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Failure::new(
        FailureCode::Reset,
        format!("The connection was closed before the answer was complete{cause}."),
    )
}
