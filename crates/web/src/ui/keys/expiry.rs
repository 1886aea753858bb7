//! When a key expires, as a choice: so many days, a day of one's own, never.

use std::time::Duration;

use keybell_core::key::ApiKey;
use keybell_core::{FieldError, Timestamp};

use crate::ui::fields::Fields;

/// The choices: days, and words.
const DAYS: [(u32, &str); 5] =
    [(7, "In 7 days"), (30, "In 30 days"), (90, "In 90 days"), (180, "In 180 days"), (365, "In a year")];
/// What is chosen at first: long enough to be no trouble, short enough that a forgotten key ends.
pub(super) const DEFAULT: &str = "90";
/// The choice to leave a key's expiry as it is.
pub(super) const KEEP: &str = "keep";
/// The field of a day of one's own.
const DAY_FIELD: &str = "expires_on";
const DAY: Duration = Duration::from_hours(24);

/// What somebody chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// As it was.
    Kept,
    /// The key does not expire.
    Never,
    /// It does, then.
    At(Timestamp),
}

/// The choices of the form; `editing` is the key that is edited.
pub(super) fn choices(chosen: &str, editing: Option<&ApiKey>) -> Vec<(String, String, bool)> {
    let keep = editing.map(|key| {
        let words =
            key.expires_at.map_or_else(|| "never".to_owned(), |at| at.to_string().chars().take(10).collect());
        (KEEP.to_owned(), format!("As it is: {words}"))
    });
    let days = DAYS.iter().map(|(days, words)| (days.to_string(), (*words).to_owned()));
    let rest = [("custom", "After a day of your own"), ("never", "Never")];
    let rest = rest.into_iter().map(|(word, label)| (word.to_owned(), label.to_owned()));
    let all = keep.into_iter().chain(days).chain(rest);
    all.map(|(word, label)| (word.clone(), label, word == chosen)).collect()
}

/// What was chosen in the form.
pub(super) fn chosen(form: &Fields, now: Timestamp) -> Result<Expiry, FieldError> {
    match form.one("expires") {
        KEEP => Ok(Expiry::Kept),
        "never" => Ok(Expiry::Never),
        "custom" => end_of(form.one(DAY_FIELD)).map(Expiry::At),
        days => {
            let known = DAYS.iter().find(|(known, _)| known.to_string() == days);
            let (days, _) = known
                .ok_or_else(|| FieldError::new("expires_at", "invalid", "must be one of the choices"))?;
            Ok(Expiry::At(now + DAY * *days))
        }
    }
}

/// What a field of days can hold of what was sent, like [`number`](crate::ui::view::form::number).
pub(super) fn shown(day: &str) -> &str {
    if end_of(day).is_ok() { day } else { "" }
}

/// The end of a day that is written as `2026-11-23`, in UTC.
fn end_of(day: &str) -> Result<Timestamp, FieldError> {
    let begins = Timestamp::parse(&format!("{day}T00:00:00Z"));
    let message = "choose the last day on which the key is good";
    begins.map(|at| at + DAY).ok_or_else(|| FieldError::new(DAY_FIELD, "invalid", message))
}

/// What is wrong with an expiry, at the field in which it was written: the day of one's own has its own.
pub(super) fn told_at_its_field(error: &mut FieldError, chosen: &str) {
    if error.field == "expires_at" && chosen == "custom" {
        DAY_FIELD.clone_into(&mut error.field);
        if error.code == "in_the_past" {
            "must be today or later".clone_into(&mut error.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_is_good_to_its_end() {
        assert_eq!(end_of("2026-11-23").ok(), Timestamp::parse("2026-11-24T00:00:00Z"));
        assert_eq!(shown("2026-11-23"), "2026-11-23");
        for bad in ["", "2026-02-30", "tomorrow", "2026-11-23T00:00:00Z"] {
            assert!(end_of(bad).is_err(), "{bad}");
            assert_eq!(shown(bad), "");
        }
    }
}
