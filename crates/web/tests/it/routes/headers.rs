//! What every answer says to browsers and caches.

use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode};
use keybell_web::{Route, Serves};
use serde_json::json;

use super::Scene;

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("the header is text"))
}

/// What keeps other sites' frames and scripts out of a page, and its address out of theirs.
#[track_caller]
pub(super) fn keep_others_out(route: &Route, headers: &HeaderMap) {
    let policy = header(headers, "content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{route:?}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{route:?}: {policy}");
    assert_eq!(header(headers, "x-content-type-options"), "nosniff", "{route:?}");
    assert_eq!(header(headers, "referrer-policy"), "no-referrer", "{route:?}");
    assert!(!header(headers, "x-request-id").is_empty(), "{route:?}");
}

#[tokio::test]
async fn every_page_keeps_others_out_and_says_what_it_is_and_how_long_it_may_be_kept() {
    let scene = Scene::open().await;
    let owner = scene.app.session(&scene.ours.owner);
    for route in scene.of_pages().into_iter().filter(|route| route.method == Method::GET) {
        let path = scene.path(&route);
        for method in [Method::GET, Method::HEAD] {
            let answer = owner.begin(method, &path, Body::empty()).await;
            let headers = answer.headers();
            let kind = match route.serves {
                Serves::Page | Serves::Nothing => "text/html; charset=utf-8",
                Serves::EventStream => "text/event-stream",
                Serves::Download => "text/csv; charset=utf-8",
                Serves::Document => "application/json",
                _ => header(headers, "content-type"),
            };
            let status = match (route.path.as_str(), route.serves) {
                // To the only workspace.
                ("/", _) => StatusCode::SEE_OTHER,
                (_, Serves::Nothing) => StatusCode::NOT_FOUND,
                _ => StatusCode::OK,
            };
            assert_eq!(answer.status(), status, "{path}");
            if status != StatusCode::SEE_OTHER {
                assert!(!kind.is_empty() && header(headers, "content-type") == kind, "{path}: {kind}");
            }
            assert_eq!(header(headers, "cache-control"), route.cache, "{path}");
            assert_eq!(header(headers, "x-content-type-options"), "nosniff", "{path}");
            assert_eq!(header(headers, "set-cookie"), "", "{path}");
            if !matches!(route.serves, Serves::Asset | Serves::Document) {
                keep_others_out(&route, headers);
            }
            if route.serves == Serves::Download {
                assert!(
                    header(headers, "content-disposition").starts_with("attachment; filename=\""),
                    "{path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_page_that_may_be_framed_or_sniffed_nowhere_is_so_when_it_is_refused_too() {
    let scene = Scene::open().await;
    for route in scene.of_pages() {
        if matches!(route.serves, Serves::Asset | Serves::Document) {
            continue;
        }
        let stranger = scene.app.stranger().with("sec-fetch-site", "same-origin");
        let answer = stranger.begin(route.method.clone(), &scene.path(&route), Body::empty()).await;
        keep_others_out(&route, answer.headers());
        if answer.status() != StatusCode::OK {
            assert_eq!(header(answer.headers(), "cache-control"), "no-store", "{route:?}");
        }
    }
}

#[tokio::test]
async fn every_answer_of_the_api_is_kept_by_no_cache_and_sniffed_by_no_browser() {
    let scene = Scene::open().await;
    let operator = scene.app.operator();
    for route in scene.routes().into_iter().filter(|route| route.serves == Serves::Api) {
        let path = scene.path(&route);
        // What deletes comes last, so that there is something to answer about.
        if route.method == Method::DELETE {
            continue;
        }
        let answer = if route.method == Method::GET {
            operator.get(&path).await
        } else {
            operator.json(route.method.clone(), &path, json!({})).await
        };
        assert!(answer.status < 500, "{path}: {}", answer.text());
        if route.method == Method::GET && route.path != "/v1/forward-auth" {
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        }
        assert_eq!(answer.header("cache-control"), "no-store", "{} {path}", route.method);
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{} {path}", route.method);
        assert!(answer.header("content-type").starts_with("application/"), "{} {path}", route.method);
    }
    let mut deleting = scene.routes();
    deleting.retain(|route| route.method == Method::DELETE);
    // What is in a workspace before the workspace itself.
    deleting.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
    for route in deleting {
        let answer = operator.delete(&scene.path(&route)).await;
        assert!((200..300).contains(&answer.status), "{route:?}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), "no-store", "{route:?}");
    }
}
