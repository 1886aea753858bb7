//! A section of the document, which is the calls with one tag: each call with what it takes, answers, and looks like.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Document, list, shape_name, text};
use super::shape::{self, Way};
use super::{WORKSPACE, example};
use crate::ui::view::reference::{Fields, Method, Operation, Prose, Reply, Shape};

/// In which order a reader meets the sections; those that it does not name come after them.
const ORDER: [&str; 9] = [
    "Checking a key",
    "API keys",
    "Webhooks",
    "Events",
    "Deliveries",
    "Event types",
    "Scopes",
    "Workspaces",
    "Audit log",
];

/// What stands for a parameter of the path in a call to copy: of what, the parameter, its value.
const VALUES: [(&str, &str, &str); 6] = [
    ("api-keys", "{id}", "kb_live_7Hq2mZxK9TbW"),
    ("webhooks", "{id}", "whk_06dhtsbh1nxwk8n6s4c3v9r7e0"),
    ("deliveries", "{id}", "dlv_06dhtsbh1nxwk8n6s4c3v9r7e0"),
    ("events", "{id}", "evt_06dhtsbh1nxwk8n6s4c3v9r7e0"),
    ("event-types", "{name}", "research_report.published"),
    ("scopes", "{name}", "reports:read"),
];

/// The calls of one tag.
pub(super) struct Section<'a> {
    /// The tag.
    pub(super) name: &'a str,
    /// Method in lower case, path, and what the document says.
    pub(super) calls: Vec<(&'a str, &'a str, &'a Value)>,
}

/// Every section of the document, in the order of readers.
pub(super) fn sections(document: Document<'_>) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for (path, methods) in document.0["paths"].as_object().into_iter().flatten() {
        for (method, said) in methods.as_object().into_iter().flatten() {
            let name = said["tags"][0].as_str().unwrap_or("Other");
            let known = sections.iter_mut().find(|section| section.name == name);
            match known {
                Some(section) => section.calls.push((method, path, said)),
                None => sections.push(Section { name, calls: vec![(method, path, said)] }),
            }
        }
    }
    sections
        .sort_by_key(|section| ORDER.iter().position(|name| *name == section.name).unwrap_or(ORDER.len()));
    sections
}

impl<'a> Section<'a> {
    /// The word of the section in addresses.
    pub(super) fn slug(&self) -> String {
        self.name.to_lowercase().replace(' ', "-")
    }

    /// How the contents name its calls: method, path, summary, the id of the element.
    pub(super) fn named(&self) -> Vec<(Method, String, String, String)> {
        let named = self.calls.iter().map(|(method, path, said)| {
            let (summary, id) = (text(said, "summary"), text(said, "operationId"));
            (Method(method.to_uppercase()), (*path).to_owned(), summary.to_owned(), id.to_owned())
        });
        named.collect()
    }

    /// Its calls, and the shapes that more than one of them answers with, which are described once.
    pub(super) fn described(&self, document: Document<'a>, base_url: &str) -> (Vec<Operation>, Vec<Shape>) {
        let shared = self.shared(document);
        let call = |&(method, path, said): &(&str, &str, &'a Value)| Operation {
            id: text(said, "operationId").to_owned(),
            method: Method(method.to_uppercase()),
            path: path.to_owned(),
            summary: text(said, "summary").to_owned(),
            says: Prose(text(said, "description").to_owned()),
            parameters: parameters(document, said),
            body: schema_of(&said["requestBody"])
                .map(|schema| shape::fields(document, document.see(schema).schema, Way::Sent)),
            curl: curl(document, &method.to_uppercase(), path, said, base_url),
            answers: answers(document, said, &shared),
        };
        let shapes = shared.iter().map(|name| Shape {
            name: (*name).to_owned(),
            id: shape_id(name),
            says: Prose(text(document.shape(name), "description").to_owned()),
            fields: shape::fields(document, document.shape(name), Way::Answered),
        });
        (self.calls.iter().map(call).collect(), shapes.collect())
    }

