//! What stands in the form of a webhook.

use std::str::FromStr;

use keybell_app::webhooks::{NewHeader, NewWebhook, Webhook, WebhookPatch, WebhookRateLimit};
use keybell_core::header::HEADERS_MAX;
use keybell_core::operator_event::is_reserved;
use keybell_core::payload::ContentType;
use keybell_core::{Code, FieldError};
use serde_json::Map;

use crate::ui::fields::Fields;
use crate::ui::view::form::Errors;
use crate::ui::view::webhooks::HeaderRow;

/// Empty rows for headers after those that are there: enough without scripts, and a page that is sent back has more.
const EMPTY_ROWS: usize = 4;

/// The form as somebody filled it in. It may hold secret header values, which are sent back only where the form is.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) url: String,
    pub(super) events: Vec<String>,
    pub(super) content_type: ContentType,
    pub(super) headers: Vec<HeaderWritten>,
    pub(super) enabled: bool,
    /// How many requests in how many seconds, and how many at once: as they were written, empty for none.
    pub(super) rate: [String; 2],
    pub(super) at_once: String,
    pub(super) token: String,
}

pub(super) struct HeaderWritten {
    name: String,
    value: String,
    secret: bool,
    /// Whether the webhook has a secret value for it.
    is_set: bool,
}

impl Written {
    pub(super) fn empty(token: String) -> Written {
        Written {
            name: String::new(),
            description: String::new(),
            url: String::new(),
            events: Vec::new(),
            content_type: ContentType::Json,
            headers: Vec::new(),
            enabled: true,
            rate: Default::default(),
            at_once: String::new(),
            token,
        }
    }

    pub(super) fn of(webhook: &Webhook) -> Written {
        let headers = webhook.headers.iter().map(|header| HeaderWritten {
            name: header.name.clone(),
            value: header.value.clone().filter(|_| !header.secret).unwrap_or_default(),
            secret: header.secret,
            is_set: header.secret,
        });
        Written {
            name: webhook.name.clone(),
            description: webhook.description.clone(),
            url: webhook.url.clone(),
            events: webhook.events.clone(),
            content_type: webhook.content_type,
            headers: headers.collect(),
            enabled: webhook.enabled,
            rate: webhook
                .rate_limit
                .map(|rate| [rate.limit.to_string(), rate.window_seconds.to_string()])
                .unwrap_or_default(),
            at_once: webhook.max_in_flight.map(|most| most.to_string()).unwrap_or_default(),
            token: String::new(),
        }
    }

    /// What was sent; `had` is the webhook that is edited.
    pub(super) fn read(form: &Fields, had: Option<&Webhook>) -> Result<Written, Code> {
        // Keybell's own events are not among all of the platform's, so what is ticked of them is wanted beside those.
        let all = form.one("which_events") == "all";
        let ticked = form.all("events").filter(|event| !all || is_reserved(event));
        let events: Vec<String> = all.then_some("*").into_iter().chain(ticked).map(str::to_owned).collect();
        // A group that is wanted whole has its events in it.
        let whole: Vec<String> =
            events.iter().filter_map(|event| event.strip_suffix('*').map(str::to_owned)).collect();
        let alone =
            |event: &String| event.ends_with('*') || !whole.iter().any(|group| in_group(event, group));
        let events = events.into_iter().filter(alone).collect();
        Ok(Written {
            name: form.one("name").trim().to_owned(),
            description: form.lines("description"),
            url: form.one("url").trim().to_owned(),
            events,
            content_type: ContentType::parse(form.one("content_type")).ok_or(Code::Malformed)?,
            headers: headers_of(form, had),
            enabled: form.one("enabled") == "yes",
            rate: ["rate_limit.limit", "rate_limit.window_seconds"]
                .map(|name| form.one(name).trim().to_owned()),
            at_once: form.one("max_in_flight").trim().to_owned(),
            token: form.one("token").to_owned(),
        })
    }

