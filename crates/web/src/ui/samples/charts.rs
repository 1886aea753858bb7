//! Charts, in which nobody can write a word: only whether there is something in them differs.

use keybell_app::usage::Step;
use keybell_core::Timestamp;
use keybell_core::attempt_counts::AttemptCounts;

use super::{Sample, at};
use crate::ui::charts::{Chart, Outcomes, Sparkline, Timeline, Words, bars, latency};
use crate::ui::view::parts::Lately;

impl Sample<'_> {
    /// A day in which the afternoon went badly.
    fn day(&self) -> Timeline<AttemptCounts> {
        let hour = |hour: i64| {
            let mut counts = AttemptCounts::default();
            let many = if self.full { hour * hour % 17 } else { 0 };
            (0..many)
                .for_each(|number| counts.count(hour != 15 || number > 3, 20_000 * number.unsigned_abs()));
            (Timestamp::from_seconds(at(0).seconds() + 3_600 * hour), counts)
        };
        Timeline::of((0..24).map(hour), Step::Hour, AttemptCounts::add)
    }

    pub(super) fn attempts_chart(&self) -> Chart {
        bars("attempts", Words::ATTEMPTS, "the last 24 hours", &self.day().map(Outcomes::of_attempts))
    }

    pub(super) fn requests_chart(&self) -> Chart {
        bars("requests", Words::REQUESTS, "the last 24 hours", &self.day().map(Outcomes::of_attempts))
    }

    pub(super) fn latency_chart(&self) -> Chart {
        latency("latency", "the last 24 hours", &self.day())
    }

    pub(super) fn lately(&self, said: &str) -> Lately {
        Lately { spark: Sparkline::of(&self.day().map(Outcomes::of_attempts)), said: said.to_owned() }
    }
}
