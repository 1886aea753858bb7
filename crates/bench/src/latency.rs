//! From publish to arrival at a load that leaves the machine idle most of the time: 200 events a second, published at
//! their instants whether or not those before have been answered.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::client::{Call, Connection};
use crate::deliver::event;
use crate::installation::Keybell;
use crate::receiver::Receiver;
use crate::table::{Row, Table};
use crate::{Database, Outcome, load};

/// Between two events: 200 a second.
const EVERY: Duration = Duration::from_millis(5);
/// Events, unless the command says otherwise: twenty seconds of them.
const EVENTS: u64 = 4_000;
/// Connections in turn, so that an answer that is late does not hold up the next event.
const CONNECTIONS: usize = 16;
/// How long the last event may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Publishes, waits for the last arrival, and tells how long they were under way.
pub(crate) fn run(database: Database, count: Option<u64>, table: &mut Table) -> Outcome<()> {
    let events = count.unwrap_or(EVENTS).min(EVENTS * 10);
    let receiver = Receiver::start()?;
    load::runtime()?.block_on(async {
        let keybell = Keybell::start(database).await?;
        keybell.webhook(receiver.port()).await?;
        receiver.forget().await?;
        let (server, stored) = (keybell.cpu(), keybell.database_cpu());
        let accepted = publish(&keybell, events).await?;
        let report = receiver.wait_for(events, PATIENCE).await?;
        keybell.rest().await;
        table.add(Row {
            what: "keybell: accepted, at 200/s".to_owned(),
            count: events,
            p50_ms: Some(load::milliseconds(&accepted, 0.5)),
            p99_ms: Some(load::milliseconds(&accepted, 0.99)),
            ..Row::default()
        });
        table.add(Row {
            what: "keybell: publish to arrival, at 200/s".to_owned(),
            count: report.arrived,
            per_second: None,
            server_micros: Some(keybell.cpu().micros_each(server, events)),
            database_micros: keybell
                .database_cpu()
                .zip(stored)
                .map(|(now, then)| now.micros_each(then, events)),
            p50_ms: Some(report.p50_ms),
            p99_ms: Some(report.p99_ms),
        });
        Ok(())
    })
}

/// Publishes `events`, each at its instant; how long their answers took, µs.
async fn publish(keybell: &Keybell, events: u64) -> Outcome<hdrhistogram::Histogram<u64>> {
    let path: &'static str = format!("/v1/workspaces/{}/events", keybell.workspace).leak();
    let key: &'static str = keybell.operator_key.clone().leak();
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        idle.push(Connection::open(keybell.address()).await?);
    }
    let (give_back, mut free) = tokio::sync::mpsc::channel(CONNECTIONS);
    for connection in idle {
        give_back.try_send(connection).map_err(|_| "the channel holds all connections")?;
    }
    let mut under_way = tokio::task::JoinSet::new();
    let mut ticks = tokio::time::interval(EVERY);
    for _ in 0..events {
        ticks.tick().await;
        // Written now, so that a wait for a free connection counts as part of the way.
        let body = Bytes::from(format!("{{{}}}", event()));
        let sent = Instant::now();
        let mut connection: Connection = free.recv().await.ok_or("the connections are used up")?;
        let give_back = give_back.clone();
        under_way.spawn(async move {
            let call = Call { method: "POST", path, bearer: Some(key) };
            let (status, answer) = connection.send(&call, body).await?;
            let took = load::micros(sent.elapsed());
            // Nobody takes it back once the last event is published.
            let _ = give_back.try_send(connection);
            if status.is_success() {
                Ok(took)
            } else {
                Err(format!("{status}: {}", String::from_utf8_lossy(&answer)))
            }
        });
    }
    let mut accepted = load::histogram();
    while let Some(ended) = under_way.join_next().await {
        let took: Outcome<u64> = ended.map_err(|error| format!("a task ended: {error}"))?;
        accepted.saturating_record(took?);
    }
    Ok(accepted)
}
