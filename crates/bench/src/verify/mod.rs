//! How many API keys are checked a second, and what one check costs: over HTTP beside a server that answers 204, and in the
//! process itself. With as many keys as an installation may have, each as likely as any other.

mod fill;
mod in_process;

use std::time::Instant;

use bytes::Bytes;
use keybell_bench::machine::settled_memory;
use serde_json::json;

use crate::client::Call;
use crate::installation::Keybell;
use crate::load::{self, CONNECTIONS};
use crate::table::{Row, Table};
use crate::{Database, Outcome, floor};
use fill::SCOPE;

/// Checks of a measurement, unless the command says otherwise: more than ten seconds of them, so that what is written down
/// every ten seconds is part of what they cost.
const CHECKS: u64 = 1_500_000;
/// API keys among which they are spread.
const KEYS_SQLITE: usize = 1_000_000;
/// The same on PostgreSQL, where to write them takes longer than to measure.
const KEYS_POSTGRES: usize = 100_000;

/// The floor, forward-auth, `POST /v1/api-keys/verify`, and the check in process.
pub(crate) fn run(database: Database, count: Option<u64>, table: &mut Table) -> Outcome<()> {
    let checks = count.unwrap_or(CHECKS);
    let keys = if database == Database::Sqlite { KEYS_SQLITE } else { KEYS_POSTGRES };
    floor::measure_server(checks, table)?;
    let mut keybell = Keybell::prepare(database)?;
    let (url, master_key) = (keybell.database_url()?, keybell.master_key()?);
    // Leaked so that the tasks of the load need not share it: it lives as long as the program.
    keybell.serve()?;
    let empty = settled_memory(keybell.process());
    keybell.stop()?;
    let secrets: &'static [String] = load::runtime()?.block_on(fill::fill(&url, &master_key, keys))?.leak();
    let started = Instant::now();
    keybell.serve()?;
    let took = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
    let each = settled_memory(keybell.process()).saturating_sub(empty) as f64 / keys as f64;
    eprintln!("keybell: {keys} keys, ready after {took:.2} s, {each:.0} bytes of memory each");
    load::runtime()?.block_on(over_http(&keybell, checks, secrets, table))?;
    keybell.stop()?;
    in_process::run(&url, master_key, secrets, table)
}

async fn over_http(
    keybell: &Keybell,
    checks: u64,
    secrets: &'static [String],
    table: &mut Table,
) -> Outcome<()> {
    // A step that shares no divisor with the count visits each of them, in an order that no cache guesses.
    let nth = |number: u64| {
        let number = usize::try_from(number).unwrap_or(0);
        secrets[number.wrapping_mul(700_001) % secrets.len()].as_str()
    };
    let ask = |key| Call { method: "GET", path: "/v1/forward-auth?scope=reports:read", bearer: Some(key) };
    let no_body = |_| Bytes::new();
    measure(keybell, "forward-auth, all keys", checks, move |number| ask(nth(number)), no_body, table)
        .await?;
    measure(keybell, "forward-auth, one key", checks, move |_| ask(nth(0)), no_body, table).await?;

    let operator_key: &'static str = keybell.operator_key.clone().leak();
    let call = Call { method: "POST", path: "/v1/api-keys/verify", bearer: Some(operator_key) };
    let body =
        move |number| Bytes::from(json!({"secret_key": nth(number), "required_scopes": [SCOPE]}).to_string());
    measure(keybell, "verify, all keys", checks / 2, move |_| call, body, table).await
}

async fn measure(
    keybell: &Keybell,
    what: &str,
    checks: u64,
    call: impl Fn(u64) -> Call<'static> + 'static,
    body: impl Fn(u64) -> Bytes + 'static,
    table: &mut Table,
) -> Outcome<()> {
    let before = keybell.cpu();
    let done = load::run(keybell.address(), CONNECTIONS, checks, call, body).await?;
    table.add(Row {
        what: format!("keybell: {what}"),
        count: done.requests,
        per_second: Some(done.per_second()),
        server_micros: Some(keybell.cpu().micros_each(before, done.requests)),
        p50_ms: Some(done.wait_ms(0.5)),
        p99_ms: Some(done.wait_ms(0.99)),
        ..Row::default()
    });
    Ok(())
}
