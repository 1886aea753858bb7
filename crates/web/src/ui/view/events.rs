//! Events: the list, and one with its data and its deliveries.

use askama::Template;

use super::deliveries::DeliveryRow;
use super::filter::TimeFilter;
use super::form::CopyField;
use super::frame::Frame;
use super::parts::{Icon, When};

/// The events of the workspace.
#[derive(Template)]
#[template(path = "events.html")]
pub struct EventsPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the list is.
    pub list: String,
    /// Where the event catalogue is.
    pub catalogue: String,
    /// The filter by event type.
    pub event_type: String,
    /// The event types to choose from.
    pub event_types: Vec<String>,
    /// The filter by time.
    pub period: [TimeFilter; 2],
    /// Whether anything is filtered.
    pub is_filtered: bool,
    /// Whether the events could not be read.
    pub failed: bool,
    /// The events, newest first.
    pub events: Vec<EventRow>,
    /// How far back was looked, where the page is short though there is more to look at.
    pub looked_to: Option<When>,
    /// Where the events before these are.
    pub older: Option<String>,
    /// Whether this is not the first part of the list.
    pub is_later_page: bool,
    /// Where the first part is, with the same filter.
    pub newest: String,
}

/// One event of the list.
pub struct EventRow {
    /// Its id.
    pub id: String,
    /// Where its page is, for whoever may see its data.
    pub href: Option<String>,
    /// Its type.
    pub event_type: String,
    /// When it happened.
    pub occurred: When,
    /// When it was accepted.
    pub received: When,
    /// To how many webhooks it went.
    pub deliveries: u32,
    /// Where its deliveries are.
    pub all_deliveries: String,
}

/// One event.
#[derive(Template)]
#[template(path = "event.html")]
pub struct EventPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the list is.
    pub list: String,
    /// Its id.
    pub id: CopyField,
    /// Its type.
    pub event_type: String,
    /// What the catalogue says of that, and where; `None` where it is no longer there.
    pub catalogued: Option<(String, String)>,
    /// When it happened.
    pub occurred: When,
    /// When it was accepted.
    pub received: When,
    /// To how many webhooks it went.
    pub went_to: u32,
    /// Its data as it was published.
    pub data: String,
    /// Its data as it reads best, where that differs.
    pub pretty: Option<String>,
    /// Its deliveries, newest first.
    pub deliveries: Vec<DeliveryRow>,
    /// Where all of them are.
    pub all_deliveries: String,
    /// The form to resend it.
    pub resend: Option<ResendForm>,
}

impl EventPage {
    /// Whether its deliveries can be ticked: they are made again by a form of their own.
    pub fn selects(&self) -> bool {
        false
    }
}

/// To which webhook shall it be sent again?
pub struct ResendForm {
    /// Where the form goes.
    pub action: String,
    /// What makes a form that is sent twice do it once.
    pub token: String,
    /// The deliveries that can be made again: id, and webhook with what came of it.
    pub deliveries: Vec<(String, String)>,
}
