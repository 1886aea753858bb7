//! How many events a second are accepted, durable *and delivered*, counted until the last has arrived, and what one costs.

use std::time::Duration;

use bytes::Bytes;

use crate::client::Call;
use crate::floor::{self, BODY_BYTES};
use crate::installation::{EVENT_TYPE, Keybell};
use crate::load::{self, CONNECTIONS, Done};
use crate::reading::Reading;
use crate::receiver::{AT_ONCE, Receiver, now_micros};
use crate::table::{Row, Table};
use crate::{Database, Outcome};

/// Events of a measurement, unless the command says otherwise.
const EVENTS: u64 = 100_000;
/// Webhooks that hear of each event in the fan-out.
const FAN_OUT: u64 = 10;
/// Events in one request of the batch measurement.
pub(crate) const BATCH: u64 = 100;
/// Connections that publish batches: few, as a platform's own queue would.
pub(crate) const BATCH_CONNECTIONS: usize = 4;
/// How long the last event may take after the last was accepted.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Both floors, then events one by one, each to ten webhooks, and in batches.
pub(crate) fn run(database: Database, count: Option<u64>, table: &mut Table) -> Outcome<()> {
    let events = count.unwrap_or(EVENTS);
    floor::measure_server(events, table)?;
    let receiver = Receiver::start()?;
    floor::measure_client(receiver.port(), events, table)?;
    let bars = Bars::of(database);
    load::runtime()?.block_on(async {
        let keybell = Keybell::start(database).await?;
        let one = Publishing::one_by_one(&keybell.workspace, "event", 1, bars.single);
        keybell.webhook(&keybell.workspace, &receiver.url(AT_ONCE)).await?;
        measure(&keybell, &receiver, &one, events, table).await?;

        let many = keybell.new_workspace("Fan-out").await?;
        for _ in 0..FAN_OUT {
            keybell.webhook(&many, &receiver.url(AT_ONCE)).await?;
        }
        let fanned = Publishing::one_by_one(&many, "event to 10 webhooks", FAN_OUT, bars.fan_out);
        // As many deliveries as before or more, not as many events.
        measure(&keybell, &receiver, &fanned, events.div_ceil(FAN_OUT / 2), table).await?;

        let batches = Publishing::in_batches(&keybell.workspace, "event, by 100", bars.batch);
        measure(&keybell, &receiver, &batches, events * 2, table).await.map(drop)
    })
}

/// What the issue asks for.
struct Bars {
    single: &'static str,
    fan_out: &'static str,
    batch: &'static str,
}

impl Bars {
    fn of(database: Database) -> Bars {
        match database {
            Database::Sqlite => Bars {
                single: "≥ 10,000/s, ≤ 100 µs",
                fan_out: "≤ 50 µs a delivery",
                batch: "≥ 20,000/s, ≤ 60 µs",
            },
            Database::Postgres => {
                Bars { single: "≥ 6,000/s, ≤ 170 µs (both CPUs)", fan_out: "", batch: "" }
            }
        }
    }
}

/// The members `type` and `data` of an event whose data is as long as the bodies of the floor, and says when it was sent.
pub(crate) fn event(sent_micros: u64) -> String {
    format!(
        "\"type\":\"{EVENT_TYPE}\",\"data\":{{\"sent_us\":{sent_micros},\"text\":\"{:x<BODY_BYTES$}\"}}",
        ""
    )
}

/// The path of a workspace's events, kept for as long as the program runs: the tasks of a load need not share it.
pub(crate) fn events_path(workspace: &str) -> &'static str {
    format!("/v1/workspaces/{workspace}/events").leak()
}

/// One way of publishing.
pub(crate) struct Publishing {
    what: String,
    bar: &'static str,
    path: &'static str,
    connections: usize,
    /// Events of one request.
    batch: u64,
    /// Deliveries of one event.
    deliveries: u64,
    body: fn(&str) -> Bytes,
    workspace: &'static str,
}

