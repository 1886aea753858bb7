//! The OpenAPI document against the handlers: what it says of bodies is what they take, and what it says of answers is what they
//! give.

use axum::body::Body;
use axum::http::Method;
use keybell_testkit::app::Answer;
use serde_json::{Value, json};

use crate::newsroom::TYPE;
use crate::routes::Scene;

/// The document, with a scene to ask it about.
struct Documented {
    scene: Scene,
    document: Value,
}

/// A call with every member that its body may have.
struct Call {
    method: Method,
    /// As the document has it.
    path: &'static str,
    body: Value,
}

fn calls(scene: &Scene) -> Vec<Call> {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let limits = json!([{ "name": "day", "limit": 9, "window_seconds": 86_400 }]);
    let key = json!({
        "name": "Import", "description": "d", "environment": "live", "scopes": [], "expires_at": "2027-01-01T00:00:00Z",
        "allowed_networks": ["203.0.113.0/24"], "rate_limits": limits, "metadata": { "a": 1 },
    });
    let with = |object: &Value, name: &str, value: Value| {
        let mut object = object.clone();
        object[name] = value;
        object
    };
    let without = |object: &Value, name: &str| {
        let mut object = object.clone();
        object.as_object_mut().expect("it is one").remove(name);
        object
    };
    let webhook = json!({
        "name": "Hook", "description": "d", "url": "http://127.0.0.1:9/", "events": ["*"], "content_type": "application/json",
        "headers": [{ "name": "x-a", "value": "1", "secret": true }], "enabled": true,
        "rate_limit": { "limit": 9, "window_seconds": 60 }, "max_in_flight": 2, "signing_secret": secret, "metadata": { "a": 1 },
    });
    let event = json!({ "type": TYPE, "data": {}, "id": "1", "occurred_at": "2026-11-23T12:00:00Z" });
    let deliveries = json!({
        "webhook_id": scene.ours.webhook, "event_id": "1", "event_type": TYPE, "status": "failed", "response_class": "5xx",
        "from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z",
    });
    let keys = json!({
        "ids": [scene.ours.key], "q": "a", "status": "active", "environment": "live",
        "created_before": "2026-11-23T00:00:00Z", "unused_since": "2026-11-23T00:00:00Z",
    });
    let kind = json!({ "group": "g", "description": "d", "schema": {}, "example": {} });
    let workspace = json!({ "name": "Evergreen", "external_id": "evergreen" });
    let verification = json!({
        "secret_key": "kb_live_x", "required_scopes": [], "environment": "live", "source_address": "203.0.113.7",
        "method": "GET", "rate_limit_cost": 1,
    });
    let post = |path, body| Call { method: Method::POST, path, body };
    let patch = |path, body| Call { method: Method::PATCH, path, body };
    vec![
        post("/v1/workspaces", with(&workspace, "external_id", json!("another"))),
        patch("/v1/workspaces/{workspace}", workspace),
        post("/v1/event-types", with(&kind, "name", json!("portfolio.updated"))),
        patch("/v1/event-types/{name}", kind),
        post("/v1/scopes", json!({ "name": "reports:write", "description": "d" })),
        post("/v1/workspaces/{workspace}/api-keys", key.clone()),
        patch(
            "/v1/workspaces/{workspace}/api-keys/{id}",
            with(&without(&key, "environment"), "enabled", json!(true)),
        ),
        post("/v1/workspaces/{workspace}/api-keys/{id}/rotate", json!({ "overlap_seconds": 60 })),
        post(
            "/v1/workspaces/{workspace}/api-keys/import",
            json!({ "api_keys": [with(&key, "sha256", json!("0f".repeat(32)))] }),
        ),
        post("/v1/workspaces/{workspace}/api-keys/revoke", json!({ "filter": keys, "dry_run": true })),
        post("/v1/api-keys/verify", verification),
        post("/v1/workspaces/{workspace}/webhooks", webhook.clone()),
        patch("/v1/workspaces/{workspace}/webhooks/{id}", without(&webhook, "signing_secret")),
        post("/v1/workspaces/{workspace}/webhooks/{id}/test", json!({ "event_type": TYPE })),
        post(
            "/v1/workspaces/{workspace}/webhooks/{id}/signing-secret/rotate",
            json!({ "overlap_seconds": 0, "signing_secret": secret }),
        ),
        post(
            "/v1/workspaces/{workspace}/webhooks/{id}/recover",
            json!({ "since": "2026-11-20T00:00:00Z", "until": "2026-11-21T00:00:00Z" }),
        ),
        post(
            "/v1/workspaces/{workspace}/deliveries/resend",
            json!({ "filter": deliveries, "dry_run": true }),
        ),
        post("/v1/workspaces/{workspace}/events", event.clone()),
        post(
            "/v1/events/batch",
            json!({ "events": [with(&event, "workspace", json!(scene.ours.workspace))] }),
        ),
    ]
}

