//! Deliveries: the list, and one with all its attempts.

use askama::Template;

use super::filter::TimeFilter;
use super::frame::Frame;
use super::parts::{Badge, Download, Icon, Tone, When};
use super::webhooks::WebhookHead;

/// The deliveries of the workspace, or of one webhook.
#[derive(Template)]
#[template(path = "deliveries.html")]
pub struct DeliveriesPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the list is.
    pub list: String,
    /// The name of the webhook they are all of, and its head where it is still there.
    pub webhook: Option<(String, Option<WebhookHead>)>,
    /// The webhook's id, kept in the filter.
    pub webhook_id: String,
    /// The event that is filtered by: its id, and where its page is, for whoever may see what it carries.
    pub event: Option<(String, Option<String>)>,
    /// The filter by status: word, label, whether chosen.
    pub statuses: Vec<(&'static str, &'static str, bool)>,
    /// The filter by answer: word, label, whether chosen.
    pub answers: Vec<(&'static str, &'static str, bool)>,
    /// The filter by time.
    pub period: [TimeFilter; 2],
    /// The filter by event type.
    pub event_type: String,
    /// The event types there are.
    pub event_types: Vec<String>,
    /// The webhooks to go to from the list of the workspace: id and name; empty for none to choose from.
    pub webhooks: Vec<(String, String)>,
    /// Whether anything is filtered.
    pub is_filtered: bool,
    /// Whether the deliveries could not be read.
    pub failed: bool,
    /// The deliveries, newest first.
    pub deliveries: Vec<DeliveryRow>,
    /// How far back was looked, where the page is short though there is more to look at.
    pub looked_to: Option<When>,
    /// Where the deliveries before these are.
    pub older: Option<String>,
    /// Whether this is not the first part of the list.
    pub is_later_page: bool,
    /// Where the first part is.
    pub newest: String,
    /// What stands in the address, to come back to after deliveries were ticked and made again: for whoever may.
    pub back: Option<String>,
    /// What makes the form of those that were ticked, sent twice, do it once.
    pub token: String,
    /// Where the first part of the list is told what changes.
    pub live: Option<String>,
    /// Where all that the filter means is made again.
    pub resend_all: Option<String>,
    /// Where the list is as a file, where there is anything in it.
    pub download: Option<Download>,
}

impl DeliveriesPage {
    /// Whether deliveries can be ticked.
    pub fn selects(&self) -> bool {
        self.back.is_some()
    }
}

/// Really make all of these again?
#[derive(Template)]
#[template(path = "deliveries_resend.html")]
pub struct ResendPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the list is.
    pub list: String,
    /// How many they are.
    pub deliveries: u64,
    /// Whether there may be more than were counted.
    pub or_more: bool,
    /// Which: what is said of them, and its value.
    pub about: Vec<(&'static str, String)>,
    /// Where the form goes.
    pub action: String,
    /// Where Cancel leads.
    pub back: String,
    /// What makes a form that is sent twice do it once.
    pub token: String,
    /// The filter.
    pub kept: Vec<(&'static str, String)>,
}

/// One delivery of a list.
pub struct DeliveryRow {
    /// Its id.
    pub id: String,
    /// Where its page is, for whoever may see what was sent.
    pub href: Option<String>,
    /// Its event's type.
    pub event_type: String,
    /// Its webhook's name.
    pub webhook: String,
    /// Its state.
    pub status: Badge,
    /// The last answer.
    pub answer: String,
    /// How many attempts there were.
    pub attempts: u32,
    /// How long it took from when it was made to its end, in words.
    pub took: String,
    /// When it was made.
    pub at: When,
    /// When it is tried next.
    pub next: Option<When>,
    /// Whether it waits at its webhook instead.
    pub waits: bool,
    /// Whether it can be made again, by the person who looks.
    pub may_resend: bool,
}

/// One delivery.
#[derive(Template)]
#[template(path = "delivery.html")]
pub struct DeliveryPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the list is.
    pub list: String,
    /// Its id.
    pub id: String,
    /// Its event.
    pub event_id: String,
    /// Where the page of that is.
    pub event: String,
    /// Its event's type.
    pub event_type: String,
    /// Its webhook: name, where its page is.
    pub webhook: (String, String),
    /// Its state.
    pub status: Badge,
    /// When its event happened; `None` where that is no longer kept.
    pub occurred: Option<When>,
    /// When it was made.
    pub created: When,
    /// When it came to an end.
    pub completed: Option<When>,
    /// When it is tried next.
    pub next: Option<When>,
    /// Whether it waits at its webhook instead.
    pub waits: bool,
    /// The attempts, the last one first.
    pub attempts: Vec<AttemptView>,
    /// The event's other deliveries.
    pub event_deliveries: String,
    /// Where it is made again, by whoever may.
    pub resend: Option<String>,
    /// What makes that, sent twice, be done once.
    pub token: String,
}

/// One attempt.
pub struct AttemptView {
    /// Its number, from 1.
    pub number: u32,
    /// Why it was made, in words.
    pub trigger: &'static str,
    /// When.
    pub started: When,
    /// How long it took, in words.
    pub took: String,
    /// The parts of that time: word, milliseconds.
    pub timings: Vec<(&'static str, String)>,
    /// What came of it.
    pub outcome: Badge,
    /// Why no answer came.
    pub error: Option<String>,
    /// Whether it is the one to be shown at once.
    pub is_open: bool,
    /// What was sent.
    pub request: Message,
    /// Where to.
    pub url: String,
    /// What came back.
    pub response: Option<Message>,
    /// Whether more came back than is kept.
    pub truncated: bool,
    /// The request as a command for the terminal.
    pub curl: Option<String>,
}

impl AttemptView {
    /// Whether it went well.
    pub fn went_well(&self) -> bool {
        self.outcome.tone == Tone::Good
    }

    /// What came of it, as a sentence.
    pub fn said(&self) -> String {
        match &self.response {
            Some(_) => format!("The endpoint answered {} in {}.", self.outcome.word, self.took),
            None => format!("No answer came within {}.", self.took),
        }
    }
}

/// Headers and a body.
pub struct Message {
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body as it was; `None` where it is no longer kept.
    pub body: Option<String>,
    /// The body as it reads best, where that differs.
    pub pretty: Option<String>,
}
