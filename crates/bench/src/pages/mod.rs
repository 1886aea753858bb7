//! What the pages of a large workspace cost: the server's time for each, and the bytes of the first view.
//!
//! Each page is asked for again and again over one connection, one request at a time, so that what is measured is the page
//! and not a queue; beside it `/healthz` and arithmetic, which are the floors. Bytes are those of a browser that has nothing yet: the answer
//! as it was sent, its headers included, and all that the page links of ours.

mod arithmetic;
mod fill;
mod list;
mod log;
mod wire;

use std::time::{Duration, Instant};

use http::{HeaderName, header};
use keybell_core::{Timestamp, WebhookId, WorkspaceId};
use serde_json::json;

use crate::client::Connection;
use crate::installation::Keybell;
use crate::load::{histogram, milliseconds, runtime};
use crate::table::{Row, Table};
use crate::{Database, Outcome};
use fill::Place;
use list::{Address, Named};

/// Deliveries in the log, unless the command says otherwise.
const DELIVERIES: u64 = 1_000_000;
/// Webhooks of the workspace; the last of them are off.
const WEBHOOKS: usize = 200;
const DISABLED: usize = 5;
/// Event types of the installation.
const EVENT_TYPES: usize = 60;
/// How often each page is asked for, and how often before, unmeasured.
const REQUESTS: u64 = 200;
const WARM_UP: u64 = 3;
/// Of a page that takes long, no more than fit into this, and some at least.
const PAGE_MAX: Duration = Duration::from_secs(4);
const REQUESTS_MIN: u64 = 5;
/// How often a page that took too long is asked for so once more, after all the others: the machine is shared, and what a
/// neighbour takes for a while is not the page's. What is too long each time is.
const AGAIN: u32 = 2;
/// What is asked of every page.
const P99_MAX_MS: f64 = 10.0;
const FIRST_VIEW_MAX_BYTES: usize = 60_000;
/// More webhooks than a workspace has unless an operator says so.
const SETTINGS: &str = "[limits]\nwebhooks_per_workspace = 200\n";

/// What Chromium says that it can read.
const ENCODINGS: &str = "gzip, deflate, br, zstd";

/// Fills a workspace, and measures every page of it, or those whose names hold `only`.
pub(crate) fn run(
    database: Database,
    count: Option<u64>,
    only: Option<&str>,
    table: &mut Table,
) -> Outcome<()> {
    runtime()?.block_on(async {
        let deliveries = usize::try_from(count.unwrap_or(DELIVERIES)).unwrap_or(usize::MAX);
        let mut keybell = Keybell::start_with(database, SETTINGS).await?;
        let place = place(&keybell, deliveries).await?;
        keybell.stop()?;
        let (url, master_key, began) = (keybell.database_url()?, keybell.master_key()?, Instant::now());
        let filled = fill::fill(&url, &master_key, &place).await?;
        eprintln!("{deliveries} deliveries written in {:.0} s", began.elapsed().as_secs_f64());
        keybell.settle_database();
        keybell.serve()?;
        keybell.rest().await;
        let mut pages = list::pages(&place, &filled);
        pages.retain(|page| only.is_none_or(|only| page.what.contains(only)));
        if pages.is_empty() {
            return Err("no page is called so; without --page the table has all their names".to_owned());
        }
        let mut missed = measure_all(&keybell, &pages, table).await?;
        let first = missed.len();
        for _ in 0..AGAIN {
            if !missed.is_empty() {
                missed = measure_all(&keybell, &missed, table).await?;
            }
        }
        keybell.stop()?;
        eprintln!("{first} of {} pages missed what is asked of them at first", pages.len());
        if missed.is_empty() {
            return Ok(());
        }
        Err(format!("{} pages miss what is asked of them each time", missed.len()))
    })
}

