//! Instants. Core is handed them; the system clock is read in one line of the binary.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in microseconds since the Unix epoch, UTC. This is also how instants are stored.
///
/// Prints, and is written to JSON, as RFC 3339 in UTC with milliseconds: `2026-11-23T15:31:56.123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Where the time comes from: the system's clock in the binary, a simulated one in tests.
pub trait Clock: Send + Sync + 'static {
    /// The present instant. It may step backwards, as the system's clock may.
    fn now(&self) -> Timestamp;
}

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// The last instant that prints as itself: just before 22:00 UTC on the last day but one of the year 9999. So it can be
    /// written with any offset, and jiff, which prints it, knows none later.
    pub const MAX: Timestamp = Timestamp(253_402_207_200_000_000 - 1);

    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Timestamp(micros)
    }

    /// From seconds since the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Timestamp(seconds * 1_000_000)
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Parses RFC 3339 with any offset and precision; digits past the microsecond are cut.
    ///
    /// Returns `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_microsecond()))
    }

    /// The time from `earlier` until this instant; zero if it is not later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This instant moved back by `by`, saturating.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Timestamp(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Timestamp;

    /// Saturates: an instant past the end of time is the end of time.
    fn add(self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside = self.0.clamp(jiff::Timestamp::MIN.as_microsecond(), Timestamp::MAX.0);
        let at = jiff::Timestamp::from_microsecond(inside).map_err(|_| fmt::Error)?;
        let millis = at.round(
            jiff::TimestampRound::new().smallest(jiff::Unit::Millisecond).mode(jiff::RoundMode::Floor),
        );
        write!(f, "{:.3}", millis.map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse(&text).ok_or_else(|| {
            serde::de::Error::custom("expected an RFC 3339 date and time such as 2026-11-23T15:31:56.123Z")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339_with_exactly_three_decimals() {
        assert_eq!(Timestamp::from_micros(1_795_447_916_123_999).to_string(), "2026-11-23T15:31:56.123Z");
        assert_eq!(Timestamp::EPOCH.to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_micros(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn the_ends_of_time_print_and_do_not_wrap() {
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T21:59:59.999Z");
        assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), Timestamp::MAX.to_string());
        assert_eq!(
            Timestamp::from_micros(i64::MAX) + Duration::from_secs(1),
            Timestamp::from_micros(i64::MAX)
        );
    }

    #[test]
    fn parses_any_offset_and_refuses_what_has_none() {
        let at = Timestamp::parse("2026-11-23T16:31:56.123+01:00");
        assert_eq!(at, Some(Timestamp::from_micros(1_795_447_916_123_000)));
        assert_eq!(Timestamp::parse("2026-11-23"), None);
        assert_eq!(Timestamp::parse("2026-11-23T16:31:56"), None);
    }
}
