//! `keybell-sim`: runs many seeds of the simulation, or one with everything that happens in it.
//!
//! `keybell-sim 10000` runs the seeds 0 to 9,999 on both cores; `keybell-sim 10000 50000` those from 50,000 on;
//! `keybell-sim seed 4711` replays one. A failing seed is printed with the command that replays it.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use keybell_sim::{CameTo, Run, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok());
    match (arguments.first().map(String::as_str), number(0)) {
        (Some("seed"), _) => number(1).map_or_else(usage, replay),
        (_, Some(count)) => many(count, number(1).unwrap_or(0)),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("keybell-sim <how many seeds> [<the first>]\nkeybell-sim seed <which>");
    ExitCode::FAILURE
}

fn replay(seed: u64) -> ExitCode {
    let run = run(seed, None, true);
    match run.broken {
        None => {
            println!("seed {seed} holds: {} lines, trace {:016x}", run.lines, run.trace);
            ExitCode::SUCCESS
        }
        Some(rule) => {
            println!("seed {seed} does not hold: {rule}");
            ExitCode::FAILURE
        }
    }
}

/// What many runs came to.
#[derive(Default)]
struct Sums {
    broken: Vec<(u64, String)>,
    runs: u64,
    with_crashes: u64,
    full: u64,
    events: usize,
    sent: usize,
    time: Duration,
}

impl Sums {
    fn add(&mut self, seed: u64, run: Run) {
        let CameTo { time, crashes, events, sent, full, planted: _ } = run.came_to;
        self.broken.extend(run.broken.map(|rule| (seed, rule)));
        self.runs += 1;
        self.with_crashes += u64::from(crashes > 0);
        self.full += u64::from(full);
        self.events += events;
        self.sent += sent;
        self.time += time;
    }
}

fn many(count: u64, first: u64) -> ExitCode {
    let began = Instant::now();
    let next = AtomicU64::new(first);
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let sums = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(|| work(&next, first + count))).collect();
        workers.into_iter().map(|worker| worker.join().expect("panics are results")).collect::<Vec<_>>()
    });
    let mut all = Sums::default();
    for sums in sums {
        all.broken.extend(sums.broken);
        all.runs += sums.runs;
        all.with_crashes += sums.with_crashes;
        all.full += sums.full;
        all.events += sums.events;
        all.sent += sums.sent;
        all.time += sums.time;
    }
    all.broken.sort_unstable();
    for (seed, rule) in all.broken.iter().take(20) {
        println!(
            "seed {seed} does not hold: {rule}\n  replay it: cargo run --profile sim -p keybell-sim -- seed {seed}"
        );
    }
    println!(
        "{} seeds in {:.1?}, {} of them broken; {} with crashes, {} with a full memory; {} events, {} requests, {} hours",
        all.runs,
        began.elapsed(),
        all.broken.len(),
        all.with_crashes,
        all.full,
        all.events,
        all.sent,
        all.time.as_secs() / 3_600,
    );
    if all.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn work(next: &AtomicU64, end: u64) -> Sums {
    let mut sums = Sums::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return sums;
        }
        sums.add(seed, run(seed, None, false));
    }
}
