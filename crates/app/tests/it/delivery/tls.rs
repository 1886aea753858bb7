//! Deliveries over TLS: to whom the certificate says, and to nobody else.

use std::net::SocketAddr;

use keybell_app::delivery::client::Client;
use keybell_app::delivery::connect::Connector;
use keybell_app::delivery::exchange::{Exchange, FailureCode, Transport as _};
use keybell_app::delivery::guard::Guard;
use keybell_app::delivery::roots::{BadRoots, ROOT_FILE_BYTES_MAX, Root, read_roots};
use keybell_core::target::TargetPolicy;
use rcgen::date_time_ymd;
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::Desk;
use super::refused::{Fickle, client_of, failed, outbound};
use super::servers::{Identity, Server, read_request};
use crate::house::{On, settings};

/// Answers 200 to whatever comes, with the protocol and the name that were agreed on as its body.
async fn answer(mut stream: TlsStream<TcpStream>, _: usize) {
    let tls = stream.get_ref().1;
    let agreed = String::from_utf8_lossy(tls.alpn_protocol().unwrap_or_default()).into_owned();
    let said = format!("{agreed} {}", tls.server_name().unwrap_or("no name"));
    while read_request(&mut stream).await.is_some() {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{said}", said.len());
        if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

async fn serve(identity: &Identity) -> Server {
    identity.serve(&["http/1.1"], answer).await
}

fn client(address: SocketAddr, roots: &[Root]) -> Client {
    client_of(&["127.0.0.0/8"], Fickle::always(address), roots)
}

async fn call(client: &Client, server: &Server, name: &str) -> Exchange {
    client.exchange(outbound(&format!("https://{name}:{}/", server.address.port()))).await
}

#[tokio::test]
async fn a_certificate_for_the_name_is_accepted_and_the_connection_kept() {
    let identity = Identity::of("hooks.example");
    let server = serve(&identity).await;
    let client = client(server.address, &[identity.root]);
    let first = call(&client, &server, "hooks.example").await;
    let answer = first.answer.unwrap_or_else(|| panic!("{:?}", first.failure));
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"http/1.1 hooks.example".as_slice()));
    assert!(first.timings.tls.is_some());
    let second = call(&client, &server, "hooks.example").await;
    assert_eq!((second.answer.map(|answer| answer.status), second.timings.tls), (Some(200), None));
}

#[tokio::test]
async fn a_dot_at_the_end_of_a_name_is_no_part_of_it() {
    let identity = Identity::of("hooks.example");
    let server = serve(&identity).await;
    let client = client(server.address, &[identity.root]);
    let answer = call(&client, &server, "hooks.example.").await.answer.expect("it answers");
    assert_eq!(answer.body, b"http/1.1 hooks.example");
}

#[tokio::test]
async fn an_address_is_certified_as_an_address() {
    let identity = Identity::of("127.0.0.1");
    let server = serve(&identity).await;
    let client = client(server.address, &[identity.root]);
    let answer = call(&client, &server, "127.0.0.1").await.answer.expect("it answers");
    assert_eq!(answer.body, b"http/1.1 no name");
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_refused() {
    let past = |params: &mut rcgen::CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    let to_come = |params: &mut rcgen::CertificateParams| params.not_before = date_time_ymd(2090, 1, 1);
    for (identity, trusted, what) in [
        (Identity::of("other.example"), true, "for another name"),
        (Identity::with("hooks.example", past), true, "expired"),
        (Identity::with("hooks.example", to_come), true, "not valid yet"),
        (Identity::self_signed("hooks.example"), false, "self-signed"),
        (Identity::of("hooks.example"), false, "of an unknown root"),
    ] {
        let server = serve(&identity).await;
        let roots = if trusted { vec![identity.root.clone()] } else { Vec::new() };
        let exchange = call(&client(server.address, &roots), &server, "hooks.example").await;
        assert_eq!(failed(&exchange), Some(FailureCode::TlsFailed), "{what}");
        let timings = exchange.timings;
        assert!(exchange.answer.is_none() && timings.connect.is_some() && timings.tls.is_none(), "{what}");
    }
}

#[tokio::test]
async fn plain_http_is_refused_where_https_is_required() {
    let policy = TargetPolicy { require_https: true, ..TargetPolicy::default() };
    let guard = Guard::new(policy, Arc::new(Fickle::always("127.0.0.1:80".parse().expect("an address"))));
    let exchange = Client::new(Connector::new(guard, &[])).exchange(outbound("http://hooks.example/")).await;
    assert_eq!(failed(&exchange), Some(FailureCode::TargetRefused));
}

#[tokio::test]
async fn a_receiver_of_an_own_authority_is_reached_with_its_root_and_not_without() {
    let identity = Identity::of("127.0.0.1");
    let server = serve(&identity).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, pem(&identity.root)).expect("it can be written");
    for (roots, status, error) in
        [(read_roots(&file).expect("it is a root"), Some(200), None), (Vec::new(), None, Some("tls_failed"))]
    {
        let mut settings = settings();
        settings.delivery.extra_roots = roots;
        let desk = Desk::start(On::Memory, settings).await;
        let url = format!("https://{}/", server.address);
        let receiver = keybell_testkit::receiver::Receiver::ok();
        desk.hook_with(&receiver, |new| new.url = url).await;
        assert_eq!(desk.publish("{}").await.deliveries, 1);
        let attempt = desk.only().await.attempts.remove(0);
        assert_eq!((attempt.response_status, attempt.error_code.as_deref()), (status, error));
    }
}

fn pem(certificate: &Root) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[test]
fn a_file_of_roots_that_cannot_be_used_is_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("it can be written");
        read_roots(&file).map(|roots| roots.len())
    };
    let (one, other) = (pem(&Identity::of("a.example").root), pem(&Identity::of("b.example").root));
    assert!(matches!(read("two", &format!("# ours\n{one}\n{other}")), Ok(2)));
    assert!(matches!(read("empty", "# nothing yet\n"), Err(BadRoots::Empty(_))));
    assert!(matches!(read("torn", &one[..one.len() / 2]), Err(BadRoots::NotPem(..))));
    let no_certificate = pem(&Root::from(b"no certificate".to_vec()));
    let second = read("second", &format!("{one}{no_certificate}")).expect_err("it is none");
    assert!(matches!(second, BadRoots::NotARoot { number: 2, .. }), "{second}");
    let file = folder.path().join("second");
    assert_eq!(second.to_string(), format!("certificate 2 in {} cannot be used as a root", file.display()));
    let nowhere = read_roots(&folder.path().join("nowhere"));
    assert!(matches!(nowhere, Err(BadRoots::Unreadable(..))));
    let most = usize::try_from(ROOT_FILE_BYTES_MAX).expect("it fits");
    assert!(matches!(read("most", &format!("{one}{}", " ".repeat(most - one.len()))), Ok(1)));
    assert!(matches!(read("more", &" ".repeat(most + 1)), Err(BadRoots::TooLarge(_))));
}
