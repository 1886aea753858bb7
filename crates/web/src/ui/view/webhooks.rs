//! Webhooks: the list, the form, a webhook's own pages, deleting.

use askama::Template;
use askama::filters::HtmlSafe;

use super::deliveries::AttemptView;
use super::form::{CopyField, Errors, Field};
use super::frame::Frame;
use super::parts::{Badge, Choice, Icon, Lately, Tone, When};
use crate::ui::charts::Chart;

/// The head of a webhook's pages: whose they are, and the way from one to the other.
#[derive(Template)]
#[template(path = "parts/webhook_head.html")]
pub struct WebhookHead {
    /// Where the list is.
    pub list: String,
    /// The webhook's name.
    pub name: String,
    /// Where its pages begin.
    pub href: String,
    /// Where its deliveries are.
    pub deliveries: String,
    /// Whether the person may change it.
    pub may_manage: bool,
    /// The part that is open; `None` on a page that is none of them.
    pub open: Option<WebhookPart>,
}

impl HtmlSafe for WebhookHead {}

/// A part of a webhook's pages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum WebhookPart {
    /// How it is doing.
    Overview,
    /// What it was sent.
    Deliveries,
    /// What can be changed of it.
    Settings,
    /// What its requests are signed with.
    SigningSecret,
    /// How the signature is checked.
    Verify,
    /// A test that is sent to it.
    Test,
}

impl WebhookPart {
    /// What it is called.
    pub const fn label(self) -> &'static str {
        match self {
            WebhookPart::Overview => "Overview",
            WebhookPart::Deliveries => "Deliveries",
            WebhookPart::Settings => "Settings",
            WebhookPart::SigningSecret => "Signing secret",
            WebhookPart::Verify => "Verify",
            WebhookPart::Test => "Send test",
        }
    }

    /// What joins that to the webhook's name.
    pub const fn joined_by(self) -> &'static str {
        match self {
            WebhookPart::Test => "to",
            _ => "of",
        }
    }
}

impl WebhookHead {
    /// The parts, and where they are. What the person may not change has no settings for them, and is sent no test by them.
    pub fn parts(&self) -> Vec<(WebhookPart, String)> {
        let below = |path: &str| format!("{}{path}", self.href);
        let mut parts = vec![
            (WebhookPart::Overview, below("")),
            (WebhookPart::Deliveries, self.deliveries.clone()),
            (WebhookPart::Settings, below("/edit")),
            (WebhookPart::SigningSecret, below("/signing-secret")),
            (WebhookPart::Verify, below("/verify")),
            (WebhookPart::Test, below("/test")),
        ];
        let is_for_managers = |part| matches!(part, WebhookPart::Settings | WebhookPart::Test);
        parts.retain(|(part, _)| self.may_manage || !is_for_managers(*part));
        parts
    }
}

/// The list of webhooks.
#[derive(Template)]
#[template(path = "webhooks.html")]
pub struct WebhooksPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the list is.
    pub list: String,
    /// The webhooks, newest first.
    pub rows: Vec<WebhookRow>,
    /// Whether the person may make webhooks.
    pub may_create: bool,
    /// Where the webhooks before these are.
    pub older: Option<String>,
    /// Whether this is not the first part of the list.
    pub is_later_page: bool,
}

/// One webhook of the list.
pub struct WebhookRow {
    /// Its id, which its row has too, for the way back from its switch.
    pub id: String,
    /// Where its pages begin.
    pub href: String,
    /// Its name.
    pub name: String,
    /// Where it sends to.
    pub url: String,
    /// What it wants.
    pub events: Vec<String>,
    /// In which content type, in a word.
    pub content_type: &'static str,
    /// Its state.
    pub status: Badge,
    /// Whether it is on.
    pub enabled: bool,
    /// How it went lately; `None` where nothing was sent.
    pub lately: Option<Lately>,
    /// When its newest delivery that came to an end did so.
    pub last_delivery: Option<When>,
    /// Whether the person may switch, edit and delete it.
    pub may_manage: bool,
    /// Where its switch leads back to: `list` or `page`.
    pub switch_from: &'static str,
    /// Where in the list that is, which the switch carries.
    pub switch_back: String,
}

impl WebhookRow {
    /// Whether attempts are known of: a delivery that is tried again has not ended, for hours perhaps.
    pub fn was_tried(&self) -> bool {
        self.lately.is_some() || self.status.tone == Tone::Bad
    }
}

/// The form to create or edit a webhook.
#[derive(Template)]
#[template(path = "webhook_form.html")]
pub struct WebhookFormPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The webhook that is edited.
    pub editing: Option<WebhookHead>,
    /// Where the form goes.
    pub action: String,
    /// Where Cancel leads.
    pub back: String,
    /// Where the list is.
    pub list: String,
    /// What makes a form that is sent twice do it once.
    pub token: String,
    /// Name, description, URL.
    pub fields: [Field; 3],
    /// Whether all events are wanted, future ones too.
    pub all_events: bool,
    /// The event types to choose from, by group.
    pub groups: Vec<EventGroup>,
    /// What is wanted and not in the catalogue any more.
    pub others: Vec<String>,
    /// Where an example is for what is ticked, and the event type of the one that is shown.
    pub example: (String, String),
    /// Where the event catalogue is.
    pub catalogue: String,
    /// The content types: word, label, an example, whether chosen.
    pub content_types: Vec<(&'static str, &'static str, String, bool)>,
    /// The headers, with empty rows after them.
    pub headers: Vec<HeaderRow>,
    /// How many requests, in what time, and at once.
    pub limits: [Field; 3],
    /// Whether those are shown at once.
    pub more_open: bool,
    /// Whether it is on.
    pub enabled: bool,
    /// What is wrong.
    pub errors: Errors,
}

