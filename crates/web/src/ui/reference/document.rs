//! The OpenAPI document as the reference reads it: references are followed, and what may be null is seen through.

use serde_json::Value;

/// Most references that are followed one after the other. Ours are two deep; this ends a circle.
const REFERENCES_MAX: usize = 8;

/// Members that come before the others: by them a reader knows what they are looking at.
const FIRST: [&str; 5] = ["id", "name", "type", "status", "url"];

/// The document.
#[derive(Clone, Copy)]
pub(super) struct Document<'a>(pub(super) &'a Value);

/// A schema with its references followed.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    /// What it refers to, or itself.
    pub(super) schema: &'a Value,
    /// Whether it may be null as well.
    pub(super) nullable: bool,
    /// What is said of it, where it stands or where it is described.
    pub(super) says: &'a str,
}

/// A member of an object.
pub(super) struct Member<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its schema.
    pub(super) schema: &'a Value,
    /// Whether it has to be there.
    pub(super) required: bool,
}

/// A text of the document; empty where it has none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A list of the document; empty where it has none.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[][..], Vec::as_slice)
}

/// The name of the shape that a schema refers to.
pub(super) fn shape_name(schema: &Value) -> Option<&str> {
    text(schema, "$ref").strip_prefix("#/components/schemas/")
}

impl<'a> Document<'a> {
    /// What a reference leads to; `Null` where it leads nowhere.
    pub(super) fn referred(self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
            None => value,
        }
    }

    /// The shape of that name.
    pub(super) fn shape(self, name: &str) -> &'a Value {
        &self.0["components"]["schemas"][name]
    }

    /// A schema with its references followed.
    pub(super) fn see(self, schema: &'a Value) -> Seen<'a> {
        let mut seen = Seen { schema, nullable: false, says: text(schema, "description") };
        for _ in 0..REFERENCES_MAX {
            let choices = list(seen.schema, "oneOf");
            seen.nullable |= choices.iter().any(is_null);
            seen.schema = match choices.iter().find(|choice| !is_null(choice)) {
                Some(choice) => choice,
                None if seen.schema["$ref"].is_string() => self.referred(seen.schema),
                None => break,
            };
            if seen.says.is_empty() {
                seen.says = text(seen.schema, "description");
            }
        }
        seen.nullable |= list(seen.schema, "type").iter().any(|kind| kind == "null");
        seen
    }

    /// The members of an object, those of everything that it is made of: the first ones, the required ones, the others.
    pub(super) fn members(self, schema: &'a Value) -> Vec<Member<'a>> {
        let mut members = Vec::new();
        self.gather(schema, &mut members);
        members.sort_by_key(|member| {
            let first = FIRST.iter().position(|first| *first == member.name);
            (!member.required, first.unwrap_or(FIRST.len()))
        });
        members
    }

    fn gather(self, schema: &'a Value, members: &mut Vec<Member<'a>>) {
        for part in list(schema, "allOf") {
            self.gather(self.see(part).schema, members);
        }
        let required = list(schema, "required");
        let properties = schema["properties"].as_object().into_iter().flatten();
        members.extend(properties.map(|(name, schema)| {
            let required = required.iter().any(|each| each == name.as_str());
            Member { name, schema, required }
        }));
    }
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_be_null_is_seen_through_and_keeps_what_is_said_where_it_stands() {
        let document = json!({
            "components": {"schemas": {"Time": {"type": "string", "description": "An instant."}}},
            "maybe": {"oneOf": [{"$ref": "#/components/schemas/Time", "description": "When it ends."}, {"type": "null"}]},
            "sure": {"$ref": "#/components/schemas/Time"},
            "circle": {"$ref": "#/circle"},
        });
        let see = |name: &str| Document(&document).see(&document[name]);
        assert_eq!((see("maybe").nullable, see("maybe").says), (true, "When it ends."));
        assert_eq!((see("sure").nullable, see("sure").says), (false, "An instant."));
        assert_eq!(see("sure").schema["type"], "string");
        assert_eq!(see("circle").says, "");
    }

    #[test]
    fn members_of_all_parts_come_together_in_an_order_for_readers() {
        let schema = json!({"allOf": [
            {"properties": {"about": {}, "age": {}, "name": {}}, "required": ["about", "name"]},
            {"properties": {"id": {}}, "required": ["id"]},
        ]});
        let document = Value::Null;
        let names: Vec<_> =
            Document(&document).members(&schema).into_iter().map(|member| member.name).collect();
        assert_eq!(names, ["id", "name", "about", "age"]);
    }
}
