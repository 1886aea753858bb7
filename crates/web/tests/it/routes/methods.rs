//! What a route does not do is refused with what it does.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Method;
use keybell_web::{Route, Serves};

use super::Scene;

#[tokio::test]
async fn a_method_that_a_route_has_not_is_refused_with_those_that_it_has() {
    let scene = Scene::open().await;
    let mut methods: BTreeMap<String, (Route, BTreeSet<String>)> = BTreeMap::new();
    for route in scene.routes() {
        // These two answer whatever is asked; and figures are beside the rest here.
        if route.serves == Serves::Nothing || ["/v1/forward-auth", "/metrics"].contains(&route.path.as_str())
        {
            continue;
        }
        let (_, known) =
            methods.entry(route.path.clone()).or_insert_with(|| (route.clone(), BTreeSet::new()));
        known.insert(route.method.to_string());
        if route.method == Method::GET {
            known.insert("HEAD".to_owned());
        }
    }
    let owner = scene.app.session(&scene.ours.owner);
    let before = scene.state(&scene.ours).await;
    let mut refused = 0;
    for (route, known) in methods.values() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if known.contains(method.as_str()) {
                continue;
            }
            let path = scene.path(route);
            let answer = owner.send(method.clone(), &path, Body::empty()).await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text());
            let allowed: BTreeSet<String> = answer.header("allow").split(',').map(str::to_owned).collect();
            assert_eq!(&allowed, known, "{method} {path}");
            if matches!(route.serves, Serves::Page | Serves::Form) && !route.path.starts_with("/problems") {
                super::headers::keep_others_out(route, &answer.headers);
            }
            refused += 1;
        }
    }
    assert!(refused > 200, "{refused}");
    assert_eq!(scene.state(&scene.ours).await, before);
}
