//! Rate limits by the generic cell rate algorithm (GCRA; ITU-T I.371, annex A, "virtual scheduling").
//!
//! All that is remembered of a limit is one instant: when it will be as if nobody had ever used it. Each request moves it
//! on by one interval; a request that would move it past the tolerance is refused and moves nothing. So a window rolls, no
//! counter has to be reset, and a limit that is not used costs nothing.

use super::RateLimit;
use crate::Timestamp;

/// Parts of a microsecond that intervals are counted in, so that a million requests a second have an interval that is
/// exact to a tenth of a per cent. 64 bits of them reach until the year 2255.
const PARTS_PER_MICRO: i64 = 1_024;
const PARTS_PER_SECOND: i64 = 1_000_000 * PARTS_PER_MICRO;

/// A limit, made ready to be counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    limit: i64,
    /// What one request costs, in parts; rounded up, so that a limit is never exceeded.
    interval: i64,
}

/// What is remembered of a limit: the instant, in parts, at which all of it is free again. The default was never used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell(i64);

/// How much of a limit is left, as clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How many more requests would be let through at once.
    pub remaining: u64,
    /// Seconds until all of the limit is free again, rounded up.
    pub reset_seconds: u64,
}

/// A request is more than what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// Seconds after which the same request fits if nobody else comes, rounded up and at least 1; `None` where it costs
    /// more than the whole limit and never fits.
    pub retry_after_seconds: Option<u64>,
}

impl Rate {
    /// The rate of a limit whose numbers were checked ([`fields::rate_limits`](super::fields::rate_limits)).
    pub fn of(limit: &RateLimit) -> Rate {
        let window = signed(limit.window_seconds).saturating_mul(PARTS_PER_SECOND);
        let requests = signed(limit.limit).max(1);
        Rate { limit: requests, interval: (window / requests + i64::from(window % requests != 0)).max(1) }
    }

    /// The cell after a request of `cost` at `now`; [`Over`] where it does not fit, and then nothing is to be changed. A
    /// cost of 0 always fits and counts nothing.
    pub fn take(self, cell: Cell, cost: u64, now: Timestamp) -> Result<Cell, Over> {
        let now = parts(now);
        let used = self.used(cell, now);
        let asked = signed(cost).checked_mul(self.interval).filter(|_| signed(cost) <= self.limit);
        let Some(asked) = asked else { return Err(Over { retry_after_seconds: None }) };
        let over = used + asked - self.tolerance();
        if over > 0 && asked > 0 {
            return Err(Over { retry_after_seconds: Some(seconds(over).max(1)) });
        }
        Ok(Cell(now.saturating_add(used + asked)))
    }

    /// How much is left at `now`.
    pub fn left(self, cell: Cell, now: Timestamp) -> Left {
        let used = self.used(cell, parts(now));
        let remaining = (self.tolerance() - used) / self.interval;
        Left { remaining: u64::try_from(remaining).unwrap_or(0), reset_seconds: seconds(used) }
    }

    /// Whether the cell says no more than one that was never used.
    pub fn is_free(self, cell: Cell, now: Timestamp) -> bool {
        self.used(cell, parts(now)) == 0
    }

    /// The cell that has as many requests counted at this rate as `cell` has at the rate `before`: what an edit of a limit
    /// leaves of what was used. At most the whole new limit: what it cannot hold is forgotten.
    pub fn carry_over(self, cell: Cell, before: Rate, now: Timestamp) -> Cell {
        let now = parts(now);
        // Rounded up: what comes back a moment later is no reason to forget a request.
        let used = before.used(cell, now);
        let requests = used / before.interval + i64::from(used % before.interval != 0);
        Cell(now.saturating_add(requests.saturating_mul(self.interval).min(self.tolerance())))
    }

    /// What all of the limit costs. Clocks may step back: then a cell is further ahead than any request can have moved it,
    /// and no more than this is believed of it.
    fn tolerance(self) -> i64 {
        self.limit * self.interval
    }

    fn used(self, cell: Cell, now: i64) -> i64 {
        cell.0.saturating_sub(now).clamp(0, self.tolerance())
    }
}