    /// The names of the shapes that more than one call answers with.
    fn shared(&self, document: Document<'a>) -> Vec<&'a str> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, _, said) in &self.calls {
            for (_, reply) in said["responses"].as_object().into_iter().flatten() {
                if let Some((name, _)) = schema_of(reply).and_then(|schema| shape_of(document, schema)) {
                    *counts.entry(name).or_default() += 1;
                }
            }
        }
        counts.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name).collect()
    }
}

/// How a schema answers with a shape.
enum Of<'a> {
    It,
    AListOfIt,
    /// With it, and with these parts besides.
    ItAnd(&'a [Value]),
}

/// The shape that an answer is, has a list of, or adds something to.
fn shape_of<'a>(document: Document<'a>, schema: &'a Value) -> Option<(&'a str, Of<'a>)> {
    let name = shape_name(schema)?;
    if let Some(entry) = name.strip_prefix("List_") {
        return Some((entry, Of::AListOfIt));
    }
    match list(document.shape(name), "allOf").split_first() {
        Some((base, besides)) => Some((shape_name(base)?, Of::ItAnd(besides))),
        None => Some((name, Of::It)),
    }
}

/// What a call answers when it went well.
fn answers<'a>(document: Document<'a>, said: &'a Value, shared: &[&str]) -> Vec<Reply> {
    let replies = said["responses"].as_object().into_iter().flatten();
    let replies = replies.filter(|(status, _)| *status != "default");
    replies.map(|(status, reply)| answer(document, status, reply, shared)).collect()
}

fn answer<'a>(document: Document<'a>, status: &str, reply: &'a Value, shared: &[&str]) -> Reply {
    let schema = schema_of(reply);
    let known = schema.and_then(|schema| shape_of(document, schema));
    let known = known.filter(|(name, _)| shared.contains(name));
    let mut fields = match (&known, schema) {
        (Some((_, Of::It | Of::AListOfIt)), _) | (None, None) => Fields::default(),
        (Some((_, Of::ItAnd(besides))), _) => Fields {
            rows: besides.iter().flat_map(|part| shape::fields(document, part, Way::Answered).rows).collect(),
        },
        (None, Some(schema)) => shape::fields(document, document.see(schema).schema, Way::Answered),
    };
    let headers = reply["headers"].as_object().into_iter().flatten();
    fields.rows.extend(headers.map(|(name, header)| shape::parameter(document, name, "header", header)));
    let example = schema.map(|schema| example::answer(document, schema));
    Reply {
        status: status.to_owned(),
        says: Prose(text(reply, "description").to_owned()),
        shape: known.map(|(name, of)| (name.to_owned(), shape_id(name), matches!(of, Of::AListOfIt))),
        fields,
        example: example.map(|value| format!("{value:#}")).unwrap_or_default(),
    }
}

fn shape_id(name: &str) -> String {
    format!("shape-{name}")
}

/// The schema of a body or an answer, in whichever content type.
fn schema_of(described: &Value) -> Option<&Value> {
    described["content"].as_object()?.values().find_map(|content| content.get("schema"))
}

/// What stands in the path, then in the query, then in headers.
fn parameters<'a>(document: Document<'a>, said: &'a Value) -> Fields {
    let all = list(said, "parameters").iter().map(|parameter| document.referred(parameter));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|parameter| {
        ["path", "query"].iter().position(|place| *place == text(parameter, "in")).unwrap_or(2)
    });
    let row = |parameter: &&'a Value| {
        shape::parameter(document, text(parameter, "name"), text(parameter, "in"), parameter)
    };
    Fields { rows: all.iter().map(row).collect() }
}

/// The call as it is typed.
fn curl(document: Document<'_>, method: &str, path: &str, said: &Value, base_url: &str) -> String {
    let mut filled = path.replace("{workspace}", WORKSPACE);
    for (of, parameter, value) in VALUES {
        if path.contains(&format!("/{of}/{parameter}")) {
            filled = filled.replace(parameter, value);
        }
    }
    let body = schema_of(&said["requestBody"]).map(|schema| example::body(document, schema));
    example::curl(method, &format!("{base_url}{filled}"), body.as_ref())
}
