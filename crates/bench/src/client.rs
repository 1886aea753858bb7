//! One HTTP/1.1 connection that is kept alive: what every part of the bench that asks something uses.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::Outcome;

/// A connection to a server on this machine.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// A request that is sent again and again, with another body each time.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// The secret key, or nothing.
    pub(crate) bearer: Option<&'a str>,
}

/// An address on this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl Connection {
    /// Connects, and leaves the connection's own work to a task of the present runtime.
    #[expect(
        clippy::disallowed_methods,
        reason = "a load generator on loopback, not a request to the outside"
    )]
    pub(crate) async fn open(server: SocketAddr) -> Outcome<Connection> {
        let failed = |error: &dyn std::fmt::Display| format!("{server} cannot be connected to: {error}");
        let stream = TcpStream::connect(server).await.map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let (sender, work) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        tokio::spawn(work);
        Ok(Connection { sender, host: server.to_string() })
    }

    /// Sends one request and reads its answer to the end.
    pub(crate) async fn send(&mut self, call: &Call<'_>, body: Bytes) -> Outcome<(StatusCode, Bytes)> {
        let mut request =
            Request::builder().method(call.method).uri(call.path).header(header::HOST, &self.host);
        if let Some(bearer) = call.bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let answer = self.answer(request, call.path, body).await?;
        Ok((answer.status(), answer.into_body()))
    }

    /// Asks for a page or for what belongs to it, as a browser with these headers does.
    pub(crate) async fn get(
        &mut self,
        path: &str,
        headers: &[(HeaderName, &str)],
    ) -> Outcome<(StatusCode, HeaderMap, Bytes)> {
        let mut request = Request::get(path).header(header::HOST, &self.host);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let (parts, body) = self.answer(request, path, Bytes::new()).await?.into_parts();
        Ok((parts.status, parts.headers, body))
    }

    async fn answer(
        &mut self,
        request: http::request::Builder,
        path: &str,
        body: Bytes,
    ) -> Outcome<Response<Bytes>> {
        let request =
            request.body(Full::new(body)).map_err(|error| format!("the request is malformed: {error}"))?;
        let failed = |error: hyper::Error| format!("{path}: {error}");
        self.sender.ready().await.map_err(failed)?;
        let (parts, body) = self.sender.send_request(request).await.map_err(failed)?.into_parts();
        let body = body.collect().await.map_err(failed)?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }

    /// Sends JSON and reads JSON; any answer but a 2xx is an error that shows it.
    pub(crate) async fn json(&mut self, call: &Call<'_>, body: &Value) -> Outcome<Value> {
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let (status, answer) = self.send(call, bytes).await?;
        if !status.is_success() {
            let shown = String::from_utf8_lossy(&answer);
            return Err(format!("{} {} answered {status}: {shown}", call.method, call.path));
        }
        serde_json::from_slice(&answer)
            .map_err(|error| format!("{} answered what is not JSON: {error}", call.path))
    }
}
