//! What a receiver answers: the words a test says it in, and the body as it goes out.

use std::convert::Infallible;
use std::io;
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::lock;

/// What the receiver does with a request.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) after: Duration,
    ending: Ending,
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The body at once.
    Whole,
    /// The body, a byte at a time.
    Trickle(Duration),
    /// A body without end.
    Endless,
    /// No answer, and the connection stays open.
    Hang,
    /// No answer, and the connection is reset.
    Reset,
}

impl Reply {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Reply {
            after: Duration::ZERO,
            ending: Ending::Whole,
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Never answers; the connection stays open until the other side gives up.
    pub fn hang() -> Self {
        Reply { ending: Ending::Hang, ..Reply::status(200) }
    }

    /// Resets the connection instead of answering.
    pub fn reset() -> Self {
        Reply { ending: Ending::Reset, ..Reply::status(200) }
    }

    /// Answers 200 and sends a body for as long as somebody reads it.
    pub fn endless_body() -> Self {
        Reply { ending: Ending::Endless, ..Reply::status(200) }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the body a byte at a time, `every` so often.
    #[must_use]
    pub fn trickling(mut self, every: Duration) -> Self {
        self.ending = Ending::Trickle(every);
        self
    }

    /// Waits before it does anything.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.after = delay;
        self
    }
}

/// The answer; an error closes the connection without one.
pub(super) async fn answer(reply: Reply, twin: &Mutex<Option<TcpStream>>) -> io::Result<Response<ReplyBody>> {
    let body = match reply.ending {
        Ending::Whole => ReplyBody::Whole(Some(reply.body)),
        Ending::Trickle(every) => {
            ReplyBody::Trickle { left: reply.body, every, timer: Box::pin(sleep(every)) }
        }
        Ending::Endless => ReplyBody::Endless,
        Ending::Hang => return std::future::pending().await,
        Ending::Reset => {
            if let Some(socket) = lock(twin).take() {
                // Closing with a linger of zero is what sends a reset.
                rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
            }
            return Err(io::Error::other("the test asked for a reset"));
        }
    };
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(body).map_err(io::Error::other)
}

/// A body on its way out.
pub(super) enum ReplyBody {
    Whole(Option<Bytes>),
    Trickle { left: Bytes, every: Duration, timer: Pin<Box<Sleep>> },
    Endless,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut *self {
            ReplyBody::Whole(body) => body.take().filter(|body| !body.is_empty()),
            ReplyBody::Endless => Some(Bytes::from_static(&[b'x'; 4_096])),
            ReplyBody::Trickle { left, .. } if left.is_empty() => None,
            ReplyBody::Trickle { left, every, timer } => {
                std::task::ready!(timer.as_mut().poll(context));
                timer.set(sleep(*every));
                Some(left.split_to(1))
            }
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Whole(body) => body.as_ref().is_none_or(Bytes::is_empty),
            ReplyBody::Trickle { left, .. } => left.is_empty(),
            ReplyBody::Endless => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            ReplyBody::Trickle { .. } | ReplyBody::Endless => SizeHint::default(),
        }
    }
}
