//! Finding things as assistive technology does: by role and accessible name, both computed by the browser.

use std::fmt;

use http::Method;
use thirtyfour::common::command::FormatRequestData;
use thirtyfour::{By, ElementId, RequestData, SessionId, WebDriver, WebElement};

/// What a thing is, in the words of ARIA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Something to press.
    Button,
    /// Something to follow.
    Link,
    /// A title.
    Heading,
    /// A line or an area of text, passwords included.
    TextBox,
    /// A box to tick.
    CheckBox,
    /// One of several.
    Radio,
    /// On or off, at once.
    Switch,
    /// A list to choose from.
    ComboBox,
    /// An entry of a menu.
    MenuItem,
    /// A table.
    Table,
    /// A row of a table.
    Row,
    /// Something that changed, said politely.
    Status,
    /// Something that went wrong.
    Alert,
    /// A window over the page.
    Dialog,
}

impl Role {
    /// What may have this role; the browser is asked about each.
    fn candidates(self) -> &'static str {
        match self {
            Role::Button => "button, summary, input[type=submit], input[type=button], [role=button]",
            Role::Link => "a[href], [role=link]",
            Role::Heading => "h1, h2, h3, h4, h5, h6, [role=heading]",
            Role::TextBox => {
                "input:not([type]), input[type=text], input[type=email], input[type=url], input[type=password], \
                 input[type=search], input[type=number], textarea, [role=textbox]"
            }
            Role::CheckBox => "input[type=checkbox]:not([role]), [role=checkbox]",
            Role::Radio => "input[type=radio], [role=radio]",
            Role::Switch => "[role=switch]",
            Role::ComboBox => "select, [role=combobox]",
            Role::MenuItem => "[role=menuitem]",
            Role::Table => "table",
            Role::Row => "tr",
            Role::Status => "[role=status], output",
            Role::Alert => "[role=alert]",
            Role::Dialog => "dialog, [role=dialog], [role=alertdialog]",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", format!("{self:?}").to_lowercase())
    }
}

/// Asks the browser for an element's accessible name; the protocol has it, the client has no method for it.
#[derive(Debug)]
struct ComputedLabel(ElementId);

impl FormatRequestData for ComputedLabel {
    fn format_request(&self, session: &SessionId) -> RequestData {
        RequestData::new(Method::GET, format!("session/{session}/element/{}/computedlabel", self.0))
    }
}

/// The accessible name of `element`; empty where it is gone by now.
pub async fn name_of(element: &WebElement) -> String {
    let asked = element.handle().cmd(ComputedLabel(element.element_id())).await;
    asked.and_then(thirtyfour::session::http::CmdResponse::value).unwrap_or_default()
}

/// Everything of `role` on the page that can be seen, with its name.
pub async fn seen(page: &WebDriver, role: Role) -> Vec<(String, WebElement)> {
    let mut seen = Vec::new();
    for element in page.find_all(By::Css(role.candidates())).await.unwrap_or_default() {
        if element.is_displayed().await.unwrap_or(false) {
            seen.push((name_of(&element).await, element));
        }
    }
    seen
}

/// What has `role` and can be seen and is called exactly `name`, or else the first whose name begins with it as whole words: a
/// label may go on, as in “Name (optional)”. Asks no more than it has to, since each question goes to the browser and back.
pub(crate) async fn named(page: &WebDriver, role: Role, name: &str) -> Option<WebElement> {
    let begins =
        |each: &str| each.strip_prefix(name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
    let mut first = None;
    for element in page.find_all(By::Css(role.candidates())).await.unwrap_or_default() {
        let label = name_of(&element).await;
        let fits = label == name || first.is_none() && begins(&label);
        if fits && element.is_displayed().await.unwrap_or(false) {
            if label == name {
                return Some(element);
            }
            first = Some(element);
        }
    }
    first
}
