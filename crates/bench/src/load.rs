//! Closed-loop load: so many connections, each with one request under way, until so many requests are done.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use crate::Outcome;
use crate::client::{Call, Connection};

/// Connections of a run: enough that a server on a small machine is never idle.
pub(crate) const CONNECTIONS: usize = 64;
/// No run is longer than this; what is done by then is what is counted.
const RUN_MAX: Duration = Duration::from_mins(1);
/// The longest wait that is told apart, µs.
const WAIT_MAX_MICROS: u64 = 120_000_000;

/// What a run did.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
    /// How long each request took, µs.
    pub(crate) waits: Histogram<u64>,
}

impl Done {
    /// Requests a second.
    #[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }

    /// A quantile of the waits, in milliseconds.
    pub(crate) fn wait_ms(&self, quantile: f64) -> f64 {
        milliseconds(&self.waits, quantile)
    }
}

/// A quantile of a histogram of microseconds, in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
pub(crate) fn milliseconds(waits: &Histogram<u64>, quantile: f64) -> f64 {
    waits.value_at_quantile(quantile) as f64 / 1e3
}

/// An empty histogram of microseconds, with three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, WAIT_MAX_MICROS, 3).expect("the bounds are in order")
}

/// A runtime of one thread, on which the load is made: a generator that takes both cores measures itself.
pub(crate) fn runtime() -> Outcome<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| format!("a runtime cannot be started: {error}"))
}

/// Sends `requests` over `connections` to `server`, each as `call` and with the body that `body` make of its number. An
/// answer that is no 2xx ends the run with an error.
pub(crate) async fn run(
    server: SocketAddr,
    connections: usize,
    requests: u64,
    call: impl Fn(u64) -> Call<'static> + 'static,
    body: impl Fn(u64) -> Bytes + 'static,
) -> Outcome<Done> {
    let (call, body, next) = (Rc::new(call), Rc::new(body), Rc::new(Cell::new(0_u64)));
    let local = LocalSet::new();
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (call, body, next) = (Rc::clone(&call), Rc::clone(&body), Rc::clone(&next));
        tasks.push(local.spawn_local(async move {
            let mut connection = Connection::open(server).await?;
            let mut waits = histogram();
            while next.get() < requests && started.elapsed() < RUN_MAX {
                let number = next.replace(next.get() + 1);
                let sent = Instant::now();
                let call = call(number);
                let (status, answer) = connection.send(&call, body(number)).await?;
                if !status.is_success() {
                    let shown = String::from_utf8_lossy(&answer);
                    return Err(format!("{} {} answered {status}: {shown}", call.method, call.path));
                }
                waits.saturating_record(micros(sent.elapsed()));
            }
            Ok(waits)
        }));
    }
    let mut waits = histogram();
    local
        .run_until(async {
            for task in tasks {
                let part = task.await.map_err(|error| format!("a connection's task ended: {error}"))??;
                waits.add(part).map_err(|error| format!("histograms do not add up: {error}"))?;
            }
            Ok::<(), String>(())
        })
        .await?;
    Ok(Done { requests: waits.len(), took: started.elapsed(), waits })
}

/// A duration in whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
