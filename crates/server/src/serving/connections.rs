//! Connections: accepted up to a bound, served over HTTP/1.1 with keep-alive, and closed in peace at the end.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::Service;

/// The head of a request: more than any browser's cookies need.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// What is read ahead of a body, and of what was not yet written of an answer.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long nothing is accepted after the system refused to (it has no file or no memory left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds on what clients may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    /// Open at once.
    pub(crate) max_connections: usize,
    /// For the head of a request, and for an idle connection.
    pub(crate) header_timeout: Duration,
}

/// The connections of all listeners. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub(crate) struct Connections<S> {
    site: S,
    limits: ConnectionLimits,
    free: Arc<Semaphore>,
    ending: watch::Sender<bool>,
}

impl<S> Connections<S>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    /// Connections that `site` answers.
    pub(crate) fn new(site: S, limits: ConnectionLimits) -> Connections<S> {
        let free = Arc::new(Semaphore::new(limits.max_connections));
        Connections { site, limits, free, ending: watch::channel(false).0 }
    }

    /// Accepts and serves on the runtime that it runs on, until the end.
    pub(crate) async fn accept(self, listener: TcpListener) {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "a listener cannot be used"),
        };
        let mut ending = self.ending.subscribe();
        loop {
            let accepted = tokio::select! {
                () = told(&mut ending) => return,
                accepted = self.accept_one(&listener) => accepted,
            };
            match accepted {
                Some((stream, peer, permit)) => drop(tokio::spawn(self.clone().serve(stream, peer, permit))),
                None => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    /// Stops to accept, lets requests that are under way be answered, and comes back when no connection is open any more.
    pub(crate) async fn end(&self) {
        self.ending.send_replace(true);
        let all = u32::try_from(self.limits.max_connections).expect("the configuration allows a million");
        let _ = self.free.acquire_many(all).await;
    }

    /// The next connection, and leave to serve it. Leave comes second: a listener that held it while nobody came would
    /// keep the others' connections waiting.
    async fn accept_one(
        &self,
        listener: &tokio::net::TcpListener,
    ) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
                Some((stream, peer, permit))
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                None
            }
        }
    }

    async fn serve(self, stream: TcpStream, peer: SocketAddr, _permit: OwnedSemaphorePermit) {
        let mut ending = self.ending.subscribe();
        // Answers are written whole; to wait for more to send with them only delays them.
        let _ = stream.set_nodelay(true);
        let site = self.site;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            site.clone().call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_header_size(HEAD_BYTES_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = told(&mut ending) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, client.address = %peer, "a connection broke off");
        }
    }
}

/// Waits until the end is told of. A sender that is gone is an end, too.
async fn told(ending: &mut watch::Receiver<bool>) {
    let _ = ending.wait_for(|ending| *ending).await;
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::serving::listen;

    struct Served {
        address: SocketAddr,
        connections: Connections<Router>,
    }

    fn serve(router: Router, limits: ConnectionLimits) -> Served {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listeners = listen(any, 3, "server.listen").expect("a free port");
        let connections = Connections::new(router, limits);
        for socket in listeners.sockets {
            tokio::spawn(connections.clone().accept(socket));
        }
        Served { address: listeners.address, connections }
    }

    const LIMITS: ConnectionLimits =
        ConnectionLimits { max_connections: 10, header_timeout: Duration::from_secs(30) };

    async fn send(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("it accepts");
        stream.write_all(text.as_bytes()).await.expect("it reads");
        stream
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.expect("it ends in peace");
        text
    }

    const GET: &str = "GET / HTTP/1.1\r\nhost: keybell\r\n\r\n";

    #[tokio::test]
    async fn the_end_answers_what_is_under_way_and_closes_what_is_idle() {
        let (release, held) = watch::channel(false);
        let (arrived, mut arrivals) = tokio::sync::mpsc::unbounded_channel();
        let slow = get(async move || {
            arrived.send(()).expect("the test waits");
            let _ = held.clone().wait_for(|released| *released).await;
            "late, but whole"
        });
        let served = serve(Router::new().route("/", slow).route("/quick", get("quick")), LIMITS);
        let mut idle = send(served.address, "GET /quick HTTP/1.1\r\nhost: keybell\r\n\r\n").await;
        let mut first = [0; 15];
        idle.read_exact(&mut first).await.expect("it answers");
        let slow = send(served.address, GET).await;
        arrivals.recv().await.expect("the request arrived");
        let ended = tokio::spawn({
            let connections = served.connections.clone();
            async move { connections.end().await }
        });
        assert!(rest(idle).await.ends_with("quick"), "the idle connection was closed");
        assert!(!ended.is_finished());
        release.send_replace(true);
        assert!(rest(slow).await.ends_with("late, but whole"));
        ended.await.expect("it ended");
        assert!(TcpStream::connect(served.address).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn one_connection_past_the_limit_waits_until_another_is_closed() {
        let served =
            serve(Router::new().route("/", get("here")), ConnectionLimits { max_connections: 1, ..LIMITS });
        let mut first = send(served.address, GET).await;
        let mut status = [0; 15];
        first.read_exact(&mut status).await.expect("it answers");
        let mut second =
            send(served.address, "GET / HTTP/1.1\r\nhost: keybell\r\nconnection: close\r\n\r\n").await;
        let waited = tokio::time::timeout(Duration::from_millis(200), second.read(&mut status)).await;
        assert!(waited.is_err(), "it was served beside the first");
        drop(first);
        assert!(rest(second).await.ends_with("here"));
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_or_too_slow_is_not_waited_for() {
        let limits = ConnectionLimits { header_timeout: Duration::from_millis(100), ..LIMITS };
        let served = serve(Router::new().route("/", get("here")), limits);
        let slow = send(served.address, "GET / HTTP/1.1\r\nhost: ").await;
        assert!(!rest(slow).await.contains("200 OK"));
        for (bytes, fits) in [(HEAD_BYTES_MAX, true), (HEAD_BYTES_MAX + 1, false)] {
            let start = "GET / HTTP/1.1\r\nhost: keybell\r\nconnection: close\r\nx-padding: ";
            let head = format!("{start}{}\r\n\r\n", "x".repeat(bytes - start.len() - 4));
            let answer = rest(send(served.address, &head).await).await;
            let status =
                if fits { "HTTP/1.1 200 OK" } else { "HTTP/1.1 431 Request Header Fields Too Large" };
            assert!(answer.starts_with(status), "{bytes} bytes: {answer}");
        }
    }
}
