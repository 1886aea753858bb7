//! The receiver of the deliveries, in a process of its own, so that its work is not counted as Keybell's or the generator's.
//!
//! What it does with a delivery stands in the path: [`AT_ONCE`], [`HANGS`], [`GATED`]. Bare hyper on one thread, so that it
//! takes little of the cores that it shares, and a request that hangs costs it a timer. Asked over [`REPORT`].

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::Outcome;
use crate::client::{Call, Connection, local};
use crate::floor::{Helper, listen};
use crate::load;

/// Answered 204 at once, counted and timed.
pub(crate) const AT_ONCE: &str = "/";
/// Answered 204 after [`HANGS_FOR`]; only counted while it hangs.
pub(crate) const HANGS: &str = "/hangs";
/// Not answered before the gate is opened; then as [`AT_ONCE`].
pub(crate) const GATED: &str = "/gated";
/// How long [`HANGS`] takes: short of the time that an attempt has by default.
pub(crate) const HANGS_FOR: Duration = Duration::from_secs(10);

/// `GET` tells what arrived, `DELETE` starts anew.
const REPORT: &str = "/report";
/// `PUT` opens it.
const GATE: &str = "/gate";
/// What stands before the instant of publishing, µs since 1970, in the data of an event.
pub(crate) const SENT: &str = "\"sent_us\":";
/// How often the report is asked for while deliveries are awaited.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Microseconds since 1970, the only clock that two processes share.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub(crate) fn now_micros() -> u64 {
    load::micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// What arrived since it was last told to forget.
struct Seen {
    arrived: u64,
    last_at: u64,
    waits: Histogram<u64>,
    hanging: u64,
    hanging_max: u64,
}

impl Seen {
    fn new() -> Seen {
        Seen { arrived: 0, last_at: 0, waits: load::histogram(), hanging: 0, hanging_max: 0 }
    }

    fn note(&mut self, body: &[u8], now: u64) {
        self.arrived += 1;
        self.last_at = now;
        if let Some(sent) = sent_at(body) {
            self.waits.saturating_record(now.saturating_sub(sent).max(1));
        }
    }

    /// Forgets the figures; what hangs goes on to hang.
    fn forget(&mut self) {
        *self = Seen { hanging: self.hanging, hanging_max: self.hanging, ..Seen::new() };
    }

    fn report(&self) -> Value {
        json!({
            "arrived": self.arrived,
            "last_at": self.last_at,
            "hanging_max": self.hanging_max,
            "p50_ms": load::milliseconds(&self.waits, 0.5),
            "p95_ms": load::milliseconds(&self.waits, 0.95),
            "p99_ms": load::milliseconds(&self.waits, 0.99),
        })
    }
}

/// The number after [`SENT`] in a delivery's body.
fn sent_at(body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = &text[text.find(SENT)? + SENT.len()..];
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

struct Shared {
    seen: Mutex<Seen>,
    gate: watch::Sender<bool>,
}

impl Shared {
    fn with<T>(&self, work: impl FnOnce(&mut Seen) -> T) -> T {
        work(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let said = match (&head.method, head.uri.path()) {
            (&Method::GET, REPORT) => Some(self.with(|seen| seen.report())),
            (&Method::DELETE, REPORT) => {
                self.with(Seen::forget);
                Some(Value::Null)
            }
            (&Method::PUT, GATE) => {
                self.gate.send_replace(true);
                Some(Value::Null)
            }
            (_, path) => {
                // One that breaks off in the middle has not arrived.
                if let Ok(body) = body.collect().await {
                    self.take(path, &body.to_bytes()).await;
                }
                None
            }
        };
        let text = said.map_or_else(Bytes::new, |said| said.to_string().into());
        let status = if text.is_empty() { StatusCode::NO_CONTENT } else { StatusCode::OK };
        let mut answer = Response::new(Full::new(text));
        *answer.status_mut() = status;
        Ok(answer)
    }

    async fn take(&self, path: &str, body: &[u8]) {
        if path == HANGS {
            let _hanging = Hanging::begin(self);
            tokio::time::sleep(HANGS_FOR).await;
            return;
        }
        if path == GATED {
            let _hanging = Hanging::begin(self);
            let mut gate = self.gate.subscribe();
            if gate.wait_for(|open| *open).await.is_err() {
                pending::<()>().await;
            }
        }
        self.with(|seen| seen.note(body, now_micros()));
    }
}

/// A request that hangs, until it is answered or its client gives up.
struct Hanging<'s>(&'s Shared);

impl Hanging<'_> {
    fn begin(shared: &Shared) -> Hanging<'_> {
        shared.with(|seen| {
            seen.hanging += 1;
            seen.hanging_max = seen.hanging_max.max(seen.hanging);
        });
        Hanging(shared)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.0.with(|seen| seen.hanging -= 1);
    }
}

