//! API keys: the list, the form, the secret shown once, revoking, rotating.

use askama::Template;

use super::form::{CopyField, Errors, Field};
use super::frame::Frame;
use super::parts::{Badge, Choice, Download, Icon, Lately, When};
use crate::ui::charts::Chart;

/// Scopes of a key that the list shows at once: a key may have dozens, and its row should stay a row.
const SCOPES_AT_FIRST: usize = 4;

/// The list of API keys.
#[derive(Template)]
#[template(path = "keys.html")]
pub struct KeysPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the list is.
    pub list: String,
    /// What was searched for.
    pub search: String,
    /// The filter by status: word, label, whether chosen.
    pub statuses: Vec<(&'static str, &'static str, bool)>,
    /// The filter by environment.
    pub environments: Vec<(&'static str, &'static str, bool)>,
    /// What may come first.
    pub sorts: Vec<(&'static str, &'static str, bool)>,
    /// Whether anything is filtered.
    pub is_filtered: bool,
    /// The keys.
    pub rows: Vec<KeyRow>,
    /// What the links to a key's forms carry, so that these lead back to the list as it is.
    pub back: String,
    /// Whether the person may make keys.
    pub may_create: bool,
    /// Where the keys before these are.
    pub older: Option<String>,
    /// Whether this is not the first part of the list.
    pub is_later_page: bool,
    /// Where the first part is.
    pub newest: String,
    /// A command line that shows what a key is for.
    pub curl: String,
    /// Where the list is as a file, where there is anything in it.
    pub download: Option<Download>,
}

impl KeysPage {
    /// Whether the keys are in the usual order, in which later pages are older.
    pub fn is_newest_first(&self) -> bool {
        self.sorts.iter().all(|(word, _, chosen)| *chosen == word.is_empty())
    }

    /// In which order the keys are, in words.
    pub fn sorted(&self) -> &'static str {
        match self.sorts.iter().find(|(.., chosen)| *chosen) {
            Some(("name", ..)) => "by name",
            Some(("last_used", ..)) => "the last used first",
            Some(("expires", ..)) => "the first to expire first",
            _ => "newest first",
        }
    }
}

/// One key of the list.
pub struct KeyRow {
    /// The public identifier.
    pub id: String,
    /// Where its pages begin.
    pub href: String,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// `live` or `test`.
    pub environment: &'static str,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: When,
    /// By whom.
    pub created_by: String,
    /// When it was last used.
    pub last_used: Option<When>,
    /// From where it was last used.
    pub last_used_from: Option<String>,
    /// How it was used lately; `None` where it was not.
    pub use_lately: Option<Lately>,
    /// When it expires.
    pub expires: Option<When>,
    /// What is to be said about that, such as `Expires soon`.
    pub expiry_badge: Option<Badge>,
    /// Its state.
    pub status: Badge,
    /// What is to be said about the secret before a rotation.
    pub previous: Option<When>,
    /// Whether the person may edit it.
    pub may_edit: bool,
    /// Whether the person may revoke and rotate it.
    pub may_revoke: bool,
}

impl KeyRow {
    /// The scopes that are shown at once.
    pub fn first_scopes(&self) -> &[String] {
        &self.scopes[..self.scopes.len().min(SCOPES_AT_FIRST)]
    }

    /// The scopes after those.
    pub fn more_scopes(&self) -> &[String] {
        &self.scopes[self.first_scopes().len()..]
    }
}

/// One key.
#[derive(Template)]
#[template(path = "key.html")]
pub struct KeyPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The key.
    pub key: KeyRow,
    /// Where the list is.
    pub list: String,
    /// The time that the chart shows.
    pub periods: Vec<Choice>,
    /// How it was used.
    pub chart: Chart,
    /// How often it was refused, and why, the most frequent first.
    pub refusals: Vec<(&'static str, String)>,
    /// Whether it verifies, and is refused by whatever asks for a scope.
    pub is_without_scopes: bool,
    /// From where it may be used; empty for everywhere.
    pub networks: Vec<String>,
    /// How often it may be used: in words, and the limit's name; empty where it has no limit of its own.
    pub limits: Vec<(String, String)>,
    /// The secret before the last rotation, while it is good.
    pub old_secret: Option<OldSecret>,
}

