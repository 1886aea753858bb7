//! What a client is told of its rate limits, in headers: those of the IETF's draft and those that clients have read for
//! years. The API, the gateways' endpoint and the tower layer tell alike, so it is written once, here.

use std::fmt::Write as _;
use std::sync::Arc;

use super::RateLimit;
use super::gcra::Left;
use crate::Timestamp;

/// A limit of a key, and how much of it is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitState {
    /// The limit.
    pub limit: Arc<RateLimit>,
    /// What is left of it.
    pub left: Left,
}

/// The headers that tell of `limits`, as names in lower case and values; none where there is no limit.
///
/// `ratelimit-policy` and `ratelimit` are those of draft-ietf-httpapi-ratelimit-headers-10, with every limit as an item.
/// `x-ratelimit-*` has room for one: the one of which least is left. Its reset is in Unix seconds.
pub fn limit_headers(limits: &[LimitState], now: Timestamp) -> Vec<(&'static str, String)> {
    let Some(tightest) = limits.iter().min_by_key(|state| (state.left.remaining, !state.left.reset_seconds))
    else {
        return Vec::new();
    };
    let (mut policies, mut left) = (String::new(), String::new());
    for (index, state) in limits.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let RateLimit { name, limit, window_seconds } = &*state.limit;
        let Left { remaining, reset_seconds } = state.left;
        write!(policies, "{comma}\"{name}\";q={limit};w={window_seconds}").expect("a text takes every line");
        write!(left, "{comma}\"{name}\";r={remaining};t={reset_seconds}").expect("a text takes every line");
    }
    let reset = now.seconds().saturating_add_unsigned(tightest.left.reset_seconds);
    vec![
        ("ratelimit-policy", policies),
        ("ratelimit", left),
        ("x-ratelimit-limit", tightest.limit.limit.to_string()),
        ("x-ratelimit-remaining", tightest.left.remaining.to_string()),
        ("x-ratelimit-reset", reset.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str, limit: u64, window_seconds: u64, remaining: u64, reset_seconds: u64) -> LimitState {
        let limit = RateLimit { name: name.to_owned(), limit, window_seconds };
        LimitState { limit: Arc::new(limit), left: Left { remaining, reset_seconds } }
    }

    #[test]
    fn every_limit_is_told_and_the_tightest_alone_where_there_is_room_for_one() {
        let limits = [state("reads", 100, 60, 42, 35), state("day", 5_000, 86_400, 7, 86_000)];
        let told = limit_headers(&limits, Timestamp::from_micros(1_795_435_200_500_000));
        let told: Vec<String> = told.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        ratelimit-policy: "reads";q=100;w=60, "day";q=5000;w=86400
        ratelimit: "reads";r=42;t=35, "day";r=7;t=86000
        x-ratelimit-limit: 5000
        x-ratelimit-remaining: 7
        x-ratelimit-reset: 1795521200
        "#);
        assert_eq!(limit_headers(&[], Timestamp::EPOCH), []);
    }

    #[test]
    fn of_two_limits_that_are_used_up_the_one_that_takes_longer_is_told() {
        let limits = [state("a", 1, 1, 0, 1), state("b", 1, 60, 0, 60)];
        let told = limit_headers(&limits, Timestamp::EPOCH);
        assert_eq!(told[4], ("x-ratelimit-reset", "60".to_owned()));
    }
}
