//! The API reference: all of the OpenAPI document, for everybody, with calls that work.

use axum::http::Method;
use keybell_testkit::app::TestApp;
use serde_json::{Value, json};

use super::browser::{Browser, Page};

/// Most bytes of a page, which nothing compresses: it is there at once on a slow line too. Style and scripts are those of all
/// pages, and browsers keep them.
const PAGE_BYTES_MAX: usize = 60 * 1024;

/// The pages of the reference, as its contents name them.
async fn pages(app: &TestApp) -> Vec<Page> {
    let mut browser = Browser::new(app);
    let start = browser.open("/docs/api").await.is(200);
    let hrefs = start.all("nav.contents a").into_iter().skip(1);
    let hrefs: Vec<String> = hrefs.map(|link| link.attr("href").unwrap_or_default().to_owned()).collect();
    let mut pages = Vec::new();
    for href in hrefs {
        pages.push(browser.open(&href).await.is(200));
    }
    pages
}

async fn document(app: &TestApp) -> Value {
    app.stranger().get("/openapi.json").await.done(200)
}

#[tokio::test]
async fn every_call_and_everything_it_takes_is_in_the_reference() {
    let app = TestApp::start().await;
    let pages = pages(&app).await;
    let (document, mut calls) = (document(&app).await, 0);
    for (path, methods) in document["paths"].as_object().expect("paths are an object") {
        for (method, operation) in methods.as_object().expect("methods are an object") {
            let id = operation["operationId"].as_str().expect("an operation has an id");
            let found = pages.iter().find_map(|page| page.all(&format!("section#{id}")).into_iter().next());
            let section = found.unwrap_or_else(|| panic!("{id} is on no page"));
            let text: String = section.text().collect();
            for told in [&method.to_uppercase(), path, operation["summary"].as_str().expect("it has one")] {
                assert!(text.contains(told), "{id} does not tell {told}");
            }
            let described = |place: &Value| place.as_array().cloned().unwrap_or_default();
            for parameter in described(&operation["parameters"]) {
                let name = parameter["name"].as_str().unwrap_or("Idempotency-Key");
                assert!(text.contains(name), "{id} does not tell of the parameter {name}");
            }
            let body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
            let shape = body.and_then(|reference| document.pointer(reference.trim_start_matches('#')));
            for (name, _) in shape.and_then(|shape| shape["properties"].as_object()).into_iter().flatten() {
                assert!(text.contains(name), "{id} does not tell of the member {name}");
            }
            calls += 1;
        }
    }
    assert!(calls > 40, "only {calls} calls are looked at");
}

#[tokio::test]
async fn every_problem_is_on_the_first_page() {
    let app = TestApp::start().await;
    let start = Browser::new(&app).open("/docs/api").await.is(200);
    for code in keybell_core::Code::ALL {
        let found = start.all(&format!("a[href='/problems/{}']", code.as_str()));
        assert_eq!(found.len(), 1, "{}", code.as_str());
    }
    assert!(!start.answer.text().contains(['\u{e000}', '\u{e001}']), "what is to be put in stands there");
}

/// What a shell would make of a line of the reference: method, path and body.
fn typed(line: &str, base_url: &str) -> (Method, String, Option<Value>) {
    let method = line.strip_prefix("curl -X ").and_then(|rest| rest.split(' ').next()).unwrap_or("GET");
    let url = line.split('\'').nth(1).expect("the URL stands in quotes");
    let path = url.strip_prefix(base_url).expect("it begins with where the API is");
    let body = line.split_once("-d '").map(|(_, body)| body.trim_end_matches('\''));
    let body = body.map(|body| serde_json::from_str(body).expect("the body is JSON"));
    (method.parse().expect("a method"), path.to_owned(), body)
}

#[tokio::test]
async fn every_line_to_copy_is_a_call_that_is_understood() {
    let app = TestApp::start().await;
    let base_url = keybell_testkit::app::settings().public_url.to_string();
    let base_url = base_url.trim_end_matches('/');
    let workspace = app.workspace("Evergreen").await;
    for name in ["research_report.published", "portfolio.updated"] {
        app.operator().post("/v1/event-types", json!({ "name": name })).await.done(201);
    }
    let scope = json!({ "name": "reports:read", "description": "Read reports" });
    app.operator().post("/v1/scopes", scope).await.done(201);
    let mut lines = Vec::new();
    for page in pages(&app).await {
        let page = Browser::new(&app).open(&format!("{}?workspace={workspace}", page.path)).await.is(200);
        let shown = page.all("code[id^=curl-]");
        lines.extend(shown.into_iter().map(|line| line.text().collect::<String>()));
    }
    assert!(lines.len() > 40, "only {} lines", lines.len());
    let mut wrong = Vec::new();
    for line in lines {
        let (method, path, body) = typed(&line, base_url);
        // What would take away the workspace that the other calls are for.
        if method == Method::DELETE && path.ends_with(&workspace) {
            continue;
        }
        let answer = match body {
            Some(body) => app.operator().json(method, &path, body).await,
            None => app.operator().send(method, &path, axum::body::Body::empty()).await,
        };
        // Nothing has the ids of the examples, some things are there already, and a gateway asks with a client's key.
        let is_understood = match answer.status {
            401 => path == "/v1/forward-auth",
            status => status < 300 || [403, 404, 409].contains(&status),
        };
        if !is_understood {
            wrong.push(format!("{line}\n{}: {}", answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_workspace_that_was_named_stays_and_nothing_else_gets_into_the_page() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    let mut browser = Browser::new(&app);
    let page = browser.open(&format!("/docs/api/webhooks?workspace={workspace}")).await.is(200);
    assert!(page.text().contains(&format!("/v1/workspaces/{workspace}/webhooks'")), "{}", page.text());
    assert_eq!(page.link("Events"), format!("/docs/api/events?workspace={workspace}"));
    for odd in ["", "?workspace=%3Cscript%3E", "?workspace=acme"] {
        let page = browser.open(&format!("/docs/api/webhooks{odd}")).await.is(200);
        assert!(page.text().contains("/v1/workspaces/current/webhooks'"), "{odd}");
        assert_eq!(page.link("Events"), "/docs/api/events", "{odd}");
    }
}

#[tokio::test]
async fn the_reference_is_for_everybody_and_kept_as_long_as_it_is_the_same() {
    let app = TestApp::start().await;
    let first = app.stranger().get("/docs/api").await;
    assert_eq!((first.status, first.header("cache-control")), (200, "public, no-cache"));
    assert!(first.header("content-security-policy").contains("script-src 'self'"));
    let again = app.stranger().with("if-none-match", first.header("etag")).get("/docs/api").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), first.header("etag"));
    let other = app.stranger().get("/docs/api/webhooks").await;
    assert_ne!(other.header("etag"), first.header("etag"));
    let nothing = app.stranger().get("/docs/api/nothing").await;
    assert_eq!((nothing.status, nothing.header("cache-control")), (404, "no-store"));
    assert!(nothing.text().contains("Not found"));
}

#[tokio::test]
async fn every_page_is_small() {
    let app = TestApp::start().await;
    for page in pages(&app).await {
        let bytes = page.answer.body.len();
        assert!(bytes <= PAGE_BYTES_MAX, "{} has {bytes} bytes", page.path);
    }
}
