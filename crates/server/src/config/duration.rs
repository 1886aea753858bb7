//! Durations as people write them: a whole number and one unit, `500ms`, `5s`, `5m`, `2h`, `30d`.

use std::time::Duration;

/// The units, the longest first, in milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 24 * 60 * 60 * 1_000), ("h", 60 * 60 * 1_000), ("m", 60 * 1_000), ("s", 1_000), ("ms", 1)];

/// The duration that `text` says; `None` where it is not one.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*millis).map(Duration::from_millis)
}

/// The shortest text that [`parse`] reads as `duration`, which has whole milliseconds.
pub(super) fn print(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fits = |(_, unit): &&(&str, u64)| millis >= *unit && millis.is_multiple_of(*unit);
    match UNITS.iter().find(fits) {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        for (text, millis) in
            [("500ms", 500), ("5s", 5_000), ("5m", 300_000), ("2h", 7_200_000), ("30d", 2_592_000_000)]
        {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(print(Duration::from_millis(millis)), text);
        }
        assert_eq!(
            (parse("90s").map(print), print(Duration::ZERO)),
            (Some("90s".to_owned()), "0s".to_owned())
        );
    }

    #[test]
    fn nothing_else_is_a_duration() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "5sec",
            "1h30m",
            "1.5h",
            "5S",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
