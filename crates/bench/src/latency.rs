//! From publish to arrival at a load that leaves the machine idle most of the time: 200 events a second, published at
//! their instants whether or not those before have been answered.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;

use crate::installation::Keybell;
use crate::reading::Reading;
use crate::receiver::{AT_ONCE, Receiver};
use crate::table::{Row, Table};
use crate::throughput::{event, events_path};
use crate::{Database, Outcome, load, pace};

/// Between two events: 200 a second.
const EVERY: Duration = Duration::from_millis(5);
/// Events, unless the command says otherwise: thirty seconds of them.
const EVENTS: u64 = 6_000;
/// Events before, so that what is done once, such as to open connections, is done.
const WARM_UP_EVENTS: u64 = 200;
/// Appends that tell what the disk takes, before the events and after them.
const APPENDS: u64 = 400;
/// Bytes of one append: a page of the database's log is twice that.
const APPEND_BYTES: usize = 4_096;
/// How long the last event may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Publishes, waits for the last arrival, and tells how long they were under way; beside it what the disk and the generator's
/// own timer took on the same machine in the same minute.
pub(crate) fn run(database: Database, count: Option<u64>, table: &mut Table) -> Outcome<()> {
    let events = count.unwrap_or(EVENTS).min(EVENTS * 10);
    let receiver = Receiver::start()?;
    load::runtime()?.block_on(async {
        let keybell = Keybell::start(database).await?;
        keybell.webhook(&keybell.workspace, &receiver.url(AT_ONCE)).await?;
        let path = events_path(&keybell.workspace);
        let request = |_, at| (path, Bytes::from(format!("{{{}}}", event(at))));
        pace::publish(&keybell, EVERY, WARM_UP_EVENTS, request).await?;
        receiver.wait_for(WARM_UP_EVENTS, PATIENCE).await?;
        receiver.forget().await?;

        let mut appends = append(keybell.folder(), APPENDS)?;
        let before = Reading::of(&keybell).await?;
        let paced = pace::publish(&keybell, EVERY, events, request).await?;
        let report = receiver.wait_for(events, PATIENCE).await?;
        keybell.rest().await;
        let after = Reading::of(&keybell).await?;
        appends.add(append(keybell.folder(), APPENDS)?).map_err(|error| error.to_string())?;

        table.add(quantiles("floor: 4 KiB appended and synced, at 200/s", &appends));
        table.add(quantiles("floor: the generator is late by itself, at 200/s", &paced.late));
        table.add(quantiles("keybell: accepted, at 200/s", &paced.accepted));
        table.add(Row {
            p50_ms: Some(report.p50_ms),
            p95_ms: Some(report.p95_ms),
            p99_ms: Some(report.p99_ms),
            bar: match database {
                Database::Sqlite => "p50 ≤ 1 ms, p99 ≤ 5 ms".to_owned(),
                Database::Postgres => "p50 ≤ 2 ms, p99 ≤ 6 ms".to_owned(),
            },
            ..after.row(&before, "keybell: publish to arrival, at 200/s".to_owned(), report.arrived)
        });
        Ok(())
    })
}

fn quantiles(what: &str, waits: &Histogram<u64>) -> Row {
    Row {
        what: what.to_owned(),
        count: waits.len(),
        p50_ms: Some(load::milliseconds(waits, 0.5)),
        p95_ms: Some(load::milliseconds(waits, 0.95)),
        p99_ms: Some(load::milliseconds(waits, 0.99)),
        ..Row::default()
    }
}

/// Appends to a file in `folder` and syncs it, `count` times at the pace of the events; how long each took, µs.
fn append(folder: &Path, count: u64) -> Outcome<Histogram<u64>> {
    let path = folder.join("appended");
    let failed = |error: std::io::Error| format!("{} cannot be appended to: {error}", path.display());
    let mut file = File::options().create(true).append(true).open(&path).map_err(failed)?;
    let mut waits = load::histogram();
    for _ in 0..count {
        std::thread::sleep(EVERY);
        let began = Instant::now();
        file.write_all(&[b'x'; APPEND_BYTES]).and_then(|()| file.sync_data()).map_err(failed)?;
        waits.saturating_record(load::micros(began.elapsed()).max(1));
    }
    std::fs::remove_file(&path).map_err(failed)?;
    Ok(waits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_are_timed_and_leave_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(append(folder.path(), 3).expect("it can be written to").len(), 3);
        assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0);
    }
}
