//! The OpenAPI 3.1 document: what the handlers say of themselves, and what is true of all of them.

use keybell_core::Code;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// The document of the routes in `collected`, with what each operation has besides: credentials, problems, and for what
/// is posted the idempotency key. `session_cookie` is what the cookie of a session is called here.
pub(super) fn finished(collected: OpenApi, session_cookie: &str) -> Value {
    let mut document = serde_json::to_value(collected).expect("an OpenAPI document is JSON");
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": "Keybell",
        "description": "API keys and webhooks of the workspaces of a platform.",
        "version": env!("CARGO_PKG_VERSION"),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/"}]);
    document["security"] = json!([{"secretKey": []}, {"basic": []}, {"apiKeyHeader": []}, {"session": []}]);
    document["components"]["securitySchemes"] = security_schemes(session_cookie);
    for (_, schema) in members(&mut document["components"]["schemas"]) {
        unite(schema);
    }
    document["components"]["schemas"]["Problem"] = problem_schema();
    document["components"]["responses"]["Problem"] = json!({
        "description": "Not done: what went wrong, and what to do.",
        "headers": {"x-request-id": {"description": "The request's id.", "schema": {"type": "string"}}},
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    document["components"]["parameters"]["IdempotencyKey"] = json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes a repetition safe: the same key with the same request replays the stored answer for 24 \
                        hours, without its secrets; with another request it is 409.",
        "schema": {"type": "string", "minLength": 1, "maxLength": crate::idempotency::KEY_CHARS_MAX},
    });
    for (path, methods) in members(&mut document["paths"]) {
        for (method, operation) in members(methods) {
            complete(path, method, operation);
        }
    }
    document
}

fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

/// Makes one object of parts of which one refuses what it does not know: together they would refuse everything.
fn unite(schema: &mut Value) {
    let Some(parts) = schema["allOf"].as_array() else { return };
    if parts.iter().all(|part| part["additionalProperties"] != false) {
        return;
    }
    let mut whole =
        json!({"type": "object", "description": schema["description"], "additionalProperties": false});
    let properties = parts.iter().filter_map(|part| part["properties"].as_object()).flatten();
    whole["properties"] = properties.map(|(name, schema)| (name.clone(), schema.clone())).collect();
    whole["required"] =
        parts.iter().filter_map(|part| part["required"].as_array()).flatten().cloned().collect();
    *schema = whole;
}

fn complete(path: &str, method: &str, operation: &mut Value) {
    for (status, response) in members(&mut operation["responses"]) {
        let said = match status.as_str() {
            "201" => "Made.",
            "202" => "Accepted: it is on disk.",
            _ => "Done.",
        };
        let description = response.as_object_mut().expect("a response is an object").entry("description");
        description.or_insert(json!(said));
    }
    // Nobody sends null for a body that may be left out.
    if let Some(schema) = operation.pointer_mut("/requestBody/content/application~1json/schema")
        && let Some(either) = schema["oneOf"].as_array()
        && let Some(body) = either.iter().find(|one| one["type"] != "null").cloned()
    {
        *schema = body;
    }
    operation["responses"]["default"] = json!({"$ref": "#/components/responses/Problem"});
    let parameters = operation.as_object_mut().expect("an operation is an object").entry("parameters");
    let parameters = parameters.or_insert(json!([])).as_array_mut().expect("parameters are a list");
    let named = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    parameters.extend(named.map(path_parameter));
    if method == "post" && !super::v1::is_decision(path) {
        parameters.push(json!({"$ref": "#/components/parameters/IdempotencyKey"}));
    }
}

fn path_parameter(name: &str) -> Value {
    let description = match name {
        "workspace" => {
            "The workspace's id, the platform's own `external_id`, or `current`: the credential's own."
        }
        _ => "Which one.",
    };
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": {"type": "string"}})
}

fn security_schemes(session_cookie: &str) -> Value {
    json!({
        "secretKey": {"type": "http", "scheme": "bearer", "description": "An operator key or an API key."},
        "basic": {"type": "http", "scheme": "basic", "description": "The public identifier as user, the secret key as password."},
        "apiKeyHeader": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "session": {"type": "apiKey", "in": "cookie", "name": session_cookie, "description": "A signed-in member."},
    })
}

/// RFC 9457, with the catalogue as the values of `code`.
fn problem_schema() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let explained: Map<String, Value> = Code::ALL
        .iter()
        .map(|code| {
            (code.as_str().to_owned(), json!(format!("{}: {}. {}", code.status(), code.title(), code.help())))
        })
        .collect();
    json!({
        "type": "object",
        "description": "A problem details object (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {"type": "string", "format": "uri", "description": "A page about the problem."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What happened this time, and what to do."},
            "code": {"type": "string", "enum": codes, "x-enum-descriptions": explained},
            "request_id": {"type": "string"},
            "errors": {
                "type": "array",
                "description": "The members that are not valid, where that is the problem.",
                "items": {
                    "type": "object",
                    "required": ["field", "code", "message"],
                    "properties": {
                        "field": {"type": "string", "description": "Such as `headers[0].name`."},
                        "code": {"type": "string"},
                        "message": {"type": "string"},
                    },
                },
            },
        },
    })
}