/// Whether `null` fits a schema; where it says nothing of a type, everything does.
fn takes_null(schema: &Value) -> bool {
    let either =
        schema["oneOf"].as_array().is_some_and(|either| either.iter().any(|one| one["type"] == "null"));
    let listed = schema["type"].as_array().is_some_and(|types| types.contains(&json!("null")));
    let says_nothing =
        schema.get("type").is_none() && schema.get("oneOf").is_none() && schema.get("$ref").is_none();
    either || listed || says_nothing
}

impl Documented {
    async fn open() -> Documented {
        let scene = Scene::open().await;
        let document = scene.app.stranger().get("/openapi.json").await.done(200);
        Documented { scene, document }
    }

    fn operation(&self, method: &Method, path: &str) -> &Value {
        &self.document["paths"][path][method.as_str().to_lowercase()]
    }

    /// What a schema refers to, or it itself; of null and something else, the other.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.resolved(self.document.pointer(&reference[1..]).expect("it leads somewhere"));
        }
        let either = schema["oneOf"].as_array().into_iter().flatten();
        either.clone().find(|one| one["type"] != "null").map_or(schema, |one| self.resolved(one))
    }

    /// The properties of a schema, with those of its parts; and which of them are required.
    fn members(&self, schema: &Value) -> (Vec<(String, Value)>, Vec<String>) {
        let schema = self.resolved(schema);
        let parts = schema["allOf"].as_array().into_iter().flatten().map(|part| self.members(part));
        let (mut properties, mut required) = (Vec::new(), Vec::new());
        for (more, needed) in parts {
            properties.extend(more);
            required.extend(needed);
        }
        let own = schema["properties"].as_object().into_iter().flatten();
        properties.extend(own.map(|(name, schema)| (name.clone(), schema.clone())));
        let needed = schema["required"].as_array().into_iter().flatten();
        required.extend(needed.filter_map(|name| name.as_str().map(str::to_owned)));
        (properties, required)
    }

    #[track_caller]
    fn fits(&self, schema: &Value, value: &Value, what: &str) {
        let mut whole = json!({ "components": self.document["components"] });
        whole.as_object_mut().expect("it is one").extend(schema.as_object().expect("a schema").clone());
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
        let validator = options.build(&whole).expect("it is a schema");
        let faults: Vec<String> =
            validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert!(faults.is_empty(), "{what}: {faults:?} in {value}");
        self.knows(schema, value, what);
    }

    /// Fails where an answer has a member that the document does not.
    #[track_caller]
    fn knows(&self, schema: &Value, value: &Value, what: &str) {
        let resolved = self.resolved(schema);
        if let Some(items) = value.as_array() {
            for item in items {
                self.knows(&resolved["items"], item, what);
            }
        }
        let (properties, _) = self.members(schema);
        if let (Some(object), false) = (value.as_object(), properties.is_empty()) {
            for (name, value) in object {
                let known = properties.iter().find(|(known, _)| known == name);
                let (_, schema) = known.unwrap_or_else(|| panic!("{what}: {name} is not documented"));
                self.knows(schema, value, what);
            }
        }
    }

    /// Whether the answer is one that the document has for the operation.
    #[track_caller]
    fn is_documented(&self, method: &Method, path: &str, answer: &Answer) {
        let what = format!("{method} {path} {}", answer.status);
        let response = &self.operation(method, path)["responses"][answer.status.to_string()];
        assert!(response.is_object(), "{what} is not documented: {}", answer.text());
        let content = response["content"].as_object().and_then(|content| content.values().next());
        match content {
            Some(content) => self.fits(&content["schema"], &answer.json(), &what),
            None => assert!(answer.body.is_empty(), "{what}: {}", answer.text()),
        }
    }

    async fn send(&self, call: &Call, body: &Value) -> Answer {
        self.scene.app.operator().json(call.method.clone(), &self.address(call.path), body.clone()).await
    }

    fn address(&self, path: &str) -> String {
        let routes = self.scene.routes();
        let route = routes.iter().find(|route| route.path == path);
        self.scene.path(route.unwrap_or_else(|| panic!("there is no {path}")))
    }
}

#[tokio::test]
async fn every_answer_is_as_the_document_says() {
    let it = Documented::open().await;
    let operator = it.scene.app.operator();
    // A body for each operation that takes one, sent twice with a key that makes it one: the replay has no secrets.
    let calls = calls(&it.scene);
    for (number, call) in calls.iter().enumerate() {
        let schema =
            &it.operation(&call.method, call.path)["requestBody"]["content"]["application/json"]["schema"];
        it.fits(schema, &call.body, call.path);
        for _ in 0..2 {
            let client = operator.clone().with("idempotency-key", &number.to_string());
            let answer = client.json(call.method.clone(), &it.address(call.path), call.body.clone()).await;
            it.is_documented(&call.method, call.path, &answer);
        }
    }
    let paths = it.document["paths"].as_object().expect("an object");
    let all = paths.iter().flat_map(|(path, operations)| {
        operations.as_object().expect("an object").iter().map(|(method, operation)| {
            (path.clone(), method.to_uppercase().parse::<Method>().expect("a method"), operation.clone())
        })
    });
    let mut rest: Vec<_> = all.filter(|(_, _, operation)| operation.get("requestBody").is_none()).collect();
    assert_eq!(
        rest.len() + calls.len(),
        paths.values().map(|all| all.as_object().map_or(0, serde_json::Map::len)).sum::<usize>()
    );
    // What deletes comes last, and the whole workspace at the very end.
    rest.sort_by_key(|(path, method, _)| (method.as_str() == "DELETE", std::cmp::Reverse(path.len())));
    for (path, method, _) in rest {
        // These are asked with a key of their own.
        if ["/v1/forward-auth", "/v1/api-keys/{id}/revoke"].contains(&path.as_str()) {
            continue;
        }
        let answer = operator.send(method.clone(), &it.address(&path), Body::empty()).await;
        it.is_documented(&method, &path, &answer);
    }
}

