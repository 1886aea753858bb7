//! Lines over time: within which time half of the attempts were over, 95 of a hundred, and 99.

use std::fmt::Write as _;

use keybell_core::attempt_counts::AttemptCounts;

use super::axis::{Axis, HEIGHT};
use super::figure::{BUCKET_WIDTH, Chart, Finding};
use super::number::{duration, short};
use super::timeline::Timeline;

/// The lines: per cent, class, name.
const LINES: [(u64, &str, &str); 3] = [(50, "p50", "p50"), (95, "p95", "p95"), (99, "p99", "p99")];

/// A chart of how long attempts took; `period` is the time it shows, such as `the last 24 hours`.
pub fn latency(id: &'static str, period: &str, timeline: &Timeline<AttemptCounts>) -> Chart {
    let mut all = AttemptCounts::default();
    timeline.values().for_each(|counts| all.add(counts));
    let [half, most, nearly_all] =
        LINES.map(|(per_cent, ..)| all.quantile_micros(per_cent).map(|micros| duration(micros.into())));
    let (Some(half), Some(most), Some(nearly_all)) = (half, most, nearly_all) else {
        let finding = Finding::plain(format!("No attempts in {period}, so there are no times to show."));
        return Chart::empty(id, "Time to answer", timeline, finding);
    };
    let finding = Finding::plain(format!(
        "Half of the attempts in {period} were over within {half}, 95 % within {most}, and 99 % within {nearly_all}."
    ));
    let mut chart = Chart::empty(id, "Time to answer", timeline, finding);
    let quantiles =
        LINES.map(|(per_cent, ..)| timeline.map(|counts| counts.quantile_micros(per_cent).map(u128::from)));
    let axis = Axis::up_to(quantiles.iter().flat_map(Timeline::values).flatten().copied().max().unwrap_or(0));
    chart.ticks = axis.ticks().into_iter().map(of_axis).collect();
    chart.legend = LINES.map(|(_, class, name)| (class, name)).into();
    for (place, bucket) in chart.buckets.iter_mut().enumerate() {
        let of_line = |line: &Timeline<Option<u128>>| line.buckets[place].1;
        bucket.cells = quantiles.iter().map(|line| of_line(line).map_or("—".to_owned(), duration)).collect();
    }
    chart.lines =
        LINES.iter().zip(&quantiles).map(|((_, class, _), line)| (*class, path(axis, line))).collect();
    chart
}

/// A value of the axis: seconds and milliseconds are short enough as they are, and nought needs no unit.
fn of_axis(micros: u128) -> String {
    if micros == 0 { short(0) } else { duration(micros) }
}

/// The path of a line. Where there was no attempt it is interrupted; a point between two gaps is a line of no length, which
/// is drawn as a dot.
fn path(axis: Axis, line: &Timeline<Option<u128>>) -> String {
    let mut path = String::new();
    let mut before = false;
    let after = line.values().skip(1).map(Option::is_some).chain([false]);
    for (place, (value, goes_on)) in line.values().zip(after).enumerate() {
        if let Some(value) = value {
            let (x, y) = (place * BUCKET_WIDTH + BUCKET_WIDTH / 2, HEIGHT - axis.height(*value));
            write!(path, "{}{x} {y}", if before { 'L' } else { 'M' }).expect("a String takes every text");
            if !before && !goes_on {
                path += "h0";
            }
        }
        before = value.is_some();
    }
    path
}

#[cfg(test)]
mod tests {
    use keybell_app::usage::Step;
    use keybell_core::Timestamp;

    use super::*;

    /// Hours in which attempts took so many microseconds.
    fn drawn(hours: &[&[u64]]) -> Chart {
        let counts = hours.iter().map(|micros| {
            let mut counts = AttemptCounts::default();
            micros.iter().for_each(|micros| counts.count(true, *micros));
            counts
        });
        let at = |number| Timestamp::from_seconds(1_795_435_200 + number * 3_600);
        let points = (0_i64..).map(at).zip(counts);
        latency("latency", "the last 24 hours", &Timeline::of(points, Step::Hour, AttemptCounts::add))
    }

    #[test]
    fn the_sentence_is_of_the_whole_time_and_the_table_of_each_bucket() {
        let mut slow = [1_000; 100];
        slow[95..].fill(300_000);
        let chart = drawn(&[&slow, &[]]);
        assert_eq!(
            chart.finding.said,
            "Half of the attempts in the last 24 hours were over within 991 µs, 95 % within 991 µs, and 99 % within 311 ms."
        );
        assert_eq!(chart.buckets[0].cells, ["991 µs", "991 µs", "311 ms"]);
        assert_eq!(chart.buckets[1].cells, ["—", "—", "—"]);
        assert_eq!(chart.ticks, ["400 ms", "300 ms", "200 ms", "100 ms", "0"]);
    }

    #[test]
    fn a_line_is_interrupted_where_there_was_no_attempt() {
        let some: &[u64] = &[200_000];
        let chart = drawn(&[some, &[], some, some, &[], &[]]);
        let (_, path) = &chart.lines[0];
        assert_eq!(path.matches('M').count(), 2, "{path}");
        assert!(path.starts_with("M5 ") && path.contains("h0M25 ") && path.contains("L35 "), "{path}");
    }

    #[test]
    fn where_nothing_was_sent_there_is_a_sentence_and_an_empty_drawing() {
        for nothing in [&[][..], &[&[][..]; 24]] {
            let html = drawn(nothing).to_string();
            assert!(html.contains("No attempts in the last 24 hours") && !html.contains("<table"), "{html}");
        }
    }

    #[test]
    fn attempts_that_took_no_time_or_for_ever_stay_in_the_drawing() {
        for micros in [0, u64::MAX] {
            let chart = drawn(&[&[micros], &[micros]]);
            for (_, path) in &chart.lines {
                let heights = path.split(['M', 'L']).filter_map(|point| point.split(' ').nth(1));
                for height in heights {
                    assert!(height.parse::<u32>().is_ok_and(|height| height <= HEIGHT), "{micros}: {path}");
                }
            }
        }
    }
}
