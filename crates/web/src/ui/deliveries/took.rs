//! How long something took, in the units that fit: to a tenth of a millisecond where it was quick, to the hour where it took days.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

pub(super) fn took(time: Duration) -> String {
    let (micros, seconds) = (time.as_micros(), time.as_secs());
    let two = |large: &str, size: u64, small: &str, part: u64| {
        format!("{} {large} {} {small}", seconds / size, seconds % size / part)
    };
    match seconds {
        0..10 if micros < 10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        0..10 => format!("{} ms", micros / 1_000),
        10..MINUTE => format!("{}.{} s", seconds, micros % 1_000_000 / 100_000),
        MINUTE..HOUR => two("min", MINUTE, "s", 1),
        HOUR..DAY => two("h", HOUR, "min", MINUTE),
        _ => two("d", DAY, "h", HOUR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_in_the_units_that_fit() {
        let read = |micros| took(Duration::from_micros(micros));
        assert_eq!([820, 9_999, 182_400].map(read), ["0.8 ms", "9.9 ms", "182 ms"]);
        assert_eq!([9_999_999, 15_000_000].map(read), ["9999 ms", "15.0 s"]);
        let read = |seconds| took(Duration::from_secs(seconds));
        assert_eq!([59, 60, 3_599].map(read), ["59.0 s", "1 min 0 s", "59 min 59 s"]);
        assert_eq!([3_600, 86_399, 86_400].map(read), ["1 h 0 min", "23 h 59 min", "1 d 0 h"]);
        assert_eq!(took(Duration::MAX), format!("{} d 7 h", u64::MAX / DAY));
    }
}