#[tokio::test]
async fn a_body_may_be_left_out_where_the_document_says_so_and_nowhere_else() {
    let it = Documented::open().await;
    for call in calls(&it.scene) {
        let required = it.operation(&call.method, call.path)["requestBody"]["required"] == true;
        let client = it.scene.app.operator().with("content-type", "application/json");
        let answer = client.send(call.method.clone(), &it.address(call.path), Body::empty()).await;
        assert_eq!(answer.status == 400, required, "{}: {}", call.path, answer.text());
    }
}

#[tokio::test]
async fn members_are_required_and_may_be_null_where_the_document_says_so_and_nowhere_else() {
    let it = Documented::open().await;
    let mut asked = 0;
    for call in calls(&it.scene) {
        let schema =
            &it.operation(&call.method, call.path)["requestBody"]["content"]["application/json"]["schema"];
        for (pointer, field, fits) in changes(&it, schema, &call.body) {
            let mut body = call.body.clone();
            match pointer {
                Change::Null(pointer) => *body.pointer_mut(&pointer).expect("it is there") = Value::Null,
                Change::Gone(object, name) => {
                    let object = body.pointer_mut(&object).and_then(Value::as_object_mut);
                    object.expect("it is there").remove(&name);
                }
            }
            let answer = it.send(&call, &body).await;
            // Whether a header needs a value depends on those that are there: the description says how.
            if field == "headers[0].value" {
                continue;
            }
            let what = format!("{} {} {field}: {}", call.method, call.path, answer.text());
            let is_refused = answer.status == 422 && {
                let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
                errors
                    .iter()
                    .any(|error| error["field"].as_str().is_some_and(|named| named.starts_with(&field)))
            };
            assert_eq!(!is_refused, fits, "{what}");
            // What does not fit the moment is no fault of this member.
            assert!(answer.status < 300 || [409, 422].contains(&answer.status), "{what}");
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked}");
}

enum Change {
    /// This is null.
    Null(String),
    /// The member is not there.
    Gone(String, String),
}

/// Each member of a body, and of what is in it, once null and once gone: the change, the field, and whether it still fits.
fn changes(it: &Documented, schema: &Value, body: &Value) -> Vec<(Change, String, bool)> {
    let mut changes = Vec::new();
    let mut ahead = vec![(schema.clone(), body.clone(), String::new(), String::new())];
    while let Some((schema, value, pointer, field)) = ahead.pop() {
        if let Some(items) = value.as_array() {
            let of_items = &it.resolved(&schema)["items"];
            let item = |(index, item): (usize, &Value)| {
                (of_items.clone(), item.clone(), format!("{pointer}/{index}"), format!("{field}[{index}]"))
            };
            ahead.extend(items.iter().enumerate().map(item));
        }
        let (properties, required) = it.members(&schema);
        for (name, schema) in properties {
            let inner = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
            let at = format!("{pointer}/{name}");
            let value = value.get(&name).unwrap_or_else(|| panic!("the call leaves {inner} out")).clone();
            changes.push((Change::Null(at.clone()), inner.clone(), takes_null(&schema)));
            changes.push((
                Change::Gone(pointer.clone(), name.clone()),
                inner.clone(),
                !required.contains(&name),
            ));
            ahead.push((schema, value, at, inner));
        }
    }
    changes
}

#[tokio::test]
async fn the_document_names_the_cookie_of_this_installation() {
    use keybell_app::settings::Settings;
    use keybell_testkit::app::{On, TestApp, settings};
    for (url, name) in [("https://keybell.test/", "__Host-keybell"), ("http://keybell.test/", "keybell")] {
        let settings = Settings { public_url: url.parse().expect("a URL"), ..settings() };
        let app = TestApp::start_with(On::Memory, settings).await;
        let document = app.stranger().get("/openapi.json").await.done(200);
        assert_eq!(document["components"]["securitySchemes"]["session"]["name"], name);
        let reference = app.stranger().get("/docs/api").await;
        assert!(reference.text().contains(&format!("Cookie: {name}=")), "{}", reference.text());
    }
}
