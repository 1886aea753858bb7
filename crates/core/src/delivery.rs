//! What an answer means for a delivery: when to try again, and when to give up. `docs/wire-formats.md`, section 4.
//!
//! The dispatcher calls [`next_step`] after each attempt; nothing else decides about retries.

use std::time::{Duration, UNIX_EPOCH};

use crate::time::Timestamp;

/// The longest wait that a receiver may ask for by `Retry-After`.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
/// The least wait after a 429 that names none.
pub const TOO_MANY_REQUESTS_WAIT_MIN: Duration = Duration::from_mins(1);

/// The instant before which a receiver wants no further attempt, as [`parse_retry_after`] read it.
pub type RetryAfter = Timestamp;

/// When failed attempts are repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The waits between attempts: one attempt more than there are waits.
    pub schedule: Vec<Duration>,
    /// By how many per cent each wait is moved at random, up or down; at most 100.
    pub jitter_percent: u8,
}

impl Default for RetryPolicy {
    /// Ten attempts in some 75 hours.
    fn default() -> Self {
        let (second, minute, hour) = (1, 60, 3_600);
        let waits = [
            5 * second,
            5 * minute,
            30 * minute,
            2 * hour,
            5 * hour,
            10 * hour,
            14 * hour,
            20 * hour,
            24 * hour,
        ];
        RetryPolicy { schedule: waits.map(Duration::from_secs).to_vec(), jitter_percent: 10 }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered, with its status and body in time.
    Answered {
        /// The status.
        status: u16,
        /// What the answer's `Retry-After` says, where it has one that can be read.
        retry_after: Option<RetryAfter>,
    },
    /// No answer, or not all of it: time-out, refused, TLS error, body too slow, address not allowed.
    NoAnswer {
        /// A stable word for the reason.
        error_code: &'static str,
    },
}

/// What happens to the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is delivered.
    Succeeded,
    /// It is tried again then.
    RetryAt(Timestamp),
    /// It has failed: the schedule is used up.
    GiveUp,
    /// It has failed, and the webhook is disabled: the receiver said that it is gone.
    GiveUpAndDisable,
}

/// What happens after an attempt that ended at `now`. `attempts_made` includes it; `dice` is a uniform random number.
pub fn next_step(
    attempts_made: u32,
    outcome: &Outcome,
    policy: &RetryPolicy,
    now: Timestamp,
    dice: u64,
) -> Step {
    let earliest = match *outcome {
        Outcome::Answered { status: 200..=299, .. } => return Step::Succeeded,
        Outcome::Answered { status: 410, .. } => return Step::GiveUpAndDisable,
        Outcome::Answered { status: 429 | 503, retry_after: Some(asked) } => asked.min(now + RETRY_AFTER_MAX),
        Outcome::Answered { status: 429, retry_after: None } => now + TOO_MANY_REQUESTS_WAIT_MIN,
        Outcome::Answered { .. } | Outcome::NoAnswer { .. } => now,
    };
    let waits_used = attempts_made.saturating_sub(1) as usize;
    match policy.schedule.get(waits_used) {
        None => Step::GiveUp,
        Some(wait) => Step::RetryAt((now + jittered(*wait, policy.jitter_percent, dice)).max(earliest)),
    }
}

/// `wait` moved by up to `percent` of it, up or down, to the microsecond.
fn jittered(wait: Duration, percent: u8, dice: u64) -> Duration {
    let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX / 2).min(u64::MAX / 2);
    // Divided first: a hundredth of the wait loses nothing that matters, and cannot overflow.
    let most = wait / 100 * u64::from(percent.min(100));
    let moved = dice % (2 * most + 1);
    Duration::from_micros(wait - most + moved)
}

