//! What stands in the form of a webhook.

use keybell_app::webhooks::{NewHeader, NewWebhook, Webhook, WebhookPatch};
use keybell_core::Code;
use keybell_core::header::HEADERS_MAX;
use keybell_core::payload::ContentType;
use serde_json::Map;

use crate::ui::fields::Fields;
use crate::ui::view::parts::Errors;
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
            token: String::new(),
        }
    }

    /// What was sent; `had` is the webhook that is edited.
    pub(super) fn read(form: &Fields, had: Option<&Webhook>) -> Result<Written, Code> {
        let all = form.one("which_events") == "all";
        let events: Vec<String> =
            if all { vec!["*".to_owned()] } else { form.all("events").map(str::to_owned).collect() };
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
            token: form.one("token").to_owned(),
        })
    }

    pub(super) fn new_webhook(&self) -> NewWebhook {
        NewWebhook {
            name: self.name.clone(),
            description: self.description.clone(),
            url: self.url.clone(),
            events: self.events.clone(),
            content_type: self.content_type,
            headers: self.headers.iter().map(HeaderWritten::new_header).collect(),
            enabled: self.enabled,
            rate_limit: None,
            max_in_flight: None,
            signing_secret: None,
            metadata: Map::new(),
        }
    }

    pub(super) fn patch(&self) -> WebhookPatch {
        WebhookPatch {
            name: Some(self.name.clone()),
            description: Some(self.description.clone()),
            url: Some(self.url.clone()),
            events: Some(self.events.clone()),
            content_type: Some(self.content_type),
            headers: Some(self.headers.iter().map(HeaderWritten::new_header).collect()),
            enabled: Some(self.enabled),
            rate_limit: None,
            max_in_flight: None,
            metadata: None,
        }
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
