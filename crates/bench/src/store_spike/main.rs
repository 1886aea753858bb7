//! What the store alone can do: durable events a second, CPU per event and the wait, on both engines.
//!
//! Two operations over the real tables: accept one event with one pending delivery, and finish one delivery. They are asked
//! for one by one by many callers at once, and the same events also gathered into one batch while another is being written,
//! which is how the app asks. Run it with `cargo run --release -p keybell-bench --bin store-spike`.

mod ops;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use hdrhistogram::Histogram;
use keybell_bench::machine::{self, Cpu};
use keybell_core::{DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};
use keybell_store::{DatabaseUrl, OpenOptions, Stats, Store, StoreError};
use keybell_testkit::postgres::TestPostgres;
use keybell_testkit::random::SeededRandomness;
use ops::{Accept, Finish, Gather, Item, Todo};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Bytes of an event's data.
const DATA_BYTES: usize = 512;
/// An instant in November 2026.
const BASE: Timestamp = Timestamp::from_seconds(1_795_447_916);
/// Time before anything is measured, for caches and statements to settle.
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Parser)]
#[command(about = "Measures the store alone, on both engines")]
struct Options {
    /// Only this engine.
    #[arg(long)]
    engine: Option<Engine>,
    /// Only this way of asking.
    #[arg(long)]
    way: Option<Way>,
    /// Callers at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 256, 1000])]
    callers: Vec<usize>,
    /// Seconds measured in each run.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Workspaces that the events are spread over.
    #[arg(long, default_value_t = 1000)]
    workspaces: usize,
    /// Connections that write, on PostgreSQL.
    #[arg(long, default_value_t = OpenOptions::POSTGRES_WRITERS)]
    postgres_writers: usize,
    /// Where the files are made; the system's temporary directory otherwise.
    #[arg(long)]
    directory: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// Each event is an operation of its own.
    One,
    /// Events gather while a batch is being written.
    Gathered,
    /// Each event is accepted, then its delivery finished: two operations.
    Finished,
    /// Events gather, and so do the deliveries to finish.
    GatheredFinished,
}

impl Way {
    fn gathers(self) -> bool {
        matches!(self, Way::Gathered | Way::GatheredFinished)
    }

    fn finishes(self) -> bool {
        matches!(self, Way::Finished | Way::GatheredFinished)
    }
}

