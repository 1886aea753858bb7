//! The end: asked for by a signal, done in order and within a time; asked for twice, at once.

use std::time::Duration;

use keybell_app::App;
use keybell_store::Store;
use keybell_web::Site;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::failure::Failure;
use crate::serving::{Connections, Workers};

/// For requests that are under way. With the next two it stays under the 10 seconds that are promised, and that
/// supervisors wait before they kill.
const REQUESTS_GRACE: Duration = Duration::from_millis(3_500);
/// For deliveries that are under way; what is not over then is taken up at the next start. And beside them for writing
/// down how keys were used.
const DELIVERIES_GRACE: Duration = Duration::from_secs(4);
/// For what waits to be written.
const STORE_GRACE: Duration = Duration::from_millis(1_500);
/// What a shell says of a process that an interrupt ended.
const INTERRUPTED: i32 = 130;

/// The signals that ask for the end.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches them from now on. Belongs in a runtime.
    pub(crate) fn catch() -> Result<Signals, Failure> {
        let catch = |kind| signal(kind).map_err(Failure::doing("signals cannot be caught"));
        Ok(Signals { terminate: catch(SignalKind::terminate())?, interrupt: catch(SignalKind::interrupt())? })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// From now on the next one ends the process at once.
    pub(crate) async fn end_at_once(mut self) {
        self.next().await;
        std::process::exit(INTERRUPTED);
    }
}

/// Ends everything in order: no new connections, requests answered, deliveries over or parked, the database closed.
pub(crate) async fn end(connections: &Connections<Site>, app: &App, store: &Store, workers: Workers) {
    tracing::info!("asked to end; no new connections are accepted");
    app.end_live_views();
    if timeout(REQUESTS_GRACE, connections.end()).await.is_err() {
        tracing::warn!("some requests were not over in time and are cut off");
    }
    let (written, ()) =
        tokio::join!(timeout(DELIVERIES_GRACE, app.write_usage()), app.stop_engine(DELIVERIES_GRACE));
    match written {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "how keys were last used was not written down"),
        Err(_) => tracing::warn!("not all of how keys were last used could be written down in time"),
    }
    if timeout(STORE_GRACE, store.close()).await.is_err() {
        tracing::warn!("the database was not closed in time");
    }
    workers.end();
    tracing::info!("ended");
}
