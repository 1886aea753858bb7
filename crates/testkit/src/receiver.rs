//! A receiver of webhooks that behaves like one: a real HTTP/1.1 server on loopback, on a thread of its own.
//!
//! It keeps what it got and answers as the test says: at once, late, never, with a reset, or with a body that does not end.

mod reply;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

pub use reply::Reply;
use reply::answer;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// `POST`, as a rule.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// Name in lower case and value of each header, in the order they came in.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, byte for byte.
    pub body: Bytes,
    /// When its headers had arrived.
    pub arrived: Instant,
    /// On which connection it came, counted from 0.
    pub connection: usize,
}

impl Received {
    /// The value of the first header of that name, given in lower case, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        std::str::from_utf8(value).ok()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// Verifies the signature as a receiver does, with the `standardwebhooks` crate: signed with `secret` (`whsec_…`), and
    /// within five minutes of the system's clock. The error says why not.
    pub fn verify(&self, secret: &str) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for name in [HEADER_WEBHOOK_ID, HEADER_WEBHOOK_TIMESTAMP, HEADER_WEBHOOK_SIGNATURE] {
            let value = self.header(name).and_then(|value| value.parse().ok());
            headers.insert(name, value.ok_or_else(|| format!("the header {name} is missing"))?);
        }
        judge(secret)?.verify(&self.body, &headers).map_err(|error| error.to_string())
    }

    /// Verifies the signature whatever the timestamp, for tests whose clock is not the system's.
    pub fn verify_whenever(&self, secret: &str) -> Result<(), String> {
        let header = |name| self.header(name).ok_or_else(|| format!("the header {name} is missing"));
        let at = header(HEADER_WEBHOOK_TIMESTAMP)?.parse().map_err(|_| "the timestamp is no number")?;
        let expected = judge(secret)?
            .sign(header(HEADER_WEBHOOK_ID)?, at, &self.body)
            .map_err(|error| error.to_string())?;
        let mut signatures = header(HEADER_WEBHOOK_SIGNATURE)?.split(' ');
        if signatures.any(|signature| signature == expected) {
            Ok(())
        } else {
            Err("no signature matches".into())
        }
    }
}

fn judge(secret: &str) -> Result<Webhook, String> {
    Webhook::new(secret).map_err(|error| error.to_string())
}

type Script = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

struct Shared {
    script: Mutex<Script>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
    connections: watch::Sender<usize>,
}

/// A receiver; ends with its value.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// A receiver that answers each request as `script` says.
    pub fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket can be made non-blocking");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            received: Mutex::default(),
            count: watch::Sender::new(0),
            connections: watch::Sender::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("receiver".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be built").block_on(async {
                let listener = TcpListener::from_std(listener).expect("it is a listening socket");
                tokio::select! {
                    _ = stopped => {}
                    () = accept(&listener, &serving) => {}
                }
            });
        });
        let thread = thread.expect("a thread can be started");
        Receiver { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// A receiver that answers 204 to everything.
    pub fn ok() -> Self {
        Self::start(|_| Reply::status(204))
    }

    /// A receiver that gives these answers in turn, and the last of them from then on.
    pub fn answering(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Mutex<VecDeque<Reply>> = Mutex::new(replies.into_iter().collect());
        assert!(!lock(&replies).is_empty(), "a receiver needs an answer to give");
        Self::start(move |_| {
            let mut replies = lock(&replies);
            let next = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
            next.expect("one always stays")
        })
    }

    /// A receiver that answers 204 to what is signed with `secret`, and 401 to anything else.
    pub fn verifying(secret: impl Into<String>) -> Self {
        let secret = secret.into();
        Self::start(move |request| match request.verify_whenever(&secret) {
            Ok(()) => Reply::status(204),
            Err(why) => Reply::status(401).body(why),
        })
    }

    /// Answers as `script` says from now on.
    pub fn answer_with(&self, script: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What has arrived so far, in order of arrival.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }

    /// Waits until `count` requests have arrived, by tokio's clock, and gives all that have; panics after `within`.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Vec<Received> {
        let mut arrived = self.shared.count.subscribe();
        let enough = timeout(within, arrived.wait_for(|arrived| *arrived >= count)).await.is_ok();
        self.expect(enough, count, within)
    }

    /// As [`wait_for`](Self::wait_for), for a test without a runtime.
    pub fn wait_for_blocking(&self, count: usize, within: Duration) -> Vec<Received> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime can be built").block_on(self.wait_for(count, within))
    }

    fn expect(&self, enough: bool, count: usize, within: Duration) -> Vec<Received> {
        let received = self.received();
        assert!(enough, "{} of {count} requests arrived within {within:?}: {received:#?}", received.len());
        received
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its own panic was printed when it happened.
            let _ = thread.join();
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    // The only errors are about connections that are gone already.
    while let Ok((stream, _)) = listener.accept().await {
        let connection = *shared.connections.borrow();
        shared.connections.send_replace(connection + 1);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            // How a connection ends is the test's doing.
            let _ = serve(stream, shared, connection).await;
        });
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>, connection: usize) -> Result<(), hyper::Error> {
    let stream = stream.into_std().expect("a stream has a socket");
    let twin = Arc::new(Mutex::new(stream.try_clone().ok()));
    let stream = TcpStream::from_std(stream).expect("it was a stream before");
    let service = service_fn(move |request| {
        let (shared, twin) = (Arc::clone(&shared), Arc::clone(&twin));
        async move {
            let received = keep(request, &shared, connection).await?;
            let script = Arc::clone(&lock(&shared.script));
            let reply = script(&received);
            sleep(reply.after).await;
            answer(reply, &twin).await
        }
    });
    http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await
}

