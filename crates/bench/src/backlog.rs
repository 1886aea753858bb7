//! What a long queue for a dead endpoint costs: memory, its neighbours, a restart, and each delivery once it lives again.
//!
//! All of it is published by the API, in batches, while Keybell goes on to try. The endpoint refuses connections in one part,
//! and hangs in the other. Each part is done with a short queue first, since a long one has to cost no more for a delivery.

use std::time::Duration;

use keybell_testkit::installation::free_address;
use serde_json::json;

use crate::installation::Keybell;
use crate::reading::{Reading, megabytes};
use crate::receiver::{AT_ONCE, GATED, Receiver, Report};
use crate::table::{Row, Table};
use crate::throughput::{self, Publishing, per_second};
use crate::{Database, Outcome, load};

/// Deliveries that wait, unless the command says otherwise.
const PENDING: u64 = 1_000_000;
/// The short queue that it is compared with.
const PENDING_FEW: u64 = 10_000;
/// What is published in one go: no run of the load is longer than a minute.
const FILL_AT_ONCE: u64 = 100_000;
/// Events to a healthy webhook, before and beside the queue, unless the command asks for a shorter queue than this.
const BESIDE: u64 = 30_000;
/// How many deliveries are watched after the endpoint lives again; of a shorter queue most of it, since those whose attempts
/// failed at other times come later.
const DRAINED: u64 = 20_000;
/// How long the first of them may take by itself.
const FIRST_MAX: Duration = Duration::from_secs(90);
/// How long the others may take.
const DRAIN_MAX: Duration = Duration::from_mins(2);

/// How the endpoint is dead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dead {
    Refuses,
    Hangs,
}

/// Both ways of being dead, each with a short and a long queue.
pub(crate) fn run(database: Database, count: Option<u64>, table: &mut Table) -> Outcome<()> {
    let pending = count.unwrap_or(PENDING);
    let beside = BESIDE.min(pending);
    for dead in [Dead::Refuses, Dead::Hangs] {
        let mut few = None;
        for pending in [PENDING_FEW.min(pending), pending] {
            let each = load::runtime()?.block_on(part(database, dead, pending, beside, few, table))?;
            few = few.or(each);
        }
    }
    Ok(())
}

/// One queue; the server's CPU for each delivery while it drains, µs, where it drained.
async fn part(
    database: Database,
    dead: Dead,
    pending: u64,
    events_beside: u64,
    few: Option<f64>,
    table: &mut Table,
) -> Outcome<Option<f64>> {
    let how = if dead == Dead::Refuses { "refuses" } else { "hangs" };
    let named = |what: &str| format!("backlog of {pending}, {how}: {what}");
    let healthy = Receiver::start()?;
    let mut endpoint = Endpoint::of(dead)?;
    let mut keybell = Keybell::start(database).await?;
    keybell.webhook(&keybell.workspace, &healthy.url(AT_ONCE)).await?;
    let beside = |what: &str| Publishing::one_by_one(&keybell.workspace, what, 1, "");
    let alone =
        throughput::measure(&keybell, &healthy, &beside(&named("before it")), events_beside, table).await?;

    let workspace = keybell.new_workspace("Dead").await?;
    let webhook = keybell.webhook(&workspace, &endpoint.url).await?;
    let filling = Publishing::in_batches(&workspace, "", "");
    let before = Reading::of(&keybell).await?;
    let (mut written, mut took) = (0, Duration::ZERO);
    while written < pending {
        let done = filling.publish(&keybell, FILL_AT_ONCE.min(pending - written)).await?;
        written += done.requests * throughput::BATCH;
        took += done.took;
    }
    let after = Reading::of(&keybell).await?;
    table.add(Row {
        per_second: Some(per_second(written, took)),
        bar: format!(
            "RSS ≤ 150 MB: peak {:.1} MB; {:.0} deliveries in memory",
            megabytes(after.memory.resident_bytes_peak),
            after.deliveries_in_memory
        ),
        ..after.row(&before, named("published by 100"), written)
    });

    let beside = Publishing::one_by_one(&keybell.workspace, &named("beside it"), 1, "");
    let with = throughput::measure(&keybell, &healthy, &beside, events_beside, table).await?;
    table.add(Row {
        what: named("publishing to others"),
        count: events_beside,
        per_second: Some(with.accepted),
        bar: format!(
            "≥ 0.9 × of without: is {:.2} × accepted, {:.2} × delivered",
            with.accepted / alone.accepted,
            with.delivered / alone.delivered
        ),
        ..Row::default()
    });

    let ready = keybell.crash_and_start().await?;
    table.add(Row {
        what: named("ready after kill -9"),
        count: 1,
        bar: format!("< 3 s: is {:.2} s", ready.as_secs_f64()),
        ..Row::default()
    });
    let webhook = format!("/v1/workspaces/{workspace}/webhooks/{webhook}");
    let queue = Queue {
        keybell: &keybell,
        endpoint: &mut endpoint,
        webhook: &webhook,
        pending,
        what: named("drained"),
    };
    let each = drain(queue, few, table).await?;
    keybell.stop()?;
    Ok(each)
}