/// The secret that a rotation replaced, in its overlap.
pub struct OldSecret {
    /// When it was last used, if ever.
    pub last_used: Option<When>,
    /// When it ends.
    pub ends: When,
}

/// The form to create or edit a key.
#[derive(Template)]
#[template(path = "key_form.html")]
pub struct KeyFormPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The key that is edited.
    pub editing: Option<EditedKey>,
    /// Where the form goes.
    pub action: String,
    /// Where Cancel leads.
    pub list: String,
    /// Where in the list that is, which the form carries.
    pub back: String,
    /// What makes a form that is sent twice do it once.
    pub token: String,
    /// Name and description.
    pub fields: [Field; 2],
    /// `live` or `test`.
    pub environment: String,
    /// The scopes to choose from, by group.
    pub groups: Vec<ScopeGroup>,
    /// The choices of an expiry: word, label, whether chosen.
    pub expiries: Vec<(String, String, bool)>,
    /// The day of a custom expiry.
    pub expires_on: String,
    /// Allowed networks, one to a line.
    pub networks: Field,
    /// Rate limits.
    pub limits: Vec<LimitRow>,
    /// Whether networks or limits are in use or wrong, so that they are shown.
    pub more_open: bool,
    /// What is wrong.
    pub errors: Errors,
}

/// What the form to edit says about its key.
pub struct EditedKey {
    /// The public identifier.
    pub id: String,
    /// The name it has now.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
}

/// Scopes that belong together.
pub struct ScopeGroup {
    /// What they have in common.
    pub title: String,
    /// Name, description, whether ticked.
    pub scopes: Vec<(String, String, bool)>,
}

/// One rate limit in the form.
pub struct LimitRow {
    /// Its number, for the names of the inputs.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// How many.
    pub limit: String,
    /// In what time: seconds, words, whether chosen.
    pub windows: Vec<(u64, String, bool)>,
    /// Whether it is wrong.
    pub is_wrong: bool,
}

/// A secret, shown this once.
#[derive(Template)]
#[template(path = "key_new.html")]
pub struct NewKeyPage {
    /// Its surroundings.
    pub frame: Frame,
    /// `Your new key` or `The new secret key`.
    pub title: &'static str,
    /// The key's name.
    pub name: String,
    /// Its public identifier.
    pub public_identifier: CopyField,
    /// Its secret key.
    pub secret_key: CopyField,
    /// Whether it verifies, and is refused by whatever asks for a scope.
    pub is_without_scopes: bool,
    /// A command line with the secret key in it.
    pub curl: String,
    /// The name of the variable in the `.env` file.
    pub variable: String,
    /// Until when the secret before it is good.
    pub previous: Option<When>,
    /// Where Done leads.
    pub list: String,
    /// Where in the list that is: names and values.
    pub back: Vec<(&'static str, String)>,
}

/// The answer to a form that was sent again: the key was made, but its secret is not shown twice.
#[derive(Template)]
#[template(path = "key_again.html")]
pub struct KeyAgainPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the list is.
    pub list: String,
}

/// Really revoke?
#[derive(Template)]
#[template(path = "key_revoke.html")]
pub struct RevokePage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    /// Where Cancel leads.
    pub list: String,
    /// Where in the list that is, which the form carries.
    pub back: String,
    /// The key's name.
    pub name: String,
    /// Its public identifier.
    pub id: String,
    /// When it was last used.
    pub last_used: Option<When>,
    /// From where it was last used.
    pub last_used_from: Option<String>,
    /// How many requests were made with it in the last 24 hours.
    pub requests: String,
    /// Whether the name has to be typed, since the key is in use.
    pub type_name: bool,
    /// What was typed for it.
    pub typed: String,
    /// What is wrong.
    pub errors: Errors,
}

/// A new secret for a key.
#[derive(Template)]
#[template(path = "key_rotate.html")]
pub struct RotatePage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    /// Where Cancel leads.
    pub list: String,
    /// Where in the list that is, which the form carries.
    pub back: String,
    /// What makes a form that is sent twice do it once.
    pub token: String,
    /// The key's name.
    pub name: String,
    /// Its public identifier.
    pub id: String,
    /// How long the old secret stays good: seconds, words, whether chosen.
    pub overlaps: Vec<(u64, &'static str, bool)>,
    /// Whether an overlap is under way, and until when.
    pub previous: Option<When>,
    /// What is wrong.
    pub errors: Errors,
}
