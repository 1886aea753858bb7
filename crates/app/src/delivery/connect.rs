//! The connector: resolve, check, connect, shake hands. The only place from which Keybell opens a connection to a stranger.
//!
//! Every address that a name resolves to is judged by the [`Guard`] at the moment of connecting, and only an address that
//! was judged is connected to.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::exchange::{Failure, FailureCode, Timings};
use super::guard::{Guard, Leads};
use super::roots::{Root, root_store};
use super::target::{Endpoint, HostName, Target};

/// How long a receiver may leave what was sent to it unread before its connection is closed: longer than any attempt may take.
const UNREAD_MAX: Duration = Duration::from_secs(130);
/// The names of the protocols, as they are agreed on in a TLS handshake (ALPN).
const HTTP_2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// Opens connections to endpoints. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    guard: Guard,
    tls: Arc<ClientConfig>,
}

impl Connector {
    /// A connector that calls what `guard` allows, and trusts the system's roots and `extra_roots`.
    pub fn new(guard: Guard, extra_roots: &[Root]) -> Connector {
        Connector { guard, tls: Arc::new(tls_config(extra_roots)) }
    }

    /// Opens a connection to `target` within `within`. `timings` is filled as far as it gets.
    pub async fn connect(
        &self,
        target: &Target,
        within: Duration,
        timings: &mut Timings,
    ) -> Result<Stream, Failure> {
        self.guard.check(&target.url).map_err(|refused| {
            Failure::new(
                FailureCode::TargetRefused,
                format!("This URL may not be called ({}): {refused}.", refused.rule()),
            )
        })?;
        match timeout(within, self.open(&target.endpoint, within, timings)).await {
            Ok(opened) => opened,
            Err(_) => Err(too_slow(within, &target.endpoint, timings)),
        }
    }

    async fn open(
        &self,
        endpoint: &Endpoint,
        within: Duration,
        timings: &mut Timings,
    ) -> Result<Stream, Failure> {
        let began = Instant::now();
        let addresses = self.addresses(endpoint, timings).await?;
        let connecting = Instant::now();
        let tcp = first_that_answers(&addresses, began + within).await?;
        timings.connect = Some(connecting.elapsed());
        // Requests are written whole; without this the last segment of one would wait for the peer's acknowledgement.
        tcp.set_nodelay(true).ok();
        // Whoever never reads cannot keep a connection that nobody waits for any more.
        socket2::SockRef::from(&tcp).set_tcp_user_timeout(Some(UNREAD_MAX)).ok();
        if !endpoint.tls {
            return Ok(Stream::Plain(tcp));
        }
        let shaking = Instant::now();
        let name = match &endpoint.host {
            HostName::Address(address) => ServerName::from(*address),
            // A dot at its end is DNS's own: certificates name the host without it.
            HostName::Name(name) => {
                ServerName::try_from(name.trim_end_matches('.').to_owned()).map_err(|_| {
                    Failure::new(
                        FailureCode::TlsFailed,
                        format!("{name} is no name a certificate can be for."),
                    )
                })?
            }
        };
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await.map_err(|error| {
            Failure::new(FailureCode::TlsFailed, format!("The TLS handshake failed: {error}."))
        })?;
        timings.tls = Some(shaking.elapsed());
        Ok(Stream::Tls(Box::new(tls)))
    }

    /// The addresses of an endpoint that may be called.
    async fn addresses(
        &self,
        endpoint: &Endpoint,
        timings: &mut Timings,
    ) -> Result<Vec<SocketAddr>, Failure> {
        let began = Instant::now();
        let leads = self.guard.leads(endpoint).await;
        let host = &endpoint.host;
        if let (HostName::Name(_), Leads::To(_) | Leads::Nowhere(_)) = (host, &leads) {
            timings.dns = Some(began.elapsed());
        }
        Err(match leads {
            Leads::To(addresses) => return Ok(addresses),
            Leads::Nowhere(refused) => Failure::new(
                FailureCode::TargetRefused,
                format!("{host} leads to where no request may go ({}): {refused}.", refused.rule()),
            ),
            Leads::NoAddress => Failure::new(FailureCode::DnsFailed, format!("{host} has no address.")),
            Leads::Unresolved(error) => {
                Failure::new(FailureCode::DnsFailed, format!("{host} could not be resolved: {error}."))
            }
        })
    }
}

/// Connects to the first address that answers. Each gets an equal share of the time left, so that one which swallows
/// packets leaves time for the next.
async fn first_that_answers(addresses: &[SocketAddr], until: Instant) -> Result<TcpStream, Failure> {
    let mut last = None;
    for (tried, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let share = until.saturating_duration_since(Instant::now()) / left;
        let failure = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Failure::new(FailureCode::ConnectRefused, format!("{address} refused the connection."))
            }
            Ok(Err(error)) => {
                Failure::new(FailureCode::ConnectFailed, format!("Connecting to {address} failed: {error}."))
            }
            Err(_) => Failure::new(
                FailureCode::ConnectTimeout,
                format!("{address} did not answer within {} ms.", share.as_millis()),
            ),
        };
        last = Some(failure);
    }
    Err(last.unwrap_or_else(|| Failure::new(FailureCode::DnsFailed, "The name has no address.")))
}

fn too_slow(within: Duration, endpoint: &Endpoint, timings: &Timings) -> Failure {
    let resolves = matches!(endpoint.host, HostName::Name(_));
    let what = if resolves && timings.dns.is_none() {
        "resolving the name"
    } else if timings.connect.is_none() {
        "connecting"
    } else {
        "the TLS handshake"
    };
    let sentence = format!("No connection within {} ms: {what} took too long.", within.as_millis());
    Failure::new(FailureCode::ConnectTimeout, sentence)
}

fn tls_config(extra_roots: &[Root]) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(root_store(extra_roots))
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()];
    config
}

/// A connection, with or without TLS.
pub enum Stream {
    /// Without.
    Plain(TcpStream),
    /// With.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether both sides agreed on HTTP/2.
    pub(super) fn speaks_http2(&self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(HTTP_2),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