/// Reads the value of `Retry-After`: whole seconds, or an HTTP date (RFC 9110, section 10.2.3). `None` for anything else.
///
/// Any length of time is read; [`next_step`] bounds it.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Timestamp> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number is still a long time.
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(now + Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let seconds = at.duration_since(UNIX_EPOCH).ok()?.as_secs();
    i64::try_from(seconds).ok().map(Timestamp::from_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_447_916);

    fn steady() -> RetryPolicy {
        RetryPolicy { jitter_percent: 0, ..RetryPolicy::default() }
    }

    fn answered(status: u16, retry_after: Option<&str>) -> Outcome {
        Outcome::Answered { status, retry_after: retry_after.and_then(|value| parse_retry_after(value, NOW)) }
    }

    fn in_seconds(seconds: u64) -> Step {
        Step::RetryAt(NOW + Duration::from_secs(seconds))
    }

    #[test]
    fn each_answer_means_what_the_table_says() {
        let after_one = in_seconds(5);
        for (outcome, step) in [
            (answered(200, None), Step::Succeeded),
            (answered(204, Some("60")), Step::Succeeded),
            (answered(299, None), Step::Succeeded),
            (answered(199, None), after_one),
            (answered(300, None), after_one),
            (answered(301, None), after_one),
            (answered(308, None), after_one),
            (answered(400, None), after_one),
            (answered(404, None), after_one),
            (answered(410, None), Step::GiveUpAndDisable),
            (answered(410, Some("60")), Step::GiveUpAndDisable),
            (answered(429, None), in_seconds(60)),
            (answered(429, Some("soon")), in_seconds(60)),
            (answered(429, Some("30")), in_seconds(30)),
            (answered(429, Some("1")), after_one),
            (answered(429, Some("0")), after_one),
            (answered(429, Some("Mon, 23 Nov 2026 15:33:56 GMT")), in_seconds(120)),
            (answered(503, Some("120")), in_seconds(120)),
            (answered(503, None), after_one),
            (answered(503, Some("Sun, 06 Nov 1994 08:49:37 GMT")), after_one),
            (answered(503, Some("86400")), in_seconds(86_400)),
            (answered(503, Some("86401")), in_seconds(86_400)),
            (answered(429, Some("99999999999999999999999999")), in_seconds(86_400)),
            (answered(503, Some("Fri, 31 Dec 9999 23:59:59 GMT")), in_seconds(86_400)),
            // Only 429 and 503 are asked for a time.
            (answered(500, Some("3600")), after_one),
            (answered(302, Some("3600")), after_one),
            (Outcome::NoAnswer { error_code: "timeout" }, after_one),
        ] {
            assert_eq!(next_step(1, &outcome, &steady(), NOW, 7), step, "{outcome:?}");
        }
    }

    #[test]
    fn the_schedule_has_ten_attempts_in_some_75_hours() {
        let failed = Outcome::NoAnswer { error_code: "timeout" };
        let waits = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        for (attempts_made, wait) in (1..).zip(waits) {
            assert_eq!(next_step(attempts_made, &failed, &steady(), NOW, 0), in_seconds(wait));
        }
        assert_eq!(next_step(10, &failed, &steady(), NOW, 0), Step::GiveUp);
        assert_eq!(next_step(11, &failed, &steady(), NOW, 0), Step::GiveUp);
        assert_eq!(waits.iter().sum::<u64>() / 3_600, 75);
    }

    #[test]
    fn the_last_attempt_is_given_up_whatever_the_receiver_asks() {
        assert_eq!(next_step(10, &answered(429, Some("60")), &steady(), NOW, 0), Step::GiveUp);
        assert_eq!(next_step(10, &answered(200, None), &steady(), NOW, 0), Step::Succeeded);
        assert_eq!(next_step(10, &answered(410, None), &steady(), NOW, 0), Step::GiveUpAndDisable);
    }

    #[test]
    fn an_empty_schedule_tries_once() {
        let once = RetryPolicy { schedule: vec![], jitter_percent: 10 };
        assert_eq!(next_step(1, &answered(500, None), &once, NOW, 0), Step::GiveUp);
    }

    #[test]
    fn jitter_reaches_both_of_its_ends_and_nothing_beyond() {
        let ten = |dice| jittered(Duration::from_secs(5), 10, dice);
        assert_eq!(ten(0), Duration::from_millis(4_500));
        assert_eq!(ten(500_000), Duration::from_secs(5));
        assert_eq!(ten(1_000_000), Duration::from_millis(5_500));
        assert_eq!(ten(1_000_001), Duration::from_millis(4_500));
    }

    #[test]
    fn retry_after_reads_seconds_and_each_form_of_http_date() {
        let at = Some(Timestamp::from_seconds(784_111_777));
        for date in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse_retry_after(date, NOW), at, "{date}");
        }
        assert_eq!(parse_retry_after(" 120 ", NOW), Some(NOW + Duration::from_mins(2)));
        for bad in ["", "-1", "1.5", "+1", "soon", "2026-11-23T15:31:56Z", "１"] {
            assert_eq!(parse_retry_after(bad, NOW), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_retry_is_in_the_past_or_beyond_what_can_be_asked(
            attempts_made in 0..20_u32, status: u16, asked: Option<i64>, wait: u64, jitter_percent: u8, dice: u64,
        ) {
            let policy = RetryPolicy { schedule: vec![Duration::from_micros(wait); 9], jitter_percent };
            let outcome = Outcome::Answered { status, retry_after: asked.map(Timestamp::from_micros) };
            if let Step::RetryAt(at) = next_step(attempts_made, &outcome, &policy, NOW, dice) {
                let longest = Duration::from_micros(wait.saturating_mul(2)).max(RETRY_AFTER_MAX);
                proptest::prop_assert!(at >= NOW && at <= NOW + longest);
            }
        }
    }
}
