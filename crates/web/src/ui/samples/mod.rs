//! Every page, filled with `word` wherever a person can write something; with nothing in its lists, or with a few of each.

mod access;
mod charts;
mod deliveries;
mod events;
mod keys;
mod reference;
mod webhooks;
mod workspace;

use askama::Template;
use keybell_core::{FieldError, Timestamp};

use super::view::form::Errors;
use super::view::frame::{AssetLinks, Door, Frame, Here, Section};

const DEVELOPER: &str = "/w/ws_06dhtsbh1nxwk8n6s4c3v9r7e0/settings/advanced/developer";

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_447_916 + 60 * minutes)
}

/// What the pages are filled with.
#[derive(Clone, Copy)]
pub(crate) struct Sample<'a> {
    /// Stands wherever a person can write something; empty for texts as they are in life.
    pub(crate) word: &'a str,
    /// Whether lists have entries.
    pub(crate) full: bool,
    /// The assets.
    pub(crate) assets: AssetLinks,
}

impl Sample<'_> {
    fn say(&self, usual: &str) -> String {
        if self.word.is_empty() { usual.to_owned() } else { self.word.to_owned() }
    }

    fn door(&self) -> Door {
        Door { brand: self.say("Northwind Research"), assets: self.assets }
    }

    fn frame(&self, section: Section) -> Frame {
        let here = Here {
            id: "ws_06dhtsbh1nxwk8n6s4c3v9r7e0".to_owned(),
            name: self.say("Evergreen Partners"),
            section,
            may_audit: true,
        };
        Frame {
            brand: self.say("Northwind Research"),
            assets: self.assets,
            person: self.say("Ada Lovelace"),
            email: self.say("ada@evergreen.example"),
            workspace: Some(here),
            has_others: self.full,
            notice: None,
        }
    }

    fn some<T>(&self, make: impl FnOnce() -> Vec<T>) -> Vec<T> {
        if self.full { make() } else { Vec::new() }
    }

    fn errors(&self) -> Errors {
        if self.word.is_empty() {
            return Errors::default();
        }
        let wrong = |field: &str| FieldError {
            field: field.to_owned(),
            code: "invalid",
            message: self.word.to_owned(),
        };
        Errors::new(
            ["name", "url", "events", "headers[1].name", "expires_at", "rate_limits[0]", "scopes"]
                .map(wrong)
                .into(),
        )
    }

    /// Every page by its name.
    pub(crate) fn pages(&self) -> Vec<(&'static str, String)> {
        [
            self.access_pages(),
            self.workspace_pages(),
            self.key_pages(),
            self.webhook_pages(),
            self.delivery_pages(),
            self.reference_pages(),
            self.event_pages(),
        ]
        .concat()
    }
}

fn drawn(page: &impl Template) -> String {
    page.render().expect("a template only writes text")
}
