//! Crashes under load: a server, or the database beneath it, is killed at random moments while events are published without
//! a pause; afterwards every event that was accepted has to have arrived, and the delivery log has to say so.
//!
//! Used by the tests of the binary and, with more kills, by the benches. A publisher behaves like one: it connects again, and
//! repeats an event that nobody answered under the same id. The receiver refuses some deliveries, so that retries are among
//! what a crash interrupts.

mod api;
mod load;

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use crate::installation::Installation;
use crate::postgres::TestPostgres;
use crate::random::SeededRandomness;
use api::Api;
use load::Load;

/// Settings with which an installation is to be prepared: the receiver is on loopback, and a retry is soon.
pub const SETTINGS: &str = "[log]\nlevel = \"warn\"\n\n[delivery]\nrequire_https = false\n\
                            allowed_networks = [\"127.0.0.0/8\"]\ntimeout = \"5s\"\n\
                            retry_schedule = [\"200ms\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\"]\n";

/// The longest time between a start and the next kill of the server.
const LIFE_MAX: Duration = Duration::from_millis(300);
/// The same of the database, which takes longer to come back, and the server longer to notice.
const DATABASE_LIFE_MAX: Duration = Duration::from_secs(1);
/// One kill of the server in so many comes while it starts.
const KILL_AT_START_EVERY: u64 = 8;
/// The longest time of a start that is interrupted.
const START_MAX: Duration = Duration::from_millis(60);
/// A start that takes longer is a failure, however busy the machine is.
const READY_MAX: Duration = Duration::from_secs(30);
/// How long what was accepted may take to arrive, and the log to say so, after the last crash. Where the database forgot an
/// outcome, which it may, the delivery is made again when its lease ends: twice [`SETTINGS`]' timeout and half a minute.
const ARRIVAL_MAX: Duration = Duration::from_secs(90);
/// Between two looks at something that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Who is killed.
#[derive(Clone, Copy)]
pub enum Victim<'a> {
    /// Keybell itself, by `SIGKILL`.
    Server,
    /// All processes of its PostgreSQL, by `SIGKILL`; Keybell lives on.
    Database(&'a TestPostgres),
}

/// How often, and when.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many kills.
    pub kills: usize,
    /// What the moments follow from.
    pub seed: u64,
}

