//! Says when the engine stands still, and on what it waits: in `/readyz`, and in one line of the log.
//!
//! Work that waits is no fault, and neither is a receiver that takes its time: an engine stands still where there is work,
//! and nothing of its kind has moved for longer than anything lawful takes. It looks every few seconds at counters in memory.
//! On an installation without work that is all it does.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keybell_store::Store;
use keybell_store::ops::health::WritesAgain;
use tokio::time::Instant;

use super::pulse::{Pulse, ShardPulse};
use super::{Engine, Shared};

/// How long work may wait without a move. Six times what SQLite waits for a lock, and longer than a database server takes
/// to start again; an orchestrator that asks every ten seconds then waits for three bad answers.
pub const STANDSTILL_AFTER: Duration = Duration::from_secs(30);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What has work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// Events on their way to disk.
    Events,
    /// Outcomes on their way to disk.
    Outcomes,
    /// Due deliveries on their way from disk.
    Claims,
    /// What a shard was told.
    Messages(usize),
    /// Attempts of a shard.
    Attempts(usize),
}

/// What of its work waits.
#[derive(Clone, Copy, Debug)]
struct Sight {
    part: Part,
    /// How much of it waits.
    waiting: u64,
    /// Grows with every move.
    moved: u64,
    /// For how long it may lawfully stand still.
    patience: Duration,
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting;
        match self.part {
            Part::Events => write!(f, "events wait to be written ({waiting})"),
            Part::Outcomes => write!(f, "outcomes of attempts wait to be written ({waiting})"),
            Part::Claims => write!(f, "due deliveries wait to be taken up from disk"),
            Part::Messages(shard) => {
                write!(f, "shard {shard} does not take what it is given ({waiting} messages wait)")
            }
            Part::Attempts(shard) => {
                write!(f, "no attempt of shard {shard} ends ({waiting} are under way, past their time)")
            }
        }
    }
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Watchdog {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// How far each part with work had moved, and since when it has not.
    still: HashMap<Part, (u64, Instant)>,
    /// Why the engine stands still.
    reason: Option<String>,
}

impl Seen {
    /// Takes in what is to be seen at `now`; what has stood still for too long, the first such part first.
    fn look(&mut self, sights: &[Sight], now: Instant) -> Option<Sight> {
        let mut stuck = None;
        for sight in sights {
            if sight.waiting == 0 {
                self.still.remove(&sight.part);
                continue;
            }
            let (moved, since) = self.still.entry(sight.part).or_insert((sight.moved, now));
            if *moved != sight.moved {
                (*moved, *since) = (sight.moved, now);
            }
            if now.duration_since(*since) >= sight.patience {
                stuck = stuck.or(Some(*sight));
            }
        }
        stuck
    }

    /// Takes in why the engine stands still, or that it does not; says so once where that is news.
    fn tell(&mut self, reason: Option<String>) {
        match (&self.reason, &reason) {
            (None, Some(reason)) => tracing::warn!(reason, "the engine stands still"),
            (Some(_), None) => tracing::info!("the engine moves again"),
            _ => {}
        }
        self.reason = reason;
    }
}

impl Watchdog {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Why the engine stands still, or cannot write; `None` where all is well. Looked at anew.
    pub fn standstill(&self) -> Option<String> {
        self.shared.look()
    }
}

impl Shared {
    fn look(&self) -> Option<String> {
        let sights = self.sights();
        let mut seen = self.watchdog.lock();
        let stuck = seen.look(&sights, Instant::now());
        let reason = match (self.store.failing(), stuck) {
            (Some(why), _) => Some(format!("writes fail: {why}")),
            (None, Some(stuck)) => Some(format!("{stuck}{}", writers(&self.store))),
            (None, None) => None,
        };
        seen.tell(reason.clone());
        reason
    }

    fn sights(&self) -> Vec<Sight> {
        let (pulse, patience) = (&self.pulse, STANDSTILL_AFTER);
        let sight = |part, waiting: usize, moved| Sight { part, waiting: waiting as u64, moved, patience };
        let mut sights = vec![
            sight(Part::Events, self.ingest.on_the_way(), pulse.events_written.count()),
            sight(Part::Outcomes, self.recorder.waiting(), pulse.outcomes_written.count()),
        ];
        let Some(running) = self.running.get() else { return sights };
        sights.push(sight(Part::Claims, usize::from(self.claims_wait(pulse)), pulse.claims_done.count()));
        for (shard, to_shard) in running.shards.iter().enumerate() {
            let ShardPulse { heard, ended, .. } = &*to_shard.pulse;
            let (unheard, under_way) = (to_shard.pulse.unheard(), to_shard.pulse.under_way());
            sights.push(Sight {
                part: Part::Messages(shard),
                waiting: unheard,
                moved: heard.count(),
                patience,
            });
            sights.push(Sight {
                part: Part::Attempts(shard),
                waiting: under_way,
                moved: ended.count(),
                patience: patience + self.rules.timeout,
            });
        }
        sights
    }

    /// Whether something is due that there is room for, or a claim under way. Without room it waits for others to move.
    fn claims_wait(&self, pulse: &Pulse) -> bool {
        let ended = pulse.claims_ended.count();
        pulse.claims_begun.count() > ended || (self.due.next() <= self.clock.now() && self.book.room() > 0)
    }
}

/// What the writers are at, for the end of a sentence.
fn writers(store: &Store) -> String {
    let waiting = store.stats().writes_waiting;
    match store.writing() {
        Some(under_way) => {
            let (operation, seconds) = (under_way.operation, under_way.running_for.as_secs());
            format!(
                "; the database's writer has been at {operation} for {seconds} s, {waiting} operations wait"
            )
        }
        None if waiting > 0 => {
            format!("; {waiting} operations wait for the database to begin or commit a transaction")
        }
        None => String::new(),
    }
}

/// Looks every few seconds. Where writes fail it tries one, since whoever published may have gone elsewhere.
pub(super) async fn watch(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if shared.store.failing().is_some() {
            shared.store.write_then(WritesAgain, drop);
        }
        shared.look();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(waiting: u64, moved: u64) -> Sight {
        Sight { part: Part::Outcomes, waiting, moved, patience: STANDSTILL_AFTER }
    }

    #[test]
    fn work_that_waits_for_as_long_as_it_may_and_not_a_moment_longer() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let almost = start + STANDSTILL_AFTER - Duration::from_millis(1);
        assert!(seen.look(&[sight(1, 7)], start).is_none());
        assert!(seen.look(&[sight(9, 7)], almost).is_none());
        assert!(seen.look(&[sight(9, 7)], start + STANDSTILL_AFTER).is_some());
        assert!(seen.look(&[sight(9, 8)], start + STANDSTILL_AFTER).is_none(), "it moved");
        assert!(seen.look(&[sight(9, 8)], almost + STANDSTILL_AFTER).is_none(), "counted from the move");
    }

    #[test]
    fn time_without_work_is_no_standstill() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let later = start + 10 * STANDSTILL_AFTER;
        seen.look(&[sight(0, 7)], start);
        assert!(seen.look(&[sight(1, 7)], later).is_none(), "the work has just come");
        seen.look(&[sight(0, 7)], later);
        assert!(seen.look(&[sight(1, 7)], later + STANDSTILL_AFTER).is_none(), "it was done in between");
    }
}
