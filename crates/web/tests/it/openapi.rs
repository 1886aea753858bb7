//! The OpenAPI document: locked by a snapshot, complete, and read by the tests that guard all routes.

use std::path::Path;

use axum::http::Method;
use keybell_core::Code;
use keybell_testkit::app::TestApp;
use serde_json::Value;

/// One operation of the document.
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// With its parameters in braces.
    pub(crate) path: String,
    pub(crate) takes_json: bool,
}

impl Operation {
    /// The path in `workspace`, with ids that are well-formed and that nothing has.
    pub(crate) fn path_in(&self, workspace: &str) -> String {
        let id = match self.path.split('/').nth(4) {
            Some("api-keys") => "kb_live_000000000000",
            Some("webhooks") => "whk_00000000000000000000000000",
            Some("deliveries") => "dlv_00000000000000000000000000",
            _ => "nothing",
        };
        self.path.replace("{workspace}", workspace).replace("{id}", id).replace("{name}", "nothing")
    }

    /// Whether it decides about a key, and so remembers nothing.
    pub(crate) fn is_decision(&self) -> bool {
        ["/v1/api-keys/verify", "/v1/api-keys/{id}/revoke", "/v1/forward-auth"].contains(&self.path.as_str())
    }

    /// Whether it concerns one workspace.
    pub(crate) fn is_in_workspace(&self) -> bool {
        self.path.contains("{workspace}")
    }
}

/// Every operation there is.
pub(crate) async fn operations(app: &TestApp) -> Vec<Operation> {
    let document = document(app).await;
    let paths = document["paths"].as_object().expect("paths are an object");
    let operations = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().expect("methods are an object").iter().map(|(method, operation)| Operation {
            method: method.to_uppercase().parse().expect("a method"),
            path: path.clone(),
            takes_json: operation["requestBody"]["content"]["application/json"].is_object(),
        })
    });
    let operations: Vec<Operation> = operations.collect();
    assert!(operations.len() > 20, "the guards would guard nothing");
    operations
}

async fn document(app: &TestApp) -> Value {
    app.stranger().get("/openapi.json").await.done(200)
}

#[tokio::test]
async fn the_document_changes_only_on_purpose() {
    let mut document = document(&TestApp::start().await).await;
    document["info"]["version"] = "[version]".into();
    insta::assert_json_snapshot!("openapi", document);
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document(&TestApp::start().await).await;
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("nothing outside is referred to");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn every_operation_has_an_id_a_summary_and_its_path_parameters() {
    let document = document(&TestApp::start().await).await;
    let mut ids = std::collections::BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths are an object") {
        for (method, operation) in methods.as_object().expect("methods are an object") {
            let id = operation["operationId"].as_str().expect("an operation has an id");
            assert!(ids.insert(id.to_owned()), "{id} twice");
            assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{method} {path}");
            for response in operation["responses"].as_object().expect("responses are an object").values() {
                assert!(
                    response["description"].is_string() || response["$ref"].is_string(),
                    "{method} {path}"
                );
            }
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
            let documented = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(documented, path.matches('{').count(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_problem_is_documented() {
    let document = document(&TestApp::start().await).await;
    let documented = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].clone();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(documented, serde_json::json!(codes));
}

/// Only `routes!` puts a route into the document and into the router at once.
#[test]
fn no_route_of_the_api_bypasses_the_document() {
    fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("its entries can be read").path();
            if path.is_dir() { sources(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/v1"), &mut found);
    assert!(found.len() > 20);
    for path in found {
        let text = std::fs::read_to_string(&path).expect("it is text");
        for call in [".route(", ".route_service(", ".nest_service("] {
            assert!(!text.contains(call), "{} has {call}", path.display());
        }
    }
}
