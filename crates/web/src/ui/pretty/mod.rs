//! Bodies and data as they read best: with line breaks and indents, and every token as it was.

mod json;
mod xml;

pub(super) use json::json;

/// Longest text that is laid out, in bytes; beyond it nobody reads it on a page.
const PRETTY_BYTES_MAX: usize = 512 * 1024;
/// Longest text once it is laid out, in bytes: 256 KiB of zeros at the deepest nesting would be 17 MB of indents.
const LAID_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A body laid out, whichever it is of JSON and XML; `None` where there is nothing to lay out.
pub(super) fn body(text: &str) -> Option<String> {
    json(text).or_else(|| xml::xml(text))
}

fn new_line(laid: &mut String, depth: usize) {
    laid.push('\n');
    laid.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_laid_out_as_what_it_is() {
        assert_eq!(body(r#"{"a":1}"#).as_deref(), Some("{\n  \"a\": 1\n}"));
        assert_eq!(body("<a><b>1</b></a>").as_deref(), Some("<a>\n  <b>1</b>\n</a>"));
        assert_eq!(body("a=1&b=2"), None);
    }
}
