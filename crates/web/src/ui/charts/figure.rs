//! A chart as it stands in a page: the sentence, the drawing with its axes, and the numbers as a table.

use askama::Template;
use askama::filters::HtmlSafe;
use keybell_core::Timestamp;

use super::axis::HEIGHT;
use super::timeline::Timeline;
use crate::ui::view::parts::When;

/// The width of a bucket in the drawing's own units, and of what is drawn in it.
pub(super) const BUCKET_WIDTH: usize = 10;

/// A chart. It is printed as it is: everything in it is ours.
#[derive(Template, Clone)]
#[template(path = "parts/chart.html")]
pub struct Chart {
    /// Unique in its page.
    pub(super) id: &'static str,
    /// What is counted, such as `Attempts`.
    pub(super) title: &'static str,
    /// What the chart shows, as a sentence.
    pub(super) finding: Finding,
    /// The axis of values, from the top.
    pub(super) ticks: Vec<String>,
    /// The axis of time.
    pub(super) labels: Vec<When>,
    /// What is drawn, by class and word. None where there is nothing to be seen.
    pub(super) legend: Vec<(&'static str, &'static str)>,
    /// Every bucket, with what is in it.
    pub(super) buckets: Vec<Bucket>,
    /// Lines through the buckets: class and path.
    pub(super) lines: Vec<(&'static str, String)>,
    /// The length of a bucket as it is spoken.
    pub(super) length: String,
    /// Whether buckets are whole days of UTC.
    pub(super) in_days: bool,
}

impl HtmlSafe for Chart {}

/// A sentence, with a time in it where it speaks of one.
#[derive(Clone)]
pub(super) struct Finding {
    pub(super) said: String,
    /// A time, and how the sentence goes on.
    pub(super) worst: Option<(When, String)>,
}

/// One bucket of a drawing.
#[derive(Clone)]
pub(super) struct Bucket {
    /// Its left edge.
    x: usize,
    at: Timestamp,
    when: When,
    /// What is in it, in the order of the legend.
    pub(super) cells: Vec<String>,
    /// Its bars from the bottom: class, upper edge, height.
    pub(super) bars: Vec<(&'static str, u32, u32)>,
}

impl Finding {
    pub(super) fn plain(said: String) -> Finding {
        Finding { said, worst: None }
    }
}

impl Chart {
    /// The axes and buckets of a chart, with nothing in them yet.
    pub(super) fn empty<T>(
        id: &'static str,
        title: &'static str,
        timeline: &Timeline<T>,
        finding: Finding,
    ) -> Chart {
        let bucket = |(place, (at, _)): (usize, &(Timestamp, T))| Bucket {
            x: place * BUCKET_WIDTH,
            at: *at,
            when: timeline.when(*at),
            cells: Vec::new(),
            bars: Vec::new(),
        };
        Chart {
            id,
            title,
            finding,
            ticks: vec![String::new(), "0".to_owned()],
            labels: timeline.labels(),
            legend: Vec::new(),
            buckets: timeline.buckets.iter().enumerate().map(bucket).collect(),
            lines: Vec::new(),
            length: timeline.length(),
            in_days: timeline.is_in_days(),
        }
    }

    fn width(&self) -> usize {
        self.buckets.len().max(1) * BUCKET_WIDTH
    }

    /// The lines of the axis of values, one path for all.
    fn grid(&self) -> String {
        let parts = u32::try_from(self.ticks.len()).unwrap_or(2) - 1;
        let line = |number| format!("M0 {}H{}", HEIGHT * number / parts, self.width());
        (0..=parts).map(line).collect()
    }

    /// What is told where the pointer rests on a bucket. The script puts the reader's time in place of what is before the
    /// first colon and space.
    fn told(&self, bucket: &Bucket) -> String {
        let words = self.legend.iter().map(|(_, word)| word.to_lowercase());
        let cells: Vec<_> =
            bucket.cells.iter().zip(words).map(|(cell, word)| format!("{cell} {word}")).collect();
        format!("{} UTC: {}", bucket.when.in_utc(), cells.join(", "))
    }
}
