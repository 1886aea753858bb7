//! What forms are made of: labelled fields, values to be copied, and what is wrong. Each escapes what it is given, and is
//! marked as HTML so that a page's template can print it as it is.

use askama::Template;
use askama::filters::HtmlSafe;
use keybell_core::FieldError;

use super::parts::Icon;

/// One labelled field of a form.
#[derive(Template, Clone)]
#[template(path = "parts/field.html")]
pub struct Field {
    name: &'static str,
    label: &'static str,
    value: String,
    kind: &'static str,
    hint: String,
    error: Option<String>,
    required: bool,
    autofocus: bool,
    most: Option<usize>,
    autocomplete: &'static str,
    mono: bool,
}

/// A value to be copied, in a field that can be selected by hand.
#[derive(Template, Clone)]
#[template(path = "parts/copy.html")]
pub struct CopyField {
    id: &'static str,
    label: &'static str,
    value: String,
}

/// What is wrong with a form, at its top, with links to the fields.
#[derive(Template, Clone, Default)]
#[template(path = "parts/errors.html")]
pub struct Errors {
    items: Vec<FieldError>,
}

impl HtmlSafe for Field {}
impl HtmlSafe for CopyField {}
impl HtmlSafe for Errors {}

impl Field {
    /// A field of one line.
    pub fn text(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        Field {
            name,
            label,
            value: value.into(),
            kind: "text",
            hint: String::new(),
            error: None,
            required: false,
            autofocus: false,
            most: None,
            autocomplete: "off",
            mono: false,
        }
    }

    /// A field of several lines.
    pub fn lines(name: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        Field { kind: "lines", ..Field::text(name, label, value) }
    }

    /// A password. Its value is never sent back.
    pub fn password(name: &'static str, label: &'static str, autocomplete: &'static str) -> Self {
        Field { kind: "password", autocomplete, ..Field::text(name, label, "") }
    }

    /// The kind of input, such as `url`, and what a browser may fill in.
    #[must_use]
    pub fn kind(self, kind: &'static str, autocomplete: &'static str) -> Self {
        Field { kind, autocomplete, ..self }
    }

    /// A sentence under the label.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Field { hint: hint.into(), ..self }
    }

    /// It must be filled in.
    #[must_use]
    pub fn required(self) -> Self {
        Field { required: true, ..self }
    }

    /// The first field of its page.
    #[must_use]
    pub fn first(self) -> Self {
        Field { autofocus: true, ..self }
    }

    /// Most characters, which the browser holds to.
    #[must_use]
    pub fn most(self, chars: usize) -> Self {
        Field { most: Some(chars), ..self }
    }

    /// Its characters stand in columns.
    #[must_use]
    pub fn mono(self) -> Self {
        Field { mono: true, ..self }
    }

    /// What is wrong with it, if `errors` has something.
    #[must_use]
    pub fn told(self, errors: &Errors) -> Self {
        let error = errors.about(self.name);
        Field { error, ..self }
    }

    fn shown(&self) -> &str {
        if self.kind == "number" { number(&self.value) } else { &self.value }
    }
}

impl CopyField {
    /// A value to be copied; `id` is unique in its page.
    pub fn new(id: &'static str, label: &'static str, value: impl Into<String>) -> Self {
        CopyField { id, label, value: value.into() }
    }
}

impl Errors {
    /// What is wrong, as a problem says it.
    pub fn new(items: Vec<FieldError>) -> Self {
        Errors { items }
    }

    /// Whether there are any.
    pub fn any(&self) -> bool {
        !self.items.is_empty()
    }

    /// What is wrong with `field`, or with something inside of it.
    pub fn about(&self, field: &str) -> Option<String> {
        let inside = |name: &str| {
            name.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
        };
        let found: Vec<_> = self
            .items
            .iter()
            .filter(|item| inside(&item.field))
            .map(|item| sentence(&item.message))
            .collect();
        (!found.is_empty()).then(|| found.join(" "))
    }
}

/// What a field of numbers can hold of what was sent: nothing of other words, which a browser lets nobody write there, and of
/// which it would say on its console that they are no number.
pub fn number(sent: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let amount = sent.strip_prefix('-').unwrap_or(sent);
    let (whole, part) = amount.split_once('.').unwrap_or((amount, "0"));
    if digits(whole) && digits(part) { sent } else { "" }
}

/// The id of the element of a field: `headers[0].name` is in `headers`, and `rate_limit.limit` is one of its own.
fn anchor(field: &str) -> &str {
    field.split('[').next().unwrap_or(field)
}

/// A message of a problem begins small, after the field's name.
fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

/// The name of a field for a person, as its label has it: `workspace_name` is `Workspace name`.
fn spoken(field: &str) -> String {
    let thing = field.split(['[', '.']).next().unwrap_or(field);
    let thing = match thing {
        "expires_at" => "expires",
        "expires_on" => "last_day",
        "overlap_seconds" => "the_old_secret_ends",
        _ => thing,
    };
    let words = thing.replace('_', " ").replace("url", "URL");
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => format!("{}{}", first.to_uppercase(), chars.as_str()),
        None => "The form".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_numbers_holds_again_what_a_browser_lets_be_written_there() {
        for held in ["5", "-5", "1.5", "-0.25", "007", "18446744073709551616"] {
            assert_eq!(number(held), held);
        }
        for other in ["", "+5", "-", ".", "1.", ".5", "--1", "1.5.2", "many", "5 ", "٥"] {
            assert_eq!(number(other), "", "{other}");
        }
    }

    fn wrong(field: &str, message: &str) -> FieldError {
        FieldError { field: field.to_owned(), code: "invalid", message: message.to_owned() }
    }

    #[test]
    fn hostile_words_stay_words() {
        let field = Field::text("name", "Name", r#""><script>alert(1)</script>"#).to_string();
        assert!(!field.contains("<script>"), "{field}");
    }

    #[test]
    fn an_error_inside_of_a_field_is_told_at_the_field() {
        let errors = Errors::new(vec![
            wrong("headers[2].name", "may not be Host"),
            wrong("url", "is required"),
            wrong("rate_limit.limit", "must be from 1"),
        ]);
        assert_eq!(errors.about("headers").as_deref(), Some("May not be Host."));
        assert_eq!(errors.about("head"), None);
        let summary = errors.to_string();
        assert!(
            summary.contains(r##"href="#headers""##) && summary.contains(r##"href="#url""##),
            "{summary}"
        );
        assert!(summary.contains(r##"<a href="#rate_limit.limit">Rate limit</a>"##), "{summary}");
    }

    #[test]
    fn a_field_of_numbers_holds_numbers_only() {
        let shown = |value: &str| Field::text("limit", "Limit", value).kind("number", "off").to_string();
        assert!(shown("100").contains(r#"value="100""#));
        for other in ["", "many", "1e9999", "+5"] {
            assert!(shown(other).contains(r#"value="""#), "{other}: {}", shown(other));
        }
    }

    #[test]
    fn a_password_is_never_sent_back() {
        let field =
            Field { value: "hunter2".to_owned(), ..Field::password("password", "Password", "new-password") };
        assert!(!field.to_string().contains("hunter2"));
    }
}
