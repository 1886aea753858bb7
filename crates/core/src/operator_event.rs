//! The events that Keybell publishes itself, about webhooks that fail and that are disabled.
//!
//! They are ordinary events of the workspace whose webhook it is, of types that every catalogue has. Names that begin like
//! theirs are reserved: nobody else declares or publishes them. `*` does not select them (see
//! [`Pattern`](crate::selection::Pattern)), so that nobody who wants all events of a platform is surprised by ours.

use serde::Serialize;

use crate::id::{WebhookId, WorkspaceId};
use crate::time::Timestamp;

/// The group that all of them belong to.
pub const GROUP: &str = "keybell";
/// A webhook fails, and will be disabled if it goes on.
pub const WEBHOOK_FAILING: &str = "keybell.webhook.failing";
/// A webhook was disabled, not by a person.
pub const WEBHOOK_DISABLED: &str = "keybell.webhook.disabled";

/// An event type that every catalogue has.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub description: &'static str,
    /// The JSON schema (2020-12) of its data.
    pub schema: &'static str,
    /// An example of its data.
    pub example: &'static str,
}

/// All of them.
pub static ALL: [BuiltIn; 2] = [
    BuiltIn {
        name: WEBHOOK_FAILING,
        description: "Every attempt at a webhook has failed for half of the time after which it is disabled. Sent once; \
                      a success ends it.",
        schema: include_str!("operator_event/failing.schema.json"),
        example: include_str!("operator_event/failing.example.json"),
    },
    BuiltIn {
        name: WEBHOOK_DISABLED,
        description: "A webhook was disabled: its endpoint answered 410 Gone, or every attempt failed for days. Not sent \
                      where a person disabled it.",
        schema: include_str!("operator_event/disabled.schema.json"),
        example: include_str!("operator_event/disabled.example.json"),
    },
];

/// Whether a name of an event type or of a group is kept for Keybell itself: `keybell`, and all that begins with `keybell.`.
pub fn is_reserved(name: &str) -> bool {
    name.split('.').next() == Some(GROUP)
}

/// What both say of a webhook.
#[derive(Clone, Debug, Serialize)]
pub struct AboutWebhook<'a> {
    /// Whose webhook it is.
    pub workspace_id: WorkspaceId,
    /// What the platform calls that workspace.
    pub workspace_external_id: Option<&'a str>,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// What people call it.
    pub webhook_name: &'a str,
    /// Where its requests go; see [`scheme_and_host`].
    pub url: &'a str,
    /// Why it is, or will be, disabled: `gone` or `failing`.
    pub reason: &'static str,
    /// Since when every attempt failed; `None` where the first failure disabled it.
    pub failing_since: Option<Timestamp>,
    /// What went wrong at last, where there was no whole answer.
    pub last_error_code: Option<&'a str>,
    /// What it answered at last, where it did.
    pub last_response_status: Option<i64>,
    /// When it will be disabled, at the earliest, if it goes on failing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub will_be_disabled_at: Option<Timestamp>,
}

impl AboutWebhook<'_> {
    /// The data of the event, as JSON.
    pub fn data(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("ids, texts and numbers can be written")
    }
}

/// A URL as it may be told to others, scheme and host: its path and query may hold secrets.
pub fn scheme_and_host(url: &str) -> &str {
    let host = url.find("://").map_or(0, |colon| colon + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |length| host + length);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{TypeName, check_data};

    #[test]
    fn names_that_begin_like_ours_are_reserved_and_others_are_not() {
        for ours in ["keybell", "keybell.webhook.failing", "keybell.anything"] {
            assert!(is_reserved(ours), "{ours}");
        }
        for free in ["keybells", "keybell_webhook.failing", "Keybell.x", "my.keybell.x", "a"] {
            assert!(!is_reserved(free), "{free}");
        }
    }

    #[test]
    fn each_has_a_name_of_our_group_and_an_example_that_could_be_published() {
        for built_in in &ALL {
            let name = TypeName::parse(built_in.name).expect("a name");
            assert_eq!(name.default_group(), GROUP);
            assert_eq!(check_data(built_in.example.as_bytes()), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_url_is_told_without_what_may_be_secret() {
        for url in
            ["https://a.example:8443/in?token=1", "https://a.example:8443#x", "https://a.example:8443?a"]
        {
            assert_eq!(scheme_and_host(url), "https://a.example:8443");
        }
    }

    #[test]
    fn the_data_has_every_member_but_the_time_that_only_a_warning_knows() {
        let about = AboutWebhook {
            workspace_id: WorkspaceId::from_bytes([1; 16]),
            workspace_external_id: None,
            webhook_id: WebhookId::from_bytes([2; 16]),
            webhook_name: "Orders",
            url: "https://a.example",
            reason: "gone",
            failing_since: None,
            last_error_code: None,
            last_response_status: Some(410),
            will_be_disabled_at: None,
        };
        let data: serde_json::Value = serde_json::from_slice(&about.data()).expect("it is JSON");
        let members = |json: &serde_json::Value| {
            json.as_object().expect("an object").keys().cloned().collect::<Vec<_>>()
        };
        let example = |built_in: &BuiltIn| serde_json::from_str(built_in.example).expect("it is JSON");
        assert_eq!(members(&data), members(&example(&ALL[1])));
        let warning = AboutWebhook { will_be_disabled_at: Some(Timestamp::EPOCH), ..about };
        let data = serde_json::from_slice(&warning.data()).expect("it is JSON");
        assert_eq!(members(&data), members(&example(&ALL[0])));
    }
}
