//! Load generator and benches of Keybell, beside the floor in the same run.
//!
//! `cargo run --release -p keybell-bench -- all --database sqlite` starts the release binary on throw-away data and free
//! ports, drives it over loopback, and prints what it did beside what a server that does nothing, and a client that only
//! posts, do on the same machine in the same minutes. A figure without that neighbour says little.
//!
//! This is not the product: it may read the clock, and opens connections of its own.

mod backlog;
mod client;
mod floor;
mod idle;
mod installation;
mod kill;
mod latency;
mod load;
mod neighbours;
mod pace;
mod pages;
mod reading;
mod receiver;
mod table;
mod throughput;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use keybell_bench::machine;
use table::Table;

/// The same as the server's, so that the floor has it too and what is measured in process is what would be there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a bench gives back where it could not be done: a sentence for whoever reads the terminal.
type Outcome<T> = Result<T, String>;

#[derive(Parser)]
#[command(about = "Measures Keybell beside the floor, in one run")]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Where the installation keeps its data.
    #[arg(long, value_enum, default_value = "sqlite", global = true)]
    database: Database,
    /// Requests or events of each measurement, or deliveries that pages are made of; each bench has its own default.
    #[arg(long, global = true, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    count: Option<u64>,
    /// How long an idle installation is looked at.
    #[arg(long, global = true, default_value_t = idle::SECONDS, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// How often is killed; 200 times on SQLite and 30 times on PostgreSQL unless said.
    #[arg(long, global = true, value_parser = parse_kills)]
    kills: Option<usize>,
    /// Only pages whose name, as the table has it, holds this.
    #[arg(long, global = true)]
    page: Option<String>,
}

fn parse_kills(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|kills| (1..=10_000).contains(kills)).ok_or("1 to 10000".to_owned())
}

#[derive(Subcommand, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Checking API keys: requests a second, and the server's CPU for one.
    Verify,
    /// Publishing and delivering: events a second until the last has arrived, and the server's CPU for one.
    Throughput,
    /// From publish to arrival, at 200 events a second.
    Latency,
    /// From publish to arrival at healthy webhooks, while others hang.
    Neighbours,
    /// A long queue for a dead endpoint: memory, neighbours, restart, and what draining it costs.
    Backlog,
    /// What an installation costs that nobody uses.
    Idle,
    /// `kill -9` at random moments under load: nothing accepted is lost.
    Kill,
    /// The pages: the server's time for each, and how much goes over the wire.
    Pages,
    /// All that is about deliveries.
    Delivery,
    /// All of them.
    All,
    /// The floor: a server that answers 204. Started by the benches.
    #[command(hide = true)]
    Floor {
        /// On how many threads.
        threads: usize,
    },
    /// The receiver of the deliveries, in a process of its own. Started by the benches.
    #[command(hide = true)]
    Receive {
        /// Port on 127.0.0.1; 0 is any.
        port: u16,
    },
    /// The other floor: a client that only posts. Started by the benches.
    #[command(hide = true)]
    Post {
        /// Port on 127.0.0.1.
        port: u16,
        /// How many requests.
        requests: u64,
    },
}

/// Which engine.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Outcome<()> {
    match arguments.what {
        What::Floor { threads } => return floor::serve(threads),
        What::Receive { port } => return receiver::serve(port),
        What::Post { port, requests } => return floor::post(port, requests),
        _ => {}
    }
    println!("{}", machine::description());
    let mut table = Table::new();
    let done = measure(arguments, &mut table);
    // What was measured before something failed is worth its time.
    println!("\n{table}");
    done
}

fn measure(arguments: &Arguments, table: &mut Table) -> Outcome<()> {
    let &Arguments { what, database, count, .. } = arguments;
    let wanted = |one| {
        what == one
            || what == What::All
            || (what == What::Delivery && one != What::Verify && one != What::Pages)
    };
    if wanted(What::Verify) {
        verify::run(database, count, table)?;
    }
    if wanted(What::Throughput) {
        throughput::run(database, count, table)?;
    }
    if wanted(What::Latency) {
        latency::run(database, count, table)?;
    }
    if wanted(What::Neighbours) {
        neighbours::run(database, count, table)?;
    }
    if wanted(What::Idle) {
        idle::run(database, arguments.seconds, table)?;
    }
    if wanted(What::Kill) {
        kill::run(database, arguments.kills, table)?;
    }
    if wanted(What::Pages) {
        pages::run(database, count, arguments.page.as_deref(), table)?;
    }
    if wanted(What::Backlog) {
        backlog::run(database, count, table)?;
    }
    Ok(())
}
