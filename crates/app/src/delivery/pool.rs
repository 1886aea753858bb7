//! Connections kept open between requests, by endpoint.
//!
//! Keep-alive is worth five times the work without TLS and thirty times with it. What is kept is bounded in number and in
//! time, and a connection is kept only after its answer was read to the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::time::Instant;

use super::target::Endpoint;

/// Most idle connections to one endpoint.
const IDLE_PER_ENDPOINT_MAX: usize = 128;
/// Most idle connections in all: a quarter of the file descriptors that a process usually has.
const IDLE_MAX: usize = 4_096;
/// How long an idle connection is kept. Common servers close theirs after 5 to 75 seconds.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// The sending half of an open connection.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Idle connections. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Pool {
    idle: Arc<Mutex<IdleConnections>>,
}

#[derive(Default)]
struct IdleConnections {
    by_endpoint: HashMap<Arc<Endpoint>, Vec<Idle>>,
    count: usize,
    sweeping: bool,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

impl Pool {
    /// A connection to `endpoint` that can take a request now, if one is kept: the one used last, which is the least
    /// likely to be closed.
    pub(super) async fn take(&self, endpoint: &Endpoint) -> Option<Sender> {
        loop {
            let mut sender = self.locked().take(endpoint)?;
            // It may still be reading the end of the answer before; it is an error if it was closed meanwhile.
            if sender.is_ready() || sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    /// Keeps a connection whose answer was read to its end. Must be called within a runtime.
    pub(super) fn put(&self, endpoint: &Arc<Endpoint>, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.locked();
        let full = idle.count >= IDLE_MAX;
        let of_endpoint = idle.by_endpoint.entry(Arc::clone(endpoint)).or_default();
        if full || of_endpoint.len() >= IDLE_PER_ENDPOINT_MAX {
            return;
        }
        of_endpoint.push(Idle { sender, since: Instant::now() });
        idle.count += 1;
        if !idle.sweeping {
            idle.sweeping = true;
            tokio::spawn(sweep(Arc::downgrade(&self.idle)));
        }
    }

    fn locked(&self) -> MutexGuard<'_, IdleConnections> {
        lock(&self.idle)
    }
}

fn lock(idle: &Mutex<IdleConnections>) -> MutexGuard<'_, IdleConnections> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IdleConnections {
    fn take(&mut self, endpoint: &Endpoint) -> Option<Sender> {
        let idle = self.by_endpoint.get_mut(endpoint)?.pop()?;
        self.count -= 1;
        Some(idle.sender)
    }

    /// Drops what was idle for too long or is closed; gives whether anything is left.
    fn sweep(&mut self, now: Instant) -> bool {
        self.by_endpoint.retain(|_, kept| {
            kept.retain(|idle| now.duration_since(idle.since) < IDLE_TIME && !idle.sender.is_closed());
            !kept.is_empty()
        });
        self.count = self.by_endpoint.values().map(Vec::len).sum();
        self.sweeping = self.count > 0;
        self.sweeping
    }
}

/// Sweeps for as long as anything is idle: an idle pool has no timer.
async fn sweep(idle: Weak<Mutex<IdleConnections>>) {
    loop {
        tokio::time::sleep(IDLE_TIME / 2).await;
        let Some(idle) = idle.upgrade() else { return };
        if !lock(&idle).sweep(Instant::now()) {
            return;
        }
    }
}