/// What one run measured.
struct Measured {
    events: u64,
    elapsed: Duration,
    wait: Histogram<u64>,
    own_us: f64,
    postgres_us: Option<f64>,
    stats: Stats,
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    println!("{}\n", machine::description());
    println!(
        "{} B of data, {} workspaces, {} s a run, {} writing connections on PostgreSQL\n",
        DATA_BYTES, options.workspaces, options.seconds, options.postgres_writers
    );
    println!(
        "| engine | way | callers | events/s | ops/commit | p50 ms | p99 ms | process µs/event | PostgreSQL µs/event |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for way in [Way::One, Way::Gathered, Way::Finished, Way::GatheredFinished] {
            if options.engine.is_some_and(|only| only != engine)
                || options.way.is_some_and(|only| only != way)
            {
                continue;
            }
            for &callers in &options.callers {
                print(engine, way, callers, &measure(&options, engine, way, callers)?);
            }
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures with three digits")]
fn print(engine: Engine, way: Way, callers: usize, measured: &Measured) {
    let Measured { events, elapsed, wait, own_us, postgres_us, stats } = measured;
    let millis = |quantile| wait.value_at_quantile(quantile) as f64 / 1e3;
    println!(
        "| {} | {} | {callers} | {:.0} | {:.1} | {:.2} | {:.2} | {own_us:.1} | {} |",
        format!("{engine:?}").to_lowercase(),
        way.to_possible_value().map_or_else(String::new, |word| word.get_name().to_owned()),
        *events as f64 / elapsed.as_secs_f64(),
        stats.operations as f64 / stats.commits as f64,
        millis(0.5),
        millis(0.99),
        postgres_us.map_or_else(|| "–".to_owned(), |us| format!("{us:.1}")),
    );
}

fn measure(options: &Options, engine: Engine, way: Way, callers: usize) -> Outcome<Measured> {
    let base = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    let directory = tempfile::tempdir_in(base)?;
    let server = (engine == Engine::Postgres).then(|| TestPostgres::start_with(&["shared_buffers=1GB"]));
    let url = match &server {
        Some(server) => DatabaseUrl::parse(server.url())?,
        None => DatabaseUrl::sqlite(Path::join(directory.path(), "spike.db")),
    };
    let open = OpenOptions { postgres_writers: options.postgres_writers, ..OpenOptions::at(BASE) };
    let store = Store::open(&url, &open)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let process = server.as_ref().map(TestPostgres::process);
    let measured = runtime.block_on(run(options, &store, way, callers, process));
    runtime.block_on(store.close());
    measured
}

async fn run(
    options: &Options,
    store: &Store,
    way: Way,
    callers: usize,
    postgres: Option<u32>,
) -> Outcome<Measured> {
    let shared = Arc::new(Shared {
        store: store.clone(),
        gather: Gather::new(store.clone()),
        randomness: SeededRandomness::new(1),
        workspaces: (0..options.workspaces)
            .map(|number| WorkspaceId::new(BASE, &SeededRandomness::new(number as u64)))
            .collect(),
        started: Instant::now(),
        measuring: AtomicBool::new(false),
        stopping: AtomicBool::new(false),
        events: AtomicU64::new(0),
        wait: Mutex::new(Histogram::new(3)?),
        data: vec![b'x'; DATA_BYTES].into(),
    });
    let tasks: Vec<_> = (0..callers).map(|_| tokio::spawn(caller(Arc::clone(&shared), way))).collect();
    tokio::time::sleep(WARM_UP).await;
    let cpu = || (Cpu::of(std::process::id()), postgres.map(Cpu::of_family));
    let (before, stats_before, started) = (cpu(), store.stats(), Instant::now());
    shared.measuring.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    shared.measuring.store(false, Ordering::Relaxed);
    let (after, stats_after, elapsed) = (cpu(), store.stats(), started.elapsed());
    let events = shared.events.load(Ordering::Relaxed);
    shared.stopping.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await?;
    }
    let wait = shared.wait.lock().expect("nobody panics").clone();
    Ok(Measured {
        events,
        elapsed,
        wait,
        own_us: after.0.micros_each(before.0, events),
        postgres_us: after.1.zip(before.1).map(|(after, before)| after.micros_each(before, events)),
        stats: Stats {
            operations: stats_after.operations - stats_before.operations,
            commits: stats_after.commits - stats_before.commits,
            ..stats_after
        },
    })
}

struct Shared {
    store: Store,
    gather: Gather,
    randomness: SeededRandomness,
    workspaces: Vec<WorkspaceId>,
    started: Instant,
    measuring: AtomicBool,
    stopping: AtomicBool,
    events: AtomicU64,
    wait: Mutex<Histogram<u64>>,
    data: Arc<[u8]>,
}

/// Asks for one event after the other.
async fn caller(shared: Arc<Shared>, way: Way) {
    while !shared.stopping.load(Ordering::Relaxed) {
        let now = BASE + shared.started.elapsed();
        let place = usize::try_from(shared.randomness.number() % shared.workspaces.len() as u64).unwrap_or(0);
        let item = Item {
            workspace: shared.workspaces[place],
            event: EventKey::new(now, &shared.randomness),
            delivery: DeliveryId::new(now, &shared.randomness),
            webhook: WebhookId::from_bytes(*shared.workspaces[place].as_bytes()),
            at: now,
            data: Arc::clone(&shared.data),
        };
        let asked = Instant::now();
        let mut good = if way.gathers() {
            shared.gather.ask(Todo::Accept(item.clone())).await
        } else {
            kept(&shared.store.write(Accept(item.clone())).await)
        };
        let waited = asked.elapsed();
        if way.finishes() {
            good &= if way.gathers() {
                shared.gather.ask(Todo::Finish(item)).await
            } else {
                kept(&shared.store.write(Finish(item)).await)
            };
        }
        assert!(good, "an event was not kept");
        if shared.measuring.load(Ordering::Relaxed) {
            shared.events.fetch_add(1, Ordering::Relaxed);
            let micros = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
            shared.wait.lock().expect("nobody panics").record(micros).expect("the histogram grows");
        }
    }
}

fn kept(result: &Result<(), StoreError>) -> bool {
    if let Err(error) = result {
        eprintln!("{error}: {:?}", std::error::Error::source(error));
    }
    result.is_ok()
}
