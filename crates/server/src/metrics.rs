//! The figures: a recorder for the whole process, rendered in Prometheus' text format.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use keybell_web::RenderMetrics;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::failure::Failure;

/// What is not rendered in between is gathered into buckets this often, so that memory stays bounded.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// In seconds, from what memory answers to what a retry waits for.
const BUCKETS: [f64; 13] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// Begins to record. Once per process, before anything is counted.
pub(crate) fn record() -> Result<PrometheusHandle, Failure> {
    let builder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS);
    let builder = builder.map_err(Failure::doing("the metrics have no buckets"))?;
    builder.install_recorder().map_err(Failure::doing("the metrics cannot be recorded"))
}

/// Renders the figures, for the pages and for [`serve`].
pub(crate) fn renderer(handle: &PrometheusHandle) -> RenderMetrics {
    let handle = handle.clone();
    Arc::new(move || handle.render())
}

/// Keeps the figures' memory bounded, for as long as the process lives.
pub(crate) async fn keep_up(handle: PrometheusHandle) {
    let mut every = tokio::time::interval(UPKEEP_EVERY);
    loop {
        every.tick().await;
        handle.run_upkeep();
    }
}

/// Answers `/metrics` on a listener of its own, for as long as the process lives.
pub(crate) async fn serve(listener: TcpListener, render: RenderMetrics) {
    let served = async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        axum::serve(listener, keybell_web::metrics_router(render)).await
    };
    if let Err(error) = served.await {
        tracing::error!(%error, "the metrics are no longer served");
    }
}