fn parts(at: Timestamp) -> i64 {
    at.micros().saturating_mul(PARTS_PER_MICRO)
}

fn seconds(parts: i64) -> u64 {
    u64::try_from(parts).unwrap_or(0).div_ceil(PARTS_PER_SECOND.unsigned_abs())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::key::fields::{RATE_LIMIT_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX};

    const START: Timestamp = Timestamp::from_seconds(1_795_435_200);

    fn rate(limit: u64, window_seconds: u64) -> Rate {
        Rate::of(&RateLimit { name: "test".to_owned(), limit, window_seconds })
    }

    /// How many requests in a row are let through at `now`.
    fn passed(rate: Rate, cell: &mut Cell, now: Timestamp, most: u64) -> u64 {
        let mut count = 0;
        while count < most {
            let Ok(after) = rate.take(*cell, 1, now) else { break };
            *cell = after;
            count += 1;
        }
        count
    }

    #[test]
    fn a_limit_is_let_through_at_once_and_then_comes_back_evenly() {
        let per_minute = rate(100, 60);
        let mut cell = Cell::default();
        assert_eq!(per_minute.left(cell, START), Left { remaining: 100, reset_seconds: 0 });
        assert_eq!(passed(per_minute, &mut cell, START, 1_000), 100);
        assert_eq!(per_minute.left(cell, START), Left { remaining: 0, reset_seconds: 60 });
        assert_eq!(per_minute.take(cell, 1, START), Err(Over { retry_after_seconds: Some(1) }));
        assert_eq!(per_minute.take(cell, 10, START), Err(Over { retry_after_seconds: Some(6) }));
        assert_eq!(per_minute.take(cell, 101, START), Err(Over { retry_after_seconds: None }));
        assert_eq!(passed(per_minute, &mut cell, START + Duration::from_secs(6), 1_000), 10);
        assert_eq!(passed(per_minute, &mut cell, START + Duration::from_hours(1), 1_000), 100);
    }

    #[test]
    fn a_cost_of_nothing_fits_even_where_nothing_is_left() {
        let one = rate(1, 86_400);
        let mut cell = Cell::default();
        assert_eq!(passed(one, &mut cell, START, 10), 1);
        assert_eq!(one.take(cell, 0, START), Ok(cell));
        assert_eq!(one.take(cell, 1, START), Err(Over { retry_after_seconds: Some(86_400) }));
    }

    #[test]
    fn the_greatest_and_the_smallest_limits_are_exact_at_once() {
        for (limit, window) in [
            (1, 1),
            (1, RATE_LIMIT_WINDOW_SECONDS_MAX),
            (RATE_LIMIT_MAX, 1),
            (RATE_LIMIT_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX),
            (999_999_937, 1),
        ] {
            let rate = rate(limit, window);
            let spent = rate.take(Cell::default(), limit, START).expect("the whole limit fits once");
            assert_eq!(rate.left(spent, START).remaining, 0, "{limit} in {window} s");
            assert!(
                rate.take(spent, 1, START).is_err() && rate.take(Cell::default(), limit + 1, START).is_err()
            );
        }
    }

    #[test]
    fn a_clock_that_steps_back_costs_at_most_one_window() {
        let per_minute = rate(100, 60);
        let mut cell = Cell::default();
        passed(per_minute, &mut cell, START, 1_000);
        let yesterday = START.before(Duration::from_hours(24));
        assert_eq!(per_minute.take(cell, 1, yesterday), Err(Over { retry_after_seconds: Some(1) }));
        assert_eq!(passed(per_minute, &mut cell, yesterday + Duration::from_mins(1), 1_000), 0);
        let mut told = per_minute.take(Cell::default(), 100, yesterday).expect("it fits");
        assert_eq!(passed(per_minute, &mut told, yesterday + Duration::from_mins(1), 1_000), 100);
    }

    #[test]
    fn an_edited_limit_remembers_what_was_used() {
        let (narrow, wide) = (rate(10, 60), rate(100, 60));
        let mut cell = Cell::default();
        passed(narrow, &mut cell, START, 4);
        assert_eq!(wide.left(wide.carry_over(cell, narrow, START), START).remaining, 96);
        let (daily, almost) = (rate(1, 86_400), rate(1, 86_399));
        let spent = daily.take(Cell::default(), 1, START).expect("it fits");
        let later = START + Duration::from_micros(1);
        assert!(almost.take(almost.carry_over(spent, daily, later), 1, later).is_err());
        let full = wide.take(Cell::default(), 100, START).expect("it fits");
        assert_eq!(narrow.left(narrow.carry_over(full, wide, START), START).remaining, 0);
    }

    /// The same as a bucket that leaks: how much is in it, and when that was so.
    struct Bucket {
        level: i128,
        at: i64,
        requests: i128,
        window: i128,
    }

    impl Bucket {
        /// Requests weigh `window` µs each, and `requests` drain away in each µs.
        fn take(&mut self, cost: u64, now: i64) -> bool {
            self.level = (self.level - i128::from(now - self.at) * self.requests).max(0);
            self.at = now;
            let after = self.level + i128::from(cost) * self.window;
            let fits = after <= self.requests * self.window || cost == 0;
            if fits {
                self.level = after;
            }
            fits
        }
    }

    proptest! {
        /// With limits that divide their window, the arithmetic in parts is exact, and so is the agreement.
        #[test]
        fn it_decides_as_a_leaking_bucket_does(
            limit in prop::sample::select(vec![1_u64, 2, 4, 5, 10, 25, 100, 1_000]),
            window in prop::sample::select(vec![1_u64, 10, 60, 3_600]),
            requests in prop::collection::vec((0_i64..5_000_000, 0_u64..4), 1..200),
        ) {
            prop_assume!((window * 1_000_000 * 1_024).is_multiple_of(limit));
            let rate = rate(limit, window);
            let mut cell = Cell::default();
            let mut now = START.micros();
            let mut bucket =
                Bucket { level: 0, at: now, requests: limit.into(), window: i128::from(window) * 1_000_000 };
            for (pause, cost) in requests {
                now += pause;
                let taken = rate.take(cell, cost, Timestamp::from_micros(now));
                prop_assert_eq!(taken.is_ok(), bucket.take(cost, now), "at {} cost {}", now, cost);
                cell = taken.unwrap_or(cell);
            }
        }

        /// Whatever the limit: never more than twice it in any window, and what `left` says is what is let through.
        #[test]
        fn no_window_lets_through_more_than_what_was_free_and_what_came_back(
            limit in 1_u64..500,
            window in 1_u64..100,
            pauses in prop::collection::vec(0_u64..2_000_000, 1..300),
        ) {
            let rate = rate(limit, window);
            let mut cell = Cell::default();
            let (mut now, mut taken) = (START, Vec::new());
            for pause in pauses {
                now = now + Duration::from_micros(pause);
                let promised = rate.left(cell, now).remaining;
                let came = rate.take(cell, 1, now);
                prop_assert_eq!(came.is_ok(), promised > 0);
                if let Ok(after) = came {
                    cell = after;
                    taken.push(now);
                }
                let since = now.before(Duration::from_secs(window));
                let inside = taken.iter().filter(|at| **at > since).count() as u64;
                prop_assert!(inside <= 2 * limit);
            }
        }

        #[test]
        fn waiting_as_long_as_is_told_is_enough(
            limit in 1_u64..1_000_000, window in 1_u64..86_400, used in 0_u64..1_000_000, cost in 1_u64..1_000,
        ) {
            let rate = rate(limit, window);
            let spent = rate.take(Cell::default(), used.min(limit), START).expect("no more than the limit");
            if let Err(Over { retry_after_seconds: Some(seconds) }) = rate.take(spent, cost, START) {
                prop_assert!(rate.take(spent, cost, START + Duration::from_secs(seconds)).is_ok());
            }
        }

        #[test]
        fn no_numbers_overflow(
            limit in 1..=RATE_LIMIT_MAX, window in 1..=RATE_LIMIT_WINDOW_SECONDS_MAX,
            cell: i64, cost: u64, now: i64,
        ) {
            let (rate, now) = (rate(limit, window), Timestamp::from_micros(now));
            let _ = rate.take(Cell(cell), cost, now);
            let _ = rate.left(Cell(cell), now);
        }
    }
}
