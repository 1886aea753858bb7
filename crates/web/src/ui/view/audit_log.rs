//! The audit log.

use askama::Template;

use super::filter::TimeFilter;
use super::frame::Frame;
use super::parts::{Download, Icon, When};

/// The audit log of a workspace.
#[derive(Template)]
#[template(path = "audit_log.html")]
pub struct AuditLogPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the list is.
    pub list: String,
    /// The filter by action: the action, what it is called, whether chosen.
    pub actions: Vec<(String, String, bool)>,
    /// The filter by actor: their id.
    pub actor: String,
    /// The filter by target: its id.
    pub target: String,
    /// The filter by time.
    pub period: [TimeFilter; 2],
    /// Whether anything is filtered.
    pub is_filtered: bool,
    /// Whether the entries could not be read.
    pub failed: bool,
    /// Back to when the log was looked at, where the page ends before it is full.
    pub looked_to: Option<When>,
    /// The entries, newest first.
    pub entries: Vec<AuditRow>,
    /// Where the entries before these are.
    pub older: Option<String>,
    /// Whether this is not the first part of the list.
    pub is_later_page: bool,
    /// Where the newest are, with the same filter.
    pub newest: String,
    /// Where the list is as a file, where there is anything in it.
    pub download: Option<Download>,
}

/// One audit entry.
pub struct AuditRow {
    /// When.
    pub at: When,
    /// Who.
    pub who: String,
    /// A member, an API key, or an operator.
    pub kind: String,
    /// Where everything is that they did.
    pub by_actor: String,
    /// What, in words.
    pub what: String,
    /// On what kind of thing.
    pub target_kind: String,
    /// On what.
    pub target: String,
    /// Where everything is that was done to it.
    pub on_target: String,
    /// From where.
    pub address: String,
    /// In which request.
    pub request_id: String,
    /// What changed.
    pub changes: Vec<AuditChange>,
}

/// One field that changed.
pub struct AuditChange {
    /// Its name.
    pub field: String,
    /// What it was; `None` where that is not said, as of something new.
    pub before: Option<String>,
    /// What it is since.
    pub after: Option<String>,
}

impl AuditRow {
    /// The fields that changed, in a line.
    pub fn fields(&self) -> String {
        let names: Vec<&str> = self.changes.iter().map(|change| change.field.as_str()).collect();
        names.join(", ")
    }
}
