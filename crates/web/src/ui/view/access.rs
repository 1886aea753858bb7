//! Signing in, the first owner, sessions, and pages that say that something is not there.

use askama::Template;

use super::form::{Errors, Field};
use super::frame::{Door, Frame};
use super::parts::{Icon, When};

/// The form to sign in.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// Its surroundings.
    pub door: Door,
    /// The e-mail address and the password.
    pub fields: [Field; 2],
    /// Why it did not work.
    pub refused: Option<String>,
    /// Where to go after it.
    pub next: String,
}

/// The page that a one-time link opens: one button uses the link up.
#[derive(Template)]
#[template(path = "link.html")]
pub struct LinkPage {
    /// Its surroundings.
    pub door: Door,
    /// Where the button sends to.
    pub action: String,
}

/// The form for the first owner.
#[derive(Template)]
#[template(path = "set_up.html")]
pub struct SetUpPage {
    /// Its surroundings.
    pub door: Door,
    /// Where the form goes.
    pub action: String,
    /// Workspace, name, e-mail address, password.
    pub fields: [Field; 4],
    /// What is wrong.
    pub errors: Errors,
}

/// Something is not there, or may not be done, or broke; for somebody who is not signed in.
#[derive(Template)]
#[template(path = "closed.html")]
pub struct ClosedPage {
    /// Its surroundings.
    pub door: Door,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, in a few words.
    pub title: String,
    /// What to do about it.
    pub detail: String,
    /// To be told to whoever runs the installation.
    pub request_id: String,
}

/// The same for somebody who is.
#[derive(Template)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, in a few words.
    pub title: String,
    /// What to do about it.
    pub detail: String,
    /// To be told to whoever runs the installation.
    pub request_id: String,
    /// The fields that are not valid.
    pub errors: Errors,
}

/// The person's sessions.
#[derive(Template)]
#[template(path = "sessions.html")]
pub struct SessionsPage {
    /// Its surroundings.
    pub frame: Frame,
    /// The sessions, the one seen last first.
    pub sessions: Vec<SessionRow>,
}

/// One session.
pub struct SessionRow {
    /// What names it.
    pub id: String,
    /// Whether it is the one that asks.
    pub is_this_one: bool,
    /// The browser.
    pub browser: String,
    /// Its address.
    pub address: String,
    /// When the person signed in.
    pub began: When,
    /// When it was last seen.
    pub seen: When,
}
