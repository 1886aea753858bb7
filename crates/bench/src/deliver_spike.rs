//! What delivery alone costs, in process: publish, keep, sign, send, record, to one webhook, without the HTTP API.
//!
//! The receiver is this program again, as a process of its own: it answers 204 to everything and costs the sender nothing.

use std::convert::Infallible;
use std::io::{BufRead as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt as _, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use keybell_app::event_types::NewEventType;
use keybell_app::events::NewEvent;
use keybell_app::settings::{DeliverySettings, Settings};
use keybell_app::webhooks::NewWebhook;
use keybell_app::workspaces::NewWorkspace;
use keybell_app::{App, Parts};
use keybell_core::grant::Origin;
use keybell_core::payload::ContentType;
use keybell_core::seal::MasterKey;
use keybell_core::{Actor, Problem, WorkspaceId};
use keybell_store::{DatabaseUrl, OpenOptions, Store};
use keybell_testkit::clock::SimClock;
use keybell_testkit::postgres::TestPostgres;
use keybell_testkit::random::SeededRandomness;
use serde_json::value::RawValue;

use keybell_bench::machine::{self, Cpu};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The type of the events.
const TYPE: &str = "research_report.published";

#[derive(Parser)]
struct Options {
    /// How many events are published.
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// How many publishers publish at once.
    #[arg(long, default_value_t = 64)]
    publishers: u64,
    /// How many events each of their calls holds.
    #[arg(long, default_value_t = 1)]
    batch: u64,
    /// How many webhooks each event goes to.
    #[arg(long, default_value_t = 1)]
    webhooks: usize,
    /// On how many runtimes it is sent.
    #[arg(long, default_value_t = 1)]
    shards: usize,
    /// On a throw-away PostgreSQL rather than a SQLite file.
    #[arg(long)]
    postgres: bool,
    /// Be the receiver.
    #[arg(long, hide = true)]
    receive: bool,
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if options.receive {
        return runtime.block_on(receive());
    }
    println!("{}", machine::description());
    runtime.block_on(measure(&options))
}

async fn receive() -> Outcome<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let answer = service_fn(|request: http::Request<hyper::body::Incoming>| async {
                let mut body = request.into_body();
                while body.frame().await.is_some() {}
                let mut answer = http::Response::new(Empty::<Bytes>::new());
                *answer.status_mut() = http::StatusCode::NO_CONTENT;
                Ok::<_, Infallible>(answer)
            });
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await
                .ok();
        });
    }
}

struct Receiver {
    child: Child,
    port: u16,
}

impl Receiver {
    fn start() -> Outcome<Receiver> {
        let mut child =
            Command::new(std::env::current_exe()?).arg("--receive").stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().ok_or("it is piped")?).read_line(&mut line)?;
        Ok(Receiver { port: line.trim().parse()?, child })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

async fn measure(options: &Options) -> Outcome<()> {
    let receiver = Receiver::start()?;
    let folder = tempfile::tempdir()?;
    let postgres = options.postgres.then(TestPostgres::shared);
    let url = match &postgres {
        Some(server) => DatabaseUrl::parse(&server.new_database())?,
        None => DatabaseUrl::sqlite(folder.path().join("keybell.db")),
    };
    let clock = SimClock::starting_at(keybell_core::Timestamp::from_seconds(1_795_435_200));
    let store = Store::open(&url, &OpenOptions::at(keybell_core::Clock::now(&clock)))?;
    let app = App::start(Parts {
        settings: settings(),
        store: store.clone(),
        clock: Arc::new(clock),
        randomness: Arc::new(SeededRandomness::new(1)),
        master_key: MasterKey::from_bytes([7; 32]),
    })
    .await?;
    let workspace = furnish(&app, options.webhooks, receiver.port).await?;
    let shards = Shards::start(options.shards)?;
    app.start_engine(&shards.handles).await?;

    // A tenth more first, so that connections are open and caches warm.
    publish(&app, workspace, options, options.events / 10).await?;
    app.engine().quiet().await;
    let cpu =
        || (Cpu::of(std::process::id()), postgres.as_ref().map(|server| Cpu::of_family(server.process())));
    let (before, began) = (cpu(), Instant::now());
    publish(&app, workspace, options, options.events).await?;
    let accepted = began.elapsed();
    app.engine().quiet().await;
    let delivered = began.elapsed();
    let after = cpu();
    let micros = after.0.micros_each(before.0, options.events);
    let database =
        after.1.zip(before.1).map_or(0.0, |(after, before)| after.micros_each(before, options.events));
    #[expect(clippy::cast_precision_loss, reason = "a figure with three digits")]
    let per_second = |time: Duration| options.events as f64 / time.as_secs_f64();
    println!(
        "{} events, {} publishers, batches of {}, {} webhooks, {} shards: accepted {:.0}/s, delivered {:.0}/s, \
         {micros:.1} us CPU per event, PostgreSQL {database:.1} us",
        options.events,
        options.publishers,
        options.batch,
        options.webhooks,
        options.shards,
        per_second(accepted),
        per_second(delivered),
    );
    println!("{:?}\n{:?}", app.engine().stats(), store.stats());
    app.stop_engine(Duration::from_secs(1)).await;
    Ok(())
}

/// Runtimes of one thread each, as the server has them.
struct Shards {
    handles: Vec<tokio::runtime::Handle>,
    _stop: Vec<tokio::sync::oneshot::Sender<()>>,
}

impl Shards {
    fn start(count: usize) -> Outcome<Shards> {
        let (mut handles, mut stops) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            handles.push(runtime.handle().clone());
            stops.push(stop);
            std::thread::spawn(move || runtime.block_on(stopped));
        }
        Ok(Shards { handles, _stop: stops })
    }
}

