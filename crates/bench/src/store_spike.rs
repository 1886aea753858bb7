//! What the store alone can do: durable events a second, CPU per event and the wait, on both engines.
//!
//! Two operations over the real tables: accept one event with one pending delivery, and finish one delivery. They are asked
//! for one by one by many callers at once, and the same events also gathered into one batch while another is being written,
//! which is how the app asks. Run it with `cargo run --release -p keybell-bench --bin store-spike`.

mod machine;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use hdrhistogram::Histogram;
use keybell_core::{DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};
use keybell_store::{
    Arg, DatabaseUrl, Isolation, Op, OpenOptions, Stats, Store, StoreError, Tx, bulks, statements,
};
use keybell_testkit::postgres::TestPostgres;
use keybell_testkit::random::SeededRandomness;
use machine::Cpu;
use tokio::sync::oneshot;

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

statements! {
    INSERT_EVENT = "INSERT INTO events (workspace_id, id, supplied_id, type, occurred_at, data, deliveries) \
                    VALUES ($1, $2, NULL, $3, $4, $5, 1)";
    INSERT_PENDING = "INSERT INTO pending_deliveries (workspace_id, id, webhook_id, event_id, event_type, attempts_made, \
                      attempt_trigger, next_attempt_at, due_at, leased_by) \
                      VALUES ($1, $2, $3, $4, $5, 0, 'event', $6, $6, NULL)";
    DELETE_PENDING = "DELETE FROM pending_deliveries WHERE workspace_id = $1 AND id = $2";
    INSERT_FINISHED = "INSERT INTO finished_deliveries (workspace_id, id, webhook_id, event_id, event_type, status, \
                       attempts_made, last_response_status, completed_at) \
                       VALUES ($1, $2, $3, $4, $5, 'succeeded', 1, 200, $6)";
    INSERT_ATTEMPT = "INSERT INTO attempts (workspace_id, delivery_id, number, attempt_trigger, started_at, duration_us, \
                      url, content_type, request_headers, response_status, response_truncated) \
                      VALUES ($1, $2, 1, 'event', $3, 1000, $4, 'application/json', '{}', 200, 0)";
}

bulks! {
    EVENTS = Insert "events" [workspace_id: Bytes, id: Bytes, type: Text, occurred_at: Int, data: Bytes, deliveries: Int];
    PENDING = Insert "pending_deliveries" [
        workspace_id: Bytes, id: Bytes, webhook_id: Bytes, event_id: Bytes, event_type: Text, attempts_made: Int,
        attempt_trigger: Text, next_attempt_at: Int, due_at: Int,
    ];
    DONE = Delete "pending_deliveries" [workspace_id: Bytes, id: Bytes];
    FINISHED = Insert "finished_deliveries" [
        workspace_id: Bytes, id: Bytes, webhook_id: Bytes, event_id: Bytes, event_type: Text, status: Text,
        attempts_made: Int, last_response_status: Int, completed_at: Int,
    ];
    ATTEMPTS = Insert "attempts" [
        workspace_id: Bytes, delivery_id: Bytes, number: Int, attempt_trigger: Text, started_at: Int, duration_us: Int,
        url: Text, content_type: Text, request_headers: Text, response_status: Int, response_truncated: Int,
    ];
}

const EVENT_TYPE: &str = "research_report.published";
const URL: &str = "https://example.com/webhooks/keybell";

/// One event and its delivery.
#[derive(Clone)]
struct Item {
    workspace: WorkspaceId,
    event: EventKey,
    delivery: DeliveryId,
    webhook: WebhookId,
    at: Timestamp,
    data: Arc<[u8]>,
}

struct Accept(Item);

impl Op for Accept {
    const NAME: &'static str = "spike.accept";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let Item { workspace, event, delivery, webhook, at, data } = &self.0;
        tx.exec(
            &INSERT_EVENT,
            &[workspace.into(), event.into(), EVENT_TYPE.into(), (*at).into(), Arg::Bytes(data)],
        )?;
        tx.exec(
            &INSERT_PENDING,
            &[
                workspace.into(),
                delivery.into(),
                webhook.into(),
                event.into(),
                EVENT_TYPE.into(),
                (*at).into(),
            ],
        )?;
        Ok(())
    }
}

struct Finish(Item);

