//! Examples of what is sent and answered, made from the schemas; and the call as a line of a shell.

use serde_json::{Map, Value, json};

use super::document::{Document, Member};
use super::shape::kind_of;

/// An instant that examples are of.
const WHEN: &str = "2026-11-23T15:31:56.123Z";

/// How deep examples go. Ours are four deep; this ends a circle.
const DEPTH_MAX: usize = 6;

/// What a member is shown with where the document has no example of it, by its name.
fn usual(name: &str) -> Option<Value> {
    Some(match name {
        "name" => json!("Nightly import"),
        "secret_key" => json!("kb_live_7Hq2mZxK9TbW_N4vYc8RkQ1sXe6LpJ0aUwG3hDf5BtMzC4L998h"),
        "sha256" => json!("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        "workspace" => json!(super::WORKSPACE),
        "workspace_id" => json!("ws_06dhtsbh1nxwk8n6s4c3v9r7e0"),
        "webhook_id" => json!("whk_06dhtsbh1nxwk8n6s4c3v9r7e0"),
        "event_id" => json!("evt_06dhtsbh1nxwk8n6s4c3v9r7e0"),
        "event_type" | "type" => json!("research_report.published"),
        "data" => json!({"title": "Copper in 2027"}),
        "description" => json!("Copies reports into our own system"),
        "url" => json!("https://example.com/hooks"),
        "scopes" => json!(["reports:read"]),
        "outcomes" => json!({"valid": 214}),
        "response_status" | "last_response_status" => json!(200),
        "next_cursor" | "error" | "error_code" | "disabled_reason" => Value::Null,
        _ => return None,
    })
}

/// An answer of that schema, with everything in it.
pub(super) fn answer(document: Document<'_>, schema: &Value) -> Value {
    example(document, schema, "", Whole::All, 0)
}

/// A body of that schema, with what has to be in it; where nothing has, with the first thing that may.
pub(super) fn body(document: Document<'_>, schema: &Value) -> Value {
    example(document, schema, "", Whole::Needed, 0)
}

/// How much of an object an example has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    All,
    Needed,
}

fn example(document: Document<'_>, schema: &Value, name: &str, whole: Whole, depth: usize) -> Value {
    let seen = document.see(schema);
    let given = [schema, seen.schema].into_iter().find_map(|each| each.get("example"));
    if let Some(given) = given {
        return given.clone();
    }
    let is_list_of_objects = !document.members(document.see(&seen.schema["items"]).schema).is_empty();
    let members = document.members(seen.schema);
    if members.is_empty()
        && !is_list_of_objects
        && let Some(usual) = usual(name)
    {
        return usual;
    }
    let first = seen.schema["enum"].get(0).or(seen.schema.get("default"));
    if let Some(first) = first {
        return first.clone();
    }
    if depth >= DEPTH_MAX {
        return Value::Null;
    }
    match kind_of(seen.schema) {
        "object" if members.is_empty() => json!({}),
        "object" => {
            let nothing_needed = members.iter().all(|member| !member.required);
            let shown = telling(&members);
            let chosen = members.iter().enumerate().filter(|(index, member)| {
                whole == Whole::All || member.required || (nothing_needed && *index == shown)
            });
            let object: Map<String, Value> = chosen
                .map(|(_, member)| {
                    let value = example(document, member.schema, member.name, whole, depth + 1);
                    (member.name.to_owned(), value)
                })
                .collect();
            Value::Object(object)
        }
        "array" if is_list_of_objects => {
            json!([example(document, &seen.schema["items"], name, whole, depth + 1)])
        }
        "array" => json!([]),
        "string" if seen.schema["format"] == "date-time" && !(seen.nullable && whole == Whole::All) => {
            json!(WHEN)
        }
        _ if seen.nullable => Value::Null,
        "string" => json!("…"),
        "integer" => json!(seen.schema["minimum"].as_u64().unwrap_or(1).max(1)),
        "boolean" => json!(true),
        _ => Value::Null,
    }
}

/// Which member shows what a body may hold: one with an example, or else one that we know a value for. Not just any: the
/// first word of a filter's status would mean all keys that are active.
fn telling(members: &[Member<'_>]) -> usize {
    let with_example = members.iter().position(|member| member.schema.get("example").is_some());
    let known = || members.iter().position(|member| usual(member.name).is_some_and(|value| !value.is_null()));
    with_example.or_else(known).unwrap_or_default()
}

/// A call as it is typed: `path` has its parameters filled in.
pub(super) fn curl(method: &str, url: &str, body: Option<&Value>) -> String {
    let method = if method == "GET" { String::new() } else { format!(" -X {method}") };
    let mut line = format!("curl{method} '{url}' \\\n  -H \"Authorization: Bearer $SECRET_KEY\"");
    if let Some(body) = body {
        let body = serde_json::to_string_pretty(body).unwrap_or_default();
        // In single quotes, which a shell leaves alone; a quote in it ends them, and begins them again.
        let body = body.replace('\'', r"'\''");
        line = format!("{line} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_everything_and_a_body_what_it_needs() {
        let schema = json!({"type": "object", "required": ["url"], "properties": {
            "url": {"type": "string"}, "enabled": {"type": "boolean"}, "ends_at": {"type": ["string", "null"]},
        }});
        let document = Value::Null;
        let document = Document(&document);
        assert_eq!(body(document, &schema), json!({"url": "https://example.com/hooks"}));
        let whole = json!({"url": "https://example.com/hooks", "enabled": true, "ends_at": null});
        assert_eq!(answer(document, &schema), whole);
    }

    #[test]
    fn where_nothing_is_needed_a_body_shows_something() {
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}});
        let document = Value::Null;
        assert_eq!(body(Document(&document), &schema), json!({"name": "Nightly import"}));
        let filter = json!({"type": "object", "properties": {
            "status": {"type": "string", "enum": ["active"]}, "ids": {"type": "array", "example": ["a"]},
        }});
        assert_eq!(body(Document(&document), &filter), json!({"ids": ["a"]}));
    }

    #[test]
    fn a_call_is_one_line_of_a_shell() {
        let line = curl("POST", "https://example.com/a", Some(&json!({"a": "it's"})));
        assert!(
            line.starts_with("curl -X POST 'https://example.com/a' \\\n") && line.contains(r"it'\''s"),
            "{line}"
        );
        assert!(!curl("GET", "https://example.com/a", None).contains("-X"));
    }
}
