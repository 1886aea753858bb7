//! The time that the charts of a page show, chosen by links, so it is in the page's address.

use std::time::Duration;

use keybell_app::usage::{Step, UsageQuestion};
use keybell_core::Timestamp;

use super::fields::Fields;
use super::view::parts::Choice;

/// How far back charts look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    /// 24 hours, by hour.
    Day,
    /// 7 days, by hour: a chart puts some of them together.
    Week,
    /// 30 days of UTC, by day.
    Month,
}

impl Period {
    const ALL: [Period; 3] = [Period::Day, Period::Week, Period::Month];

    /// The one that the address asks for; the shortest where it asks for none that there is.
    pub(super) fn of(query: &Fields) -> Period {
        let asked = query.one("period");
        Period::ALL.into_iter().find(|period| period.word() == asked).unwrap_or(Period::Day)
    }

    const fn word(self) -> &'static str {
        match self {
            Period::Day => "24h",
            Period::Week => "7d",
            Period::Month => "30d",
        }
    }

    /// How it is called in a sentence.
    pub(super) const fn spoken(self) -> &'static str {
        match self {
            Period::Day => "the last 24 hours",
            Period::Week => "the last 7 days",
            Period::Month => "the last 30 days",
        }
    }

    /// How much time a point is.
    pub(super) const fn step(self) -> Step {
        match self {
            Period::Day | Period::Week => Step::Hour,
            Period::Month => Step::Day,
        }
    }

    const fn steps(self) -> u64 {
        match self {
            Period::Day => 24,
            Period::Week => 7 * 24,
            Period::Month => 30,
        }
    }

    /// What to ask the statistics for, so that the last step is the one that is still going on.
    pub(super) fn question(self, now: Timestamp) -> UsageQuestion {
        let before = Duration::from_secs((self.steps() - 1) * self.step().seconds().unsigned_abs());
        UsageQuestion { from: Some(now.before(before)), to: None, step: self.step() }
    }

    /// The links to each of them, on the page at `page`.
    pub(super) fn choices(self, page: &str) -> Vec<Choice> {
        let label = |period| match period {
            Period::Day => "24 hours",
            Period::Week => "7 days",
            Period::Month => "30 days",
        };
        let choice = |period: Period| Choice {
            label: label(period),
            href: format!("{page}?period={}", period.word()),
            is_chosen: period == self,
        };
        Period::ALL.map(choice).into()
    }
}