/// Reads a request to its end and keeps it.
async fn keep(request: Request<Incoming>, shared: &Shared, connection: usize) -> io::Result<Received> {
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let headers =
        head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
    let received = Received {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        headers: headers.collect(),
        body,
        arrived,
        connection,
    };
    lock(&shared.received).push(received.clone());
    shared.count.send_modify(|count| *count += 1);
    Ok(received)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const LONG: Duration = Duration::from_secs(10);

    /// Posts over a new connection and gives what came back, up to `most` bytes.
    fn post(receiver: &Receiver, headers: &str, body: &str, most: u64) -> io::Result<String> {
        let mut stream = std::net::TcpStream::connect(receiver.address())?;
        stream.set_read_timeout(Some(LONG))?;
        let length = body.len();
        write!(
            stream,
            "POST /hook?x=1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.take(most).read_to_string(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn keeps_what_arrived_and_answers_in_turn() {
        let receiver = Receiver::answering([
            Reply::status(503).header("retry-after", "7").body("later"),
            Reply::status(204),
        ]);
        let first = post(&receiver, "x-b: 1\r\nx-a: 2\r\n", "hello", 10_000).expect("an answer");
        assert!(first.starts_with("HTTP/1.1 503") && first.contains("retry-after: 7"), "{first}");
        assert!(first.ends_with("\r\n\r\nlater"), "{first}");
        for _ in 0..2 {
            assert!(post(&receiver, "", "", 10_000).expect("an answer").starts_with("HTTP/1.1 204"));
        }
        let requests = receiver.wait_for_blocking(3, LONG);
        let first = &requests[0];
        assert_eq!(
            (first.method.as_str(), first.path.as_str(), &*first.body),
            ("POST", "/hook?x=1", &b"hello"[..])
        );
        let names: Vec<_> = first.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["host", "connection", "x-b", "x-a", "content-length"]);
        assert_eq!((first.connection, requests[2].connection, receiver.connections()), (0, 2, 3));
    }

    #[test]
    fn resets_trickles_and_never_ends() {
        let receiver = Receiver::answering([
            Reply::reset(),
            Reply::status(200).body("slowly").trickling(Duration::from_millis(1)),
            Reply::endless_body(),
        ]);
        let reset = post(&receiver, "", "", 10_000).expect_err("a reset");
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        let slow = post(&receiver, "", "", 10_000).expect("an answer");
        assert!(
            slow.starts_with("HTTP/1.1 200") && "slowly".chars().all(|letter| slow.contains(letter)),
            "{slow}"
        );
        assert_eq!(post(&receiver, "", "", 1_000_000).expect("an answer").len(), 1_000_000);
    }

    #[test]
    fn hangs_until_it_is_dropped() {
        let receiver = Receiver::start(|_| Reply::hang());
        let address = receiver.address();
        let mut stream = std::net::TcpStream::connect(address).expect("it listens");
        stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").expect("it reads");
        receiver.wait_for_blocking(1, LONG);
        drop(receiver);
        stream.set_read_timeout(Some(LONG)).expect("a socket has a timeout");
        assert_eq!(stream.read(&mut [0; 16]).expect("it was closed"), 0);
    }

    #[test]
    fn judges_signatures_by_the_published_vector() {
        let receiver = Receiver::verifying(SECRET);
        let headers = "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nwebhook-timestamp: 1614265330\r\n\
                       webhook-signature: v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n";
        let good = post(&receiver, headers, r#"{"test": 2432232314}"#, 10_000).expect("an answer");
        assert!(good.starts_with("HTTP/1.1 204"), "{good}");
        let bad = post(&receiver, headers, r#"{"test": 2432232315}"#, 10_000).expect("an answer");
        assert!(bad.starts_with("HTTP/1.1 401") && bad.ends_with("no signature matches"), "{bad}");
        let old = receiver.wait_for_blocking(2, LONG)[0].verify(SECRET).expect_err("it is from 2021");
        assert_eq!(old, "signature timestamp too old");
    }

    #[test]
    #[should_panic(expected = "0 of 1 requests arrived within 1ms")]
    fn says_what_is_missing_when_too_little_arrives() {
        Receiver::ok().wait_for_blocking(1, Duration::from_millis(1));
    }
}
