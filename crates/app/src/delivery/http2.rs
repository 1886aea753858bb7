//! HTTP/2: one connection that many requests share, each on a stream of its own.
//!
//! It is spoken where a receiver chooses it in the TLS handshake. A connection never carries more requests than its
//! receiver takes at once, nor than [`STREAMS_MAX`]. What the receiver says it has not processed (a stream refused, a
//! connection going away) may be sent again; what it may have processed is never.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use http::header::CONTENT_LENGTH;
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, Response, Uri};
use tokio::time::Instant;

use super::connect::Stream;
use super::exchange::{ANSWER_BODY_BYTES_MAX, ANSWER_HEAD_BYTES_MAX, Failure, FailureCode};
use super::target::Target;

/// Most requests at once on one connection: what servers usually allow, and the most attempts that are lost with it.
pub const STREAMS_MAX: usize = 100;
/// How much of one answer a receiver may send ahead: twice what is kept of it.
const STREAM_WINDOW_BYTES: u32 = 2 * 16 * 1024;
/// How much of all answers on a connection: the least that HTTP/2 knows.
const CONNECTION_WINDOW_BYTES: u32 = 65_535;
/// Largest frame of an answer: the least that HTTP/2 knows.
const FRAME_BYTES_MAX: u32 = 16_384;
/// From how many bytes on h2 finds a head too large.
const HEAD_BYTES_TOO_MANY: u32 = 16 * 1024 + 1;
const _: () = assert!(HEAD_BYTES_TOO_MANY as usize == ANSWER_HEAD_BYTES_MAX + 1);
const _: () = assert!(STREAM_WINDOW_BYTES as usize == 2 * ANSWER_BODY_BYTES_MAX);
/// With room for so many more requests a connection needs no other beside it: as many as one webhook has under way at once,
/// unless it says otherwise.
const PLENTY: usize = 16;
/// Until the receiver has said how many requests it takes at once.
const STREAMS_AT_FIRST: usize = 1;

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<Bytes>,
    state: Mutex<State>,
}

struct State {
    /// Requests on it.
    streams: usize,
    /// Whether it takes no more of them.
    retired: bool,
    /// When an answer last began.
    heard: Instant,
    /// When the last request on it ended.
    idle_since: Instant,
}

impl Connection {
    /// Makes a connection of a stream.
    pub(super) async fn open(stream: Stream) -> Result<Arc<Connection>, Failure> {
        let (sender, driver) = Builder::new()
            .enable_push(false)
            .max_concurrent_streams(0)
            .initial_max_send_streams(STREAMS_AT_FIRST)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES_MAX)
            .max_header_list_size(HEAD_BYTES_TOO_MANY)
            .handshake::<_, Bytes>(stream)
            .await
            .map_err(|error| failure(&error))?;
        let now = Instant::now();
        let state = State { streams: 0, retired: false, heard: now, idle_since: now };
        let connection = Arc::new(Connection { sender, state: Mutex::new(state) });
        let alive = Arc::downgrade(&connection);
        tokio::spawn(async move {
            // What goes wrong on a connection is told to the requests that are on it.
            driver.await.ok();
            if let Some(connection) = alive.upgrade() {
                connection.retire();
            }
        });
        Ok(connection)
    }

    /// A place for one request, if there is one.
    pub(super) fn slot(self: &Arc<Self>) -> Option<Slot> {
        let room = self.sender.current_max_send_streams().min(STREAMS_MAX);
        let mut state = self.state();
        if state.retired || state.streams >= room {
            return None;
        }
        state.streams += 1;
        Some(Slot { connection: Arc::clone(self), since: Instant::now(), answered: false })
    }

    /// Whether it can be used again.
    pub(super) fn is_open(&self) -> bool {
        !self.state().retired
    }

    /// Whether it needs no other connection beside it.
    pub(super) fn has_plenty_of_room(&self) -> bool {
        let room = self.sender.current_max_send_streams().min(STREAMS_MAX);
        let state = self.state();
        !state.retired && state.streams + PLENTY <= room
    }

    /// Since when no request is on it.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.streams == 0).then_some(state.idle_since)
    }

    fn retire(&self) {
        self.state().retired = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place for one request on a connection, until it is dropped.
pub(super) struct Slot {
    connection: Arc<Connection>,
    since: Instant,
    answered: bool,
}

/// A request that had no answer.
pub(super) enum Unsent {
    /// The receiver has not processed it, by what it says itself.
    Unprocessed(Failure),
    /// It may have.
    Lost(Failure),
}

impl Slot {
    /// The connection that the place is on.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Sends a request and waits for the head of the answer.
    pub(super) async fn send(
        &mut self,
        target: &Target,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<RecvStream>, Unsent> {
        let request = request(target, headers, body.len()).map_err(Unsent::Lost)?;
        let sent = self.begin(request, body).await.map_err(|error| self.unsent(&error))?;
        match sent.await {
            Ok(response) => {
                self.answered = true;
                self.connection.state().heard = Instant::now();
                Ok(response)
            }
            Err(error) => Err(self.unsent(&error)),
        }
    }

    async fn begin(
        &self,
        request: Request<()>,
        body: Bytes,
    ) -> Result<h2::client::ResponseFuture, h2::Error> {
        let mut sender = self.connection.sender.clone().ready().await?;
        let (answer, mut upload) = sender.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            // It is kept in memory by the event anyhow; h2 sends of it what the receiver takes.
            upload.send_data(body, true)?;
        }
        Ok(answer)
    }

    fn unsent(&mut self, error: &h2::Error) -> Unsent {
        let (reset, away) = (error.is_reset() && error.is_remote(), error.is_go_away() && error.is_remote());
        self.answered |= reset;
        if away || error.is_io() || error.reason() == Some(Reason::REFUSED_STREAM) {
            self.connection.retire();
        }
        // A stream that a GOAWAY ends is one after the last that the receiver has looked at.
        if away || (reset && error.reason() == Some(Reason::REFUSED_STREAM)) {
            Unsent::Unprocessed(failure(error))
        } else {
            Unsent::Lost(failure(error))
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.connection.state();
        state.streams -= 1;
        state.idle_since = Instant::now();
        // Nothing came for as long as this request was waited for: the connection may be dead without having been closed.
        if !self.answered && state.heard <= self.since {
            state.retired = true;
        }
    }
}

fn request(target: &Target, headers: HeaderMap, bytes: usize) -> Result<Request<()>, Failure> {
    let uri = Uri::builder()
        .scheme(Scheme::HTTPS)
        .authority(target.host.as_bytes())
        .path_and_query(target.path.clone())
        .build()
        .map_err(|error| {
            Failure::new(FailureCode::Internal, format!("The URL does not fit into a request: {error}."))
        })?;
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request.headers_mut().insert(CONTENT_LENGTH, bytes.into());
    Ok(request)
}

/// What went wrong on a connection or a stream.
pub(super) fn failure(error: &h2::Error) -> Failure {
    let reason = error.reason();
    let why = reason.as_ref().map_or("", Reason::description);
    if error.is_library() {
        let sentence = format!(
            "The answer is not HTTP/2, or its headers are larger than {ANSWER_HEAD_BYTES_MAX} bytes: {why}."
        );
        return Failure::new(FailureCode::ProtocolError, sentence);
    }
    let sentence = if error.is_go_away() {
        format!("The receiver closed the connection before it looked at the request: {why}.")
    } else if error.is_reset() {
        format!("The receiver ended the request: {why}.")
    } else {
        format!("The connection was closed before the answer was complete: {error}.")
    };
    Failure::new(FailureCode::Reset, sentence)
}
