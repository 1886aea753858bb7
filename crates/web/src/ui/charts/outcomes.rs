//! What a chart of outcomes counts: what went well, and what did not.

use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::key::{Counts, Outcome};

/// Two counts of one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// What went well.
    pub good: u64,
    /// What did not.
    pub bad: u64,
}

impl Outcomes {
    /// Those of attempts.
    pub fn of_attempts(counts: &AttemptCounts) -> Outcomes {
        Outcomes { good: counts.succeeded, bad: counts.failed }
    }

    /// Those of requests with API keys: let through, or refused for whatever reason.
    pub fn of_requests(counts: &Counts) -> Outcomes {
        let refused = counts.iter().filter(|(outcome, _)| *outcome != Outcome::Valid);
        let bad = refused.fold(0_u64, |sum, (_, count)| sum.saturating_add(count));
        Outcomes { good: counts.count(Outcome::Valid), bad }
    }

    /// Both; more than a `u64` where counts are enormous.
    pub fn all(self) -> u128 {
        u128::from(self.good) + u128::from(self.bad)
    }

    /// Adds others; past 2⁶⁴ a count stays there.
    pub fn add(&mut self, other: &Outcomes) {
        self.good = self.good.saturating_add(other.good);
        self.bad = self.bad.saturating_add(other.bad);
    }

    /// All of them together.
    pub fn sum<'a>(outcomes: impl IntoIterator<Item = &'a Outcomes>) -> Outcomes {
        let mut sum = Outcomes::default();
        outcomes.into_iter().for_each(|each| sum.add(each));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_let_through_was_refused_and_counts_stay_at_the_end() {
        let mut counts = Counts::of(Outcome::Valid, 7);
        counts.add(Outcome::RateLimited, u64::MAX);
        counts.add(Outcome::Expired, 1);
        let outcomes = Outcomes::of_requests(&counts);
        assert_eq!(outcomes, Outcomes { good: 7, bad: u64::MAX });
        assert_eq!(outcomes.all(), u128::from(u64::MAX) + 7);
        assert_eq!(Outcomes::sum([&outcomes, &outcomes]), Outcomes { good: 14, bad: u64::MAX });
    }
}