impl Publishing {
    /// Each event by a request of its own.
    pub(crate) fn one_by_one(workspace: &str, what: &str, deliveries: u64, bar: &'static str) -> Publishing {
        Publishing {
            what: what.to_owned(),
            bar,
            path: events_path(workspace),
            connections: CONNECTIONS,
            batch: 1,
            deliveries,
            body: |_| Bytes::from(format!("{{{}}}", event(now_micros()))),
            workspace: workspace.to_owned().leak(),
        }
    }

    /// A hundred events by one request.
    pub(crate) fn in_batches(workspace: &str, what: &str, bar: &'static str) -> Publishing {
        let body = |workspace: &str| {
            let one = format!("{{\"workspace\":\"{workspace}\",{}}}", event(now_micros()));
            let all = vec![one; usize::try_from(BATCH).unwrap_or(1)].join(",");
            Bytes::from(format!("{{\"events\":[{all}]}}"))
        };
        Publishing {
            path: "/v1/events/batch",
            connections: BATCH_CONNECTIONS,
            batch: BATCH,
            body,
            ..Publishing::one_by_one(workspace, what, 1, bar)
        }
    }

    /// Publishes at least `events` events, and waits for the answers.
    pub(crate) async fn publish(&self, keybell: &Keybell, events: u64) -> Outcome<Done> {
        let call =
            Call { method: "POST", path: self.path, bearer: Some(keybell.operator_key.clone().leak()) };
        let (body, workspace) = (self.body, self.workspace);
        let requests = events.div_ceil(self.batch);
        load::run(keybell.address(), self.connections, requests, move |_| call, move |_| body(workspace))
            .await
    }
}

/// Events a second.
#[derive(Clone, Copy)]
pub(crate) struct Rates {
    pub(crate) accepted: f64,
    /// Until the last delivery of the last event has arrived.
    pub(crate) delivered: f64,
}

/// Publishes, waits until everything has arrived and nothing more is done for it, and tells what it cost.
pub(crate) async fn measure(
    keybell: &Keybell,
    receiver: &Receiver,
    how: &Publishing,
    events: u64,
    table: &mut Table,
) -> Outcome<Rates> {
    receiver.forget().await?;
    let (before, started) = (Reading::of(keybell).await?, now_micros());
    let done = how.publish(keybell, events).await?;
    let published = done.requests * how.batch;
    let deliveries = published * how.deliveries;
    let report = receiver.wait_for(deliveries, PATIENCE).await?;
    keybell.rest().await;
    let after = Reading::of(keybell).await?;
    let took = Duration::from_micros(report.last_at.saturating_sub(started));
    table.add(accepted(how, &done, published));
    let rates = Rates { accepted: per_second(published, done.took), delivered: per_second(published, took) };
    table.add(Row {
        per_second: Some(per_second(deliveries, took)),
        p50_ms: Some(report.p50_ms),
        p95_ms: Some(report.p95_ms),
        p99_ms: Some(report.p99_ms),
        bar: how.bar.to_owned(),
        ..after.row(&before, format!("keybell: {}, delivered", how.what), deliveries)
    });
    Ok(rates)
}

#[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
pub(crate) fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn accepted(how: &Publishing, done: &Done, published: u64) -> Row {
    Row {
        what: format!("keybell: {}, accepted", how.what),
        count: published,
        per_second: Some(per_second(published, done.took)),
        p50_ms: Some(done.wait_ms(0.5)),
        p95_ms: Some(done.wait_ms(0.95)),
        p99_ms: Some(done.wait_ms(0.99)),
        ..Row::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_the_benches_is_json_and_says_when_it_was_sent() {
        let event: serde_json::Value =
            serde_json::from_str(&format!("{{{}}}", event(17))).expect("it is JSON");
        assert_eq!(event["data"]["sent_us"].as_u64(), Some(17));
        assert_eq!(event["data"]["text"].as_str().map(str::len), Some(BODY_BYTES));
    }

    #[test]
    fn a_batch_is_json_with_a_hundred_events_of_the_workspace() {
        let batch = (Publishing::in_batches("ws_1", "", "").body)("ws_1");
        let batch: serde_json::Value = serde_json::from_slice(&batch).expect("it is JSON");
        assert_eq!(batch["events"].as_array().map(Vec::len), usize::try_from(BATCH).ok());
        assert_eq!(batch["events"][99]["workspace"], "ws_1");
    }
}
