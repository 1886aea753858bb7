//! Clocks for tests: one that stands, one that is moved by hand, one that follows tokio's, which can be paused.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keybell_core::{Clock, Timestamp};
use tokio::time::Instant;

/// A clock that stands.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A clock that moves when it is told to, forwards or back.
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        ManualClock { micros: AtomicI64::new(now.micros()) }
    }

    /// Moves it forwards.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Makes it show `now`, which may be earlier than before.
    pub fn set(&self, now: Timestamp) {
        self.micros.store(now.micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}

/// A clock that runs with tokio's: where a test pauses and advances that one, this one follows.
#[derive(Clone, Copy, Debug)]
pub struct SimClock {
    base: Timestamp,
    started: Instant,
}

impl SimClock {
    /// A clock that shows `base` at this moment of tokio's time.
    pub fn starting_at(base: Timestamp) -> Self {
        SimClock { base, started: Instant::now() }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.base + self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_795_435_200);

    #[tokio::test(start_paused = true)]
    async fn the_simulated_clock_follows_tokios_paused_time() {
        let clock = SimClock::starting_at(NOON);
        assert_eq!(clock.now(), NOON);
        tokio::time::advance(Duration::from_hours(75)).await;
        assert_eq!(clock.now(), NOON + Duration::from_hours(75));
    }

    #[test]
    fn the_manual_clock_moves_both_ways() {
        let clock = ManualClock::new(NOON);
        clock.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), NOON + Duration::from_secs(5));
        clock.set(NOON);
        assert_eq!(clock.now(), NOON);
        assert_eq!(FixedClock(NOON).now(), NOON);
    }
}
