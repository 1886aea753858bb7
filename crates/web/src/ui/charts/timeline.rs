//! Counts by time, cut into few enough buckets to be seen.

use keybell_app::usage::Step;
use keybell_core::Timestamp;

use crate::ui::view::parts::When;

/// Most buckets of a chart, which is also how many rows its table has: on the narrowest window each is four pixels wide.
pub const BUCKETS_MAX: i64 = 60;

/// How many steps a bucket may have, so that buckets of hours divide a day evenly.
const STEPS_TOGETHER: [i64; 8] = [1, 2, 3, 4, 6, 8, 12, 24];
const SECONDS_OF_DAY: i64 = 86_400;
const SECONDS_OF_HOUR: i64 = 3_600;
const SECONDS_OF_MINUTE: i64 = 60;
/// Most labels of the axis of time; on the narrowest window five dates fit beside each other.
const LABELS_MAX: usize = 5;

/// Buckets of the same length one after the other, oldest first, those in which nothing happened included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline<T> {
    pub(super) buckets: Vec<(Timestamp, T)>,
    /// The length of each.
    seconds: i64,
}

impl<T: Default> Timeline<T> {
    /// Sorts points, each the count of one `step`, into buckets of one step or of several. Steps may be left out; `add`
    /// adds what falls into one bucket.
    pub fn of(
        points: impl IntoIterator<Item = (Timestamp, T)>,
        step: Step,
        add: impl Fn(&mut T, &T),
    ) -> Timeline<T> {
        let points: Vec<_> =
            points.into_iter().map(|(at, value)| (step.beginning(at).seconds(), value)).collect();
        let ends = points.iter().map(|(at, _)| *at).min().zip(points.iter().map(|(at, _)| *at).max());
        let Some((first, last)) = ends else {
            return Timeline { buckets: Vec::new(), seconds: step.seconds() };
        };
        let steps = (last - first) / step.seconds() + 1;
        let seconds = step.seconds() * together(steps);
        let bucket = |number: i64| (Timestamp::from_seconds(first + number * seconds), T::default());
        let mut buckets: Vec<_> = (0..=(last - first) / seconds).map(bucket).collect();
        for (at, value) in points {
            let number = usize::try_from((at - first) / seconds).expect("none is before the first");
            add(&mut buckets[number].1, &value);
        }
        Timeline { buckets, seconds }
    }
}

/// How many of so many steps make a bucket.
fn together(steps: i64) -> i64 {
    let least = (steps + BUCKETS_MAX - 1) / BUCKETS_MAX;
    let day = STEPS_TOGETHER[STEPS_TOGETHER.len() - 1];
    let even = STEPS_TOGETHER.into_iter().find(|together| *together >= least);
    even.unwrap_or_else(|| (least + day - 1) / day * day)
}

impl<T> Timeline<T> {
    /// The same time with something else of each bucket.
    pub fn map<U>(&self, of: impl Fn(&T) -> U) -> Timeline<U> {
        let buckets = self.buckets.iter().map(|(at, value)| (*at, of(value))).collect();
        Timeline { buckets, seconds: self.seconds }
    }

