//! Webhooks that only fail: when somebody is warned, and when they are disabled.
//!
//! The recording of attempts asks [`judge`] when one failed; nothing else decides. No timer is needed: a webhook that is not
//! called harms nobody, and is judged by its next attempt. A *failing spell* is a row of failed attempts with no success
//! between them. It also ends by silence: what was not tried for days has not failed for days. So two failures of a
//! webhook that is called once a week are two short spells, not a long one.

use std::time::Duration;

use crate::id::DeliveryId;
use crate::time::Timestamp;

/// The warning comes after this part of the time after which a webhook is disabled: half-way.
const WARNED_AFTER_PART: u32 = 2;
/// A spell ends by silence of this part of that time: half of it, which no wait of the usual schedule reaches.
const SILENCE_PART: u32 = 2;
/// Between warning and disabling lies at least this part of that time, however late the warning came: 12 hours of 5 days.
const NOTICE_PART: u32 = 10;
/// The last failure is written down once in this part of that time, not for every attempt: every 6 hours of 5 days.
const NOTED_EVERY_PART: u32 = 20;

/// A failing spell, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// When its first attempt failed.
    pub since: Timestamp,
    /// When an attempt last failed, as far as that was written down.
    pub last_failure_at: Timestamp,
    /// Of which delivery its first attempt was.
    pub delivery: DeliveryId,
    /// Whether an attempt of another delivery failed too: one event that its receiver cannot take is no dead endpoint.
    pub several: bool,
    /// When somebody was warned.
    pub warned_at: Option<Timestamp>,
}

/// What follows from a failed attempt, beside what follows for its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Noted,
    /// Somebody is to be warned.
    Warn {
        /// When the webhook is disabled, at the earliest, if attempts go on to fail.
        disabled_at: Timestamp,
    },
    /// The webhook is to be disabled.
    Disable,
}

/// A failed attempt, judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The spell as it is now.
    pub spell: Spell,
    /// What follows.
    pub verdict: Verdict,
    /// When a failed attempt is to be judged again: those before are no news.
    pub look_again_at: Timestamp,
}

/// Judges an attempt of `delivery` that failed at `at`, after what was remembered `before`.
///
/// A webhook is disabled after `disable_after` of nothing but failures, of two deliveries at least; never, where that is
/// `None`. The warning comes half-way.
pub fn judge(
    before: Option<Spell>,
    at: Timestamp,
    delivery: DeliveryId,
    disable_after: Option<Duration>,
) -> Judgement {
    let begun = Spell { since: at, last_failure_at: at, delivery, several: false, warned_at: None };
    let Some(period) = disable_after else {
        let spell = before.unwrap_or(begun);
        return Judgement { spell, verdict: Verdict::Noted, look_again_at: NEVER };
    };
    let goes_on = |spell: &Spell| at.since(spell.last_failure_at) <= period / SILENCE_PART;
    let mut spell = before.filter(goes_on).map_or(begun, |spell| Spell {
        last_failure_at: spell.last_failure_at.max(at),
        several: spell.several || spell.delivery != delivery,
        ..spell
    });
    let disabled_at = |warned_at: Timestamp| (spell.since + period).max(warned_at + period / NOTICE_PART);
    let warn_at = spell.since + period / WARNED_AFTER_PART;
    let (verdict, next) = match spell.warned_at {
        None if at < warn_at => (Verdict::Noted, warn_at),
        None => (Verdict::Warn { disabled_at: disabled_at(at) }, disabled_at(at)),
        Some(warned_at) if spell.several && at >= disabled_at(warned_at) => (Verdict::Disable, NEVER),
        Some(warned_at) => (Verdict::Noted, disabled_at(warned_at)),
    };
    if matches!(verdict, Verdict::Warn { .. }) {
        spell.warned_at = Some(at);
    }
    Judgement { spell, verdict, look_again_at: next.min(at + period / NOTED_EVERY_PART) }
}

