//! Receivers that speak HTTP/2: as `h2` does, or frame by frame where they do what it would not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{self, SendResponse};
use http::{Request, Response};
use keybell_app::delivery::client::Client;
use keybell_app::delivery::exchange::{Exchange, Outbound, Transport as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::delivery::refused::{Fickle, client_of, outbound};
use crate::delivery::servers::{Identity, Server};

pub(super) const NAME: &str = "hooks.example";

/// A request with the server's half of its stream.
pub(super) type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// A receiver that speaks HTTP/2, and a client that trusts it.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) client: Client,
    pub(super) requests: Arc<AtomicUsize>,
}

impl Stage {
    /// A receiver that does `each` with every request, given with its number from 0 over all connections.
    pub(super) async fn start<Work: Future<Output = ()> + Send>(
        settings: impl Fn(&mut server::Builder) + Clone + Send + Sync + 'static,
        each: impl Fn(Asked, usize) -> Work + Clone + Send + Sync + 'static,
    ) -> Stage {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        Stage::with(requests, move |stream, _| {
            let (settings, each, counted) = (settings.clone(), each.clone(), Arc::clone(&counted));
            async move {
                let mut builder = server::Builder::new();
                settings(&mut builder);
                let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
                while let Some(Ok(asked)) = connection.accept().await {
                    let number = counted.fetch_add(1, Ordering::SeqCst);
                    let each = each.clone();
                    tokio::spawn(async move { each(asked, number).await });
                }
            }
        })
        .await
    }

    /// A receiver that does `each` with every connection, frame by frame.
    pub(super) async fn with<Work: Future<Output = ()> + Send>(
        requests: Arc<AtomicUsize>,
        each: impl Fn(TlsStream<TcpStream>, usize) -> Work + Clone + Send + Sync + 'static,
    ) -> Stage {
        let identity = Identity::of(NAME);
        let server = identity.serve(&["h2", "http/1.1"], each).await;
        let client = client_of(&["127.0.0.0/8"], Fickle::always(server.address), &[identity.root]);
        Stage { server, client, requests }
    }

    pub(super) fn outbound(&self) -> Outbound {
        outbound(&format!("https://{NAME}:{}/hook?x=1", self.server.address.port()))
    }

    pub(super) async fn call(&self) -> Exchange {
        self.client.exchange(self.outbound()).await
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Reads the request to its end.
pub(super) async fn read((request, respond): Asked) -> (Request<()>, Vec<u8>, SendResponse<Bytes>) {
    let (head, mut body) = request.into_parts();
    let mut read = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        body.flow_control().release_capacity(data.len()).ok();
        read.extend_from_slice(&data);
    }
    (Request::from_parts(head, ()), read, respond)
}

pub(super) fn say(mut respond: SendResponse<Bytes>, status: u16, body: impl Into<Bytes>) {
    let head = Response::builder().status(status).body(()).expect("a status");
    if let Ok(mut stream) = respond.send_response(head, false) {
        stream.send_data(body.into(), true).ok();
    }
}

pub(super) async fn ok(asked: Asked, _: usize) {
    let (_, _, respond) = read(asked).await;
    say(respond, 200, "ok");
}

/// A frame (RFC 9113, section 4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(super) const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;
pub(super) const HEADERS: u8 = 1;
pub(super) const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
/// `:status: 200` as HPACK knows it without saying it.
pub(super) const STATUS_200: u8 = 0x88;

pub(super) fn go_away(last_stream: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last_stream.to_be_bytes(), 0u32.to_be_bytes()].concat())
}

/// Reads frames until the headers of a request; gives their stream.
pub(super) async fn next_request(stream: &mut TlsStream<TcpStream>) -> Option<u32> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        stream.read_exact(&mut vec![0; length]).await.ok()?;
        if head[3] == HEADERS {
            return Some(u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        }
    }
}

/// Says hello as a server.
pub(super) async fn greet(stream: &mut TlsStream<TcpStream>) {
    stream.read_exact(&mut [0; 24]).await.expect("a client says hello");
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.expect("it listens");
    stream.flush().await.expect("it listens");
}