    /// The webhook that was asked for. What cannot be read goes to `wrong`, and nothing stands in its place, so that the rest
    /// can be checked beside it.
    pub(super) fn new_webhook(&self, wrong: &mut Vec<FieldError>) -> NewWebhook {
        NewWebhook {
            name: self.name.clone(),
            description: self.description.clone(),
            url: self.url.clone(),
            events: self.events.clone(),
            content_type: self.content_type,
            headers: self.headers.iter().map(HeaderWritten::new_header).collect(),
            enabled: self.enabled,
            rate_limit: self.rate_limit(wrong),
            max_in_flight: self.max_in_flight(wrong),
            signing_secret: None,
            metadata: Map::new(),
        }
    }

    /// The changes that were asked for, in the same way.
    pub(super) fn patch(&self, wrong: &mut Vec<FieldError>) -> WebhookPatch {
        WebhookPatch {
            name: Some(self.name.clone()),
            description: Some(self.description.clone()),
            url: Some(self.url.clone()),
            events: Some(self.events.clone()),
            content_type: Some(self.content_type),
            headers: Some(self.headers.iter().map(HeaderWritten::new_header).collect()),
            enabled: Some(self.enabled),
            rate_limit: Some(self.rate_limit(wrong)),
            max_in_flight: Some(self.max_in_flight(wrong)),
            metadata: None,
        }
    }

    /// A limit with no time beside it is one for each second.
    fn rate_limit(&self, wrong: &mut Vec<FieldError>) -> Option<WebhookRateLimit> {
        let [limit, window] = &self.rate;
        if limit.is_empty() && window.is_empty() {
            return None;
        }
        let limit = number("rate_limit.limit", limit, wrong);
        let window =
            if window.is_empty() { Some(1) } else { number("rate_limit.window_seconds", window, wrong) };
        Some(WebhookRateLimit { limit: limit?, window_seconds: window? })
    }

    fn max_in_flight(&self, wrong: &mut Vec<FieldError>) -> Option<u32> {
        if self.at_once.is_empty() { None } else { number("max_in_flight", &self.at_once, wrong) }
    }

    /// The rows of the form, with empty ones after them.
    pub(super) fn rows(&self, errors: &Errors) -> Vec<HeaderRow> {
        let row = |(index, header): (usize, &HeaderWritten)| HeaderRow {
            index,
            name: header.name.clone(),
            value: header.value.clone(),
            secret: header.secret,
            is_set: header.is_set,
            wrong: errors.about(&format!("headers[{index}]")).is_some(),
        };
        let filled = self.headers.len();
        let all = (filled + EMPTY_ROWS).min(HEADERS_MAX);
        let empty = |index| HeaderRow {
            index,
            name: String::new(),
            value: String::new(),
            secret: false,
            is_set: false,
            wrong: false,
        };
        self.headers.iter().enumerate().map(row).chain((filled..all).map(empty)).collect()
    }
}

impl HeaderWritten {
    fn new_header(&self) -> NewHeader {
        let keeps = self.is_set && self.secret && self.value.is_empty();
        NewHeader {
            name: self.name.clone(),
            value: (!keeps).then(|| self.value.clone()),
            secret: self.secret,
        }
    }
}

fn number<T: FromStr>(field: &str, text: &str, wrong: &mut Vec<FieldError>) -> Option<T> {
    let number = text.parse().ok();
    if number.is_none() {
        wrong.push(FieldError::new(field, "wrong_type", "must be a whole number"));
    }
    number
}

/// Whether `event` is in the group whose pattern begins with `group`, a dot at its end.
fn in_group(event: &str, group: &str) -> bool {
    !group.is_empty() && event.starts_with(group)
}

fn headers_of(form: &Fields, had: Option<&Webhook>) -> Vec<HeaderWritten> {
    let secret: Vec<usize> = form.all("header_secret").filter_map(|index| index.parse().ok()).collect();
    let pairs = form.all("header_name").zip(form.all("header_value")).enumerate();
    let read = pairs.map(|(index, (name, value))| {
        let name = name.trim().to_owned();
        let known = had.into_iter().flat_map(|webhook| &webhook.headers);
        let is_set =
            known.filter(|header| header.secret).any(|header| header.name.eq_ignore_ascii_case(&name));
        HeaderWritten { value: value.to_owned(), secret: secret.contains(&index), is_set, name }
    });
    read.filter(|header| !header.name.is_empty() || !header.value.is_empty()).collect()
}
