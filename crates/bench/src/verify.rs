//! How many API keys are checked a second, and what one check costs the server, beside a server that answers 204.

use bytes::Bytes;
use serde_json::json;

use crate::client::Call;
use crate::installation::Keybell;
use crate::load::{self, CONNECTIONS};
use crate::table::{Row, Table};
use crate::{Database, Outcome, floor};

/// Checks of a measurement, unless the command says otherwise: some seconds of them.
const CHECKS: u64 = 200_000;
/// API keys among which they are spread.
const KEYS: usize = 200;

/// The floor, `POST /v1/api-keys/verify`, and the forward-auth endpoint.
pub(crate) fn run(database: Database, count: Option<u64>, table: &mut Table) -> Outcome<()> {
    let checks = count.unwrap_or(CHECKS);
    floor::measure_server(checks, table)?;
    load::runtime()?.block_on(async {
        let keybell = Keybell::start(database).await?;
        let mut keys = Vec::with_capacity(KEYS);
        for number in 0..KEYS {
            keys.push(keybell.api_key(&format!("Key {number}")).await?);
        }
        let bodies: Vec<Bytes> = keys
            .iter()
            .map(|key| {
                Bytes::from(json!({"secret_key": key, "required_scopes": ["reports:read"]}).to_string())
            })
            .collect();
        // Leaked so that the tasks of the load need not share it: it lives as long as the program.
        let operator_key: &'static str = keybell.operator_key.clone().leak();
        let call = Call { method: "POST", path: "/v1/api-keys/verify", bearer: Some(operator_key) };
        measure(&keybell, "verify", checks, call, move |number| pick(&bodies, number), table).await?;
        let first: &'static str = keys[0].clone().leak();
        let call = Call { method: "GET", path: "/v1/forward-auth?scope=reports:read", bearer: Some(first) };
        measure(&keybell, "forward-auth", checks, call, |_| Bytes::new(), table).await
    })
}

fn pick(bodies: &[Bytes], number: u64) -> Bytes {
    let index = usize::try_from(number).unwrap_or(0) % bodies.len();
    bodies[index].clone()
}

async fn measure(
    keybell: &Keybell,
    what: &str,
    checks: u64,
    call: Call<'static>,
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
