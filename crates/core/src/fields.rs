//! What the fields may be that keys, webhooks and workspaces have in common: their limits, and the field errors that name
//! them.

use serde_json::{Map, Value};

use crate::FieldError;

/// Most characters of a name: a line of a table.
pub const NAME_CHARS_MAX: usize = 100;
/// Most characters of a description: a paragraph.
pub const DESCRIPTION_CHARS_MAX: usize = 1_000;
/// Most bytes of metadata, written as JSON without white space: every key's is in memory.
pub const METADATA_BYTES_MAX: usize = 4_096;

/// Checks a name in the field `name`: 1 to [`NAME_CHARS_MAX`] characters, not only white space, on one line.
pub fn name(text: &str) -> Result<(), FieldError> {
    name_in("name", text)
}

/// The same in another field.
pub fn name_in(field: &'static str, text: &str) -> Result<(), FieldError> {
    if text.trim().is_empty() {
        return Err(FieldError::new(field, "required", "must not be empty"));
    }
    if text.chars().count() > NAME_CHARS_MAX {
        return Err(FieldError::new(
            field,
            "too_long",
            format!("must have at most {NAME_CHARS_MAX} characters"),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(FieldError::new(field, "not_allowed", "must be one line without control characters"));
    }
    Ok(())
}

/// Checks a description: at most [`DESCRIPTION_CHARS_MAX`] characters, without control characters but tab and line ends.
pub fn description(text: &str) -> Result<(), FieldError> {
    if text.chars().count() > DESCRIPTION_CHARS_MAX {
        let message = format!("must have at most {DESCRIPTION_CHARS_MAX} characters");
        return Err(FieldError::new("description", "too_long", message));
    }
    if text.chars().any(|char| char.is_control() && !matches!(char, '\t' | '\n' | '\r')) {
        return Err(FieldError::new("description", "not_allowed", "must not have control characters"));
    }
    Ok(())
}

/// Checks metadata: at most [`METADATA_BYTES_MAX`] bytes as JSON without white space.
pub fn metadata(object: &Map<String, Value>) -> Result<(), FieldError> {
    let bytes = serde_json::to_vec(object).expect("a JSON object can be written").len();
    if bytes > METADATA_BYTES_MAX {
        let message = format!("must have at most {METADATA_BYTES_MAX} bytes as JSON");
        return Err(FieldError::new("metadata", "too_long", message));
    }
    Ok(())
}

/// Changes metadata by a JSON merge patch (RFC 7396): a null removes a member, an object is merged into, all else
/// replaces.
pub fn merge(object: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, change) in patch {
        match change {
            Value::Null => {
                object.remove(&name);
            }
            Value::Object(inner) => {
                let member = object.entry(name).or_insert(Value::Null);
                if !member.is_object() {
                    *member = Value::Object(Map::new());
                }
                merge(member.as_object_mut().expect("it was made an object"), inner);
            }
            value => {
                object.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code<T>(answer: Result<T, FieldError>) -> &'static str {
        answer.err().map_or("ok", |error| error.code)
    }

    #[test]
    fn names_and_descriptions_have_their_lengths() {
        assert_eq!(code(name("")), "required");
        assert_eq!(code(name(" \t")), "required");
        assert_eq!(name_in("workspace_name", "").expect_err("empty").field, "workspace_name");
        assert_eq!(code(name("a\nb")), "not_allowed");
        assert_eq!(code(name(&"ä".repeat(NAME_CHARS_MAX))), "ok");
        assert_eq!(code(name(&"ä".repeat(NAME_CHARS_MAX + 1))), "too_long");
        assert_eq!(code(description("two\nlines\tand a tab")), "ok");
        assert_eq!(code(description("a\0b")), "not_allowed");
        assert_eq!(code(description(&"ä".repeat(DESCRIPTION_CHARS_MAX))), "ok");
        assert_eq!(code(description(&"ä".repeat(DESCRIPTION_CHARS_MAX + 1))), "too_long");
    }

    #[test]
    fn metadata_has_a_size() {
        let of_bytes = |bytes: usize| {
            let Value::Object(object) = json!({ "k": "x".repeat(bytes - r#"{"k":""}"#.len()) }) else {
                panic!("an object is an object")
            };
            object
        };
        assert_eq!(code(metadata(&of_bytes(METADATA_BYTES_MAX))), "ok");
        assert_eq!(code(metadata(&of_bytes(METADATA_BYTES_MAX + 1))), "too_long");
    }

    #[test]
    fn metadata_is_patched_as_rfc_7396_has_it() {
        let object = |value: Value| value.as_object().cloned().expect("an object");
        for (before, patch, after) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": "b"}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = object(before);
            merge(&mut merged, object(patch));
            assert_eq!(Value::Object(merged), after);
        }
    }
}
