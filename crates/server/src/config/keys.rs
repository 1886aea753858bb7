//! `[keys]`: how often they may be used, and from where.

use std::time::Duration;

use keybell_core::key::fields::{RATE_LIMIT_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX};
use keybell_core::key::{READS, RateLimit, WRITES};

use super::duration;
use super::reader::Reader;

/// `[keys]`.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// For keys that have no limit of the same name.
    pub(crate) rate_limits: Vec<RateLimit>,
    /// Refuse secret keys that browsers send.
    pub(crate) refuse_browsers: bool,
}

impl Keys {
    pub(super) fn read(from: &mut Reader) -> Option<Keys> {
        let reads = rate_limit(from, "keys.reads", READS);
        let writes = rate_limit(from, "keys.writes", WRITES);
        let refuse_browsers = from.flag("keys.refuse_browsers");
        Some(Keys { rate_limits: [reads?, writes?].concat(), refuse_browsers: refuse_browsers? })
    }
}

/// The limit of that name, if there is one.
fn rate_limit(from: &mut Reader, setting: &'static str, name: &str) -> Option<Vec<RateLimit>> {
    let allowed = "empty, or a number and a duration of whole seconds, at most a day, such as \"100/1m\"";
    from.parsed(setting, allowed, |value| match value.as_str()? {
        "" => Some(Vec::new()),
        text => parse(text, name).map(|limit| vec![limit]),
    })
}

fn parse(text: &str, name: &str) -> Option<RateLimit> {
    let (limit, window) = text.split_once('/')?;
    let limit = limit.parse().ok().filter(|limit| (1..=RATE_LIMIT_MAX).contains(limit))?;
    let window = duration::parse(window)?;
    let window_seconds = window.as_secs();
    let whole = window == Duration::from_secs(window_seconds);
    (whole && (1..=RATE_LIMIT_WINDOW_SECONDS_MAX).contains(&window_seconds)).then(|| RateLimit {
        name: name.to_owned(),
        limit,
        window_seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_and_whole_seconds_up_to_a_day() {
        let read = |text| parse(text, READS).map(|limit| (limit.limit, limit.window_seconds));
        assert_eq!(read("100/1m"), Some((100, 60)));
        assert_eq!(read("1/1s"), Some((1, 1)));
        assert_eq!(read("1000000000/1d"), Some((1_000_000_000, 86_400)));
        for text in
            ["100", "0/1m", "1000000001/1m", "1/500ms", "1/0s", "1/2d", "-1/1m", "1.5/1m", "a/1m", "1/m"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
