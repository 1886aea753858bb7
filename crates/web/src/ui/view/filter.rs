//! Fields of the forms that filter lists.

use askama::Template;
use askama::filters::HtmlSafe;

/// A time to filter by, in UTC.
#[derive(Template, Clone, Debug)]
#[template(path = "parts/time_filter.html")]
pub struct TimeFilter {
    /// Its parameter, and the id of its field.
    pub name: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// What stands in it.
    pub value: String,
    /// What the address had and is no time.
    pub refused: Option<String>,
}

impl HtmlSafe for TimeFilter {}
