//! How fast a webhook may be called: never more than its limit in any window of its length, wherever that begins.
//!
//! A receiver counts in windows of its own, of which we know nothing, so a limit that may be exceeded for a moment is none.
//! This is the generic cell rate algorithm (GCRA; ITU-T I.371, annex A, "virtual scheduling") with a small burst that is
//! taken out of the rate: a tenth of the limit may go at once, the rest goes evenly.

use std::time::Duration;

use crate::time::Timestamp;

/// The part of a limit that may go at once: what comes in little heaps is not late, and nine tenths of the rate are left.
const BURST_PART: u64 = 10;

/// A limit, made ready to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two requests that go evenly; rounded up, so that the limit is never exceeded.
    interval: Duration,
    /// By how much a request may come before its even turn.
    burst: Duration,
}

/// What is remembered of a pace: when the next request's even turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paced(Timestamp);

impl Default for Paced {
    /// Nothing was ever sent.
    fn default() -> Self {
        Paced(Timestamp::EPOCH)
    }
}

impl Pace {
    /// At most `limit` requests, at least 1, in any `window`, at least a second.
    pub fn of(limit: u32, window: Duration) -> Pace {
        let limit = u64::from(limit.max(1));
        let at_once = limit / BURST_PART;
        let window = u64::try_from(window.as_micros()).unwrap_or(u64::MAX / 2);
        let interval = window.div_ceil(limit - at_once).max(1);
        Pace { interval: Duration::from_micros(interval), burst: Duration::from_micros(interval * at_once) }
    }

    /// When the next request may begin: `now`, or later.
    pub fn next(self, paced: Paced, now: Timestamp) -> Timestamp {
        self.believed(paced, now).0.before(self.burst).max(now)
    }

    /// What is remembered after a request that began at `now`.
    pub fn after(self, paced: Paced, now: Timestamp) -> Paced {
        Paced(self.believed(paced, now).0.max(now) + self.interval)
    }

    /// A clock may step back: then a turn is further ahead than any request can have moved it, and no more is believed.
    fn believed(self, paced: Paced, now: Timestamp) -> Paced {
        Paced(paced.0.min(now + self.burst + self.interval))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_447_916);

    /// When `count` requests go that all wait from `NOW` on.
    fn sent(pace: Pace, count: usize) -> Vec<Timestamp> {
        let (mut paced, mut now) = (Paced::default(), NOW);
        let mut times = Vec::new();
        for _ in 0..count {
            now = pace.next(paced, now);
            paced = pace.after(paced, now);
            times.push(now);
        }
        times
    }

    #[test]
    fn one_in_a_window_goes_once_in_each() {
        let pace = Pace::of(1, Duration::from_secs(10));
        let waits: Vec<u64> = sent(pace, 4).iter().map(|at| at.since(NOW).as_secs()).collect();
        assert_eq!(waits, [0, 10, 20, 30]);
    }

    #[test]
    fn a_tenth_goes_at_once_and_the_rest_evenly() {
        let pace = Pace::of(100, Duration::from_secs(90));
        let waits: Vec<u64> = sent(pace, 14).iter().map(|at| at.since(NOW).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    }

    #[test]
    fn a_clock_that_steps_back_holds_nothing_up_for_long() {
        let pace = Pace::of(10, Duration::from_secs(9));
        let paced = pace.after(Paced::default(), NOW);
        let yesterday = NOW.before(Duration::from_hours(24));
        assert!(pace.next(paced, yesterday).since(yesterday) <= Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn no_window_holds_more_than_the_limit(
            limit in 1_u32..200, window in 1_u64..100, pauses in prop::collection::vec(0_u64..3_000_000, 1..400),
        ) {
            let window = Duration::from_secs(window);
            let pace = Pace::of(limit, window);
            let (mut paced, mut now, mut times) = (Paced::default(), NOW, Vec::new());
            for pause in pauses {
                now = pace.next(paced, now + Duration::from_micros(pause));
                paced = pace.after(paced, now);
                times.push(now);
            }
            for (index, first) in times.iter().enumerate() {
                let inside = times[index..].iter().take_while(|at| **at < *first + window).count();
                prop_assert!(inside <= limit as usize, "{} in a window", inside);
            }
        }

        #[test]
        fn nine_tenths_of_the_limit_go_where_enough_waits(limit in 1_u32..2_000, window in 1_u64..100) {
            let window = Duration::from_secs(window);
            let times = sent(Pace::of(limit, window), limit as usize);
            let took = times[times.len() - 1].since(NOW);
            // Each interval is rounded up, by less than a microsecond.
            prop_assert!(took <= window + Duration::from_micros(limit.into()), "{:?}", took);
        }

        #[test]
        fn no_numbers_overflow(limit: u32, window: u64, turn: i64, now: i64) {
            let pace = Pace::of(limit, Duration::from_secs(window % 100_000));
            let (paced, now) = (Paced(Timestamp::from_micros(turn)), Timestamp::from_micros(now));
            prop_assert!(pace.next(paced, now) >= now);
            let _ = pace.after(paced, now);
        }
    }
}
