//! Load generator and benches of Keybell, beside the floor in the same run.
//!
//! `cargo run --release -p keybell-bench -- all --database sqlite` starts the release binary on throw-away data and free
//! ports, drives it over loopback, and prints what it did beside what a server that does nothing, and a client that only
//! posts, do on the same machine in the same minutes. A figure without that neighbour says little.
//!
//! This is not the product: it may read the clock, and opens connections of its own.

mod client;
mod deliver;
mod floor;
mod installation;
mod latency;
mod load;
mod receiver;
mod table;
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
    /// Requests or events of each measurement; each bench has its own default.
    #[arg(long, global = true, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    count: Option<u64>,
}

#[derive(Subcommand, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Checking API keys: requests a second, and the server's CPU for one.
    Verify,
    /// Publishing and delivering: events a second until the last has arrived, and the server's CPU for one.
    Deliver,
    /// From publish to arrival, at 200 events a second.
    Latency,
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
    Receive,
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
        What::Receive => return receiver::serve(),
        What::Post { port, requests } => return floor::post(port, requests),
        What::Verify | What::Deliver | What::Latency | What::All => {}
    }
    let wanted = |what| arguments.what == what || arguments.what == What::All;
    println!("{}", machine::description());
    let mut table = Table::new();
    if wanted(What::Verify) {
        verify::run(arguments.database, arguments.count, &mut table)?;
    }
    if wanted(What::Deliver) {
        deliver::run(arguments.database, arguments.count, &mut table)?;
    }
    if wanted(What::Latency) {
        latency::run(arguments.database, arguments.count, &mut table)?;
    }
    println!("\n{table}");
    Ok(())
}
