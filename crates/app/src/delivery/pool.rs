//! Connections kept open between requests, by endpoint.
//!
//! Keep-alive is worth five times the work without TLS and thirty times with it. What is kept is bounded in number and in
//! time. An HTTP/1.1 connection is kept only after its answer was read to the end; one of HTTP/2 is shared from its first
//! answer on, and by then its receiver has said how many requests it takes at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::http1::Sender;
use super::http2::{Connection, Slot};
use super::target::Endpoint;

/// Most idle HTTP/1.1 connections to one endpoint.
const IDLE_PER_ENDPOINT_MAX: usize = 128;
/// Most HTTP/2 connections to one endpoint that are shared: one, and more where the receiver takes few requests at once.
const SHARED_PER_ENDPOINT_MAX: usize = 16;
/// Most connections that one pool keeps: each shard has one, and so have the tests of webhooks.
const KEPT_MAX: usize = 4_096;
/// How long an idle connection is kept. Common servers close theirs after 5 to 75 seconds.
pub const IDLE_TIME: Duration = Duration::from_secs(30);
/// How long a kept connection may take to be through with the request before. It is, but for a turn of its task.
const READY_TIME: Duration = Duration::from_millis(50);

/// Connections that requests can be sent on. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Pool {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    by_endpoint: HashMap<Arc<Endpoint>, Connections>,
    count: usize,
    sweeping: bool,
}

#[derive(Default)]
struct Connections {
    idle: Vec<Idle>,
    shared: Vec<Arc<Connection>>,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// A connection that can take a request now.
pub(super) enum Line {
    /// For one request at a time.
    Http1(Sender),
    /// A place on a shared one.
    Http2(Slot),
}

impl Pool {
    /// A connection to `endpoint` that can take a request now, if one is kept: the one used last, which is the least
    /// likely to be closed.
    pub(super) async fn take(&self, endpoint: &Endpoint) -> Option<Line> {
        loop {
            let line = self.locked().take(endpoint)?;
            match line {
                Line::Http2(_) => return Some(line),
                // It may still be reading the end of the answer before, or writing what its receiver does not read; it is an
                // error if it was closed meanwhile.
                Line::Http1(mut sender) => {
                    if sender.is_ready() || matches!(timeout(READY_TIME, sender.ready()).await, Ok(Ok(()))) {
                        return Some(Line::Http1(sender));
                    }
                }
            }
        }
    }

    /// Keeps a connection whose answer was read to its end. Must be called within a runtime.
    pub(super) fn keep(&self, endpoint: &Arc<Endpoint>, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut kept = self.locked();
        let full = kept.count >= KEPT_MAX;
        let idle = &mut kept.by_endpoint.entry(Arc::clone(endpoint)).or_default().idle;
        if full || idle.len() >= IDLE_PER_ENDPOINT_MAX {
            return;
        }
        idle.push(Idle { sender, since: Instant::now() });
        kept.count += 1;
        self.sweep(&mut kept);
    }

    /// Shares a connection on which an answer has come, unless another one has plenty of room. Must be called within a
    /// runtime.
    pub(super) fn share(&self, endpoint: &Arc<Endpoint>, connection: &Arc<Connection>) {
        let mut kept = self.locked();
        let full = kept.count >= KEPT_MAX;
        let shared = &mut kept.by_endpoint.entry(Arc::clone(endpoint)).or_default().shared;
        let is_there =
            shared.iter().any(|other| Arc::ptr_eq(other, connection) || other.has_plenty_of_room());
        if full || is_there || shared.len() >= SHARED_PER_ENDPOINT_MAX || !connection.is_open() {
            return;
        }
        shared.push(Arc::clone(connection));
        kept.count += 1;
        self.sweep(&mut kept);
    }

    /// Sees to it that what is kept is looked through from time to time.
    fn sweep(&self, kept: &mut Kept) {
        if !kept.sweeping {
            kept.sweeping = true;
            tokio::spawn(sweep(Arc::downgrade(&self.kept)));
        }
    }

    fn locked(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn take(&mut self, endpoint: &Endpoint) -> Option<Line> {
        let connections = self.by_endpoint.get_mut(endpoint)?;
        if let Some(idle) = connections.idle.pop() {
            self.count -= 1;
            return Some(Line::Http1(idle.sender));
        }
        let before = connections.shared.len();
        connections.shared.retain(|shared| shared.is_open());
        self.count -= before - connections.shared.len();
        connections.shared.iter().find_map(Connection::slot).map(Line::Http2)
    }

    /// Drops what was idle for too long or is closed; gives whether anything is left.
    fn sweep(&mut self, now: Instant) -> bool {
        let fresh = |since: Instant| now.duration_since(since) < IDLE_TIME;
        self.by_endpoint.retain(|_, kept| {
            kept.idle.retain(|idle| fresh(idle.since) && !idle.sender.is_closed());
            kept.shared.retain(|shared| shared.is_open() && shared.idle_since().is_none_or(fresh));
            !kept.idle.is_empty() || !kept.shared.is_empty()
        });
        self.count = self.by_endpoint.values().map(|kept| kept.idle.len() + kept.shared.len()).sum();
        self.sweeping = self.count > 0;
        self.sweeping
    }
}

/// Sweeps for as long as anything is kept: an empty pool has no timer.
async fn sweep(kept: Weak<Mutex<Kept>>) {
    loop {
        tokio::time::sleep(IDLE_TIME / 2).await;
        let Some(kept) = kept.upgrade() else { return };
        if !lock(&kept).sweep(Instant::now()) {
            return;
        }
    }
}