/// The hidden subcommand `receive`: never ends by itself. `port` 0 is any.
pub(crate) fn serve(port: u16) -> Outcome<()> {
    let shared = Arc::new(Shared { seen: Mutex::new(Seen::new()), gate: watch::channel(false).0 });
    load::runtime()?.block_on(async {
        let listener = listen(port).await?;
        loop {
            let accepted = listener.accept().await;
            let (stream, _) = accepted.map_err(|error| format!("the receiver fell: {error}"))?;
            // An answer goes out whole, and at once.
            let _ = stream.set_nodelay(true);
            let shared = Arc::clone(&shared);
            let service = service_fn(move |request| Arc::clone(&shared).answer(request));
            // A connection that breaks off is its client's affair.
            tokio::spawn(async move {
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
            });
        }
    })
}

/// What arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) arrived: u64,
    /// Microseconds since 1970 of the last arrival.
    pub(crate) last_at: u64,
    /// How many requests hung at once.
    pub(crate) hanging_max: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p95_ms: f64,
    pub(crate) p99_ms: f64,
}

/// The receiver as its parent sees it.
pub(crate) struct Receiver {
    helper: Helper,
}

impl Receiver {
    pub(crate) fn start() -> Outcome<Receiver> {
        Receiver::start_at(0)
    }

    /// Starts it on a port of the caller's choice, where nothing listened so far.
    pub(crate) fn start_at(port: u16) -> Outcome<Receiver> {
        Ok(Receiver { helper: Helper::start(&["receive", &port.to_string()])? })
    }

    pub(crate) fn port(&self) -> u16 {
        self.helper.port
    }

    /// The URL of one of its paths.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    fn address(&self) -> SocketAddr {
        local(self.helper.port)
    }

    async fn ask(&self, method: &str, path: &str) -> Outcome<()> {
        let call = Call { method, path, bearer: None };
        Connection::open(self.address()).await?.send(&call, Bytes::new()).await.map(drop)
    }

    /// Starts counting anew.
    pub(crate) async fn forget(&self) -> Outcome<()> {
        self.ask("DELETE", REPORT).await
    }

    /// Answers what waits at [`GATED`], now and from now on.
    pub(crate) async fn open_gate(&self) -> Outcome<()> {
        self.ask("PUT", GATE).await
    }

    /// Waits until `count` deliveries have arrived, but no longer than `patience`; then it is an error.
    pub(crate) async fn wait_for(&self, count: u64, patience: Duration) -> Outcome<Report> {
        let report = self.until(count, patience).await?;
        if report.arrived < count {
            let (arrived, patience) = (report.arrived, patience.as_secs());
            return Err(format!("only {arrived} of {count} deliveries arrived within {patience} s"));
        }
        Ok(report)
    }

    /// What has arrived as soon as that is `count`, or when `patience` is at its end.
    pub(crate) async fn until(&self, count: u64, patience: Duration) -> Outcome<Report> {
        let call = Call { method: "GET", path: REPORT, bearer: None };
        let mut connection = Connection::open(self.address()).await?;
        let asked = std::time::Instant::now();
        loop {
            let report = Report::read(&connection.json(&call, &Value::Null).await?);
            if report.arrived >= count || asked.elapsed() > patience {
                return Ok(report);
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
}

impl Report {
    fn read(report: &Value) -> Report {
        let number = |name: &str| report[name].as_u64().unwrap_or(0);
        let figure = |name: &str| report[name].as_f64().unwrap_or(f64::NAN);
        Report {
            arrived: number("arrived"),
            last_at: number("last_at"),
            hanging_max: number("hanging_max"),
            p50_ms: figure("p50_ms"),
            p95_ms: figure("p95_ms"),
            p99_ms: figure("p99_ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instant_of_publishing_is_found_in_a_delivery() {
        assert_eq!(
            sent_at(br#"{"id":"evt_1","data":{"sent_us":1763900000000000,"text":"x"}}"#),
            Some(1_763_900_000_000_000)
        );
        assert_eq!(sent_at(b"{}"), None);
    }

    #[test]
    fn what_arrives_is_counted_and_timed_and_what_hangs_is_not_forgotten() {
        let shared = Shared { seen: Mutex::new(Seen::new()), gate: watch::channel(false).0 };
        let hanging = Hanging::begin(&shared);
        shared.with(|seen| {
            seen.note(br#"{"sent_us":1000}"#, 3000);
            seen.note(b"xxx", 4000);
            assert_eq!((seen.arrived, seen.last_at, seen.waits.len(), seen.waits.max()), (2, 4000, 1, 2000));
            seen.forget();
            assert_eq!((seen.arrived, seen.hanging, seen.hanging_max), (0, 1, 1));
        });
        drop(hanging);
        assert_eq!(shared.with(|seen| seen.hanging), 0);
    }
}
