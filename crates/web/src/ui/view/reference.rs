//! The API reference: its start, and a page for each section of the OpenAPI document.

use std::fmt::{self, Display, Formatter};

use askama::Template;
use askama::filters::HtmlSafe;

use super::form::CopyField;
use super::frame::Door;
use super::parts::Icon;

/// The first page: what is true of every call, and all of them in a list.
#[derive(Template)]
#[template(path = "reference.html")]
pub struct StartPage {
    /// Its surroundings.
    pub door: Door,
    /// The sections and what is in them.
    pub contents: Contents,
    /// Where the API is.
    pub base_url: CopyField,
    /// The ways to send a credential: how, and what it is.
    pub credentials: Vec<(String, Prose)>,
    /// What is answered when something was not done: code, status, title, what to do.
    pub problems: Vec<(String, String, String, Prose)>,
    /// What stands behind addresses of the reference, so that the reader's workspace stays.
    pub query: &'static str,
}

/// The calls of one section.
#[derive(Template)]
#[template(path = "reference_section.html")]
pub struct SectionPage {
    /// Its surroundings.
    pub door: Door,
    /// The sections and what is in them.
    pub contents: Contents,
    /// What the section is about.
    pub name: String,
    /// Its calls.
    pub operations: Vec<Operation>,
    /// What several of its calls answer with.
    pub shapes: Vec<Shape>,
    /// What stands behind addresses of the reference, so that the reader's workspace stays.
    pub query: &'static str,
}

/// What there is in the reference.
#[derive(Clone)]
pub struct Contents {
    /// Whether its first page is shown.
    pub at_start: bool,
    /// The sections.
    pub sections: Vec<ContentsSection>,
}

/// A section, as the contents name it.
#[derive(Clone)]
pub struct ContentsSection {
    /// What it is about.
    pub name: String,
    /// Where it is.
    pub href: String,
    /// Whether it is shown.
    pub open: bool,
    /// Its calls: method, path, summary, the id of its element.
    pub operations: Vec<(Method, String, String, String)>,
}

/// One call.
pub struct Operation {
    /// The id of its element.
    pub id: String,
    /// How it is asked.
    pub method: Method,
    /// Where, with its parameters in braces.
    pub path: String,
    /// What it does, in a few words.
    pub summary: String,
    /// What it does.
    pub says: Prose,
    /// What stands in the path, the query and the headers.
    pub parameters: Fields,
    /// What is sent.
    pub body: Option<Fields>,
    /// The call as a line of a shell.
    pub curl: String,
    /// What is answered.
    pub answers: Vec<Reply>,
}

/// What a call answers when it went well.
pub struct Reply {
    /// The HTTP status.
    pub status: String,
    /// When.
    pub says: Prose,
    /// A shape that is described elsewhere in the page: its name, the id of its element, and whether it is a list of them.
    pub shape: Option<(String, String, bool)>,
    /// What it has, or has besides the shape.
    pub fields: Fields,
    /// An example of it, in JSON; empty where nothing is sent back.
    pub example: String,
}

/// An object that calls answer with.
pub struct Shape {
    /// Its name.
    pub name: String,
    /// The id of its element.
    pub id: String,
    /// What it is.
    pub says: Prose,
    /// What it has.
    pub fields: Fields,
}

/// Members of an object, parameters or headers.
#[derive(Template, Clone, Default)]
#[template(path = "parts/fields.html")]
pub struct Fields {
    /// In the order in which they are shown.
    pub rows: Vec<FieldRow>,
}

/// One of them.
#[derive(Clone)]
pub struct FieldRow {
    /// Its name, with the names of what it is in: `headers[].name`.
    pub name: String,
    /// Its type, whether it is required, and its limits.
    pub facts: Prose,
    /// What it means.
    pub says: Prose,
    /// An example of it; empty where it needs none.
    pub example: String,
}

/// An HTTP method, to be told from others at a glance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Method(pub String);

/// A text in which words between backticks are code.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Prose(pub String);

impl HtmlSafe for Fields {}
impl HtmlSafe for Method {}
impl HtmlSafe for Prose {}

impl Prose {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn escaped(text: &str) -> Result<impl Display + '_, fmt::Error> {
    askama::filters::escape(text, askama::filters::Html).map_err(|_| fmt::Error)
}

impl Display for Method {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = match self.0.as_str() {
            "GET" => "get",
            "DELETE" => "delete",
            _ => "change",
        };
        write!(f, r#"<span class="method {kind}">{}</span>"#, escaped(&self.0)?)
    }
}

impl Display for Prose {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_str();
        while let Some((before, (code, after))) =
            rest.split_once('`').and_then(|(before, after)| Some((before, after.split_once('`')?)))
        {
            write!(f, "{}<code>{}</code>", escaped(before)?, escaped(code)?)?;
            rest = after;
        }
        write!(f, "{}", escaped(rest)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_between_backticks_are_code_and_everything_stays_text() {
        let shown = |text: &str| Prose(text.to_owned()).to_string();
        assert_eq!(shown("`a` or `<b>`, <i>"), "<code>a</code> or <code>&#60;b&#62;</code>, &#60;i&#62;");
        assert_eq!(shown("one ` alone"), "one ` alone");
        assert_eq!(shown(""), "");
    }
}
