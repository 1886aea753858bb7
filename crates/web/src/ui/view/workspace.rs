//! The workspace itself: the choice between several, its first page, its settings, its members, and the Developer page's
//! overview.

use askama::Template;

use super::form::{CopyField, Errors, Field};
use super::frame::Frame;
use super::parts::{Icon, When};
use crate::ui::charts::Chart;

/// Which workspace?
#[derive(Template)]
#[template(path = "workspaces.html")]
pub struct WorkspacesPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Id, name and the person's role in each.
    pub workspaces: Vec<(String, String, &'static str)>,
}

/// The first page of a workspace.
#[derive(Template)]
#[template(path = "workspace.html")]
pub struct WorkspacePage {
    /// Its surroundings.
    pub frame: Frame,
    /// Its name.
    pub name: String,
    /// The person's role.
    pub role: &'static str,
    /// Where its settings begin.
    pub settings: String,
    /// Where its Developer page is.
    pub developer: String,
}

/// Settings, General.
#[derive(Template)]
#[template(path = "general.html")]
pub struct GeneralPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The workspace's name; read only where the person may not change it.
    pub name: Field,
    /// The name as it is.
    pub name_now: String,
    /// The workspace's id.
    pub id: CopyField,
    /// Whether the person may change it.
    pub may_edit: bool,
    /// What is wrong.
    pub errors: Errors,
}

/// The overview of the Developer page.
#[derive(Template)]
#[template(path = "overview.html")]
pub struct OverviewPage {
    /// Its surroundings.
    pub frame: Frame,
    /// Where the Developer page is.
    pub developer: String,
    /// How many keys can be used, and `+` where there are more than were counted.
    pub keys_active: String,
    /// How many there are besides.
    pub keys_other: i64,
    /// How many webhooks are on.
    pub webhooks_active: String,
    /// How many are off or failing.
    pub webhooks_other: i64,
    /// How the keys were used, where there are any.
    pub keys_chart: Option<Chart>,
    /// How deliveries went, where there are webhooks.
    pub webhooks_chart: Option<Chart>,
    /// Whether the person may make keys.
    pub may_manage_keys: bool,
    /// Whether the person may make webhooks.
    pub may_manage_webhooks: bool,
    /// Whether there is nothing yet.
    pub is_new: bool,
    /// Where the API is.
    pub base_url: CopyField,
    /// The workspace's id.
    pub workspace_id: CopyField,
}

/// Settings, Members.
#[derive(Template)]
#[template(path = "members.html")]
pub struct MembersPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The members, newest first.
    pub members: Vec<MemberRow>,
    /// Whether the person sees e-mail addresses.
    pub shows_email: bool,
    /// Where the members before these are.
    pub older: Option<String>,
    /// Whether this is not the first part of the list.
    pub is_later_page: bool,
    /// Where the newest are.
    pub newest: String,
}

/// One member.
pub struct MemberRow {
    /// What they are called.
    pub name: String,
    /// Whether it is the person who looks.
    pub is_self: bool,
    /// What they sign in with, for whoever manages members.
    pub email: Option<String>,
    /// Their role.
    pub role: &'static str,
    /// What that role may do, in words.
    pub may: &'static str,
    /// Since when they are here.
    pub since: When,
}
