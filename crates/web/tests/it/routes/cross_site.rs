//! Forms of other sites: whatever they are sent to, nothing comes of it, though the cookie comes along.

use axum::http::Method;
use keybell_core::Code;
use keybell_testkit::app::Answer;
use keybell_web::{Route, Serves};

use super::headers::keep_others_out;
use super::{Scene, account};

/// What a browser says of a form on another site's page, or on none at all: an old one has only the origin.
const BY_OTHERS: [&[(&str, &str)]; 6] = [
    &[("sec-fetch-site", "cross-site")],
    &[("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "cross-site"), ("origin", "https://keybell.test")],
    &[("origin", "https://evil.example")],
    &[("origin", "http://keybell.test")],
    &[("origin", "null")],
];
/// What it says of one of ours.
const BY_US: [&[(&str, &str)]; 4] = [
    &[("sec-fetch-site", "same-origin")],
    &[("sec-fetch-site", "none")],
    &[("origin", "https://keybell.test")],
    &[],
];

fn is_cross_site(answer: &Answer) -> bool {
    answer.status == 403 && answer.text().contains(Code::CrossSite.title())
}

fn posts(scene: &Scene) -> Vec<Route> {
    let mut posts = scene.routes();
    posts.retain(|route| route.method == Method::POST && route.serves == Serves::Form);
    assert!(posts.len() > 20, "{posts:?}");
    posts
}

#[tokio::test]
async fn a_form_of_another_site_is_refused_and_changes_nothing() {
    let scene = Scene::open().await;
    let cookie = cookie(&scene, &scene.ours.owner);
    let before = scene.state(&scene.ours).await;
    for route in posts(&scene) {
        let path = scene.path(&route);
        for headers in BY_OTHERS {
            let client = scene.app.stranger().with("cookie", &cookie);
            let client = headers.iter().fold(client, |client, (name, value)| client.with(name, value));
            // What would do it, were it ours.
            let fields = [("confirm", "yes"), ("enabled", "no"), ("name", "Taken over"), ("overlap", "0")];
            let answer = client.post_form(&path, &fields).await;
            assert!(is_cross_site(&answer), "{path} {headers:?}: {}", answer.text());
            assert_eq!(answer.header("set-cookie"), "", "{path}");
            keep_others_out(&route, &answer.headers);
        }
    }
    scene.quiet().await;
    assert_eq!(scene.state(&scene.ours).await, before);
    assert_eq!(scene.app.session(&scene.ours.owner).get("/account/sessions").await.status, 200);
}

#[tokio::test]
async fn a_form_of_ours_is_not_refused() {
    let scene = Scene::open().await;
    let them = account(&scene.app, &scene.theirs.owner).await;
    for route in posts(&scene) {
        let path = scene.path(&route);
        for headers in BY_US {
            // A session of its own, since some end it.
            let cookie = cookie(&scene, &scene.session_of(them).await);
            let client = scene.app.stranger().with("cookie", &cookie);
            let client = headers.iter().fold(client, |client, (name, value)| client.with(name, value));
            let answer = client.post_form(&path, &[]).await;
            assert!(!is_cross_site(&answer) && answer.status < 500, "{path} {headers:?}: {}", answer.text());
            keep_others_out(&route, &answer.headers);
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
    }
}

#[tokio::test]
async fn the_api_is_as_strict_where_a_cookie_vouches() {
    let scene = Scene::open().await;
    let cookie = cookie(&scene, &scene.ours.owner);
    let before = scene.state(&scene.ours).await;
    for route in scene.routes() {
        // These ask for a key: no cookie vouches for it.
        let is_of_key = route.path.starts_with("/v1/api-keys/") || route.path == "/v1/forward-auth";
        if route.serves != Serves::Api || route.method == Method::GET || is_of_key {
            continue;
        }
        for headers in BY_OTHERS {
            let client = scene.app.stranger().with("cookie", &cookie);
            let client = headers.iter().fold(client, |client, (name, value)| client.with(name, value));
            let answer = client.json(route.method.clone(), &scene.path(&route), serde_json::json!({})).await;
            answer.refused(403, "cross_site_request");
        }
    }
    scene.quiet().await;
    assert_eq!(scene.state(&scene.ours).await, before);
}

fn cookie(scene: &Scene, token: &str) -> String {
    format!("{}={token}", keybell_web::extract::session_cookie_name(&scene.app.app))
}