/// A queue that waits for its endpoint.
struct Queue<'a> {
    keybell: &'a Keybell,
    endpoint: &'a mut Endpoint,
    /// The path of its webhook.
    webhook: &'a str,
    pending: u64,
    what: String,
}

/// Lets the endpoint live and looks at what the deliveries cost from the first that arrives on.
async fn drain(queue: Queue<'_>, few: Option<f64>, table: &mut Table) -> Outcome<Option<f64>> {
    let Queue { keybell, endpoint, webhook, pending, what } = queue;
    let receiver = endpoint.live().await?;
    let switched_on = Reading::of(keybell).await?;
    let mut by_itself = true;
    let mut first = receiver.until(1, FIRST_MAX).await?;
    if first.arrived == 0 {
        by_itself = false;
        for enabled in [false, true] {
            keybell.ask("PATCH", webhook, &json!({ "enabled": enabled })).await?;
        }
        first = receiver.until(1, FIRST_MAX).await?;
    }
    let before = Reading::of(keybell).await?;
    let last = receiver.until(first.arrived + DRAINED.min(pending / 5 * 4), DRAIN_MAX).await?;
    let after = Reading::of(keybell).await?;
    let drained = last.arrived - first.arrived;
    if drained == 0 {
        let bar = "nothing arrived".to_owned();
        table.add(Row { what, count: last.arrived, bar, ..Row::default() });
        return Ok(None);
    }
    let row = after.row(&before, what, drained);
    let each = row.server_micros.unwrap_or_default() + row.database_micros.unwrap_or_default();
    table.add(Row {
        per_second: Some(rate(&first, &last)),
        bar: format!(
            "flat{}; the first came {} after {:.1} s",
            few.map_or(String::new(), |few| format!(": is {:.2} × of {PENDING_FEW}", each / few)),
            if by_itself { "by itself" } else { "when it was disabled and enabled" },
            before.seconds_since(&switched_on),
        ),
        ..row
    });
    Ok(Some(each))
}

fn rate(first: &Report, last: &Report) -> f64 {
    let took = Duration::from_micros(last.last_at.saturating_sub(first.last_at));
    per_second(last.arrived - first.arrived, took)
}

/// The endpoint, dead until it is made to live.
struct Endpoint {
    url: String,
    port: u16,
    receiver: Option<Receiver>,
}

impl Endpoint {
    fn of(dead: Dead) -> Outcome<Endpoint> {
        match dead {
            Dead::Refuses => {
                let free = free_address().map_err(|error| format!("no free port: {error}"))?;
                let url = format!("http://{free}{AT_ONCE}");
                Ok(Endpoint { url, port: free.port(), receiver: None })
            }
            Dead::Hangs => {
                let receiver = Receiver::start()?;
                Ok(Endpoint { url: receiver.url(GATED), port: receiver.port(), receiver: Some(receiver) })
            }
        }
    }

    /// From now on it answers, what waits already included.
    async fn live(&mut self) -> Outcome<&Receiver> {
        let receiver = match self.receiver.take() {
            Some(receiver) => receiver,
            None => Receiver::start_at(self.port)?,
        };
        receiver.open_gate().await?;
        receiver.forget().await?;
        Ok(self.receiver.insert(receiver))
    }
}
