//! A schema in words: the members of an object with their types, limits and meanings.

use serde_json::Value;

use super::document::{Document, Seen, list, text};
use crate::ui::view::reference::{FieldRow, Fields, Prose};

/// How deep objects are described inside of objects. Ours are four deep; this ends a circle.
const DEPTH_MAX: usize = 6;

/// Which way an object goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To us: what is required has to be sent.
    Sent,
    /// From us: what is required is always there.
    Answered,
}

/// The members of an object, and of the objects in it, under names such as `headers[].name`.
pub(super) fn fields(document: Document<'_>, schema: &Value, way: Way) -> Fields {
    let mut rows = Vec::new();
    describe(document, schema, way, "", 0, &mut rows);
    Fields { rows }
}

fn describe(
    document: Document<'_>,
    schema: &Value,
    way: Way,
    within: &str,
    depth: usize,
    rows: &mut Vec<FieldRow>,
) {
    if depth >= DEPTH_MAX {
        return;
    }
    for member in document.members(schema) {
        let seen = document.see(member.schema);
        let name = format!("{within}{}", member.name);
        let presence = match (way, member.required) {
            (Way::Sent, true) => "required",
            (Way::Answered, false) => "not always there",
            _ => "",
        };
        rows.push(row(document, &name, member.schema, &seen, presence));
        if kind_of(seen.schema) == "array" {
            let items = document.see(&seen.schema["items"]);
            describe(document, items.schema, way, &format!("{name}[]."), depth + 1, rows);
        } else {
            describe(document, seen.schema, way, &format!("{name}."), depth + 1, rows);
        }
    }
}

/// A parameter or a header, with where it stands: its schema, and what is said of it besides.
pub(super) fn parameter(document: Document<'_>, name: &str, place: &str, described: &Value) -> FieldRow {
    let schema = &described["schema"];
    let seen = document.see(schema);
    let required = described["required"].as_bool().unwrap_or_default();
    let mut row = row(document, name, schema, &seen, if required { "required" } else { "" });
    row.facts.0.insert_str(0, &format!("{place}, "));
    let said = text(described, "description");
    if !said.is_empty() {
        row.says = Prose(said.to_owned());
    }
    row
}

fn row(document: Document<'_>, name: &str, schema: &Value, seen: &Seen<'_>, presence: &str) -> FieldRow {
    let null = if seen.nullable { " or null" } else { "" };
    let mut facts = vec![format!("{}{null}", kind(document, seen.schema))];
    facts.extend(Some(presence.to_owned()).filter(|presence| !presence.is_empty()));
    facts.extend(limits(seen.schema));
    let example = [schema, seen.schema].into_iter().find_map(|each| each.get("example"));
    FieldRow {
        name: name.to_owned(),
        facts: Prose(facts.join(", ")),
        says: Prose(seen.says.to_owned()),
        example: example.map(plain).unwrap_or_default(),
    }
}

/// A value as it is written in JSON; a text without its quotation marks.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The type of a schema, passing over null; empty where it may be anything.
pub(super) fn kind_of(schema: &Value) -> &str {
    let mut several = list(schema, "type").iter().filter_map(Value::as_str);
    match schema["type"].as_str().or_else(|| several.find(|kind| *kind != "null")) {
        Some(kind) => kind,
        None if schema.get("allOf").is_some() => "object",
        None => "",
    }
}

/// The type in words.
fn kind(document: Document<'_>, schema: &Value) -> String {
    match kind_of(schema) {
        "" => "any JSON".to_owned(),
        "string" if schema["format"] == "date-time" => "time".to_owned(),
        "array" => format!("list of {}", kind(document, document.see(&schema["items"]).schema)),
        "object" if schema["additionalProperties"].is_object() => {
            let values = document.see(&schema["additionalProperties"]).schema;
            format!("object, each value {}", kind(document, values))
        }
        kind => kind.to_owned(),
    }
}

