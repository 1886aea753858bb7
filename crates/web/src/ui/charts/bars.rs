//! Bars over time, what went badly stacked on what went well.

use super::axis::{Axis, HEIGHT};
use super::figure::{Chart, Finding};
use super::number::{grouped, short};
use super::outcomes::Outcomes;
use super::timeline::Timeline;

/// The least height of a count that is not nought: a pixel and a half, for one failure among a million successes is the
/// one that somebody looks for.
const SEEN: u32 = 12;
/// What is left free between the two of a bar.
const BETWEEN: u32 = 10;

/// What is counted, and how one speaks of it.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// What is counted: `Attempts`.
    pub title: &'static str,
    /// The same inside of a sentence: `attempts`.
    pub many: &'static str,
    /// What those that went well did: `succeeded`.
    pub did_well: &'static str,
    /// One of the others: `failure`.
    pub failure: &'static str,
    /// Their names: `Succeeded`, `Failed`.
    pub names: [&'static str; 2],
}

impl Words {
    /// Attempts of deliveries.
    pub const ATTEMPTS: Words = Words {
        title: "Attempts",
        many: "attempts",
        did_well: "succeeded",
        failure: "failure",
        names: ["Succeeded", "Failed"],
    };
    /// Requests with API keys.
    pub const REQUESTS: Words = Words {
        title: "Requests",
        many: "requests",
        did_well: "were let through",
        failure: "refusal",
        names: ["Let through", "Refused"],
    };
}

/// A chart of outcomes; `period` is the time it shows, such as `the last 24 hours`.
pub fn bars(id: &'static str, words: Words, period: &str, timeline: &Timeline<Outcomes>) -> Chart {
    let finding = finding(words, period, timeline);
    let mut chart = Chart::empty(id, words.title, timeline, finding);
    let most = timeline.values().map(|outcomes| outcomes.all()).max().unwrap_or(0);
    if most == 0 {
        return chart;
    }
    let axis = Axis::up_to(most);
    chart.ticks = axis.ticks().into_iter().map(short).collect();
    chart.legend = ["good", "bad"].into_iter().zip(words.names).collect();
    for (bucket, outcomes) in chart.buckets.iter_mut().zip(timeline.values()) {
        bucket.cells = [outcomes.good, outcomes.bad].map(grouped).into();
        bucket.bars = stacked(axis, *outcomes);
    }
    chart
}

/// The bars of one bucket from the bottom: class, upper edge, height.
fn stacked(axis: Axis, outcomes: Outcomes) -> Vec<(&'static str, u32, u32)> {
    let seen = |count: u64| if count == 0 { 0 } else { axis.height(count.into()).max(SEEN) };
    let bad = seen(outcomes.bad);
    let below = if bad > 0 && outcomes.good > 0 { bad + BETWEEN } else { bad };
    let good = seen(outcomes.good).min(HEIGHT - below.min(HEIGHT));
    let top = HEIGHT - good;
    let between = below - bad;
    let mut bars = Vec::new();
    if good > 0 {
        bars.push(("good", top, good));
    }
    if bad > 0 {
        bars.push(("bad", top.saturating_sub(between + bad), bad));
    }
    bars
}

fn finding(words: Words, period: &str, timeline: &Timeline<Outcomes>) -> Finding {
    let sum = Outcomes::sum(timeline.values());
    let Words { many, did_well, failure, .. } = words;
    let (good, all) = (grouped(sum.good), grouped(sum.all()));
    if sum.all() == 0 {
        return Finding::plain(format!("No {many} in {period}."));
    }
    if sum.bad == 0 || sum.good == 0 {
        return Finding::plain(format!("{good} of {all} {many} in {period} {did_well}."));
    }
    // Of several that are as bad, the last: it is the one that may still be going on.
    let worst = timeline.buckets.iter().max_by_key(|(_, outcomes)| outcomes.bad);
    let tail = |outcomes: &Outcomes| {
        let plural = if outcomes.bad == 1 { "" } else { "s" };
        format!(" with {} {failure}{plural}.", grouped(outcomes.bad))
    };
    let length = timeline.length();
    let worst_time =
        if timeline.is_in_days() { format!("worst {length} (UTC)") } else { format!("worst {length}") };
    let is_one = !length.starts_with(|first: char| first.is_ascii_digit());
    let begins = if is_one { "was" } else { "began on" };
    Finding {
        said: format!("{good} of {all} {many} in {period} {did_well}; the {worst_time} {begins} "),
        worst: worst.map(|(at, outcomes)| (timeline.when(*at), tail(outcomes))),
    }
}

#[cfg(test)]
mod tests {
    use keybell_app::usage::Step;
    use keybell_core::Timestamp;

    use super::*;