/// Later than any attempt.
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_447_916);
    const HOUR: Duration = Duration::from_hours(1);
    const FIVE_DAYS: Option<Duration> = Some(Duration::from_hours(5 * 24));

    fn delivery(number: u8) -> DeliveryId {
        DeliveryId::from_bytes([number; 16])
    }

    fn at(hours: u32) -> Timestamp {
        NOW + hours * HOUR
    }

    /// What came of failures, each at an hour and of a delivery, until the webhook is disabled.
    fn came_of(
        failures: impl IntoIterator<Item = (u32, u8)>,
        disable_after: Option<Duration>,
    ) -> Vec<(u32, Verdict)> {
        let (mut spell, mut came) = (None, Vec::new());
        for (hour, number) in failures {
            let judged = judge(spell, at(hour), delivery(number), disable_after);
            spell = Some(judged.spell);
            if judged.verdict != Verdict::Noted {
                came.push((hour, judged.verdict));
            }
            if judged.verdict == Verdict::Disable {
                break;
            }
        }
        came
    }

    fn warn(disabled_at: u32) -> Verdict {
        Verdict::Warn { disabled_at: at(disabled_at) }
    }

    #[test]
    fn five_days_of_failures_disable_and_half_of_them_warn() {
        let hourly = (0..500).map(|hour| (hour, u8::from(hour > 0)));
        assert_eq!(came_of(hourly, FIVE_DAYS), [(60, warn(120)), (120, Verdict::Disable)]);
    }

    #[test]
    fn neither_comes_before_its_time() {
        let before = [(0, 1), (30, 2), (59, 3)];
        assert_eq!(came_of(before, FIVE_DAYS), []);
        let between = [(0, 1), (30, 2), (60, 3), (90, 4), (119, 5)];
        assert_eq!(came_of(between, FIVE_DAYS), [(60, warn(120))]);
    }

    #[test]
    fn one_event_that_is_never_taken_warns_and_does_not_disable() {
        let one_delivery = (0..30).map(|day| (24 * day, 1));
        assert_eq!(came_of(one_delivery, FIVE_DAYS), [(72, warn(120))]);
        // The next failure of another one does.
        let then_another = (0..30).map(|day| (24 * day, 1)).chain([(29 * 24 + 1, 2)]);
        assert_eq!(came_of(then_another, FIVE_DAYS), [(72, warn(120)), (697, Verdict::Disable)]);
    }

    #[test]
    fn silence_of_more_than_half_the_time_begins_anew() {
        assert_eq!(came_of([(0, 1), (120, 1), (240, 2)], FIVE_DAYS), []);
        let once_a_week =
            |week: u8| [0, 3, 8, 18, 32, 52, 76].map(|hour| (168 * u32::from(week) + hour, week));
        let warned = (0..4).map(|week| (168 * week + 76, warn(168 * week + 120))).collect::<Vec<_>>();
        assert_eq!(came_of((0..4).flat_map(once_a_week), FIVE_DAYS), warned);
        // At the limit it goes on.
        let at_the_limit = [(0, 1), (60, 2), (120, 3)];
        assert_eq!(came_of(at_the_limit, FIVE_DAYS), [(60, warn(120)), (120, Verdict::Disable)]);
        assert_eq!(came_of([(0, 1), (60, 2), (121, 3)], FIVE_DAYS), [(60, warn(120))]);
    }

    #[test]
    fn a_warning_that_comes_late_still_comes_half_a_day_before() {
        let late = [(0, 1), (59, 2), (119, 3), (120, 4), (130, 5), (131, 6)];
        assert_eq!(came_of(late, FIVE_DAYS), [(119, warn(131)), (131, Verdict::Disable)]);
    }

    #[test]
    fn where_it_is_switched_off_nothing_comes_of_failures() {
        assert_eq!(came_of((0..1_000).map(|hour| (hour, 1 + u8::from(hour > 3))), None), []);
        let judged = judge(None, NOW, delivery(1), None);
        assert_eq!((judged.spell.since, judged.look_again_at), (NOW, NEVER));
    }

    #[test]
    fn failures_are_news_every_six_hours_and_when_something_may_follow() {
        let first = judge(None, at(0), delivery(1), FIVE_DAYS);
        assert_eq!(first.look_again_at, at(6));
        let before_warning = judge(Some(first.spell), at(57), delivery(1), FIVE_DAYS);
        assert_eq!(before_warning.look_again_at, at(60));
        let warned = judge(Some(before_warning.spell), at(60), delivery(1), FIVE_DAYS);
        assert_eq!(warned.look_again_at, at(66));
        // When only another delivery is missing, each failure is looked at.
        let missing_another =
            judge(Some(Spell { last_failure_at: at(130), ..warned.spell }), at(130), delivery(1), FIVE_DAYS);
        assert!(missing_another.look_again_at <= at(130));
    }

    #[test]
    fn failures_that_come_in_another_order_change_no_time_backwards() {
        let spell = judge(None, at(10), delivery(1), FIVE_DAYS).spell;
        let earlier = judge(Some(spell), at(9), delivery(2), FIVE_DAYS).spell;
        assert_eq!((earlier.since, earlier.last_failure_at, earlier.several), (at(10), at(10), true));
    }
}