/// What bounds a value, each in a few words.
fn limits(schema: &Value) -> Vec<String> {
    let mut limits = Vec::new();
    limits.extend(between(schema, "minLength", "maxLength", " characters"));
    limits.extend(between(schema, "minItems", "maxItems", " entries"));
    limits.extend(between(schema, "minimum", "maximum", ""));
    let words: Vec<_> = list(schema, "enum").iter().map(|word| format!("`{}`", plain(word))).collect();
    if !words.is_empty() {
        limits.push(format!("one of {}", words.join(" ")));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        limits.push(format!("fits `{pattern}`"));
    }
    if let Some(default) = schema.get("default") {
        limits.push(format!("`{}` where it is left out", plain(default)));
    }
    limits
}

fn between(schema: &Value, least: &str, most: &str, of_what: &str) -> Option<String> {
    let number = |name| schema[name].as_u64();
    match (number(least), number(most)) {
        (Some(least), Some(most)) if least == most => Some(format!("{}{of_what}", grouped(least))),
        (Some(least), Some(most)) => Some(format!("{} to {}{of_what}", grouped(least), grouped(most))),
        (None, Some(most)) => Some(format!("at most {}{of_what}", grouped(most))),
        // That a number is not negative is said by what it counts.
        (Some(0) | None, None) => None,
        (Some(1), None) if !of_what.is_empty() => Some("not empty".to_owned()),
        (Some(least), None) => Some(format!("at least {}{of_what}", grouped(least))),
    }
}

/// A number with a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(schema: &Value) -> String {
        let document = Value::Null;
        let schema = json!({"properties": {"a": schema}});
        fields(Document(&document), &schema, Way::Sent).rows[0].facts.0.clone()
    }

    #[test]
    fn a_schema_is_said_in_words() {
        let said = [
            (json!({"type": "string", "minLength": 1, "maxLength": 1000}), "string, 1 to 1,000 characters"),
            (json!({"type": ["string", "null"], "format": "date-time"}), "time or null"),
            (
                json!({"type": "array", "items": {"type": "string"}, "maxItems": 64}),
                "list of string, at most 64 entries",
            ),
            (json!({"type": "integer", "minimum": 0}), "integer"),
            (
                json!({"type": "integer", "minimum": 1, "default": 5}),
                "integer, at least 1, `5` where it is left out",
            ),
            (json!({"type": "string", "minLength": 1}), "string, not empty"),
            (json!({"type": "string", "minLength": 64, "maxLength": 64}), "string, 64 characters"),
            (json!({"type": "string", "enum": ["live", "test"]}), "string, one of `live` `test`"),
            (json!({}), "any JSON"),
            (
                json!({"type": "object", "additionalProperties": {"type": "integer"}}),
                "object, each value integer",
            ),
        ];
        for (schema, words) in said {
            assert_eq!(facts(&schema), words);
        }
    }

    #[test]
    fn what_has_to_be_sent_is_required_and_what_may_be_missing_in_an_answer_is_told() {
        let schema =
            json!({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]});
        let document = Value::Null;
        let said = |way| {
            let rows = fields(Document(&document), &schema, way).rows;
            rows.into_iter().map(|row| row.facts.0).collect::<Vec<_>>()
        };
        assert_eq!(said(Way::Sent), ["string, required", "string"]);
        assert_eq!(said(Way::Answered), ["string", "string, not always there"]);
    }

    #[test]
    fn what_is_inside_of_a_member_is_named_with_it() {
        let schema = json!({"properties": {"headers": {"type": "array", "items": {
            "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
        }}}});
        let document = Value::Null;
        let names: Vec<_> = fields(Document(&document), &schema, Way::Sent)
            .rows
            .into_iter()
            .map(|row| (row.name, row.facts.0))
            .collect();
        let expected = [("headers", "list of object"), ("headers[].name", "string, required")];
        assert_eq!(names, expected.map(|(name, facts)| (name.to_owned(), facts.to_owned())));
    }

    #[test]
    fn objects_in_objects_come_to_an_end() {
        let document = json!({"components": {"schemas": {"A": {
            "type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}},
        }}}});
        let schema = &document["components"]["schemas"]["A"];
        assert_eq!(fields(Document(&document), schema, Way::Answered).rows.len(), DEPTH_MAX);
    }
}