impl Op for Finish {
    const NAME: &'static str = "spike.finish";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let Item { workspace, event, delivery, webhook, at, .. } = &self.0;
        tx.exec(&DELETE_PENDING, &[workspace.into(), delivery.into()])?;
        tx.exec(
            &INSERT_FINISHED,
            &[
                workspace.into(),
                delivery.into(),
                webhook.into(),
                event.into(),
                EVENT_TYPE.into(),
                (*at).into(),
            ],
        )?;
        tx.exec(&INSERT_ATTEMPT, &[workspace.into(), delivery.into(), (*at).into(), URL.into()])?;
        Ok(())
    }
}

/// What gathered while the batch before was being written.
struct Batch(Arc<Vec<Todo>>);

enum Todo {
    Accept(Item),
    Finish(Item),
}

impl Op for Batch {
    const NAME: &'static str = "spike.batch";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let (mut events, mut pending) = (Vec::new(), Vec::new());
        let (mut done, mut finished, mut attempts) = (Vec::new(), Vec::new(), Vec::new());
        for todo in self.0.iter() {
            match todo {
                Todo::Accept(Item { workspace, event, delivery, webhook, at, data }) => {
                    let (workspace, at) = (Arg::from(workspace), Arg::from(*at));
                    events.extend([
                        workspace,
                        event.into(),
                        EVENT_TYPE.into(),
                        at,
                        Arg::Bytes(data),
                        1.into(),
                    ]);
                    pending.extend([
                        workspace,
                        delivery.into(),
                        webhook.into(),
                        event.into(),
                        EVENT_TYPE.into(),
                    ]);
                    pending.extend([Arg::Int(0), "event".into(), at, at]);
                }
                Todo::Finish(Item { workspace, event, delivery, webhook, at, .. }) => {
                    let (workspace, delivery, at) =
                        (Arg::from(workspace), Arg::from(delivery), Arg::from(*at));
                    done.extend([workspace, delivery]);
                    finished.extend([workspace, delivery, webhook.into(), event.into(), EVENT_TYPE.into()]);
                    finished.extend(["succeeded".into(), Arg::Int(1), Arg::Int(200), at]);
                    attempts.extend([workspace, delivery, Arg::Int(1), "event".into(), at, Arg::Int(1000)]);
                    attempts.extend([
                        URL.into(),
                        "application/json".into(),
                        "{}".into(),
                        Arg::Int(200),
                        Arg::Int(0),
                    ]);
                }
            }
        }
        tx.bulk(&EVENTS, &events)?;
        tx.bulk(&PENDING, &pending)?;
        tx.bulk(&DONE, &done)?;
        tx.bulk(&FINISHED, &finished)?;
        tx.bulk(&ATTEMPTS, &attempts)?;
        Ok(())
    }
}

/// Gathers what callers ask for while a write is in flight.
#[derive(Clone)]
struct Gather {
    store: Store,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    todo: Vec<Todo>,
    callers: Vec<oneshot::Sender<bool>>,
    in_flight: bool,
}

impl Gather {
    async fn ask(&self, todo: Todo) -> bool {
        let (tell, told) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().expect("nobody panics");
            waiting.todo.push(todo);
            waiting.callers.push(tell);
            if !waiting.in_flight {
                self.send(&mut waiting);
            }
        }
        told.await.unwrap_or(false)
    }

    fn send(&self, waiting: &mut Waiting) {
        waiting.in_flight = true;
        let todo = Arc::new(std::mem::take(&mut waiting.todo));
        let callers = std::mem::take(&mut waiting.callers);
        let again = self.clone();
        self.store.write_then(Batch(todo), move |result| {
            {
                let mut waiting = again.waiting.lock().expect("nobody panics");
                waiting.in_flight = false;
                if !waiting.todo.is_empty() {
                    again.send(&mut waiting);
                }
            }
            if let Err(error) = &result {
                eprintln!("{error}: {:?}", std::error::Error::source(error));
            }
            for caller in callers {
                // A caller that went away does not want to know.
                let _ = caller.send(result.is_ok());
            }
        });
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
        gather: Gather { store: store.clone(), waiting: Arc::default() },
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
            good(shared.store.write(Accept(item.clone())).await)
        };
        let waited = asked.elapsed();
        if way.finishes() {
            good &= if way.gathers() {
                shared.gather.ask(Todo::Finish(item)).await
            } else {
                self::good(shared.store.write(Finish(item)).await)
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

fn good(result: Result<(), StoreError>) -> bool {
    if let Err(error) = &result {
        eprintln!("{error}: {:?}", std::error::Error::source(error));
    }
    result.is_ok()
}
