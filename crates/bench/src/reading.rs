//! What an installation has cost up to an instant, so that two of them say what lay between.

use std::time::Instant;

use bytes::Bytes;
use keybell_bench::machine::{Cpu, Memory};

use crate::Outcome;
use crate::client::{Call, Connection};
use crate::installation::Keybell;
use crate::table::Row;

/// What the store counts of its statements, in `/metrics`.
const STATEMENTS: &str = "keybell_store_statements_total";
/// What the engine holds in memory.
const IN_MEMORY: &str = "keybell_deliveries_in_memory";

/// One look at a running installation.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    at: Instant,
    server: Cpu,
    database: Option<Cpu>,
    statements: f64,
    pub(crate) memory: Memory,
    pub(crate) deliveries_in_memory: f64,
}

impl Reading {
    /// Looks. To ask for the metrics costs the server a request.
    pub(crate) async fn of(keybell: &Keybell) -> Outcome<Reading> {
        let call = Call { method: "GET", path: "/metrics", bearer: Some(&keybell.operator_key) };
        let (status, text) = Connection::open(keybell.address()).await?.send(&call, Bytes::new()).await?;
        let text = String::from_utf8_lossy(&text);
        if !status.is_success() {
            return Err(format!("/metrics answered {status}: {text}"));
        }
        let figure = |name| metric(&text, name).ok_or_else(|| format!("/metrics has no {name}"));
        Ok(Reading {
            at: Instant::now(),
            server: keybell.cpu(),
            database: keybell.database_cpu(),
            statements: figure(STATEMENTS)?,
            memory: Memory::of(keybell.process()),
            deliveries_in_memory: figure(IN_MEMORY)?,
        })
    }

    /// The line of what lies between `before` and this, for `count` of something.
    pub(crate) fn row(&self, before: &Reading, what: String, count: u64) -> Row {
        Row {
            what,
            count,
            server_micros: Some(self.server.micros_each(before.server, count)),
            database_micros: self
                .database
                .zip(before.database)
                .map(|(now, then)| now.micros_each(then, count)),
            resident_mb: Some(megabytes(self.memory.resident_bytes)),
            anonymous_mb: Some(megabytes(self.memory.anonymous_bytes)),
            statements_per_second: Some((self.statements - before.statements) / self.seconds_since(before)),
            ..Row::default()
        }
    }

    /// What share of one core the database server took since `before`, per cent; `None` where there is none.
    pub(crate) fn database_core_percent(&self, before: &Reading) -> Option<f64> {
        let (now, then) = self.database.zip(before.database)?;
        Some(now.since(then).as_secs_f64() * 100.0 / self.seconds_since(before))
    }

    pub(crate) fn seconds_since(&self, before: &Reading) -> f64 {
        self.at.duration_since(before.at).as_secs_f64()
    }
}

/// In the megabytes of the bars: 10^6 bytes.
#[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A metric without labels, in Prometheus' text format.
fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let text = "# TYPE a_total counter\na_total_b 1\na_total{x=\"y\"} 2\na_total 3\n";
        assert_eq!(metric(text, "a_total"), Some(3.0));
        assert_eq!(metric(text, "a"), None);
    }
}
