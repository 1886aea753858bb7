//! Numbers as people read them.

/// With a comma at every third digit: `1,204`.
pub fn grouped(number: impl Into<u128>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What part of `all` a number is, in per cent and never rounded up: `99.9 %` is not all of them. Of nothing it is `—`.
pub fn rate(part: u64, all: u64) -> String {
    let Some(thousandths) = (u128::from(part) * 1_000).checked_div(u128::from(all)) else {
        return "—".to_owned();
    };
    match thousandths % 10 {
        0 => format!("{} %", thousandths / 10),
        tenth => format!("{}.{tenth} %", thousandths / 10),
    }
}

/// A round number for an axis: `500`, `1.5k`, `20M`.
pub(super) fn short(number: u128) -> String {
    let units = [("E", 18), ("P", 15), ("T", 12), ("G", 9), ("M", 6), ("k", 3)];
    let unit = units.into_iter().find(|(_, zeros)| number >= 10_u128.pow(*zeros));
    let Some((letter, zeros)) = unit else { return number.to_string() };
    with_a_tenth(number, 10_u128.pow(zeros)) + letter
}

/// A time in the unit that fits: `80 µs`, `1.5 ms`, `182 ms`, `15 s`.
pub(super) fn duration(micros: u128) -> String {
    match micros {
        0 => "0 ms".to_owned(),
        1..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{} ms", with_a_tenth(micros, 1_000)),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", with_a_tenth(micros, 1_000_000)),
    }
}

fn with_a_tenth(number: u128, unit: u128) -> String {
    match number % unit * 10 / unit {
        0 => (number / unit).to_string(),
        tenth => format!("{}.{tenth}", number / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_from_their_end() {
        let read = [0, 12, 999, 1_000, 1_234_567, u64::MAX].map(grouped);
        assert_eq!(read, ["0", "12", "999", "1,000", "1,234,567", "18,446,744,073,709,551,615"]);
    }

    #[test]
    fn a_rate_is_whole_only_where_nothing_is_missing() {
        let read = [(0, 0), (0, 5), (5, 5), (212, 214), (999_999, 1_000_000), (u64::MAX - 1, u64::MAX)]
            .map(|(part, all)| rate(part, all));
        assert_eq!(read, ["—", "0 %", "100 %", "99 %", "99.9 %", "99.9 %"]);
    }

    #[test]
    fn the_numbers_of_an_axis_are_short() {
        let read = [0, 999, 1_000, 1_500, 20_000_000, 40_000_000_000_000_000_000].map(short);
        assert_eq!(read, ["0", "999", "1k", "1.5k", "20M", "40E"]);
    }

    #[test]
    fn times_read_in_the_unit_that_fits() {
        let read = [0, 80, 1_500, 9_999, 182_400, 999_999, 1_000_000, 15_250_000].map(duration);
        assert_eq!(read, ["0 ms", "80 µs", "1.5 ms", "9.9 ms", "182 ms", "999 ms", "1 s", "15.2 s"]);
    }
}
