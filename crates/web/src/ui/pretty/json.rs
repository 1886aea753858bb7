//! JSON with line breaks and indents, every token as it was: number spelling, member order and duplicates stay.

use serde::de::IgnoredAny;

use super::{LAID_BYTES_MAX, PRETTY_BYTES_MAX, new_line};

/// `text` laid out, where it is JSON that has something to lay out; `None` for anything else.
pub(in crate::ui) fn json(text: &str) -> Option<String> {
    let nested = text.trim_start().starts_with(['{', '[']);
    if !nested || text.len() > PRETTY_BYTES_MAX || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return None;
    }
    let mut laid = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut tokens = text.chars().peekable();
    while let Some(char) = tokens.next() {
        if laid.len() > LAID_BYTES_MAX {
            return None;
        }
        if in_string {
            laid.push(char);
            in_string = escaped || char != '"';
            escaped = !escaped && char == '\\';
            continue;
        }
        match char {
            ' ' | '\t' | '\n' | '\r' => {}
            '{' | '[' => {
                laid.push(char);
                while tokens.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = tokens.next_if(|next| matches!(next, '}' | ']')) {
                    laid.push(end);
                } else {
                    depth += 1;
                    new_line(&mut laid, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut laid, depth);
                laid.push(char);
            }
            ',' => {
                laid.push(char);
                new_line(&mut laid, depth);
            }
            ':' => laid.push_str(": "),
            other => {
                in_string = other == '"';
                laid.push(other);
            }
        }
    }
    (laid != text && laid.len() <= LAID_BYTES_MAX).then_some(laid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_stays_as_it_was() {
        let text = r#"{"a":1.50,"a":1e400,"b":[],"c":[{}, "x\"],{:\\"] ,"d":{"e":null}}"#;
        insta::assert_snapshot!(json(text).expect("it is JSON"), @r#"
        {
          "a": 1.50,
          "a": 1e400,
          "b": [],
          "c": [
            {},
            "x\"],{:\\"
          ],
          "d": {
            "e": null
          }
        }
        "#);
        let packed = |text: &str| text.chars().filter(|char| !char.is_whitespace()).collect::<String>();
        assert_eq!(packed(&json(text).expect("it is JSON")), packed(text));
    }

    #[test]
    fn anything_else_stays_as_it_is() {
        for text in ["", "1.50", "\"x\"", "{", "{} {}", "<event></event>"] {
            assert_eq!(json(text), None, "{text}");
        }
        let long = |bytes: usize| json(&format!("[\"{}\"]", "x".repeat(bytes - 4))).is_some();
        assert_eq!([long(PRETTY_BYTES_MAX), long(PRETTY_BYTES_MAX + 1)], [true, false]);
    }

    #[test]
    fn what_would_be_mostly_indents_stays_as_it_is() {
        let deep =
            |zeros: usize| json(&format!("{}{}0{}", "[".repeat(64), "0,".repeat(zeros), "]".repeat(64)));
        // Each zero takes itself, its comma, a line break and 128 blanks.
        let before = deep(0).expect("it is short").len();
        let fits = (LAID_BYTES_MAX - before) / 131;
        assert_eq!([deep(fits).is_some(), deep(fits + 1).is_some()], [true, false]);
    }
}
