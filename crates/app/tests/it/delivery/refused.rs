//! No request leaves for where it must not: the address is judged when the connection is made.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use keybell_app::delivery::client::Client;
use keybell_app::delivery::connect::Connector;
use keybell_app::delivery::exchange::{Exchange, FailureCode, Outbound, Transport};
use keybell_app::delivery::guard::Guard;
use keybell_app::delivery::resolve::Resolve;
use keybell_app::delivery::roots::Root;
use keybell_app::delivery::target::Target;
use keybell_core::target::TargetPolicy;
use keybell_testkit::receiver::Receiver;

use super::Desk;
use crate::house::{On, settings};
use crate::workspaces::{grant, operator};

/// A resolver that gives another answer each time, the last one for ever.
pub(crate) struct Fickle {
    answers: Vec<Vec<SocketAddr>>,
    asked: AtomicUsize,
}

impl Fickle {
    /// Always the same address, for every name.
    pub(crate) fn always(address: SocketAddr) -> Fickle {
        Fickle::answering(vec![vec![address]])
    }

    /// These answers, one after the other.
    pub(crate) fn answering(answers: Vec<Vec<SocketAddr>>) -> Fickle {
        Fickle { answers, asked: AtomicUsize::new(0) }
    }
}

impl Resolve for Fickle {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers[asked.min(self.answers.len() - 1)].clone();
        async move { Ok(answer) }.boxed()
    }
}

/// A client that may call these networks.
pub(crate) fn client_of(allowed: &[&str], resolver: impl Resolve, roots: &[Root]) -> Client {
    let policy = TargetPolicy {
        allowed_networks: allowed.iter().map(|network| network.parse().expect("a network")).collect(),
        ..TargetPolicy::default()
    };
    Client::new(Connector::new(Guard::new(policy, Arc::new(resolver)), roots))
}

fn client(allowed: &[&str], answers: Vec<Vec<SocketAddr>>) -> Client {
    client_of(allowed, Fickle::answering(answers), &[])
}

/// A request to `url`.
pub(crate) fn outbound(url: &str) -> Outbound {
    let target = Target::of(&url.parse().expect("a URL")).expect("it can be taken apart");
    let (timeout, connect_timeout) = (Duration::from_secs(15), Duration::from_secs(5));
    Outbound { target, headers: HeaderMap::new(), body: Bytes::from_static(b"{}"), timeout, connect_timeout }
}

pub(crate) async fn call(client: &Client, url: &str) -> Exchange {
    client.exchange(outbound(url)).await
}

pub(crate) fn failed(exchange: &Exchange) -> Option<FailureCode> {
    exchange.failure.as_ref().map(|failure| failure.code)
}

#[tokio::test]
async fn loopback_is_refused_by_default_and_the_log_says_why() {
    let desk = Desk::start(On::Memory, settings()).await;
    let receiver = Receiver::ok();
    desk.hook(&receiver).await;
    // The same database under other settings: the webhook is there, and its network is allowed no more.
    let mut strict = settings();
    strict.delivery.allowed_networks.clear();
    desk.app().stop_engine(Duration::ZERO).await;
    let app = desk.house.restarted_with(strict).await;
    app.start_engine(&[tokio::runtime::Handle::current()]).await.expect("the engine starts");
    app.publish(vec![(desk.may_publish(), super::event("1"))]).await.expect("it is accepted");
    app.engine().quiet().await;
    let logged = desk.only().await;
    assert_eq!(logged.attempts[0].error_code.as_deref(), Some("target_refused"));
    let sentence = logged.attempts[0].error.as_deref().unwrap_or_default();
    assert!(sentence.contains("127.0.0.1") && sentence.contains("loopback"), "{sentence}");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_test_goes_nowhere_that_a_delivery_may_not_go() {
    let desk = Desk::start(On::Memory, settings()).await;
    let receiver = Receiver::ok();
    let hook = desk.hook(&receiver).await;
    let mut strict = settings();
    strict.delivery.allowed_networks.clear();
    let app = desk.house.restarted_with(strict).await;
    app.start_engine(&[tokio::runtime::Handle::current()]).await.expect("the engine starts");
    let attempt = app.test_webhook(grant(&operator(), desk.workspace), hook.id, None).await;
    let attempt = attempt.expect("that it was refused is what came of it");
    assert_eq!(attempt.error_code.as_deref(), Some("target_refused"));
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_that_pointed_elsewhere_before_gains_nothing() {
    let receiver = Receiver::ok();
    let here = receiver.address();
    // First the name leads to an allowed network, where nobody listens; then to loopback.
    let there = SocketAddr::new("127.0.0.9".parse().expect("an address"), 9);
    let client = client(&["127.0.0.9/32"], vec![vec![there], vec![here]]);
    let url = format!("http://rebinding.example:{}/", here.port());
    assert_eq!(failed(&call(&client, &url).await), Some(FailureCode::ConnectRefused));
    let second = call(&client, &url).await;
    assert_eq!(failed(&second), Some(FailureCode::TargetRefused));
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn of_several_addresses_only_the_allowed_ones_are_called() {
    let receiver = Receiver::ok();
    let metadata: SocketAddr = "169.254.169.254:80".parse().expect("an address");
    let nobody: SocketAddr = "127.0.0.1:9".parse().expect("an address");
    let client = client(&["127.0.0.0/8"], vec![vec![metadata, nobody, receiver.address()]]);
    let exchange = call(&client, "http://several.example/").await;
    assert_eq!(exchange.answer.map(|answer| answer.status), Some(204), "{:?}", exchange.failure);
    assert!(exchange.timings.dns.is_some() && exchange.timings.connect.is_some());
}

#[tokio::test]
async fn addresses_in_other_clothes_are_refused_too() {
    let client = client(&[], vec![vec!["[::ffff:127.0.0.1]:80".parse().expect("an address")]]);
    for url in ["http://2130706433/", "http://[::ffff:7f00:1]/", "http://0x7f.1/", "http://mapped.example/"] {
        assert_eq!(failed(&call(&client, url).await), Some(FailureCode::TargetRefused), "{url}");
    }
}
