//! Gateways are answered in front of the routes, and by the routes: alike.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use keybell_testkit::app::TestApp;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::northwind::{behind_a_gateway, key, path_of, secret, start_with};

/// A request as a gateway sends it.
struct Asked {
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, Vec<u8>)>,
}

fn asked(method: &'static str, path: &'static str, headers: &[(&'static str, &str)]) -> Asked {
    let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect();
    Asked { method, path, headers }
}

/// What counts down; what the server writes; and `Allow`, which the routes add where no method was refused.
const NOT_COMPARED: [&str; 4] = ["ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset", "content-length"];

/// An answer as it goes over the wire: the length of a body and its absence after `HEAD` are the server's to write.
#[derive(Debug, PartialEq)]
struct Told {
    status: u16,
    headers: BTreeMap<String, Vec<String>>,
    body: String,
}

impl Told {
    fn of(status: u16, headers: &axum::http::HeaderMap, body: &[u8], method: &str) -> Told {
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in headers {
            if !NOT_COMPARED.contains(&name.as_str()) {
                told.entry(name.to_string())
                    .or_default()
                    .push(value.to_str().expect("it is text").to_owned());
            }
        }
        let body = if method == "HEAD" { &[] } else { body };
        Told { status, headers: told, body: String::from_utf8(body.to_vec()).expect("it is text") }
    }
}

async fn by_the_site(app: &TestApp, asked: &Asked) -> Told {
    let mut client = app.stranger().with("x-request-id", "same");
    for (name, value) in &asked.headers {
        client = client.with_bytes(name, value);
    }
    let method = Method::from_bytes(asked.method.as_bytes()).expect("a method");
    let answer = client.send(method, asked.path, Body::from("unread")).await;
    Told::of(answer.status, &answer.headers, &answer.body, asked.method)
}

async fn by_the_routes(app: &TestApp, asked: &Asked) -> Told {
    let mut request = Request::builder().method(asked.method).uri(asked.path).header("x-request-id", "same");
    for (name, value) in &asked.headers {
        request = request.header(*name, value.as_slice());
    }
    let request = request.body(Body::from("unread")).expect("a request");
    let answer = app.router().oneshot(request).await.expect("a router never fails");
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.expect("a body in memory can be read").to_bytes();
    Told::of(parts.status.as_u16(), &parts.headers, &body, asked.method)
}

/// Keys of every kind; what a client sends of each.
async fn bearers(app: &TestApp) -> BTreeMap<&'static str, String> {
    let limit = |limit: u64| json!([{ "name": "day", "limit": limit, "window_seconds": 86_400 }]);
    let kinds = [
        ("good", json!({ "scopes": ["reports:read"], "rate_limits": limit(1_000) })),
        ("unlimited", json!({ "environment": "test" })),
        ("used up", json!({ "rate_limits": limit(1) })),
        ("confined", json!({ "allowed_networks": ["203.0.113.0/24"] })),
        ("disabled", json!({})),
        ("revoked", json!({})),
    ];
    let mut bearers = BTreeMap::new();
    for (kind, body) in kinds {
        let key: Value = key(app, body).await;
        match kind {
            "used up" => drop(app.bearer(secret(&key)).get("/v1/forward-auth").await.done(200)),
            "disabled" => {
                drop(app.operator().patch(&path_of(&key), json!({ "enabled": false })).await.done(200));
            }
            "revoked" => {
                drop(app.operator().post_empty(&format!("{}/revoke", path_of(&key))).await.done(200));
            }
            _ => {}
        }
        bearers.insert(kind, format!("Bearer {}", secret(&key)));
    }
    bearers
}

#[tokio::test]
async fn the_site_and_the_routes_answer_gateways_alike() {
    let app = start_with(behind_a_gateway()).await;
    let bearers = bearers(&app).await;
    let mut requests = Vec::new();
    for method in
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW"]
    {
        requests.push(asked(method, "/v1/forward-auth", &[]));
        for bearer in bearers.values() {
            requests.push(asked(method, "/v1/forward-auth", &[("authorization", bearer)]));
        }
    }
    for path in [
        "/v1/forward-auth?",
        "/v1/forward-auth?scope=reports:read",
        "/v1/forward-auth?scope=reports:read&scope=reports:write",
        "/v1/forward-auth?scope=Reports",
        "/v1/forward-auth?scopes=reports:read",
        "/v1/forward-auth?environment=test",
        "/v1/forward-auth?environment=prod",
        "/v1/forward-auth?method=HEAD",
        "/v1/forward-auth?method=",
        "/v1/forward-auth?gateway=nginx",
        "/v1/forward-auth?gateway=apache",
        "/v1/forward-auth?%ff=%00",
        "/v1/forward-auth/",
        "/v1/forward-auth/x",
        "/v1//forward-auth",
        "/v1/forward%2Dauth",
        "/v1/Forward-Auth",
    ] {
        for method in ["GET", "HEAD", "PROPFIND"] {
            requests.push(asked(method, path, &[]));
            requests.push(asked(method, path, &[("authorization", "Bearer")]));
            for bearer in bearers.values() {
                requests.push(asked(method, path, &[("authorization", bearer)]));
            }
        }
    }
    let good = bearers["good"].as_str();
    for headers in [
        &[("authorization", good), ("x-api-key", "other")][..],
        &[("authorization", good), ("authorization", good)],
        &[("authorization", good), ("x-forwarded-method", "OPTIONS")],
        &[("authorization", good), ("origin", "https://app.example")],
        &[("authorization", good), ("idempotency-key", "same")],
        &[("authorization", bearers["confined"].as_str()), ("x-forwarded-for", "203.0.113.9")],
        &[("authorization", bearers["confined"].as_str()), ("x-forwarded-for", "203.0.113.9, 198.51.100.7")],
        &[("cookie", "__Host-keybell=nothing")],
        &[("x-api-key", "caf\u{e9}")],
        &[("x-request-id", "another")],
    ] {
        requests.push(asked("POST", "/v1/forward-auth", headers));
        requests.push(asked("GET", "/v1/forward-auth?gateway=nginx", headers));
    }
    let mut statuses = BTreeSet::new();
    for asked in &requests {
        let (site, routes) = (by_the_site(&app, asked).await, by_the_routes(&app, asked).await);
        assert_eq!(site, routes, "{} {} {:?}", asked.method, asked.path, asked.headers);
        statuses.insert(site.status);
    }
    assert_eq!(
        statuses,
        BTreeSet::from([200, 400, 401, 403, 404, 429]),
        "the table holds every kind of answer"
    );
}

#[tokio::test]
async fn both_give_a_request_that_brings_none_an_id() {
    let app = start_with(behind_a_gateway()).await;
    let request = Request::get("/v1/forward-auth").body(Body::empty()).expect("a request");
    let by_the_routes = app.router().oneshot(request).await.expect("a router never fails");
    let by_the_site = app.stranger().get("/v1/forward-auth").await;
    let ids = [&by_the_routes.headers()["x-request-id"], &by_the_site.headers["x-request-id"]];
    assert!(ids.iter().all(|id| !id.is_empty()) && ids[0] != ids[1], "{ids:?}");
}

#[tokio::test]
async fn both_count_by_the_same_limits() {
    let app = start_with(behind_a_gateway()).await;
    let key =
        key(&app, json!({ "rate_limits": [{ "name": "day", "limit": 2, "window_seconds": 86_400 }] })).await;
    let bearer = format!("Bearer {}", secret(&key));
    let asked = asked("GET", "/v1/forward-auth", &[("authorization", &bearer)]);
    assert_eq!(by_the_site(&app, &asked).await.status, 200);
    assert_eq!(by_the_routes(&app, &asked).await.status, 200);
    assert_eq!(by_the_site(&app, &asked).await.status, 429);
    assert_eq!(by_the_routes(&app, &asked).await.status, 429);
}
