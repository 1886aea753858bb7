//! What a check costs where no HTTP is around it: through the local verifier of the gate, as a platform in Rust embeds it.
//!
//! One thread, in the time that passes; the median of small batches tells what it costs while nobody else has the machine.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keybell_app::settings::Settings;
use keybell_app::{App, Parts};
use keybell_core::seal::MasterKey;
use keybell_core::{Clock, Timestamp};
use keybell_gate::{LocalVerifier, Needs, Question};
use keybell_store::{DatabaseUrl, OpenOptions, Store};
use keybell_testkit::random::SeededRandomness;

use super::fill::SCOPE;
use crate::table::{Row, Table};
use crate::{Outcome, load};

/// Checks of a measurement: some seconds of them.
const CHECKS: usize = 4_000_000;
/// Checks that are timed together.
const BATCH: usize = 64;
/// Checks and keys whose writing is counted.
const COUNTED_CHECKS: usize = 1_000_000;
const COUNTED_KEYS: usize = 1_000;

/// The clock of the machine, as the binary has it: reading it is part of a check.
struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "a bench stands where the binary stands")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH + since
    }
}

/// Measures on the database at `url`, which holds the keys of `secrets`.
pub(super) fn run(
    url: &DatabaseUrl,
    master_key: MasterKey,
    secrets: &[String],
    table: &mut Table,
) -> Outcome<()> {
    // What the installation does beside the checks, it does on a thread of its own, until the program ends.
    let runtime = load::runtime()?;
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    let store = Store::open(url, &OpenOptions::at(MachineClock.now())).map_err(|error| error.to_string())?;
    let started = Instant::now();
    let parts = Parts {
        settings: settings(),
        store: store.clone(),
        clock: Arc::new(MachineClock),
        randomness: Arc::new(SeededRandomness::new(1)),
        master_key,
    };
    let app = handle.block_on(App::start(parts)).map_err(|problem| format!("{problem:?}"))?;
    eprintln!("in process: {} keys read in {:.2} s", secrets.len(), started.elapsed().as_secs_f64());

    let verifier = LocalVerifier::new(app.clone());
    let misspelt: Vec<String> = secrets.iter().take(10_000).map(|text| misspell(text)).collect();
    measure("in process: all keys", &verifier, secrets, true, table);
    measure("in process: 1,000 keys", &verifier, &secrets[..COUNTED_KEYS.min(secrets.len())], true, table);
    measure("in process: one key", &verifier, &secrets[..1], true, table);
    measure("in process: wrong checksum", &verifier, &misspelt, false, table);

    handle.block_on(async {
        // Every key was used by now.
        let started = Instant::now();
        app.write_usage().await.map_err(|error| error.to_string())?;
        #[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
        let each = started.elapsed().as_secs_f64() * 1e6 / secrets.len() as f64;
        eprintln!("in process: {each:.1} µs a key to write down the usage and last uses of all keys");
        let before = store.stats();
        let needs = Needs::scope(SCOPE);
        for number in 0..COUNTED_CHECKS {
            let _ = verifier.verify_now(ask(&secrets[number % COUNTED_KEYS.min(secrets.len())], &needs));
        }
        let meanwhile = store.stats();
        app.write_usage().await.map_err(|error| error.to_string())?;
        let after = store.stats();
        eprintln!(
            "in process: {COUNTED_CHECKS} checks of {COUNTED_KEYS} keys: {} statements while they ran, {} to write down their \
             usage and last uses, in {} transactions",
            meanwhile.statements - before.statements,
            after.statements - meanwhile.statements,
            after.commits - meanwhile.commits,
        );
        store.close().await;
        Ok(())
    })
}

fn misspell(text: &str) -> String {
    let last = if text.ends_with('x') { 'y' } else { 'x' };
    format!("{}{last}", &text[..text.len() - 1])
}

fn ask<'a>(secret_key: &'a str, needs: &'a Needs) -> Question<'a> {
    Question { secret_key, needs, source: None, method: "GET" }
}

/// Measures in the time that passes, batch by batch: the texts of a batch are copied together before its time begins, since
/// a key that a request brings along has just been written to the memory that it stands in.
fn measure(what: &str, verifier: &LocalVerifier, secrets: &[String], valid: bool, table: &mut Table) {
    let needs = Needs::scope(SCOPE);
    let (mut at, mut took, mut waits) = (0, Duration::ZERO, load::histogram());
    let mut batch = vec![String::new(); BATCH];
    for _ in 0..CHECKS / BATCH {
        for text in &mut batch {
            // A step that shares no divisor with the count visits each of them, in an order that no cache guesses.
            at = (at + 700_001) % secrets.len();
            text.clone_from(&secrets[at]);
        }
        let started = Instant::now();
        for text in &batch {
            let decided = black_box(verifier.verify_now(ask(black_box(text), &needs)));
            assert_eq!(decided.is_ok(), valid, "{what}");
        }
        let one = started.elapsed();
        took += one;
        waits.saturating_record(u64::try_from(one.as_nanos()).unwrap_or(u64::MAX) / BATCH as u64);
    }
    let count = (CHECKS / BATCH * BATCH) as u64;
    #[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
    let count_f = count as f64;
    table.add(Row {
        what: format!("{what} (median of batches: {} ns)", waits.value_at_quantile(0.5)),
        count,
        per_second: Some(count_f / took.as_secs_f64()),
        server_micros: Some(took.as_secs_f64() * 1e6 / count_f),
        ..Row::default()
    });
}

fn settings() -> Settings {
    Settings::at("https://keybell.test/".parse().expect("it is a URL"))
}