    fn drawn(step: Step, counts: &[(u64, u64)]) -> Chart {
        let first = Timestamp::parse("2026-11-22T00:00:00Z").expect("an instant").seconds();
        let points = (0_i64..).zip(counts).map(|(number, (good, bad))| {
            (Timestamp::from_seconds(first + number * step.seconds()), Outcomes { good: *good, bad: *bad })
        });
        bars("chart", Words::ATTEMPTS, "the last 24 hours", &Timeline::of(points, step, Outcomes::add))
    }

    fn said(chart: &Chart) -> String {
        let Finding { said, worst } = &chart.finding;
        worst.as_ref().map_or_else(|| said.clone(), |(at, tail)| format!("{said}{}{tail}", at.in_utc()))
    }

    #[test]
    fn the_sentence_says_how_much_went_well_and_when_it_was_worst() {
        let mut hours = [(9, 0); 24];
        (hours[14], hours[20]) = ((7, 2), (8, 1));
        assert_eq!(
            said(&drawn(Step::Hour, &hours)),
            "213 of 216 attempts in the last 24 hours succeeded; the worst hour was 22 Nov, 14:00 with 2 failures."
        );
        assert_eq!(
            said(&drawn(Step::Day, &[(1, 1), (0, 3)])),
            "1 of 5 attempts in the last 24 hours succeeded; the worst day (UTC) was 23 Nov with 3 failures."
        );
        let merged = said(&drawn(Step::Hour, &[(1_000, 1); 168]));
        assert!(
            merged.ends_with("succeeded; the worst 3 hours began on 28 Nov, 21:00 with 3 failures."),
            "{merged}"
        );
        assert_eq!(said(&drawn(Step::Hour, &[(3, 0)])), "3 of 3 attempts in the last 24 hours succeeded.");
        assert_eq!(said(&drawn(Step::Hour, &[(0, 3)])), "0 of 3 attempts in the last 24 hours succeeded.");
    }

    #[test]
    fn where_nothing_happened_there_is_a_sentence_and_an_empty_drawing() {
        for nothing in [&[][..], &[(0, 0); 24]] {
            let chart = drawn(Step::Hour, nothing);
            assert_eq!(said(&chart), "No attempts in the last 24 hours.");
            let html = chart.to_string();
            assert!(!html.contains("<table") && !html.contains("<rect"), "{html}");
            assert!(html.contains(r#"role="img""#) && html.contains("<path class=\"grid\""), "{html}");
        }
    }

    #[test]
    fn one_failure_among_a_million_is_seen_and_no_bar_leaves_the_drawing() {
        let counts =
            [(999_999, 1), (1_000_000, 0), (0, 1), (1, 999_999), (u64::MAX, u64::MAX), (0, 0), (u64::MAX, 1)];
        let chart = drawn(Step::Hour, &counts);
        for (bucket, (good, bad)) in chart.buckets.iter().zip(counts) {
            let heights = |class| bucket.bars.iter().find(|bar| bar.0 == class).map(|bar| (bar.1, bar.2));
            assert_eq!(heights("good").is_some(), good > 0);
            assert_eq!(heights("bad").is_some(), bad > 0);
            for (_, top, height) in &bucket.bars {
                assert!(*height >= SEEN && top + height <= HEIGHT, "{:?}", bucket.bars);
            }
            if let (Some((good_top, _)), Some((top, height))) = (heights("good"), heights("bad")) {
                assert!(top + height <= good_top, "they do not cover each other: {:?}", bucket.bars);
            }
        }
        assert_eq!(chart.buckets[4].cells, [grouped(u64::MAX), grouped(u64::MAX)]);
        assert_eq!(chart.ticks, ["40E", "30E", "20E", "10E", "0"]);
    }

    #[test]
    fn a_chart_is_a_figure_with_its_sentence_its_drawing_and_its_table() {
        let chart = drawn(Step::Hour, &[(3, 1), (0, 0)]).to_string();
        for part in [
            r#"<figcaption id="chart-finding">3 of 4 attempts"#,
            r#"viewBox="0 0 20 1000" preserveAspectRatio="none" role="img" aria-labelledby="chart-finding""#,
            r#"<title data-at="2026-11-22T00:00:00.000Z">22 Nov, 00:00 UTC: 3 succeeded, 1 failed</title>"#,
            r#"<th scope="row"><time datetime="2026-11-22T01:00:00.000Z" data-hour>22 Nov, 01:00</time></th><td>0</td><td>0</td>"#,
        ] {
            assert!(chart.contains(part), "{part}: {chart}");
        }
        assert!(!chart.contains("style=") && !chart.contains('#'), "no colour, and nothing inline: {chart}");
    }

    #[test]
    fn a_hundred_thousand_points_are_as_many_bars_as_a_few_dozen() {
        let chart = drawn(Step::Minute, &vec![(5, 1); 100_000]);
        assert_eq!(chart.buckets.len(), 60);
        assert!(said(&chart).starts_with("500,000 of 600,000 attempts"), "{}", said(&chart));
        assert!(chart.to_string().len() < 40_000, "{}", chart.to_string().len());
    }
}
