//! Publishing at fixed instants, whether or not what came before has been answered.
//!
//! An event bears the instant at which it was to be published. So whatever makes it late, the generator included, is part of
//! its way; and by how much the generator was late by itself is told beside it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::sync::mpsc;

use crate::client::{Call, Connection};
use crate::receiver::now_micros;
use crate::{Outcome, load};

/// Connections in turn, so that an answer that is late does not hold up the next event.
const CONNECTIONS: usize = 64;

/// What was published, µs.
pub(crate) struct Paced {
    /// From the instant at which it was to be published to its answer.
    pub(crate) accepted: Histogram<u64>,
    /// From that instant to the generator's waking up for it.
    pub(crate) late: Histogram<u64>,
}

/// When an event is to be published: its number, and µs since 1970.
#[derive(Clone, Copy)]
struct Tick {
    number: u64,
    at_micros: u64,
}

/// Publishes `count` events, one `every` so often: `request` gives the path and the body of an event, by its number and by its
/// instant. An answer that is no 2xx ends it with an error.
pub(crate) async fn publish(
    keybell: &crate::installation::Keybell,
    every: Duration,
    count: u64,
    request: impl Fn(u64, u64) -> (&'static str, Bytes),
) -> Outcome<Paced> {
    let key: &'static str = keybell.operator_key.clone().leak();
    let (give_back, mut free) = mpsc::channel(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let connection = Connection::open(keybell.address()).await?;
        give_back.try_send(connection).map_err(|_| "the channel holds all connections")?;
    }
    let mut paced = Paced { accepted: load::histogram(), late: load::histogram() };
    let mut under_way = tokio::task::JoinSet::new();
    let mut ticks = ticks(every, count);
    while let Some(Tick { number, at_micros }) = ticks.recv().await {
        paced.late.saturating_record(now_micros().saturating_sub(at_micros).max(1));
        let (path, body) = request(number, at_micros);
        let mut connection: Connection = free.recv().await.ok_or("the connections are used up")?;
        let give_back = give_back.clone();
        under_way.spawn(async move {
            let call = Call { method: "POST", path, bearer: Some(key) };
            let (status, answer) = connection.send(&call, body).await?;
            let took = now_micros().saturating_sub(at_micros).max(1);
            // Nobody takes it back once the last event is published.
            let _ = give_back.try_send(connection);
            if status.is_success() {
                Ok(took)
            } else {
                Err(format!("{status}: {}", String::from_utf8_lossy(&answer)))
            }
        });
        while let Some(ended) = under_way.try_join_next() {
            note(&mut paced, ended)?;
        }
    }
    while let Some(ended) = under_way.join_next().await {
        note(&mut paced, ended)?;
    }
    Ok(paced)
}

fn note(paced: &mut Paced, ended: Result<Outcome<u64>, tokio::task::JoinError>) -> Outcome<()> {
    let took = ended.map_err(|error| format!("a task ended: {error}"))??;
    paced.accepted.saturating_record(took);
    Ok(())
}

/// The instants, from a thread that does nothing but wait for them: a timer of the runtime's is up to a millisecond late.
fn ticks(every: Duration, count: u64) -> mpsc::UnboundedReceiver<Tick> {
    let (sender, ticks) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let (started, started_micros) = (Instant::now(), now_micros());
        for number in 0..count {
            let after = every.mul_f64(number_of(number));
            std::thread::sleep(after.saturating_sub(started.elapsed()));
            if sender.send(Tick { number, at_micros: started_micros + load::micros(after) }).is_err() {
                return;
            }
        }
    });
    ticks
}

#[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^52 events")]
fn number_of(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_instant_whenever_it_is_taken() {
        let mut ticks = ticks(Duration::from_micros(250), 5);
        let all: Vec<Tick> = std::iter::from_fn(|| ticks.blocking_recv()).collect();
        let numbers: Vec<u64> = all.iter().map(|tick| tick.number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        let after: Vec<u64> = all.iter().map(|tick| tick.at_micros - all[0].at_micros).collect();
        assert_eq!(after, [0, 250, 500, 750, 1000]);
    }
}
