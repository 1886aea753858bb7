//! What is packed for the way, and what never is.

use std::io::Read as _;

use axum::body::Body;
use axum::http::Request;
use flate2::read::GzDecoder;
use http_body_util::BodyExt as _;
use keybell_core::Role;
use keybell_testkit::app::{Answer, TestApp};
use scraper::{Html, Selector};
use serde_json::json;
use tower::ServiceExt as _;

use super::browser::Browser;

/// What browsers say over HTTPS.
const BROWSERS: &str = "gzip, deflate, br, zstd";
/// The most that a first view may be, with all that it links. Bytes.
const FIRST_VIEW_BYTES_MAX: usize = 60_000;

fn unpacked(answer: &Answer) -> String {
    assert_eq!(answer.header("content-encoding"), "gzip");
    let mut text = String::new();
    GzDecoder::new(&*answer.body).read_to_string(&mut text).expect("it is gzip of text");
    text
}

#[tokio::test]
async fn what_is_asked_for_packed_is_the_same_as_what_is_asked_for_plain() {
    let app = TestApp::start().await;
    let page = Browser::new(&app).open("/docs/api/api-keys").await.is(200);
    let assets = page.all("link[href], script[src]");
    let assets = assets.iter().filter_map(|asset| asset.attr("href").or(asset.attr("src")));
    let mut sum = 0;
    for path in assets.chain(["/docs/api/api-keys"]) {
        let plain = app.stranger().get(path).await;
        assert_eq!((plain.status, plain.header("content-encoding")), (200, ""), "{path}");
        let packed = app.stranger().with("accept-encoding", BROWSERS).get(path).await;
        assert_eq!(packed.status, 200, "{path}");
        for header in ["content-type", "cache-control", "etag", "vary", "x-content-type-options"] {
            assert_eq!(packed.header(header), plain.header(header), "{path}: {header}");
        }
        assert_eq!(plain.header("vary"), "accept-encoding", "{path}");
        for (answer, length) in [(&plain, plain.body.len()), (&packed, packed.body.len())] {
            assert_eq!(answer.header("content-length"), length.to_string(), "{path}");
        }
        // What would be longer packed goes as it is.
        if packed.body.len() < plain.body.len() {
            assert_eq!(unpacked(&packed), plain.text(), "{path}");
        } else {
            assert_eq!(packed.body, plain.body, "{path}");
        }
        for refuses in ["gzip;q=0", "br", "*, gzip;q=0.0"] {
            let plain_again = app.stranger().with("accept-encoding", refuses).get(path).await;
            assert_eq!(plain_again.body, plain.body, "{path}: {refuses}");
        }
        sum += packed.body.len();
    }
    assert!(sum <= FIRST_VIEW_BYTES_MAX, "the longest page is {sum} bytes with all that it links");
}

#[tokio::test]
async fn a_page_of_a_workspace_is_packed_and_a_short_answer_is_not() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Owner).await;
    let person = app.session(&token).with("accept-encoding", BROWSERS);
    let page = person.get(&format!("/w/{workspace}/settings/advanced/developer/api-keys")).await;
    assert!(unpacked(&page).contains("Evergreen"));
    assert_eq!(page.header("cache-control"), "no-store");
    let missing = person.get(&format!("/w/{workspace}/nothing")).await;
    assert_eq!(missing.status, 404);
    assert!(unpacked(&missing).contains("Not found"));
    let redirect = app.stranger().with("accept-encoding", BROWSERS).get(&format!("/w/{workspace}")).await;
    assert_eq!((redirect.status, redirect.header("content-encoding")), (303, ""));
}

