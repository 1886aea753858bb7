//! A receiver for thousands of deliveries: verifies every one, remembers which came, and can be made to hold its answers.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use standardwebhooks::Webhook;
use tokio::sync::watch;

/// Deliveries by event id, with how often each came.
pub(crate) struct Receiver {
    /// Where it takes deliveries.
    pub(crate) url: String,
    inner: Arc<Inner>,
}

struct Inner {
    secret: OnceLock<String>,
    came: Mutex<HashMap<String, u32>>,
    distinct: watch::Sender<usize>,
    deliveries: watch::Sender<usize>,
    refused: watch::Sender<usize>,
    held_from: watch::Sender<usize>,
}

impl Receiver {
    /// Starts it on this runtime. From the delivery of that number on it holds its answers, until [`Receiver::release`].
    pub(crate) async fn start(held_from: usize) -> Receiver {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let url = format!("http://{}/webhook", listener.local_addr().expect("it is bound"));
        let inner = Arc::new(Inner {
            secret: OnceLock::new(),
            came: Mutex::new(HashMap::new()),
            distinct: watch::channel(0).0,
            deliveries: watch::channel(0).0,
            refused: watch::channel(0).0,
            held_from: watch::channel(held_from).0,
        });
        let router = Router::new().route("/webhook", post(take)).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { url, inner }
    }

    /// Tells it the signing secret.
    pub(crate) fn trust(&self, secret: &str) {
        self.inner.secret.set(secret.to_owned()).expect("it is told once");
    }

    /// Answers everything from now on.
    pub(crate) fn release(&self) {
        self.inner.held_from.send_replace(usize::MAX);
    }

    /// Waits until so many different events have come.
    pub(crate) async fn distinct(&self, count: usize) {
        reached(&self.inner.distinct, count).await;
    }

    /// Waits until so many deliveries have come, of one event or of several.
    pub(crate) async fn deliveries(&self, count: usize) {
        reached(&self.inner.deliveries, count).await;
    }

    /// Every event that came, with how often, and how many deliveries had a wrong signature.
    pub(crate) fn came(&self) -> (HashMap<String, u32>, usize) {
        (self.inner.came.lock().expect("no test panics in it").clone(), *self.inner.refused.borrow())
    }
}

async fn reached(counter: &watch::Sender<usize>, count: usize) {
    let mut watched = counter.subscribe();
    let waited = tokio::time::timeout(Duration::from_mins(2), watched.wait_for(|came| *came >= count)).await;
    assert!(waited.is_ok(), "{} of {count} came", *counter.borrow());
}

async fn take(State(receiver): State<Arc<Inner>>, headers: HeaderMap, body: axum::body::Bytes) -> StatusCode {
    let verified = receiver
        .secret
        .get()
        .and_then(|secret| Webhook::new(secret).ok())
        .is_some_and(|webhook| webhook.verify(&body, &headers).is_ok());
    if !verified {
        receiver.refused.send_modify(|refused| *refused += 1);
        return StatusCode::UNAUTHORIZED;
    }
    let id = headers["webhook-id"].to_str().expect("an id is ASCII").to_owned();
    let distinct = {
        let mut came = receiver.came.lock().expect("no test panics in it");
        *came.entry(id).or_default() += 1;
        came.len()
    };
    receiver.distinct.send_replace(distinct);
    receiver.deliveries.send_modify(|deliveries| *deliveries += 1);
    let mut held_from = receiver.held_from.subscribe();
    let _ = held_from.wait_for(|held_from| distinct < *held_from).await;
    StatusCode::NO_CONTENT
}
