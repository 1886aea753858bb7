//! The receiver of the deliveries: answers 204, counts, and notes how long each event was under way.
//!
//! In a process of its own, so that its work is not counted as Keybell's or the generator's. Asked over `GET /report`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use bytes::Bytes;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::Outcome;
use crate::client::{Call, Connection, local};
use crate::floor::{Helper, listen};
use crate::load;

/// What stands before the instant of publishing, µs since 1970, in the data of an event.
pub(crate) const SENT: &str = "\"sent_us\":";
/// How often the report is asked for while deliveries are awaited.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Microseconds since 1970, the only clock that two processes share.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub(crate) fn now_micros() -> u64 {
    load::micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

struct Seen {
    arrived: u64,
    last_at: u64,
    waits: Histogram<u64>,
}

impl Seen {
    fn new() -> Seen {
        Seen { arrived: 0, last_at: 0, waits: load::histogram() }
    }

    fn note(&mut self, body: &[u8], now: u64) {
        self.arrived += 1;
        self.last_at = now;
        if let Some(sent) = sent_at(body) {
            self.waits.saturating_record(now.saturating_sub(sent).max(1));
        }
    }
}

/// The number after [`SENT`] in a delivery's body.
fn sent_at(body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = &text[text.find(SENT)? + SENT.len()..];
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// The hidden subcommand `receive`: never ends by itself. `GET /report` tells what arrived, `DELETE` starts anew.
pub(crate) fn serve() -> Outcome<()> {
    let seen = Arc::new(Mutex::new(Seen::new()));
    let application =
        Router::new().route("/report", get(report).delete(forget)).fallback(arrive).with_state(seen);
    load::runtime()?.block_on(async {
        let listener = listen().await?;
        axum::serve(listener, application).await.map_err(|error| format!("the receiver fell: {error}"))
    })
}

async fn arrive(State(seen): State<Arc<Mutex<Seen>>>, body: Bytes) -> StatusCode {
    seen.lock().expect("nobody panics while holding it").note(&body, now_micros());
    StatusCode::NO_CONTENT
}

async fn report(State(seen): State<Arc<Mutex<Seen>>>) -> axum::Json<Value> {
    let seen = seen.lock().expect("nobody panics while holding it");
    axum::Json(json!({
        "arrived": seen.arrived,
        "last_at": seen.last_at,
        "p50_ms": load::milliseconds(&seen.waits, 0.5),
        "p99_ms": load::milliseconds(&seen.waits, 0.99),
    }))
}

async fn forget(State(seen): State<Arc<Mutex<Seen>>>) -> axum::Json<Value> {
    *seen.lock().expect("nobody panics while holding it") = Seen::new();
    axum::Json(json!({}))
}

/// What arrived, once all of it has.
pub(crate) struct Report {
    pub(crate) arrived: u64,
    /// Microseconds since 1970 of the last arrival.
    pub(crate) last_at: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// The receiver as its parent sees it.
pub(crate) struct Receiver {
    helper: Helper,
}

impl Receiver {
    pub(crate) fn start() -> Outcome<Receiver> {
        Ok(Receiver { helper: Helper::start(&["receive"])? })
    }

    pub(crate) fn port(&self) -> u16 {
        self.helper.port
    }

    fn address(&self) -> SocketAddr {
        local(self.helper.port)
    }

    /// Starts counting anew.
    pub(crate) async fn forget(&self) -> Outcome<()> {
        let call = Call { method: "DELETE", path: "/report", bearer: None };
        Connection::open(self.address()).await?.json(&call, &Value::Null).await.map(drop)
    }

    /// Waits until `count` deliveries have arrived, but no longer than `patience`.
    pub(crate) async fn wait_for(&self, count: u64, patience: Duration) -> Outcome<Report> {
        let call = Call { method: "GET", path: "/report", bearer: None };
        let mut connection = Connection::open(self.address()).await?;
        let asked = std::time::Instant::now();
        loop {
            let report = connection.json(&call, &Value::Null).await?;
            let arrived = report["arrived"].as_u64().unwrap_or(0);
            if arrived >= count {
                let figure = |name: &str| report[name].as_f64().unwrap_or(f64::NAN);
                let last_at = report["last_at"].as_u64().unwrap_or(0);
                return Ok(Report { arrived, last_at, p50_ms: figure("p50_ms"), p99_ms: figure("p99_ms") });
            }
            if asked.elapsed() > patience {
                return Err(format!(
                    "only {arrived} of {count} deliveries arrived within {} s",
                    patience.as_secs()
                ));
            }
            tokio::time::sleep(ASK_EVERY).await;
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
    fn what_arrives_is_counted_and_timed() {
        let mut seen = Seen::new();
        seen.note(br#"{"sent_us":1000}"#, 3000);
        seen.note(b"xxx", 4000);
        assert_eq!((seen.arrived, seen.last_at, seen.waits.len(), seen.waits.max()), (2, 4000, 1, 2000));
    }
}
