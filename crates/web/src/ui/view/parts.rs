//! The small things that pages are made of: icons, times, badges. Each escapes what it is given, and is marked as
//! HTML so that a page's template can print it as it is.

use std::fmt::{self, Display, Formatter};

use askama::Template;
use askama::filters::HtmlSafe;
use keybell_core::Timestamp;

use crate::ui::charts::Sparkline;

/// A drawing beside a word, or alone in a button that has a name.
#[derive(Clone, Copy)]
pub struct Icon(pub &'static str);

/// A time: in UTC as it stands, in the reader's zone where scripts run.
#[derive(Clone, Copy)]
pub struct When {
    at: Timestamp,
    shown: Shown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Exact,
    Near,
    Day,
    Hour,
    Clock,
    UtcDay,
}

/// A state in a word, with a mark and a colour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Badge {
    /// The word.
    pub word: String,
    /// How it is meant.
    pub tone: Tone,
}

/// How a state or a note is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// All is well.
    Good,
    /// Somebody should look.
    Warn,
    /// It failed.
    Bad,
    /// Neither.
    Plain,
}

/// A link to the same page with something else chosen.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What is chosen by it.
    pub label: &'static str,
    /// Where it leads.
    pub href: String,
    /// Whether it is what is shown.
    pub is_chosen: bool,
}

/// How something went lately, in the row of a list.
#[derive(Clone, Debug)]
pub struct Lately {
    /// The picture.
    pub spark: Sparkline,
    /// What it shows, in words.
    pub said: String,
}

/// The way to a list's file.
#[derive(Template, Clone)]
#[template(path = "parts/download.html")]
pub struct Download {
    /// Where it is.
    pub href: String,
    /// Most rows of it, as read.
    pub rows_max: String,
}

impl HtmlSafe for Icon {}
impl HtmlSafe for When {}
impl HtmlSafe for Badge {}
impl HtmlSafe for Download {}

impl Display for Icon {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            r#"<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="{}"/></svg>"#,
            drawing(self.0)
        )
    }
}

/// The lines of each drawing, on a field of 24 by 24.
fn drawing(name: &str) -> &'static str {
    match name {
        "bell" => "M4 17h16M6 17a6 6 0 0 1 12 0M12 11V8M10 8h4M3 20h18",
        "key" => "M8 19a4 4 0 1 0 0-8 4 4 0 0 0 0 8M11 12 20 3M16 7l3 3",
        "hook" => {
            "M9 8a3.5 3.5 0 1 1 5 3.2l2.6 4.6M12.5 8 9.6 13M8 13.2A3.5 3.5 0 1 0 10.4 18H16M16.5 14.6a3.5 3.5 0 1 1-1.6 6"
        }
        "edit" => "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
        "check" => "m5 12.5 4.5 4.5L19 7.5",
        "cross" => "M6 6l12 12M18 6 6 18",
        "alert" => "M12 4 2.8 20h18.4zM12 10v4.5M12 17.3v.2",
        "info" => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M12 11v5.5M12 7.6v.2",
        "down" => "m6 9 6 6 6-6",
        "save" => "M12 4v11M7 10.500l5 5 5-5M4 20h16",
        "plus" => "M12 5v14M5 12h14",
        "copy" => "M9 9h11v11H9zM15 9V4H4v11h5",
        "trash" => "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
        "person" => "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4.5 20a7.5 7.5 0 0 1 15 0",
        "list" => "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
        "send" => "M4 12 20 4l-5 16-3.5-6.5zM11.500 13.500 20 4",
        "turn" => "M20 11a8 8 0 0 0-14.3-4L4 9M4 4v5h5M4 13a8 8 0 0 0 14.3 4l1.700-2M20 20v-5h-5",
        "search" => "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14M16 16l4.500 4.500",
        _ => "M5 12h14",
    }
}

impl When {
    /// The time as it is.
    pub fn at(at: Timestamp) -> Self {
        When { at, shown: Shown::Exact }
    }

    /// The time as "3 minutes ago", where scripts run and it is near.
    pub fn near(at: Timestamp) -> Self {
        When { at, shown: Shown::Near }
    }

    /// The time as machines read it.
    pub fn exact(self) -> String {
        self.at.to_string()
    }

    /// Its day, where the hour matters to nobody; the hour is there for who asks.
    pub fn day(at: Timestamp) -> Self {
        When { at, shown: Shown::Day }
    }

    /// Its day and the time of the day, for what is near.
    pub fn hour(at: Timestamp) -> Self {
        When { at, shown: Shown::Hour }
    }

