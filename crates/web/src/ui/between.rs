//! From when to when, in the address of a list: `2026-11-23`, `2026-11-23T09:30` (both UTC), or an instant as the API has it.

use std::time::Duration;

use keybell_core::{Problem, Timestamp};

use super::fields::Fields;
use super::view::filter::TimeFilter;

/// Most characters of a time that are looked at; an instant with nanoseconds and an offset has 35.
const TIME_CHARS_MAX: usize = 40;
const DAY: Duration = Duration::from_hours(24);

/// The time in which something is looked for.
pub(super) struct Between {
    /// From this time on.
    pub(super) from: Option<Timestamp>,
    /// Before this time.
    pub(super) until: Option<Timestamp>,
    /// Its fields, to be filled in anew.
    pub(super) fields: [TimeFilter; 2],
}

impl Between {
    /// The parameters `from` and `to`. What is no time is said to be none, and bounds nothing.
    pub(super) fn read(query: &Fields) -> Between {
        let (from, begins) = bound("from", "From", query.some("from"), begin);
        let (until, ends) = bound("to", "Until", query.some("to"), end);
        Between { from, until, fields: [begins, ends] }
    }

    /// Refuses what is no time, where nothing could say so and more than was meant would be found.
    pub(super) fn refuse_what_is_no_time(&self) -> Result<(), Problem> {
        let refused = self.fields.iter().find(|field| field.refused.is_some());
        refused.map_or(Ok(()), |field| Err(Problem::field(field.name, "invalid", "is no time")))
    }
}

/// What `text` bounds, as `read` understands it, and the field that shows it.
fn bound(
    name: &'static str,
    label: &'static str,
    text: Option<String>,
    read: fn(&str) -> Option<Timestamp>,
) -> (Option<Timestamp>, TimeFilter) {
    let text: Option<String> = text.map(|text| text.chars().take(TIME_CHARS_MAX).collect());
    let at = text.as_deref().and_then(read);
    let value = at.map(for_field).unwrap_or_default();
    (at, TimeFilter { name, label, value, refused: text.filter(|_| at.is_none()) })
}

/// The instant that is meant, or the beginning of the minute or day.
fn begin(text: &str) -> Option<Timestamp> {
    let forms = [text.to_owned(), format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")];
    forms.iter().find_map(|form| Timestamp::parse(form))
}

/// The same, but for a day its end: `to=2026-11-23` means all of that day.
fn end(text: &str) -> Option<Timestamp> {
    let day = Timestamp::parse(&format!("{text}T00:00:00Z"));
    day.map_or_else(|| begin(text), |at| Some(at + DAY))
}

/// As a browser wants the value of such a field: to the minute where that is all of it.
fn for_field(at: Timestamp) -> String {
    let exact = at.to_string();
    let digits = match (at.micros() % 60_000_000, at.micros() % 1_000_000) {
        (0, _) => "2026-11-23T09:30".len(),
        (_, 0) => "2026-11-23T09:30:15".len(),
        _ => "2026-11-23T09:30:15.123".len(),
    };
    exact.chars().take(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_a_minute_and_an_instant_are_read() {
        let at = |text| Timestamp::parse(text).expect("a test's own");
        assert_eq!(begin("2026-11-23"), Some(at("2026-11-23T00:00:00Z")));
        assert_eq!(end("2026-11-23"), Some(at("2026-11-24T00:00:00Z")));
        for read in [begin, end] {
            assert_eq!(read("2026-11-23T09:30"), Some(at("2026-11-23T09:30:00Z")));
            assert_eq!(read("2026-11-23T09:30:15"), Some(at("2026-11-23T09:30:15Z")));
            assert_eq!(read("2026-11-23T09:30:15.5+01:00"), Some(at("2026-11-23T08:30:15.5Z")));
            assert_eq!([read("soon"), read("2026-02-30"), read("")], [None; 3]);
        }
    }

    #[test]
    fn a_field_is_filled_as_finely_as_its_time_is() {
        let filled = |text| for_field(Timestamp::parse(text).expect("a test's own"));
        assert_eq!(filled("2026-11-23T09:30:00Z"), "2026-11-23T09:30");
        assert_eq!(filled("2026-11-23T09:30:15Z"), "2026-11-23T09:30:15");
        assert_eq!(filled("2026-11-23T09:30:15.123Z"), "2026-11-23T09:30:15.123");
    }

    #[test]
    fn what_is_no_time_is_said_to_be_none() {
        let told = |text: String| bound("from", "From", Some(text), begin).1;
        let refused = |digits: usize| told("9".repeat(digits)).refused.map(|text| text.len());
        assert_eq!(
            [TIME_CHARS_MAX, TIME_CHARS_MAX + 1].map(refused),
            [Some(TIME_CHARS_MAX); 2],
            "the rest is cut off"
        );
        let fine = told("2026-11-23".to_owned());
        assert_eq!((fine.refused, fine.value.as_str()), (None, "2026-11-23T00:00"));
    }
}
