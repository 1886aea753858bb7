//! A chart of a few words' size for the row of a list. What it shows stands beside it in words, so it is a picture to the
//! eye alone.

use std::fmt::{self, Display, Formatter};

use askama::filters::HtmlSafe;

use super::outcomes::Outcomes;
use super::timeline::Timeline;

/// The height in its own units, which are about pixels.
const HEIGHT: u32 = 24;
/// The width of a bucket; three of it are drawn.
const BUCKET_WIDTH: usize = 4;
/// The least height of what went badly, so that one failure among thousands is seen.
const SEEN_BAD: u32 = 3;
/// The least height of what went well.
const SEEN_GOOD: u32 = 1;

/// Outcomes over time, what went badly stacked on what went well.
#[derive(Clone, Debug)]
pub struct Sparkline {
    width: usize,
    /// Two paths of upright strokes: shorter than a rectangle for each, in lists of hundreds.
    good: String,
    bad: String,
}

impl HtmlSafe for Sparkline {}

impl Sparkline {
    /// The outcomes of a row.
    pub fn of(timeline: &Timeline<Outcomes>) -> Sparkline {
        let most = timeline.values().map(|outcomes| outcomes.all()).max().unwrap_or(0).max(1);
        let height = |count: u64| {
            let height = u128::from(count) * u128::from(HEIGHT) / most;
            u32::try_from(height).expect("no count is larger than the largest sum")
        };
        let buckets = timeline.buckets.len();
        let (mut good, mut bad) = (Path::with_room_for(buckets), Path::with_room_for(buckets));
        for (place, outcomes) in timeline.values().enumerate() {
            let x = place * BUCKET_WIDTH + BUCKET_WIDTH / 2;
            let badly = if outcomes.bad > 0 { height(outcomes.bad).max(SEEN_BAD) } else { 0 };
            let well =
                if outcomes.good > 0 { height(outcomes.good).max(SEEN_GOOD).min(HEIGHT - badly) } else { 0 };
            if well > 0 {
                good.stroke(x, HEIGHT, well);
            }
            if badly > 0 {
                bad.stroke(x, HEIGHT - well, badly);
            }
        }
        Sparkline { width: buckets.max(1) * BUCKET_WIDTH, good: good.0, bad: bad.0 }
    }
}

/// The text of a path that is made of upright strokes. A list has thousands of them, and `write!` was a good part of what
/// its page took.
struct Path(String);

impl Path {
    /// The longest stroke: `M238 24v-24`, more or less.
    const STROKE_BYTES: usize = 11;

    fn with_room_for(strokes: usize) -> Path {
        Path(String::with_capacity(strokes * Self::STROKE_BYTES))
    }

    /// Adds a stroke from a point up.
    fn stroke(&mut self, x: usize, y: u32, height: u32) {
        let mut number = itoa::Buffer::new();
        self.0.push('M');
        self.0.push_str(number.format(x));
        self.0.push(' ');
        self.0.push_str(number.format(y));
        self.0.push_str("v-");
        self.0.push_str(number.format(height));
    }
}

impl Display for Sparkline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Sparkline { width, good, bad } = self;
        write!(
            f,
            r#"<svg class="spark" viewBox="0 0 {width} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true"><path class="base" d="M0 {HEIGHT}H{width}"/>"#
        )?;
        for (class, path) in [("good", good), ("bad", bad)] {
            if !path.is_empty() {
                write!(f, r#"<path class="{class}" d="{path}"/>"#)?;
            }
        }
        f.write_str("</svg>")
    }
}

#[cfg(test)]
mod tests {
    use keybell_app::usage::Step;
    use keybell_core::Timestamp;

    use super::*;

    fn drawn(counts: &[(u64, u64)]) -> String {
        let points = (0_i64..).zip(counts).map(|(number, (good, bad))| {
            (Timestamp::from_seconds(number * 86_400), Outcomes { good: *good, bad: *bad })
        });
        Sparkline::of(&Timeline::of(points, Step::Day, Outcomes::add)).to_string()
    }

    #[test]
    fn what_went_badly_stands_on_what_went_well() {
        let spark = drawn(&[(12, 12), (0, 0), (24, 0)]);
        assert!(spark.contains(r#"viewBox="0 0 12 24""#), "{spark}");
        assert!(spark.contains(r#"class="good" d="M2 24v-12M10 24v-24""#), "{spark}");
        assert!(spark.contains(r#"class="bad" d="M2 12v-12""#), "{spark}");
    }

    #[test]
    fn one_failure_among_thousands_is_seen_and_nothing_leaves_the_drawing() {
        let spark = drawn(&[(100_000, 1), (1, 100_000)]);
        assert!(spark.contains(r#"class="bad" d="M2 3v-3M6 23v-23""#), "{spark}");
        let spark = drawn(&[(u64::MAX, u64::MAX), (u64::MAX, 1), (1, 1)]);
        assert!(spark.contains(r#"class="bad" d="M2 12v-12M6 12v-3M10 23v-3""#), "{spark}");
    }

    #[test]
    fn nothing_is_a_line_at_the_bottom_and_a_thousand_points_are_short() {
        for nothing in [&[][..], &[(0, 0); 30]] {
            assert!(!drawn(nothing).contains("good"), "{}", drawn(nothing));
        }
        assert!(drawn(&[(5, 1); 1_000]).len() < 2_000);
    }
}
