//! A platform of one route, and a Keybell that it can ask in both ways.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::Extension;
use axum::http::{HeaderMap, Request};
use axum::routing::get;
use axum::{Json, Router};
use http_body_util::BodyExt;
use keybell_gate::{LocalVerifier, RemoteVerifier, Verified, Verifier};
use keybell_testkit::app::TestApp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};

/// What a request to the platform came to.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("the header is text"))
    }
}

/// A Keybell on a port of this machine.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

impl Served {
    pub(crate) async fn new(router: Router) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let serve = axum::serve(listener, router);
        let server = tokio::spawn(async move { serve.await.expect("it serves until it is dropped") });
        Served { address, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A Keybell with a workspace, and both ways to ask it.
pub(crate) struct World {
    pub(crate) keybell: TestApp,
    pub(crate) workspace: String,
    pub(crate) local: LocalVerifier,
    pub(crate) remote: RemoteVerifier,
    _served: Served,
}

impl World {
    pub(crate) async fn new() -> World {
        let keybell = TestApp::start().await;
        let body = json!({ "name": "Northwind", "external_id": "northwind" });
        let made = keybell.operator().post("/v1/workspaces", body).await.done(201);
        for name in ["reports:read", "reports:write"] {
            let scope = json!({ "name": name, "description": "Research reports" });
            keybell.operator().post("/v1/scopes", scope).await.done(201);
        }
        let operator_key = keybell.app.create_operator_key("gate").await.expect("there is room");
        let served = Served::new(keybell.router()).await;
        let remote = RemoteVerifier::new(&served.url(), operator_key.reveal()).expect("the address is one");
        World {
            workspace: made["id"].as_str().expect("a workspace has an id").to_owned(),
            local: LocalVerifier::new(keybell.app.clone()),
            remote,
            keybell,
            _served: served,
        }
    }

    /// A new key: what the API answers.
    pub(crate) async fn key(&self, mut fields: Value) -> Value {
        fields["name"] = json!("integration");
        let path = format!("/v1/workspaces/{}/api-keys", self.workspace);
        self.keybell.operator().post(&path, fields).await.done(201)
    }

    pub(crate) async fn revoke(&self, key: &Value) {
        let path = format!("/v1/workspaces/{}/api-keys/{}/revoke", self.workspace, text(&key["id"]));
        self.keybell.operator().post_empty(&path).await.done(200);
    }
}

/// The text of a JSON value.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("it is a text")
}

/// Sends a request with these headers to a platform behind `layer`; it answers who calls.
pub(crate) async fn call<V: Verifier>(
    layer: keybell_gate::KeyAuthLayer<V>,
    headers: &[(&str, &str)],
) -> Answer {
    let route = Router::new().route("/", get(who)).fallback(who);
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("the headers are headers");
    let response = layer.layer(route).oneshot(request).await.expect("a router never fails");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body in memory can be read").to_bytes();
    let body = serde_json::from_slice(&body).expect("both answer JSON");
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

async fn who(headers: HeaderMap, verified: Option<Extension<Verified>>) -> Json<Value> {
    let forged: Vec<&str> = headers
        .keys()
        .map(axum::http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-keybell"))
        .collect();
    let caller = verified.map(|Extension(key)| {
        json!({
            "key_id": key.key_id(),
            "name": key.name(),
            "workspace_id": key.workspace_id(),
            "workspace_external_id": key.workspace_external_id(),
            "environment": key.environment(),
            "scopes": key.scopes(),
            "metadata": key.metadata(),
        })
    });
    Json(json!({ "caller": caller, "forged": forged }))
}
