//! How long the time is that counts are of.

use keybell_core::Timestamp;

/// How long one row's time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl Step {
    /// Every step.
    pub const ALL: [Step; 3] = [Step::Minute, Step::Hour, Step::Day];

    /// Its length in seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Step::Minute => 60,
            Step::Hour => 3_600,
            Step::Day => 86_400,
        }
    }

    /// The beginning of the step that `at` falls into.
    pub fn beginning(self, at: Timestamp) -> Timestamp {
        Timestamp::from_seconds(at.seconds() - at.seconds().rem_euclid(self.seconds()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_begins_where_its_length_divides_the_time() {
        let at = Timestamp::from_micros(1_795_447_916_123_000);
        let beginnings = Step::ALL.map(|step| step.beginning(at).to_string());
        assert_eq!(
            beginnings,
            ["2026-11-23T15:31:00.000Z", "2026-11-23T15:00:00.000Z", "2026-11-23T00:00:00.000Z"]
        );
    }
}
