//! The publishers and the receiver, on a thread of their own that no crash stops.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::api::{ANSWER_MAX, Api, EVENT_TYPE, WORKSPACE};

/// Those that publish one event at a time, and one more that publishes batches.
const PUBLISHERS: usize = 8;
/// Events of one batch.
const BATCH: usize = 10;
/// Between an answer and the next event of the same publisher: so that the load is steady, and the log can be read at the end.
const PAUSE: Duration = Duration::from_millis(8);
/// Before an event that was not answered is published again.
const AGAIN_AFTER: Duration = Duration::from_millis(4);
/// The receiver refuses one delivery in so many.
const REFUSED_EVERY: u64 = 25;

/// What the publishers were told.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    /// The ids of the events that were accepted.
    pub(super) accepted: HashSet<String>,
    pub(super) answers_lost: usize,
    pub(super) refused: usize,
    /// Answers that nothing explains; one sentence each.
    pub(super) unexpected: Vec<String>,
}

#[derive(Default)]
struct Shared {
    ledger: Mutex<Ledger>,
    arrived: Mutex<HashMap<String, usize>>,
    deliveries: AtomicU64,
    ended: AtomicBool,
}

/// Publishers and receiver at work; they end with this value.
pub(super) struct Load {
    shared: Arc<Shared>,
    receiving: watch::Sender<bool>,
    publishing: Mutex<Option<JoinHandle<()>>>,
}

impl Load {
    /// Makes what they need in the installation, and starts them.
    pub(super) fn start(api: &Api) -> Result<Load, String> {
        let failed = |error: std::io::Error| format!("no port for a receiver: {error}");
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        api.furnish(&format!("http://{}/", listener.local_addr().map_err(failed)?))?;
        let shared = Arc::new(Shared::default());
        let (receiving, ended) = watch::channel(true);
        spawn("receiver", {
            let shared = Arc::clone(&shared);
            async move { receive(listener, shared, ended).await }
        })?;
        let publishing = spawn("publishers", {
            let (shared, api) = (Arc::clone(&shared), api.clone());
            async move { publish(shared, api).await }
        })?;
        Ok(Load { shared, receiving, publishing: Mutex::new(Some(publishing)) })
    }

    /// Lets the publishers end, and tells what they were told.
    pub(super) fn end_publishing(&self) -> Ledger {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = lock(&self.publishing).take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
        lock(&self.shared.ledger).clone()
    }

    /// Whether all of them have arrived.
    pub(super) fn has_arrived(&self, ids: &HashSet<String>) -> bool {
        let arrived = lock(&self.shared.arrived);
        ids.iter().all(|id| arrived.contains_key(id))
    }

    /// How often each event arrived and was answered with success.
    pub(super) fn arrived(&self) -> HashMap<String, usize> {
        lock(&self.shared.arrived).clone()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        self.receiving.send_replace(false);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(name: &str, work: impl Future<Output = ()> + Send + 'static) -> Result<JoinHandle<()>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime for the {name}: {error}"))?;
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(work));
    thread.map_err(|error| format!("no thread for the {name}: {error}"))
}

async fn receive(listener: std::net::TcpListener, shared: Arc<Shared>, mut receiving: watch::Receiver<bool>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let accepted = tokio::select! {
            _ = receiving.wait_for(|receiving| !*receiving) => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| take(Arc::clone(&shared), request));
        let connection = hyper::server::conn::http1::Builder::new();
        // A connection breaks off when its client is killed.
        tokio::spawn(async move { connection.serve_connection(TokioIo::new(stream), service).await });
    }
}