#[tokio::test]
async fn a_kept_page_is_known_again_packed_or_not() {
    let app = TestApp::start().await;
    let tag = app.stranger().get("/docs/api").await.header("etag").to_owned();
    assert!(tag.starts_with("W/"), "{tag}");
    for accepts in ["identity", BROWSERS] {
        let asked = app.stranger().with("accept-encoding", accepts).with("if-none-match", &tag);
        let known = asked.get("/docs/api").await;
        assert_eq!((known.status, known.body.len()), (304, 0), "{accepts}");
        assert_eq!((known.header("etag"), known.header("vary")), (&*tag, "accept-encoding"));
        assert_eq!(known.header("content-encoding"), "");
    }
}

/// Every page that shows a secret, so that none is forgotten: the answers to these forms.
#[tokio::test]
async fn what_shows_a_secret_is_never_packed() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    let developer = format!("/w/{workspace}/settings/advanced/developer");
    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(&app, &token);

    let form = browser.open(&format!("{developer}/api-keys/new")).await.form("Generate");
    let new = browser.answer_packed(&form.with("name", "Integration")).await;
    let webhook = json!({ "name": "Hook", "url": "http://127.0.0.1:9/", "events": ["*"] });
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), webhook).await.done(201);
    let key = browser.open(&format!("{developer}/api-keys")).await.link("Integration");
    let form = browser.open(&format!("{key}/rotate")).await.form("Rotate");
    let rotated = browser.answer_packed(&form).await;
    let hook = browser.open(&format!("{developer}/webhooks")).await.link("Hook");
    let form = browser.open(&format!("{hook}/signing-secret")).await.form("Reveal");
    let revealed = browser.answer_packed(&form).await;
    let form = browser.open(&format!("{hook}/signing-secret/rotate")).await.form("Rotate");
    let renewed = browser.answer_packed(&form).await;
    let secret_field = |answer: &Answer, begins: &str, length: usize| {
        let page = Html::parse_document(answer.text());
        let fields = Selector::parse("input[value]").expect("a selector");
        let mut values = page.select(&fields).filter_map(|field| field.attr("value"));
        values.any(|value| value.starts_with(begins) && value.len() > length)
    };
    // A secret key is its public identifier and as much again.
    for answer in [&new, &rotated] {
        assert!(secret_field(answer, "kb_live_", 30), "{}", answer.text());
    }
    for answer in [&revealed, &renewed] {
        assert!(secret_field(answer, "whsec_", 30), "{}", answer.text());
    }
    for answer in [new, rotated, revealed, renewed] {
        assert_eq!((answer.status, answer.header("content-encoding")), (200, ""));
        assert!(answer.body.len() > 1_000, "it is long enough to be packed");
    }
}

#[tokio::test]
async fn the_live_list_comes_as_it_happens_and_plain() {
    let app = TestApp::start().await;
    app.operator().post("/v1/event-types", json!({ "name": "portfolio.updated" })).await.done(201);
    let workspace = app.workspace("Evergreen").await;
    let webhook = json!({ "name": "Hook", "url": "http://127.0.0.1:9/", "events": ["*"] });
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), webhook).await.done(201);
    let event = json!({ "type": "portfolio.updated", "data": {} });
    app.operator().post(&format!("/v1/workspaces/{workspace}/events"), event).await.done(202);
    let token = app.member(&workspace, Role::Owner).await;
    let cookie = format!("{}={token}", keybell_web::extract::session_cookie_name(&app.app));
    let live = format!("/w/{workspace}/settings/advanced/developer/deliveries/live");
    let request = Request::get(live).header("cookie", cookie).header("accept-encoding", BROWSERS);
    let request = request.body(Body::empty()).expect("a request");
    let response = app.router().oneshot(request).await.expect("a router never fails");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(!response.headers().contains_key("content-encoding"));
    // The stream never ends by itself: what is told is there before more comes.
    let (mut body, mut told) = (response.into_body(), String::new());
    while !told.contains("event: delivery") {
        let frame = body.frame().await.expect("more comes").expect("a stream does not fail");
        told.push_str(std::str::from_utf8(frame.data_ref().expect("data")).expect("text"));
    }
}
