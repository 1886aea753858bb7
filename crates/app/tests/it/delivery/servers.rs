//! Servers that do what a test says with each connection: over TCP, or over TLS behind a certificate of their own root.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::PATIENCE;

/// A server, as long as the test's runtime runs.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    ended: watch::Sender<usize>,
}

impl Server {
    /// A server that does `each` with every connection, given with its number from 0.
    pub(crate) async fn start<Work: Future<Output = ()> + Send>(
        each: impl Fn(TcpStream, usize) -> Work + Clone + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (connections, ended) = (Arc::new(AtomicUsize::new(0)), watch::Sender::new(0));
        let server = Server { address, connections: Arc::clone(&connections), ended: ended.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.fetch_add(1, Ordering::SeqCst);
                let (each, ended) = (each.clone(), ended.clone());
                tokio::spawn(async move {
                    each(stream, number).await;
                    ended.send_modify(|ended| *ended += 1);
                });
            }
        });
        server
    }

    /// A server that reads a request and does `each` with what it can still say.
    pub(crate) async fn after_a_request<Work: Future<Output = ()> + Send>(
        each: impl Fn(TcpStream, usize) -> Work + Clone + Send + Sync + 'static,
    ) -> Server {
        Server::start(move |mut stream, number| {
            let each = each.clone();
            async move {
                if read_request(&mut stream).await.is_some() {
                    each(stream, number).await;
                }
            }
        })
        .await
    }

    /// How many connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// With how many of them it is through.
    pub(crate) fn ended(&self) -> usize {
        *self.ended.borrow()
    }

    /// Waits until it is through with `count` connections.
    pub(crate) async fn until_ended(&self, count: usize) {
        let mut ended = self.ended.subscribe();
        let through = timeout(PATIENCE, ended.wait_for(|ended| *ended >= count)).await;
        assert!(through.is_ok(), "{} of {count} connections were closed", self.ended());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// Has the paused clock go in steps of a millisecond. By itself it jumps to the next deadline as soon as everybody waits, even
/// where it is for a socket that is about to be read.
pub(crate) fn tick() {
    tokio::spawn(async {
        let mut every = tokio::time::interval(Duration::from_millis(1));
        loop {
            every.tick().await;
        }
    });
}

/// Reads one request with a `content-length`; none where the connection ends before.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let mut byte = [0];
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        read.push(byte[0]);
        if read.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(read).ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    Some(head)
}

/// Waits until the other side has closed, whatever it still says.
pub(crate) async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut buffer = [0; 1_024];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// A certificate with its key, and the root that vouches for it.
pub(crate) struct Identity {
    pub(crate) root: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Identity {
    /// A certificate for `name`.
    pub(crate) fn of(name: &str) -> Identity {
        Identity::with(name, |_| {})
    }

    /// A certificate for `name`, with what `change` makes of it.
    pub(crate) fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut of_root = CertificateParams::default();
        of_root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(of_root, KeyPair::generate().expect("a key"));
        let root = root.expect("a root");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("it is a name");
        change(&mut params);
        let certificate = params.signed_by(&key, &root).expect("a certificate").der().clone();
        Identity { root: root.der().clone(), certificate, key }
    }

    /// A certificate for `name` that vouches for itself.
    pub(crate) fn self_signed(name: &str) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("it is a name");
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        Identity { root: Identity::of(name).root, certificate, key }
    }

    /// What a TLS server with this certificate needs, for these protocols in its order.
    pub(crate) fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der()).into();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
            .expect("the key is the certificate's");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A TLS server that does `each` with every connection whose handshake went well.
    pub(crate) async fn serve<Work: Future<Output = ()> + Send>(
        &self,
        protocols: &[&str],
        each: impl Fn(TlsStream<TcpStream>, usize) -> Work + Clone + Send + Sync + 'static,
    ) -> Server {
        let acceptor = self.acceptor(protocols);
        Server::start(move |stream, number| {
            let (acceptor, each) = (acceptor.clone(), each.clone());
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    each(stream, number).await;
                }
            }
        })
        .await
    }
}