async fn take(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let id = request.headers().get("webhook-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let whole = request.into_body().collect().await.is_ok();
    let number = shared.deliveries.fetch_add(1, Ordering::Relaxed);
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = match id {
        Some(id) if whole && !(number + 1).is_multiple_of(REFUSED_EVERY) => {
            *lock(&shared.arrived).entry(id).or_default() += 1;
            StatusCode::NO_CONTENT
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Ok(answer)
}

async fn publish(shared: Arc<Shared>, api: Api) {
    let mut publishers = tokio::task::JoinSet::new();
    for number in 0..=PUBLISHERS {
        let batch = if number == PUBLISHERS { BATCH } else { 1 };
        publishers.spawn(Publisher::new(Arc::clone(&shared), api.clone(), number, batch).work());
    }
    while publishers.join_next().await.is_some() {}
}

/// One client that publishes event after event, and never gives one up.
struct Publisher {
    shared: Arc<Shared>,
    api: Api,
    number: usize,
    batch: usize,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Publisher {
    fn new(shared: Arc<Shared>, api: Api, number: usize, batch: usize) -> Publisher {
        Publisher { shared, api, number, batch, connection: None }
    }

    fn ended(&self) -> bool {
        self.shared.ended.load(Ordering::Relaxed)
    }

    async fn work(mut self) {
        let mut next = 0;
        while !self.ended() {
            let ids: Vec<String> =
                (next..next + self.batch).map(|event| format!("evt_{}_{event}", self.number)).collect();
            next += self.batch;
            self.publish(&ids).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Publishes these until somebody answers.
    async fn publish(&mut self, ids: &[String]) {
        let (path, body) = request(ids);
        let mut unanswered = false;
        while !self.ended() {
            match self.send(&path, body.clone()).await {
                Some(StatusCode::ACCEPTED) => return self.accepted(ids, false),
                Some(StatusCode::OK) => return self.accepted(ids, true),
                Some(status) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                    lock(&self.shared.ledger).refused += ids.len();
                }
                Some(status) => {
                    let what =
                        format!("{path} answered {status} to {ids:?}, unanswered before: {unanswered}");
                    return lock(&self.shared.ledger).unexpected.push(what);
                }
                None => unanswered = true,
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    fn accepted(&self, ids: &[String], repeated: bool) {
        let mut ledger = lock(&self.shared.ledger);
        ledger.accepted.extend(ids.iter().cloned());
        if repeated {
            ledger.answers_lost += ids.len();
        }
    }

    /// The status of the answer; nothing where none came.
    async fn send(&mut self, path: &str, body: Bytes) -> Option<StatusCode> {
        let sent = tokio::time::timeout(ANSWER_MAX, self.exchange(path, body)).await.ok().flatten();
        if sent.is_none() {
            self.connection = None;
        }
        sent
    }

    async fn exchange(&mut self, path: &str, body: Bytes) -> Option<StatusCode> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(connect(self.api.address).await?),
        };
        let request = Request::post(path)
            .header("host", "keybell")
            .header("authorization", format!("Bearer {}", self.api.operator_key))
            .header("content-type", "application/json")
            .body(Full::new(body))
            .ok()?;
        connection.ready().await.ok()?;
        let answer = connection.send_request(request).await.ok()?;
        let status = answer.status();
        // An answer is one when its body is there, too.
        answer.into_body().collect().await.ok()?;
        Some(status)
    }
}

#[expect(clippy::disallowed_methods, reason = "a publisher on loopback, not a request to the outside")]
async fn connect(server: SocketAddr) -> Option<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(server).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, work) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(work);
    Some(sender)
}

/// Path and body that publish events of these ids.
fn request(ids: &[String]) -> (String, Bytes) {
    if let [id] = ids {
        let event = json!({ "type": EVENT_TYPE, "id": id, "data": { "id": id } });
        return (format!("/v1/workspaces/{WORKSPACE}/events"), event.to_string().into());
    }
    let event = |id| json!({ "workspace": WORKSPACE, "type": EVENT_TYPE, "id": id, "data": { "id": id } });
    let events: Vec<_> = ids.iter().map(event).collect();
    ("/v1/events/batch".to_owned(), json!({ "events": events }).to_string().into())
}
