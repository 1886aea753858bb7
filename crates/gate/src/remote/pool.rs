//! Connections to one Keybell, kept open and used one question at a time.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::Unreachable;

/// Most connections that are kept while nobody asks.
const IDLE_MAX: usize = 64;

pub(super) type Connection = SendRequest<Full<Bytes>>;

/// Idle connections, the last used first: those that are not needed grow old and are closed by the other side.
pub(super) struct Pool {
    host: String,
    port: u16,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn new(host: String, port: u16) -> Pool {
        Pool { host, port, idle: Mutex::new(Vec::new()) }
    }

    /// Sends `request`; the answer, and the connection, which is free again when the answer's body is read.
    ///
    /// A kept connection may have been closed by the other side just now. Then the question is asked once more, on a new
    /// one: asking twice changes nothing.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Connection), Unreachable> {
        if let Some(mut kept) = self.take()
            && kept.ready().await.is_ok()
            && let Ok(response) = kept.send_request(request.clone()).await
        {
            return Ok((response, kept));
        }
        let mut fresh = self.connect().await?;
        let response = fresh.send_request(request).await;
        let response = response.map_err(|error| Unreachable::because("sending the question", error))?;
        Ok((response, fresh))
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find(|connection| !connection.is_closed())
    }

    pub(super) fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX && !connection.is_closed() {
            idle.push(connection);
        }
    }

    async fn connect(&self) -> Result<Connection, Unreachable> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| Unreachable::because("connecting", error))?;
        stream.set_nodelay(true).map_err(|error| Unreachable::because("connecting", error))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "this runs in the platform and calls its own Keybell, at an address from its configuration"
        )]
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Unreachable::because("connecting", error))?;
        // It ends when either side closes; what it says then, the one who asked is told as well.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}
