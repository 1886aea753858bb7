//! What was promised: the webhooks as their makers know them, the events as their publishers know them, and what the
//! network saw.

use std::collections::BTreeSet;

use keybell_app::webhooks::WebhookRateLimit;
use keybell_core::{Timestamp, WebhookId};

/// What is known of a webhook from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) enabled: bool,
    pub(crate) deleted: bool,
    /// The event types it wants, or `*`.
    pub(crate) wants: Vec<String>,
    pub(crate) max_in_flight: Option<u32>,
    pub(crate) rate_limit: Option<WebhookRateLimit>,
}

impl Known {
    /// Whether an event of that type goes to it.
    pub(crate) fn takes(&self, event_type: &str) -> bool {
        self.enabled && !self.deleted && self.wants.iter().any(|want| want == "*" || want == event_type)
    }
}

/// How a receiver answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Well and soon.
    Healthy,
    /// In every way there is.
    Flaky,
    /// Not at all, until the time is over.
    Hangs,
    /// With failures.
    Fails,
    /// That it is gone.
    Gone,
}

/// A webhook.
pub(crate) struct Hook {
    /// Which workspace it belongs to.
    pub(crate) workspace: usize,
    /// Once its maker, or whoever listed it, knows.
    pub(crate) id: Option<WebhookId>,
    /// What is certain.
    pub(crate) known: Known,
    /// What it becomes, while a change is on its way.
    pub(crate) perhaps: Option<Known>,
    /// Whether it answered in this life that it is gone: then it is disabled, sooner or later.
    pub(crate) said_gone: bool,
    pub(crate) mood: Mood,
    /// How many requests the network had seen when its rate limit became what it is.
    pub(crate) limited_after: usize,
    /// Requests to it that are under way.
    pub(crate) in_flight: usize,
}

impl Hook {
    /// Whether an event of that type goes to it; `None` where that cannot be known.
    pub(crate) fn takes(&self, event_type: &str) -> Option<bool> {
        let takes = self.known.takes(event_type);
        match &self.perhaps {
            Some(perhaps) if perhaps.takes(event_type) != takes => None,
            _ if takes && self.said_gone => None,
            _ => Some(takes),
        }
    }

    /// Whether nothing may be sent to it.
    pub(crate) fn is_off(&self) -> bool {
        let off = |known: &Known| known.deleted || !known.enabled;
        off(&self.known) && self.perhaps.as_ref().is_none_or(off)
    }

    /// The most requests that may be under way to it at once, as far as it says so itself.
    pub(crate) fn max_in_flight(&self) -> usize {
        let own = |known: &Known| known.max_in_flight.map_or(usize::MAX, |own| own as usize);
        own(&self.known).max(self.perhaps.as_ref().map_or(0, own))
    }
}

/// To which webhooks an event must go, and to which it may, by what was known when it was published.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) must: BTreeSet<usize>,
    pub(crate) may: BTreeSet<usize>,
}

/// What its publisher knows of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing: no answer came.
    Unknown,
    /// It was accepted.
    Accepted,
}

/// An event. Its number stands in its data, so that the network knows it again.
pub(crate) struct Event {
    pub(crate) workspace: usize,
    pub(crate) type_name: String,
    pub(crate) data: String,
    pub(crate) supplied_id: Option<String>,
    /// Its id, once it is known.
    pub(crate) id: Option<String>,
    pub(crate) fate: Fate,
    /// Of each time that it was published.
    pub(crate) wanted: Vec<Wanted>,
    /// Whether it was part of another call as well, later.
    pub(crate) again: bool,
    /// The call that it belongs to: accepted whole, or not at all.
    pub(crate) call: usize,
    pub(crate) at: Timestamp,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// Nothing yet, or its connection was given up.
    Nothing,
    /// An answer of that status, and the time before which no further attempt is wanted.
    Status(u16, Option<u64>),
    /// A failure of that code.
    Failure(&'static str),
}

/// A request that the network saw.
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    pub(crate) life: usize,
    pub(crate) hook: usize,
    pub(crate) event: usize,
    pub(crate) came: Came,
    pub(crate) answered_at: Option<Timestamp>,
}

/// What became of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Life {
    /// Whether it ended without an orderly stop.
    pub(crate) crashed: bool,
    /// Whether it was stopped while the store was away, so that outcomes could not be recorded.
    pub(crate) away_at_stop: bool,
    /// Whether a commit happened that it was not told of: what it then did twice, is no fault.
    pub(crate) lost_commits: bool,
}
