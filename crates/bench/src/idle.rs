//! What an installation costs that nobody uses.

use std::collections::BTreeMap;
use std::time::Duration;

use keybell_bench::machine::{Thread, threads};

use crate::installation::Keybell;
use crate::reading::Reading;
use crate::receiver::{AT_ONCE, Receiver};
use crate::table::{Row, Table};
use crate::throughput::{PATIENCE, Publishing};
use crate::{Database, Outcome, load};

/// How long it is looked at, unless the command says otherwise.
pub(crate) const SECONDS: u64 = 60;
/// What went through before the second look.
const EVENTS: u64 = 10_000;
/// Rest before each look: what follows from a start, or from a load, is over then.
const REST_AFTER_START: Duration = Duration::from_secs(5);
const REST_AFTER_LOAD: Duration = Duration::from_secs(30);

/// Looks at a fresh installation, and again after deliveries.
pub(crate) fn run(database: Database, seconds: u64, table: &mut Table) -> Outcome<()> {
    let receiver = Receiver::start()?;
    load::runtime()?.block_on(async {
        let keybell = Keybell::start(database).await?;
        keybell.webhook(&keybell.workspace, &receiver.url(AT_ONCE)).await?;
        tokio::time::sleep(REST_AFTER_START).await;
        look(&keybell, seconds, "idle: fresh", table).await?;
        let publishing = Publishing::one_by_one(&keybell.workspace, "", 1, "");
        publishing.publish(&keybell, EVENTS).await?;
        receiver.wait_for(EVENTS, PATIENCE).await?;
        tokio::time::sleep(REST_AFTER_LOAD).await;
        look(&keybell, seconds, "idle: after 10,000 deliveries and 30 s", table).await
    })
}

async fn look(keybell: &Keybell, seconds: u64, what: &str, table: &mut Table) -> Outcome<()> {
    let before = Reading::of(keybell).await?;
    let woken = threads(keybell.process());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let now = threads(keybell.process());
    let after = Reading::of(keybell).await?;
    let took = after.seconds_since(&before);
    let by_thread = by_name(&woken, &now);
    let switches: u64 = by_thread.values().map(|done| done.switches).sum();
    eprintln!("{what}: wake-ups and time by thread, over {seconds} s");
    for (name, done) in &by_thread {
        let ran = done.ran.as_secs_f64() * 1e3;
        eprintln!("  {name:<16} {:>6} wake-ups  {ran:>8.2} ms", done.switches);
    }
    let of_database = after
        .database_core_percent(&before)
        .map(|percent| format!("; database {percent:.2} %"))
        .unwrap_or_default();
    table.add(Row {
        // Nothing happened that the cost could be divided by.
        server_micros: None,
        database_micros: None,
        bar: format!(
            "≤ 25 MB on SQLite, < 0.2 % of a core, < 1 statement/s: is {:.3} %{of_database}; {:.1} wake-ups/s",
            by_thread.values().map(|done| done.ran).sum::<Duration>().as_secs_f64() * 100.0 / took,
            per_second(switches, took),
        ),
        ..after.row(&before, format!("keybell: {what}"), seconds)
    });
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

/// What threads of one name did between two looks.
#[derive(Default)]
struct Done {
    switches: u64,
    ran: Duration,
}

fn by_name(before: &[Thread], after: &[Thread]) -> BTreeMap<String, Done> {
    let mut names: BTreeMap<String, Done> = BTreeMap::new();
    for thread in after {
        let then = before.iter().find(|then| then.id == thread.id);
        let done = names.entry(thread.name.clone()).or_default();
        done.switches += thread.switches - then.map_or(0, |then| then.switches);
        done.ran += thread.ran.saturating_sub(then.map_or(Duration::ZERO, |then| then.ran));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_of_one_name_did_is_added_up_and_a_new_one_counts_whole() {
        let thread = |id, switches| Thread {
            id,
            name: "keybell".to_owned(),
            switches,
            ran: Duration::from_millis(switches),
        };
        let done = by_name(&[thread(1, 10), thread(2, 20)], &[thread(1, 11), thread(2, 25), thread(3, 3)]);
        assert_eq!(done["keybell"].switches, 9);
        assert_eq!(done["keybell"].ran, Duration::from_millis(9));
    }
}