fn actor() -> Actor {
    Actor::Operator { key: "kb_op_000000000000".to_owned(), name: "bench".to_owned() }
}

async fn furnish(app: &App, webhooks: usize, port: u16) -> Outcome<WorkspaceId> {
    let origin = Origin::default();
    let operator = actor().grant_operator(&origin).map_err(Problem::from)?;
    let named = NewWorkspace { name: "Bench".to_owned(), external_id: None };
    let workspace = app.create_workspace(operator.clone(), named).await?.id;
    let new = NewEventType {
        name: TYPE.to_owned(),
        group: None,
        description: String::new(),
        schema: None,
        example: None,
    };
    app.create_event_type(operator, new).await?;
    for _ in 0..webhooks {
        let new = NewWebhook {
            name: "Bench".to_owned(),
            description: String::new(),
            url: format!("http://127.0.0.1:{port}/hook"),
            events: vec!["*".to_owned()],
            content_type: ContentType::Json,
            headers: Vec::new(),
            enabled: true,
            rate_limit: None,
            max_in_flight: None,
            signing_secret: None,
            metadata: serde_json::Map::new(),
        };
        app.create_webhook(actor().grant(workspace, &origin).map_err(Problem::from)?, new).await?;
    }
    Ok(workspace)
}

async fn publish(app: &App, workspace: WorkspaceId, options: &Options, events: u64) -> Outcome<()> {
    let grant = actor()
        .grant::<keybell_core::grant::PublishEvents>(workspace, &Origin::default())
        .map_err(Problem::from)?;
    let data = format!("{{\"text\":\"{}\"}}", "x".repeat(500));
    let calls = events / options.batch / options.publishers;
    let publishers: Vec<_> = (0..options.publishers)
        .map(|_| {
            let (app, grant, data, batch) = (app.clone(), grant.clone(), data.clone(), options.batch);
            tokio::spawn(async move {
                for _ in 0..calls {
                    let event = |_| NewEvent {
                        event_type: TYPE.to_owned(),
                        data: RawValue::from_string(data.clone()).expect("it is JSON"),
                        id: None,
                        occurred_at: None,
                    };
                    let events = (0..batch).map(event).map(|event| (grant.clone(), event)).collect();
                    app.publish(events).await.expect("it is accepted");
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await?;
    }
    Ok(())
}

fn settings() -> Settings {
    let defaults = Settings::at("https://keybell.test/".parse().expect("it is a URL"));
    Settings {
        delivery: DeliverySettings {
            require_https: false,
            allowed_networks: vec!["127.0.0.0/8".parse().expect("it is a network")],
            max_in_flight_per_webhook: 64,
            ..DeliverySettings::default()
        },
        ..defaults
    }
}
