//! How many events a second are accepted *and delivered*, counted until the last has arrived, and what one costs.

use std::time::Duration;

use bytes::Bytes;

use crate::client::Call;
use crate::floor::{self, BODY_BYTES};
use crate::installation::{EVENT_TYPE, Keybell};
use crate::load::{self, CONNECTIONS, Done};
use crate::receiver::{Receiver, now_micros};
use crate::table::{Row, Table};
use crate::{Database, Outcome};

/// Events of a measurement, unless the command says otherwise.
const EVENTS: u64 = 50_000;
/// Events in one request of the batch measurement.
const BATCH: u64 = 100;
/// Connections that publish batches: few, as a platform's own queue would.
const BATCH_CONNECTIONS: usize = 4;
/// How long the last event may take after the last was accepted.
const PATIENCE: Duration = Duration::from_mins(2);

/// Both floors, then events one by one, then in batches.
pub(crate) fn run(database: Database, count: Option<u64>, table: &mut Table) -> Outcome<()> {
    let events = count.unwrap_or(EVENTS);
    floor::measure_server(events, table)?;
    let receiver = Receiver::start()?;
    floor::measure_client(receiver.port(), events, table)?;
    load::runtime()?.block_on(async {
        let keybell = Keybell::start(database).await?;
        keybell.webhook(receiver.port()).await?;
        let one_path: &'static str = format!("/v1/workspaces/{}/events", keybell.workspace).leak();
        let one = Published { what: "event", path: one_path, connections: CONNECTIONS, batch: 1 };
        let body = move |_| Bytes::from(format!("{{{}}}", event()));
        measure(&keybell, &receiver, &one, events, body, table).await?;
        let many = Published {
            what: "event, by 100",
            path: "/v1/events/batch",
            connections: BATCH_CONNECTIONS,
            batch: BATCH,
        };
        let workspace = keybell.workspace.clone();
        let body = move |_| {
            let one = format!("{{\"workspace\":\"{workspace}\",{}}}", event());
            let all = vec![one; usize::try_from(BATCH).unwrap_or(1)].join(",");
            Bytes::from(format!("{{\"events\":[{all}]}}"))
        };
        measure(&keybell, &receiver, &many, events, body, table).await
    })
}

/// The members `type` and `data` of an event whose data is as long as the bodies of the floor, and says when it was sent.
pub(crate) fn event() -> String {
    let sent = now_micros();
    format!("\"type\":\"{EVENT_TYPE}\",\"data\":{{\"sent_us\":{sent},\"text\":\"{:x<BODY_BYTES$}\"}}", "")
}

/// One way of publishing.
struct Published {
    what: &'static str,
    path: &'static str,
    connections: usize,
    batch: u64,
}

async fn measure(
    keybell: &Keybell,
    receiver: &Receiver,
    how: &Published,
    events: u64,
    body: impl Fn(u64) -> Bytes + 'static,
    table: &mut Table,
) -> Outcome<()> {
    receiver.forget().await?;
    let call = Call { method: "POST", path: how.path, bearer: Some(keybell.operator_key.clone().leak()) };
    let (server, database, started) = (keybell.cpu(), keybell.database_cpu(), now_micros());
    let done = load::run(keybell.address(), how.connections, events.div_ceil(how.batch), move |_| call, body)
        .await?;
    let published = done.requests * how.batch;
    let report = receiver.wait_for(published, PATIENCE).await?;
    keybell.rest().await;
    let took = Duration::from_micros(report.last_at.saturating_sub(started));
    table.add(accepted(how, &done, published));
    table.add(Row {
        what: format!("keybell: {} delivered", how.what),
        count: report.arrived,
        per_second: Some(per_second(published, took)),
        server_micros: Some(keybell.cpu().micros_each(server, published)),
        database_micros: keybell
            .database_cpu()
            .zip(database)
            .map(|(now, then)| now.micros_each(then, published)),
        p50_ms: Some(report.p50_ms),
        p99_ms: Some(report.p99_ms),
    });
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn accepted(how: &Published, done: &Done, published: u64) -> Row {
    Row {
        what: format!("keybell: {} accepted", how.what),
        count: published,
        per_second: Some(per_second(published, done.took)),
        p50_ms: Some(done.wait_ms(0.5)),
        p99_ms: Some(done.wait_ms(0.99)),
        ..Row::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_the_benches_is_json_and_says_when_it_was_sent() {
        let event: serde_json::Value = serde_json::from_str(&format!("{{{}}}", event())).expect("it is JSON");
        assert!(event["data"]["sent_us"].as_u64().is_some());
        assert_eq!(event["data"]["text"].as_str().map(str::len), Some(BODY_BYTES));
    }
}