    /// The time of the day alone, where the day is plain.
    pub fn clock(at: Timestamp) -> Self {
        When { at, shown: Shown::Clock }
    }

    /// A day of UTC as such. In the reader's zone it would begin at another hour, and often on another day: it stays.
    pub fn utc_day(at: Timestamp) -> Self {
        When { at, shown: Shown::UtcDay }
    }

    /// The same in UTC and without marks, for a text that can have none.
    pub fn in_utc(self) -> String {
        let exact = self.at.to_string();
        let readable = readable(&exact);
        let (day, time) = readable.split_once(", ").unwrap_or((&readable, ""));
        let (day_and_month, clock) =
            (day.rsplit_once(' ').map_or(day, |(day, _)| day), time.get(..5).unwrap_or_default());
        match self.shown {
            Shown::Exact | Shown::Near => readable,
            Shown::Day => day.to_owned(),
            Shown::Hour => format!("{day_and_month}, {clock}"),
            Shown::Clock => clock.to_owned(),
            Shown::UtcDay => day_and_month.to_owned(),
        }
    }
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (exact, readable) = (self.at.to_string(), self.in_utc());
        match self.shown {
            Shown::Exact => write!(f, r#"<time datetime="{exact}">{readable}</time>"#),
            Shown::Near => write!(f, r#"<time datetime="{exact}" data-relative>{readable}</time>"#),
            Shown::Day => write!(f, r#"<time datetime="{exact}" data-day>{readable}</time>"#),
            Shown::Hour => write!(f, r#"<time datetime="{exact}" data-hour>{readable}</time>"#),
            Shown::Clock => write!(f, r#"<time datetime="{exact}" data-clock>{readable}</time>"#),
            Shown::UtcDay => {
                let day = exact.split('T').next().unwrap_or_default();
                write!(f, r#"<time datetime="{day}" data-utc-day>{readable}</time>"#)
            }
        }
    }
}

/// `2026-11-23T15:31:56.123Z` as `23 Nov 2026, 15:31:56 UTC`.
fn readable(exact: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = exact.get(5..7).and_then(|month| month.parse::<usize>().ok());
    let month = month.and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    match (exact.get(0..4), month, exact.get(8..10), exact.get(11..19)) {
        (Some(year), Some(month), Some(day), Some(time)) => {
            format!("{} {month} {year}, {time} UTC", day.trim_start_matches('0'))
        }
        _ => exact.to_owned(),
    }
}

impl Badge {
    /// A state.
    pub fn new(tone: Tone, word: impl Into<String>) -> Self {
        Badge { word: word.into(), tone }
    }
}

impl Tone {
    /// The class and the mark that it is drawn with.
    pub fn drawn(self) -> (&'static str, &'static str) {
        match self {
            Tone::Good => ("good", "●"),
            Tone::Warn => ("warn", "▲"),
            Tone::Bad => ("bad", "✕"),
            Tone::Plain => ("plain", "○"),
        }
    }
}

impl Display for Badge {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (class, mark) = self.tone.drawn();
        let word = askama::filters::escape(&self.word, askama::filters::Html).map_err(|_| fmt::Error)?;
        write!(
            f,
            r#"<span class="badge {class}"><span class="mark" aria-hidden="true">{mark}</span>{word}</span>"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_in_utc_and_bears_its_exact_instant() {
        let when = When::near(Timestamp::from_micros(1_795_447_916_123_000)).to_string();
        assert_eq!(
            when,
            r#"<time datetime="2026-11-23T15:31:56.123Z" data-relative>23 Nov 2026, 15:31:56 UTC</time>"#
        );
    }

    #[test]
    fn the_times_of_charts_are_short_and_a_day_of_utc_has_no_hour() {
        let at = Timestamp::from_micros(1_795_447_916_123_000);
        assert_eq!(
            [When::hour(at), When::clock(at), When::utc_day(at)].map(|when| when.to_string()),
            [
                r#"<time datetime="2026-11-23T15:31:56.123Z" data-hour>23 Nov, 15:31</time>"#,
                r#"<time datetime="2026-11-23T15:31:56.123Z" data-clock>15:31</time>"#,
                r#"<time datetime="2026-11-23" data-utc-day>23 Nov</time>"#,
            ]
        );
    }

    #[test]
    fn hostile_words_stay_words() {
        let badge = Badge::new(Tone::Bad, "<script>").to_string();
        assert!(badge.contains("&#60;script&#62;") && !badge.contains("<script>"), "{badge}");
    }
}
