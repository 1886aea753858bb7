//! The figures: a recorder for the whole process, rendered in Prometheus' text format.
//!
//! What happens is counted where it happens. What is held, and what the store counts by itself, is looked up when somebody
//! asks: how full each queue is, and what was refused because one was.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use keybell_app::App;
use keybell_core::Code;
use keybell_core::key::Outcome;
use keybell_store::Store;
use keybell_web::RenderMetrics;
use metrics::{counter, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::failure::Failure;

/// What is not rendered in between is gathered into buckets this often, so that memory stays bounded.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// In seconds, from what memory answers to what a retry waits for.
const SECONDS: [f64; 13] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// Operations that share a transaction: alone, a few, up to as many as a group may have.
const OPERATIONS: [f64; 8] = [1.0, 2.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0];

/// Begins to record. Once per process, before anything is counted.
pub(crate) fn record() -> Result<PrometheusHandle, Failure> {
    let suffix = |text: &str| Matcher::Suffix(text.to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(suffix("_seconds"), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(suffix("_operations"), &OPERATIONS));
    let builder = builder.map_err(Failure::doing("the metrics have no buckets"))?;
    let handle = builder.install_recorder().map_err(Failure::doing("the metrics cannot be recorded"))?;
    keybell_app::delivery::show_all();
    counter!("keybell_key_usage_dropped_total").increment(0);
    let outcomes = Outcome::ALL.into_iter().map(Outcome::as_str);
    for outcome in outcomes.chain([Code::InvalidKey.as_str()]) {
        counter!("keybell_key_checks_total", "outcome" => outcome).increment(0);
    }
    Ok(handle)
}

/// Renders the figures, for the pages and for [`serve`].
pub(crate) fn renderer(handle: &PrometheusHandle, app: &App, store: &Store) -> RenderMetrics {
    let (handle, app, store) = (handle.clone(), app.clone(), store.clone());
    Arc::new(move || {
        look(&app, &store);
        handle.render()
    })
}

/// Takes in what others count and hold.
fn look(app: &App, store: &Store) {
    let (stored, engine, on_disk) = (store.stats(), app.engine().stats(), app.engine().on_disk());
    for (name, count) in [
        ("keybell_store_operations_total", stored.operations),
        ("keybell_store_operations_failed_total", stored.operations_failed),
        ("keybell_store_refused_total", stored.refused),
        ("keybell_store_commits_total", stored.commits),
        ("keybell_store_queries_total", stored.queries),
        ("keybell_store_statements_total", stored.statements),
        ("keybell_store_rows_changed_total", stored.rows_changed),
        ("keybell_store_retries_total", stored.retries),
        ("keybell_store_reconnects_total", stored.reconnects),
    ] {
        counter!(name).absolute(count);
    }
    for (operation, spent) in store.spent() {
        counter!("keybell_store_operation_runs_total", "operation" => operation).absolute(spent.runs);
        let micros = u64::try_from(spent.time.as_micros()).unwrap_or(u64::MAX);
        counter!("keybell_store_operation_microseconds_total", "operation" => operation).absolute(micros);
    }
    gauge!("keybell_due_lag_seconds").set(on_disk.due_for.as_secs_f64());
    gauge!("keybell_store_writes_fail").set(f64::from(u8::from(store.failing().is_some())));
    gauge!("keybell_engine_standstill").set(f64::from(u8::from(app.engine().standstill().is_some())));
    for (name, held) in [
        ("keybell_store_writes_waiting", stored.writes_waiting),
        ("keybell_store_reads_waiting", stored.reads_waiting),
        ("keybell_events_waiting", engine.events_gathered as u64),
        ("keybell_deliveries_in_memory", engine.in_memory as u64),
        ("keybell_deliveries_in_memory_bytes", engine.in_memory_bytes as u64),
        ("keybell_deliveries_queued", engine.queued as u64),
        ("keybell_deliveries_under_way", engine.under_way as u64),
        ("keybell_outcomes_waiting", engine.outcomes_waiting as u64),
        ("keybell_deliveries_pending", on_disk.pending),
        ("keybell_api_keys_in_memory", app.api_keys_in_memory() as u64),
        ("keybell_webhooks_in_memory", app.registry().len() as u64),
    ] {
        #[expect(clippy::cast_precision_loss, reason = "what fits into memory is counted exactly")]
        gauge!(name).set(held as f64);
    }
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
