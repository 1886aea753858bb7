//! How much is deleted at once, and how long publishers have the writer to themselves in between.

use std::time::Duration;

/// How long one bite should hold the writer: a fifth of what nobody may wait for, which is 50 ms, since what a row costs
/// changes from one bite to the next.
const BITE_TIME: Duration = Duration::from_millis(10);
/// What the heaviest bite weighs, in rows and pages. At 100 µs each, which is a page that a solid-state disk has to look up,
/// that is 50 ms.
pub(super) const WEIGHT_MAX: i64 = 500;
/// What the lightest bite weighs, however slow the disk is: retention that stood still would fill it.
pub(super) const WEIGHT_MIN: i64 = 16;
/// How many times as long as a bite took the writer is left to others afterwards: deleting takes a fifth of its time.
const PAUSE_TIMES: u32 = 4;
/// The shortest pause, so that others get their turn also where a bite took no time that can be measured.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// The longest pause, so that one bad measurement does not end the work.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How heavy the next bite may be, by what the last ones took.
#[derive(Debug)]
pub(super) struct Pace {
    weight: i64,
}

impl Pace {
    /// Begins with the lightest bites: nothing is known yet.
    pub(super) fn new() -> Pace {
        Pace { weight: WEIGHT_MIN }
    }

    /// What the next bite may weigh.
    pub(super) fn weight(&self) -> i64 {
        self.weight
    }

    /// Takes in that a bite of `weight` held the writer for `took`; how long to pause.
    pub(super) fn after(&mut self, weight: i64, took: Duration) -> Duration {
        if took > BITE_TIME {
            let (target, took) = (BITE_TIME.as_micros(), took.as_micros());
            let fits = u128::from(weight.unsigned_abs()) * target / took;
            self.weight = i64::try_from(fits).unwrap_or(WEIGHT_MAX);
        } else if took * 2 <= BITE_TIME && weight * 2 > self.weight {
            // Only a bite that was nearly as heavy as it might be says that a heavier one would do.
            self.weight = self.weight.saturating_mul(2);
        }
        self.weight = self.weight.clamp(WEIGHT_MIN, WEIGHT_MAX);
        (took * PAUSE_TIMES).clamp(PAUSE_MIN, PAUSE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn bites_grow_while_they_are_quick_and_no_further_than_their_limit() {
        let mut pace = Pace::new();
        let mut weights = Vec::new();
        for _ in 0..7 {
            weights.push(pace.weight());
            pace.after(pace.weight(), ms(1));
        }
        assert_eq!(weights, [16, 32, 64, 128, 256, 500, 500]);
    }

    #[test]
    fn a_slow_bite_makes_the_next_one_as_light_as_it_should_have_been() {
        let mut pace = Pace { weight: 400 };
        pace.after(400, ms(40));
        assert_eq!(pace.weight(), 100);
        pace.after(100, ms(10));
        assert_eq!(pace.weight(), 100, "that is what it should take");
        pace.after(100, ms(10_000));
        assert_eq!(pace.weight(), WEIGHT_MIN, "and it never stands still");
    }

    #[test]
    fn what_was_left_over_at_the_end_of_a_table_says_nothing_of_heavier_bites() {
        let mut pace = Pace { weight: 64 };
        pace.after(3, ms(0));
        assert_eq!(pace.weight(), 64);
    }

    #[test]
    fn deleting_takes_a_fifth_of_the_writers_time_at_most() {
        let mut pace = Pace::new();
        for took in [ms(0), ms(1), ms(10), ms(50), ms(200)] {
            let pause = pace.after(100, took);
            assert!(took * 5 <= took + pause && pause >= PAUSE_MIN, "{took:?} and then {pause:?}");
        }
        assert_eq!(pace.after(100, Duration::from_mins(1)), PAUSE_MAX);
    }
}