/// Event types that belong together.
pub struct EventGroup {
    /// The group.
    pub name: String,
    /// Whether it is Keybell's own, which "All events" leaves out.
    pub is_own: bool,
    /// Whether all of it is wanted, future ones too.
    pub all: bool,
    /// Name, description, whether ticked.
    pub events: Vec<(String, String, bool)>,
}

/// One header in the form.
#[derive(Clone)]
pub struct HeaderRow {
    /// Its number, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its value; empty where it is secret and set.
    pub value: String,
    /// Whether it is secret.
    pub secret: bool,
    /// Whether a secret value is set, which stays unless another is written.
    pub is_set: bool,
    /// What is wrong with it.
    pub wrong: bool,
}

/// One webhook.
#[derive(Template)]
#[template(path = "webhook.html")]
pub struct WebhookPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The webhook.
    pub webhook: WebhookRow,
    /// Its head.
    pub head: WebhookHead,
    /// Its id.
    pub id: CopyField,
    /// Its description.
    pub description: String,
    /// How it is doing.
    pub health: Health,
    /// The time that the charts show.
    pub periods: Vec<Choice>,
    /// How attempts went, and how long they took.
    pub charts: [Chart; 2],
    /// Its headers: name, and the value or that it is secret.
    pub headers: Vec<(String, String)>,
    /// How fast it is called at most, in words; `None` where it has no limit of its own.
    pub rate_limit: Option<String>,
    /// When it was made, and by whom.
    pub created: When,
    /// By whom.
    pub created_by: String,
    /// Its last deliveries.
    pub deliveries: Vec<super::deliveries::DeliveryRow>,
    /// Where all of them are.
    pub all_deliveries: String,
}

impl WebhookPage {
    /// Whether its deliveries can be ticked, to be made again: that is for the list of all of them.
    pub fn selects(&self) -> bool {
        false
    }
}

/// How a webhook is doing, in words.
pub struct Health {
    /// In a word or two.
    pub badge: Badge,
    /// Since when.
    pub since: Option<When>,
    /// What that means, and what to do.
    pub said: String,
}

impl Health {
    /// How loudly it is told, where it is to be told loudly.
    pub fn alarm(&self) -> Option<&'static str> {
        match self.badge.tone {
            Tone::Warn => Some("warn"),
            Tone::Bad => Some("bad"),
            Tone::Good | Tone::Plain => None,
        }
    }
}

/// The signing secret of a webhook.
#[derive(Template)]
#[template(path = "webhook_secret.html")]
pub struct SecretPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The webhook.
    pub head: WebhookHead,
    /// The secrets with when they were made and when they end; `None` until they are asked for.
    pub secrets: Option<Vec<(CopyField, When, Option<When>)>>,
    /// Until when one before the newest signs beside it, where they are masked.
    pub previous: Option<When>,
    /// What makes the page that shows them show them once.
    pub token: String,
    /// Whether the person may see them.
    pub may_reveal: bool,
}

/// A new signing secret, and how long the old one signs beside it.
#[derive(Template)]
#[template(path = "webhook_rotate.html")]
pub struct RotateSecretPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The webhook.
    pub head: WebhookHead,
    /// Where the form goes.
    pub action: String,
    /// Where Cancel leads.
    pub back: String,
    /// What makes a form that is sent twice do it once.
    pub token: String,
    /// Until when the secret before the present one signs, where a rotation is under way.
    pub previous: Option<When>,
    /// When the old secret ends: seconds, words, whether chosen.
    pub overlaps: Vec<(u64, &'static str, bool)>,
    /// What is wrong.
    pub errors: Errors,
}

/// A test of a webhook, and what came of it.
#[derive(Template)]
#[template(path = "webhook_test.html")]
pub struct TestPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The webhook.
    pub head: WebhookHead,
    /// Where it sends to.
    pub url: String,
    /// Where the form goes.
    pub action: String,
    /// What makes a form that is sent twice, without scripts, do it once.
    pub token: String,
    /// The event types to choose from: name, whether chosen.
    pub event_types: Vec<(String, bool)>,
    /// What came of the test that was just sent.
    pub outcome: Option<AttemptView>,
    /// Why none was sent.
    pub errors: Errors,
}

/// Really delete?
#[derive(Template)]
#[template(path = "webhook_delete.html")]
pub struct DeletePage {
    /// Its surroundings.
    pub frame: Frame,
    /// The webhook.
    pub head: WebhookHead,
    /// Where it sends to.
    pub url: String,
    /// Where the form goes.
    pub action: String,
}
