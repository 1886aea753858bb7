//! What a webhook's fields may be: each is checked as a request names it.

use keybell_core::FieldError;
use keybell_core::header::{self, BadHeader, HEADERS_MAX};
use keybell_core::selection::{BadSelection, Pattern, Selection};
use keybell_store::ops::webhooks::{StoredHeader, StoredValue, WebhookRateLimit};

use crate::catalogue::Catalogue;

/// The most that a webhook's rate limit may allow in its window.
pub const RATE_LIMIT_MAX: u32 = 1_000_000;
/// The longest window of a webhook's rate limit, in seconds: an hour. Longer ones would hold back a day's deliveries.
pub const RATE_LIMIT_WINDOW_SECONDS_MAX: u32 = 3_600;

/// A custom header as a request has it. Its value may be a secret: so it has no `Debug`.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewHeader {
    /// Its name.
    pub name: String,
    /// Its value. Left out, a secret header keeps the value it has.
    #[serde(default)]
    pub value: Option<String>,
    /// Whether its value is write-only from now on.
    #[serde(default)]
    pub secret: bool,
}

/// Checks which events are wanted: each pattern names a type or a group of the catalogue, or is one that the webhook
/// `had` already: what the catalogue dropped stays until somebody takes it out.
pub(super) fn events(
    patterns: &[String],
    catalogue: &Catalogue,
    had: &[String],
) -> Result<(), Vec<FieldError>> {
    let selection = Selection::parse(patterns).map_err(|bad| {
        let (field, code) = match bad {
            BadSelection::Empty => ("events".to_owned(), "required"),
            BadSelection::TooMany => ("events".to_owned(), "too_many"),
            BadSelection::Pattern { index } => (format!("events[{index}]"), "invalid"),
        };
        vec![FieldError::new(field, code, bad.to_string())]
    })?;
    let mut errors = Vec::new();
    for (index, pattern) in selection.patterns().iter().enumerate() {
        let (known, what) = match pattern {
            Pattern::All => (true, ""),
            Pattern::Group(group) => (catalogue.has_group(group.as_str()), "group of event types"),
            Pattern::Type(name) => (catalogue.event_type(name.as_str()).is_some(), "event type"),
        };
        if !known && !had.contains(&patterns[index]) {
            let message = format!("is no {what} of the catalogue; GET /v1/event-types lists them");
            errors.push(FieldError::new(format!("events[{index}]"), "unknown_event_type", message));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Checks custom headers and gives them as they are to be stored. `seal` seals a secret one's value; one that comes
/// without a value keeps what the webhook `had`.
pub(super) fn headers(
    headers: &[NewHeader],
    had: &[StoredHeader],
    seal: impl Fn(&str, &str) -> StoredValue,
) -> Result<Vec<StoredHeader>, Vec<FieldError>> {
    if headers.len() > HEADERS_MAX {
        return Err(vec![FieldError::new(
            "headers",
            "too_many",
            format!("must have at most {HEADERS_MAX} entries"),
        )]);
    }
    let mut errors = Vec::new();
    let mut stored = Vec::with_capacity(headers.len());
    for (index, new) in headers.iter().enumerate() {
        let of_header = |bad: BadHeader| {
            let part = if bad.is_about_name() { "name" } else { "value" };
            FieldError::new(format!("headers[{index}].{part}"), bad.code(), bad.to_string())
        };
        if let Err(bad) = header::check(&new.name, new.value.as_deref().unwrap_or("")) {
            errors.push(of_header(bad));
            continue;
        }
        if header::first_duplicate(headers[..=index].iter().map(|header| header.name.as_str())) == Some(index)
        {
            errors.push(of_header(BadHeader::NameTwice));
        }
        let value = match &new.value {
            Some(value) if new.secret => Some(seal(&new.name, value)),
            Some(value) => Some(StoredValue::Plain(value.clone())),
            None if new.secret => kept(had, &new.name),
            None => None,
        };
        match value {
            Some(value) => stored.push(StoredHeader { name: new.name.clone(), value }),
            None => errors.push(FieldError::new(
                format!("headers[{index}].value"),
                "required",
                "is required; only a secret header that is there already keeps its value",
            )),
        }
    }
    if errors.is_empty() { Ok(stored) } else { Err(errors) }
}

/// The sealed value of the header of that name, if there is one.
fn kept(had: &[StoredHeader], name: &str) -> Option<StoredValue> {
    let found = had.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    matches!(found.value, StoredValue::Sealed(_)).then(|| found.value.clone())
}

/// Checks a rate limit.
pub(super) fn rate_limit(limit: WebhookRateLimit) -> Result<(), Vec<FieldError>> {
    let mut errors = Vec::new();
    if !(1..=RATE_LIMIT_MAX).contains(&limit.limit) {
        let message = format!("must be from 1 to {RATE_LIMIT_MAX}");
        errors.push(FieldError::new("rate_limit.limit", "out_of_range", message));
    }
    if !(1..=RATE_LIMIT_WINDOW_SECONDS_MAX).contains(&limit.window_seconds) {
        let message = format!("must be from 1 to {RATE_LIMIT_WINDOW_SECONDS_MAX}");
        errors.push(FieldError::new("rate_limit.window_seconds", "out_of_range", message));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Checks a limit of requests in flight: at most what the operator allows any webhook.
pub(super) fn max_in_flight(limit: u32, most: usize) -> Result<(), FieldError> {
    if (1..=most).contains(&(limit as usize)) {
        return Ok(());
    }
    Err(FieldError::new("max_in_flight", "out_of_range", format!("must be from 1 to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, value: Option<&str>, secret: bool) -> NewHeader {
        NewHeader { name: name.to_owned(), value: value.map(str::to_owned), secret }
    }

    fn check(
        list: &[NewHeader],
        had: &[StoredHeader],
    ) -> Result<Vec<StoredHeader>, Vec<(String, &'static str)>> {
        headers(list, had, |_, value| StoredValue::Sealed(format!("sealed {value}")))
            .map_err(|errors| errors.into_iter().map(|error| (error.field, error.code)).collect())
    }

    #[test]
    fn a_secret_header_without_value_keeps_the_one_it_has() {
        let had =
            check(&[new("Authorization", Some("a"), true), new("x", Some("b"), false)], &[]).expect("valid");
        let kept = check(&[new("authorization", None, true)], &had).expect("valid");
        assert_eq!(kept[0].value, StoredValue::Sealed("sealed a".to_owned()));
        // It is not made readable that way, and one that was readable is no secret to keep.
        let required = |at: usize| vec![(format!("headers[{at}].value"), "required")];
        assert_eq!(check(&[new("authorization", None, false)], &had), Err(required(0)));
        assert_eq!(check(&[new("x", None, true)], &had), Err(required(0)));
        assert_eq!(check(&[new("y", Some("1"), false), new("other", None, true)], &had), Err(required(1)));
    }

    #[test]
    fn there_are_at_most_32_headers_with_different_names() {
        let many =
            |count: usize| (0..count).map(|at| new(&format!("x-{at}"), Some("1"), false)).collect::<Vec<_>>();
        assert!(check(&many(HEADERS_MAX), &[]).is_ok());
        assert_eq!(check(&many(HEADERS_MAX + 1), &[]), Err(vec![("headers".to_owned(), "too_many")]));
        let twice = [new("x-a", Some("1"), false), new("X-A", Some("2"), false)];
        assert_eq!(check(&twice, &[]), Err(vec![("headers[1].name".to_owned(), "duplicate")]));
    }

    #[test]
    fn limits_hold_at_their_ends() {
        let limit = |limit, window_seconds| rate_limit(WebhookRateLimit { limit, window_seconds }).is_ok();
        assert!(limit(1, 1) && limit(RATE_LIMIT_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX));
        assert!(!limit(0, 1) && !limit(1, 0));
        assert!(!limit(RATE_LIMIT_MAX + 1, 1) && !limit(1, RATE_LIMIT_WINDOW_SECONDS_MAX + 1));
        let in_flight = |limit| max_in_flight(limit, 10).is_ok();
        assert_eq!([0, 1, 10, 11].map(in_flight), [false, true, true, false]);
    }
}