impl Plan {
    /// So many kills, at moments that are different on every run unless `KEYBELL_CRASH_SEED` says which.
    pub fn of(kills: usize) -> Plan {
        let given = std::env::var("KEYBELL_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
        Plan { kills, seed: given.unwrap_or_else(|| RandomState::new().hash_one(kills)) }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Findings {
    /// The plan.
    pub plan: Plan,
    /// Events that were answered 202, or 200 where they were repeated.
    pub accepted: usize,
    /// Events that were accepted and never arrived.
    pub lost: Vec<String>,
    /// Events that arrived, and were answered with success, more than once.
    pub came_again: usize,
    /// How many deliveries of those were more than the first.
    pub duplicates: usize,
    /// Events whose answer a crash swallowed, and that had been accepted, as their repetition showed.
    pub answers_lost: usize,
    /// Requests answered 5xx or 429, and repeated.
    pub refused: usize,
    /// Where the delivery log and the receiver do not say the same; one sentence each.
    pub disagreements: Vec<String>,
    /// How long each start took, from the start of whatever was killed until Keybell said that it was ready.
    pub ready_after: Vec<Duration>,
}

impl Findings {
    /// The longest time that a start took.
    pub fn ready_after_max(&self) -> Duration {
        self.ready_after.iter().copied().max().unwrap_or_default()
    }

    /// The time that half of the starts took no longer than.
    pub fn ready_after_median(&self) -> Duration {
        let mut sorted = self.ready_after.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills (seed {}): {} events accepted, {} lost, {} came again ({} duplicates), {} answers lost, {} refusals; ready \
             after {:.0?} (median), {:.0?} (longest); {} disagreements of log and receiver",
            self.plan.kills,
            self.plan.seed,
            self.accepted,
            self.lost.len(),
            self.came_again,
            self.duplicates,
            self.answers_lost,
            self.refused,
            self.ready_after_median(),
            self.ready_after_max(),
            self.disagreements.len(),
        )
    }
}

/// Does it: starts `installation`, which was prepared with [`SETTINGS`], kills as planned, stops it, and tells what came of it.
/// An error is what could not even be tried.
pub fn run(
    installation: &mut Installation,
    operator_key: &str,
    victim: Victim<'_>,
    plan: Plan,
) -> Result<Findings, String> {
    let randomness = SeededRandomness::new(plan.seed);
    installation.serve()?;
    let api = Api::new(installation.address(), operator_key);
    let load = Load::start(&api)?;
    let mut ready_after = Vec::with_capacity(plan.kills);
    for _ in 0..plan.kills {
        match victim {
            Victim::Server => ready_after.push(kill_server(installation, &api, &randomness)?),
            Victim::Database(postgres) => ready_after.push(kill_database(postgres, &api, &randomness)?),
        }
    }
    std::thread::sleep(up_to(LIFE_MAX, &randomness));
    let ledger = load.end_publishing();
    let settled = wait(ARRIVAL_MAX, || Ok(load.has_arrived(&ledger.accepted) && api.pending()? == 0))?;
    let arrived = load.arrived();
    let mut disagreements = compare(&api, &arrived.keys().map(String::as_str).collect(), &ledger.accepted)?;
    if !settled {
        disagreements.push(format!("{} deliveries (or more) are pending at the end", api.pending()?));
    }
    disagreements.extend(ledger.unexpected);
    installation.stop()?;
    let lost = ledger.accepted.iter().filter(|id| !arrived.contains_key(*id)).cloned().collect();
    Ok(Findings {
        plan,
        accepted: ledger.accepted.len(),
        lost,
        came_again: arrived.values().filter(|count| **count > 1).count(),
        duplicates: arrived.values().map(|count| count - 1).sum(),
        answers_lost: ledger.answers_lost,
        refused: ledger.refused,
        disagreements,
        ready_after,
    })
}

/// A moment between nothing and `max`.
fn up_to(max: Duration, randomness: &SeededRandomness) -> Duration {
    let micros = u64::try_from(max.as_micros()).unwrap_or(u64::MAX).max(1);
    Duration::from_micros(randomness.number() % micros)
}

fn kill_server(
    installation: &mut Installation,
    api: &Api,
    randomness: &SeededRandomness,
) -> Result<Duration, String> {
    std::thread::sleep(up_to(LIFE_MAX, randomness));
    installation.kill();
    if randomness.number().is_multiple_of(KILL_AT_START_EVERY) {
        installation.launch()?;
        std::thread::sleep(up_to(START_MAX, randomness));
        installation.kill();
    }
    let started = Instant::now();
    installation.serve()?;
    ready(api, started)
}

fn kill_database(
    postgres: &TestPostgres,
    api: &Api,
    randomness: &SeededRandomness,
) -> Result<Duration, String> {
    std::thread::sleep(up_to(DATABASE_LIFE_MAX, randomness));
    postgres.kill9();
    let started = Instant::now();
    postgres.restart();
    ready(api, started)
}

fn ready(api: &Api, started: Instant) -> Result<Duration, String> {
    // Refused connections and 503 are what it is waited through.
    if wait(READY_MAX, || Ok(api.is_ready()))? {
        Ok(started.elapsed())
    } else {
        Err(format!("Keybell is not ready {} s after a crash", READY_MAX.as_secs()))
    }
}

/// Looks again and again until `reached`; whether it was within `max`.
fn wait(max: Duration, reached: impl Fn() -> Result<bool, String>) -> Result<bool, String> {
    let began = Instant::now();
    while !reached()? {
        if began.elapsed() > max {
            return Ok(false);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(true)
}

/// What the delivery log says beside what the receiver got and what the publishers were told.
fn compare(api: &Api, arrived: &HashSet<&str>, accepted: &HashSet<String>) -> Result<Vec<String>, String> {
    let log = api.deliveries()?;
    let mut found = Vec::new();
    for (event, status) in &log {
        if status != "succeeded" {
            found.push(format!("the log says that the delivery of {event} is {status}"));
        }
        if !arrived.contains(event.as_str()) {
            found.push(format!("the log has {event}, which never arrived"));
        }
    }
    let logged: HashSet<&str> = log.iter().map(|(event, _)| event.as_str()).collect();
    if logged.len() != log.len() {
        found.push(format!("the log has {} deliveries of {} events", log.len(), logged.len()));
    }
    let missing = accepted.iter().map(String::as_str).chain(arrived.iter().copied());
    let missing: HashSet<&str> = missing.filter(|event| !logged.contains(event)).collect();
    found.extend(missing.into_iter().map(|event| format!("the log does not have {event}")));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_moments_and_none_is_too_late() {
        let moments = |seed| {
            let randomness = SeededRandomness::new(seed);
            (0..50).map(|_| up_to(LIFE_MAX, &randomness)).collect::<Vec<_>>()
        };
        assert_eq!(moments(3), moments(3));
        assert_ne!(moments(3), moments(4));
        assert!(moments(3).iter().all(|moment| *moment < LIFE_MAX));
    }
}
