//! What slow neighbours cost: the way to healthy webhooks while others hang.

use std::time::Duration;

use bytes::Bytes;

use crate::installation::Keybell;
use crate::reading::Reading;
use crate::receiver::{AT_ONCE, HANGS, Receiver, Report};
use crate::table::{Row, Table};
use crate::throughput::{event, events_path};
use crate::{Database, Outcome, load, pace};

/// Workspaces, each with one webhook.
const WORKSPACES: u64 = 200;
/// Between two events: 1,000 a second over all workspaces in turn.
const EVERY: Duration = Duration::from_millis(1);
/// Events of each part, unless the command says otherwise: twenty seconds of them, twice as long as a webhook hangs.
const EVENTS: u64 = 20_000;
/// Before them, not timed: until the first ones that hang are answered, so that as many hang as ever will.
const WARM_UP_EVENTS: u64 = 12_000;
/// Which share of the webhooks hangs, per cent.
const HANGING_PERCENT: [u64; 3] = [0, 5, 25];
/// How long the last healthy delivery may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Each part on an installation of its own, so that none has the last one's backlog.
pub(crate) fn run(database: Database, count: Option<u64>, table: &mut Table) -> Outcome<()> {
    let events = count.unwrap_or(EVENTS).min(EVENTS * 10);
    let mut undisturbed = None;
    for percent in HANGING_PERCENT {
        let p99_ms = load::runtime()?.block_on(part(database, events, percent, undisturbed, table))?;
        undisturbed = undisturbed.or(Some(p99_ms));
    }
    Ok(())
}

/// One part; the p99 of the healthy ones.
async fn part(
    database: Database,
    events: u64,
    percent: u64,
    undisturbed: Option<f64>,
    table: &mut Table,
) -> Outcome<f64> {
    let receiver = Receiver::start()?;
    let keybell = Keybell::start(database).await?;
    let mut paths = Vec::new();
    for number in 0..WORKSPACES {
        let workspace = keybell.new_workspace(&format!("Bench {number}")).await?;
        let url = receiver.url(if hangs(number, percent) { HANGS } else { AT_ONCE });
        keybell.webhook(&workspace, &url).await?;
        paths.push(events_path(&workspace));
    }
    let request = |number: u64, at| {
        let path = paths[usize::try_from(number % WORKSPACES).unwrap_or_default()];
        (path, Bytes::from(format!("{{{}}}", event(at))))
    };
    let healthy =
        |events: u64| (0..events).filter(|number| !hangs(number % WORKSPACES, percent)).count() as u64;
    pace::publish(&keybell, EVERY, WARM_UP_EVENTS, request).await?;
    receiver.wait_for(healthy(WARM_UP_EVENTS), PATIENCE).await?;
    receiver.forget().await?;
    let before = Reading::of(&keybell).await?;
    let paced = pace::publish(&keybell, EVERY, events, request).await?;
    let report = receiver.wait_for(healthy(events), PATIENCE).await?;
    let after = Reading::of(&keybell).await?;
    table.add(Row {
        what: format!("floor: the generator is late by itself, {percent} % hang"),
        count: paced.late.len(),
        p50_ms: Some(load::milliseconds(&paced.late, 0.5)),
        p95_ms: Some(load::milliseconds(&paced.late, 0.95)),
        p99_ms: Some(load::milliseconds(&paced.late, 0.99)),
        ..Row::default()
    });
    table.add(Row {
        p50_ms: Some(report.p50_ms),
        p95_ms: Some(report.p95_ms),
        p99_ms: Some(report.p99_ms),
        bar: bar(&report, undisturbed),
        ..after.row(&before, format!("keybell: healthy of 200 webhooks, {percent} % hang"), report.arrived)
    });
    Ok(report.p99_ms)
}

/// Whether the webhook of that number hangs: spread evenly, so that its turn comes between healthy ones'.
fn hangs(number: u64, percent: u64) -> bool {
    (number + 1) * percent / 100 > number * percent / 100
}

fn bar(report: &Report, undisturbed: Option<f64>) -> String {
    match undisturbed {
        None => String::new(),
        Some(p99_ms) => format!(
            "p99 ≤ 1.3 × undisturbed: is {:.2} ×; at most {} hung at once",
            report.p99_ms / p99_ms,
            report.hanging_max
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_webhooks_hang_as_are_meant_to() {
        for percent in HANGING_PERCENT {
            let count = (0..WORKSPACES).filter(|number| hangs(*number, percent)).count() as u64;
            assert_eq!(count, WORKSPACES * percent / 100);
        }
    }
}