    /// What happened in each bucket.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.buckets.iter().map(|(_, value)| value)
    }

    /// Whether buckets are whole days of UTC.
    pub(super) fn is_in_days(&self) -> bool {
        let begins_at_midnight =
            self.buckets.first().is_some_and(|(at, _)| at.seconds() % SECONDS_OF_DAY == 0);
        self.seconds % SECONDS_OF_DAY == 0 && begins_at_midnight
    }

    /// The length of a bucket as it is spoken: `hour`, `3 hours`.
    pub(super) fn length(&self) -> String {
        let units = [(SECONDS_OF_DAY, "day"), (SECONDS_OF_HOUR, "hour")];
        let unit = units.into_iter().find(|(seconds, _)| self.seconds % seconds == 0);
        let (seconds, word) = unit.unwrap_or((SECONDS_OF_MINUTE, "minute"));
        match self.seconds / seconds {
            1 => word.to_owned(),
            many => format!("{many} {word}s"),
        }
    }

    /// The beginning of a bucket, as it is told in sentences and tables.
    pub(super) fn when(&self, at: Timestamp) -> When {
        if self.is_in_days() { When::utc_day(at) } else { When::hour(at) }
    }

    /// The labels of the axis of time. They stand at even distances from the first bucket on, so they are as many as divide
    /// the buckets evenly.
    pub(super) fn labels(&self) -> Vec<When> {
        let many = self.buckets.len();
        let even = [4, LABELS_MAX, 3, 2].into_iter().find(|labels| many.is_multiple_of(*labels));
        let one_day = i64::try_from(many).is_ok_and(|many| many * self.seconds <= SECONDS_OF_DAY);
        let label = |at| if one_day && !self.is_in_days() { When::clock(at) } else { self.when(at) };
        let every = (many / even.unwrap_or(1)).max(1);
        self.buckets.iter().step_by(every).map(|(at, _)| label(*at)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    fn counts(first: &str, many: i64, step: Step) -> Timeline<u64> {
        let first = at(first).seconds();
        let point = |number| (Timestamp::from_seconds(first + number * step.seconds()), 1_u64);
        Timeline::of((0..many).map(point), step, |sum, more| *sum = sum.saturating_add(*more))
    }

    #[test]
    fn nothing_one_point_and_a_hundred_thousand_become_buckets_that_lose_none() {
        for (many, buckets) in
            [(0, 0), (1, 1), (BUCKETS_MAX, 60), (BUCKETS_MAX + 1, 31), (168, 56), (100_000, 60)]
        {
            let timeline = counts("2026-11-22T13:00:00Z", many, Step::Hour);
            assert_eq!(timeline.buckets.len(), buckets, "{many}");
            assert_eq!(timeline.values().sum::<u64>(), many.unsigned_abs(), "{many}");
        }
    }

    #[test]
    fn a_bucket_is_spoken_of_by_its_length() {
        let length = |many, step| counts("2026-11-22T00:00:00Z", many, step).length();
        assert_eq!([length(24, Step::Hour), length(168, Step::Hour)], ["hour", "3 hours"]);
        assert_eq!([length(30, Step::Day), length(61, Step::Day)], ["day", "2 days"]);
        assert_eq!([length(60, Step::Minute), length(100, Step::Minute)], ["minute", "2 minutes"]);
        assert_eq!(length(60 * 24, Step::Hour), "day");
    }

    #[test]
    fn steps_that_are_left_out_are_buckets_in_which_nothing_happened() {
        let points = [("2026-11-22T16:00:00Z", 5), ("2026-11-22T13:00:00Z", 2)];
        let points = points.map(|(text, count)| (at(text), count));
        let timeline = Timeline::of(points, Step::Hour, |sum, more| *sum += more);
        assert_eq!(timeline.values().copied().collect::<Vec<u64>>(), [2, 0, 0, 5]);
    }

    #[test]
    fn a_day_on_which_clocks_are_changed_has_twenty_four_hours_of_utc() {
        for change in ["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"] {
            let timeline = counts(&change.replace("T01", "T00"), 24, Step::Hour);
            let instants: Vec<i64> = timeline.buckets.iter().map(|(at, _)| at.seconds()).collect();
            assert!(instants.windows(2).all(|pair| pair[1] - pair[0] == 3_600), "{change}");
            // The reader's zone is the script's to know: every label bears its instant.
            let label = timeline.when(at(change)).to_string();
            assert!(label.contains(&format!("datetime=\"{}\"", at(change))), "{label}");
        }
    }

    #[test]
    fn days_are_those_of_utc_and_bear_no_hour_that_a_zone_could_move() {
        let timeline = counts("2026-10-25T00:00:00Z", 30, Step::Day);
        let label = timeline.labels()[0].to_string();
        assert_eq!(label, r#"<time datetime="2026-10-25" data-utc-day>25 Oct</time>"#);
        // Twenty-four hours from noon to noon are no day of the calendar.
        assert!(!counts("2026-10-25T12:00:00Z", 60 * 24, Step::Hour).is_in_days());
    }

    #[test]
    fn labels_stand_at_even_distances() {
        let labels = |many, step| counts("2026-11-22T00:00:00Z", many, step).labels().len();
        assert_eq!([0, 1, 2, 23, 24, 25].map(|many| labels(many, Step::Hour)), [0, 1, 2, 1, 4, 5]);
        assert_eq!([labels(168, Step::Hour), labels(30, Step::Day)], [4, 5]);
        let day = counts("2026-11-22T13:00:00Z", 24, Step::Hour).labels()[1].to_string();
        assert!(day.ends_with("data-clock>19:00</time>"), "{day}");
        let week = counts("2026-11-22T13:00:00Z", 168, Step::Hour).labels()[0].to_string();
        assert!(week.ends_with("data-hour>22 Nov, 13:00</time>"), "{week}");
    }
}
