//! Deliveries over TLS: to whom the certificate says, and to nobody else.

use std::net::SocketAddr;
use std::sync::Arc;

use keybell_app::delivery::client::Client;
use keybell_app::delivery::connect::Connector;
use keybell_app::delivery::exchange::{Exchange, FailureCode, Transport as _};
use keybell_core::target::TargetPolicy;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::refused::{Fickle, outbound};

/// A receiver behind a certificate for `name`, and the root that vouches for it.
async fn receiver_for(name: &str) -> (SocketAddr, CertificateDer<'static>) {
    let mut of_root = CertificateParams::default();
    of_root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(of_root, KeyPair::generate().expect("a key")).expect("a root");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("it is a name");
    let leaf = params.signed_by(&key, &root).expect("a certificate");

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .expect("the key is the certificate's");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(acceptor.clone(), stream));
        }
    });
    (address, root.der().clone())
}

/// Answers 200 to whatever comes, with the protocol that was agreed on as its body.
async fn answer(acceptor: TlsAcceptor, stream: tokio::net::TcpStream) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let agreed = stream.get_ref().1.alpn_protocol().unwrap_or_default().to_vec();
    let mut buffer = [0; 4_096];
    while stream.read(&mut buffer).await? > 0 {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", agreed.len());
        stream.write_all(&[head.as_bytes(), &agreed].concat()).await?;
        stream.flush().await?;
    }
    Ok(())
}

fn client(address: SocketAddr, roots: &[CertificateDer<'static>]) -> Client {
    let policy = TargetPolicy {
        require_https: true,
        allowed_networks: vec!["127.0.0.0/8".parse().expect("a network")],
    };
    Client::new(Connector::new(policy, Arc::new(Fickle::always(address)), roots))
}

async fn call(client: &Client, address: SocketAddr, name: &str) -> Exchange {
    client.exchange(outbound(&format!("https://{name}:{}/", address.port()))).await
}

#[tokio::test]
async fn a_certificate_for_the_name_is_accepted_and_the_connection_kept() {
    let (address, root) = receiver_for("hooks.example").await;
    let client = client(address, &[root]);
    let first = call(&client, address, "hooks.example").await;
    let answer = first.answer.unwrap_or_else(|| panic!("{:?}", first.failure));
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"http/1.1".as_slice()));
    assert!(first.timings.tls.is_some());
    let second = call(&client, address, "hooks.example").await;
    assert_eq!((second.answer.map(|answer| answer.status), second.timings.tls), (Some(200), None));
}

#[tokio::test]
async fn a_certificate_for_another_name_or_of_an_unknown_root_is_not() {
    let (address, root) = receiver_for("hooks.example").await;
    let known = client(address, &[root]);
    for (client, name) in [(known, "other.example"), (client(address, &[]), "hooks.example")] {
        let exchange = call(&client, address, name).await;
        let failure = exchange.failure.expect("the handshake fails");
        assert_eq!(failure.code, FailureCode::TlsFailed, "{}", failure.sentence);
        assert!(exchange.answer.is_none());
    }
}

#[tokio::test]
async fn plain_http_is_refused_where_https_is_required() {
    let (address, _) = receiver_for("hooks.example").await;
    let exchange = client(address, &[]).exchange(outbound("http://hooks.example/")).await;
    assert_eq!(exchange.failure.map(|failure| failure.code), Some(FailureCode::TargetRefused));
}