/// What is made by the API: the catalogue, and webhooks of every kind.
async fn place(keybell: &Keybell, deliveries: usize) -> Outcome<Place> {
    let mut event_types = Vec::new();
    for number in 0..EVENT_TYPES {
        let name = format!("group_{}.happened_{number}", number / 6);
        let example = json!({"text": "What happened", "id": number, "tags": ["some", "more"]});
        let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}});
        let event_type =
            json!({"name": name, "description": "Something happened.", "schema": schema, "example": example});
        keybell.ask("POST", "/v1/event-types", &event_type).await?;
        event_types.push(name);
    }
    let path = format!("/v1/workspaces/{}/webhooks", keybell.workspace);
    let mut webhooks = Vec::new();
    for number in 0..WEBHOOKS {
        let events: Vec<&str> =
            event_types.iter().skip(number % EVENT_TYPES).take(3).map(String::as_str).collect();
        let webhook = json!({
            "name": format!("Receiver {number}"), "url": format!("http://127.0.0.1:9/hooks/{number}"),
            "events": events, "enabled": number < WEBHOOKS - DISABLED,
            "description": "Where the newsroom hears of what happened.",
            "headers": [{"name": "x-newsroom", "value": "desk"}],
        });
        let made = keybell.ask("POST", &path, &webhook).await?;
        let id = made["id"].as_str().and_then(WebhookId::parse);
        webhooks.push(id.ok_or_else(|| format!("the answer has no id: {made}"))?);
    }
    let workspace = WorkspaceId::parse(&keybell.workspace).ok_or("the workspace has no id")?;
    Ok(Place { workspace, webhooks, disabled: DISABLED, event_types, deliveries, now: now() })
}

#[expect(clippy::disallowed_methods, reason = "a bench stands where the binary stands")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH + since
}

/// Every page; those that miss what is asked of them.
async fn measure_all(keybell: &Keybell, pages: &[Named], table: &mut Table) -> Outcome<Vec<Named>> {
    let cookie = format!("keybell={}", fill::TOKEN);
    let headers = [(header::COOKIE, &*cookie), (header::ACCEPT_ENCODING, ENCODINGS)];
    let floor = Named { what: "/healthz".to_owned(), address: Address::Path("/healthz".to_owned()) };
    let mut connection = Connection::open(keybell.address()).await?;
    let (_, row) = measure(keybell, &mut connection, "/healthz", &headers).await?;
    table.add(Row { what: format!("floor: {}", floor.what), ..row });
    table.add(arithmetic::floor());
    let mut missed = Vec::new();
    for page in pages {
        let path = match &page.address {
            Address::Path(path) => path.clone(),
            Address::Last(first) => last_page(&mut connection, first, &headers).await?,
        };
        let (p99_ms, row) = measure(keybell, &mut connection, &path, &headers).await?;
        let view = wire::first_view(&mut connection, &path, &headers).await?;
        let is_over = p99_ms > P99_MAX_MS || view.sum() > FIRST_VIEW_MAX_BYTES;
        missed.extend(is_over.then(|| page.clone()));
        let bar = format!("≤ 10 ms, ≤ 60 KB: {view}{}", if is_over { ": MISSED" } else { "" });
        table.add(Row { what: format!("page: {}", page.what), bar, ..row });
    }
    table.add(arithmetic::floor());
    Ok(missed)
}

/// Asks for one page again and again.
async fn measure(
    keybell: &Keybell,
    connection: &mut Connection,
    path: &str,
    headers: &[(HeaderName, &str)],
) -> Outcome<(f64, Row)> {
    for _ in 0..WARM_UP {
        let (status, _, body) = connection.get(path, headers).await?;
        if !status.is_success() {
            return Err(format!("{path} answered {status}: {}", String::from_utf8_lossy(&body)));
        }
    }
    let (mut waits, before) = (histogram(), (keybell.cpu(), keybell.database_cpu()));
    let first = Instant::now();
    while waits.len() < REQUESTS && (waits.len() < REQUESTS_MIN || first.elapsed() < PAGE_MAX) {
        let began = Instant::now();
        connection.get(path, headers).await?;
        waits.saturating_record(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let count = waits.len();
    let database = keybell.database_cpu().zip(before.1);
    let row = Row {
        count,
        server_micros: Some(keybell.cpu().micros_each(before.0, count)),
        database_micros: database.map(|(now, then)| now.micros_each(then, count)),
        p50_ms: Some(milliseconds(&waits, 0.5)),
        p95_ms: Some(milliseconds(&waits, 0.95)),
        p99_ms: Some(milliseconds(&waits, 0.99)),
        ..Row::default()
    };
    Ok((milliseconds(&waits, 0.99), row))
}

/// The address of the last page of a list, found as a person finds it.
async fn last_page(
    connection: &mut Connection,
    first: &str,
    headers: &[(HeaderName, &str)],
) -> Outcome<String> {
    let mut path = first.to_owned();
    loop {
        let html = wire::readable(connection, &path, headers).await?;
        let Some(next) = wire::older(&html) else { return Ok(path) };
        path = next;
    }
}
