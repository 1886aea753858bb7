//! Whoever is not signed in, and whoever is signed in elsewhere.

use axum::body::Body;
use axum::http::{Method, Uri};
use keybell_web::{Route, Serves, To};
use serde_json::json;

use super::{Place, Scene};

fn for_people(scene: &Scene) -> Vec<Route> {
    let mut routes = scene.of_pages();
    routes.retain(|route| matches!(route.to, To::SignedIn | To::Members));
    assert!(routes.len() > 50, "{routes:?}");
    routes
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_to_sign_in_comes_back_and_changes_nothing() {
    let scene = Scene::open().await;
    let before = scene.state(&scene.ours).await;
    let nobody = scene.app.stranger().with("sec-fetch-site", "same-origin");
    let former = nobody.clone().with("cookie", "__Host-keybell=nonsense");
    for route in for_people(&scene) {
        let path = scene.path(&route);
        for client in [&nobody, &former] {
            let answer = client.send(route.method.clone(), &path, Body::empty()).await;
            assert_eq!(answer.status, 303, "{} {path}: {}", route.method, answer.text());
            let to: Uri = answer.header("location").parse().expect("an address");
            assert_eq!(to.path(), "/sign-in", "{path}");
            // A form is not sent again by signing in, and the start is where signing in leads anyway.
            let comes_back = route.method == Method::GET && path != "/";
            let next = url::form_urlencoded::parse(to.query().unwrap_or_default().as_bytes());
            let next: Vec<_> = next.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            let expected = comes_back.then(|| ("next".to_owned(), path.clone()));
            assert_eq!(next, Vec::from_iter(expected), "{path}");
        }
    }
    assert_eq!(scene.state(&scene.ours).await, before);
}

#[tokio::test]
async fn what_is_for_everybody_asks_nobody_to_sign_in() {
    let scene = Scene::open().await;
    for route in scene.of_pages().into_iter().filter(|route| route.to == To::Everybody) {
        let answer =
            scene.app.stranger().send(route.method.clone(), &scene.path(&route), Body::empty()).await;
        let location = answer.header("location");
        assert!(!location.starts_with("/sign-in"), "{route:?}: {location}");
        if route.method == Method::GET {
            assert_eq!(answer.status, 200, "{route:?}");
        }
    }
}

#[tokio::test]
async fn to_whoever_is_elsewhere_a_workspace_and_all_that_is_in_it_do_not_exist() {
    let scene = Scene::open().await;
    let before = scene.state(&scene.ours).await;
    let them = scene.app.session(&scene.theirs.owner);
    for route in scene.routes().into_iter().filter(|route| route.path.contains("{workspace}")) {
        let path = scene.path(&route);
        let answer = asked(&scene, &scene.theirs, &route, &path).await;
        assert_eq!(answer.0, 404, "{} {path}: {}", route.method, answer.1);
        for told in ["Evergreen", "Import", "Warehouse"] {
            assert!(!answer.1.contains(told), "{path} tells {told}");
        }
    }
    drop(them);
    assert_eq!(scene.state(&scene.ours).await, before);
}

#[tokio::test]
async fn a_thing_of_one_workspace_is_not_in_another() {
    let scene = Scene::open().await;
    let before = [scene.state(&scene.ours).await, scene.state(&scene.theirs).await];
    let things = ["{key}", "{webhook}", "{delivery}", "{event}", "{id}"];
    let mut asked_for = 0;
    for route in scene.routes() {
        if !route.path.contains("{workspace}") || !things.iter().any(|thing| route.path.contains(thing)) {
            continue;
        }
        let path = scene.path_in(&route, &scene.theirs, &scene.ours);
        let (status, text) = asked(&scene, &scene.theirs, &route, &path).await;
        assert_eq!(status, 404, "{} {path}: {text}", route.method);
        asked_for += 1;
    }
    assert!(asked_for > 40, "{asked_for}");
    assert_eq!([scene.state(&scene.ours).await, scene.state(&scene.theirs).await], before);
}

/// What the owner of `by` is answered, with a body that would do.
async fn asked(scene: &Scene, by: &Place, route: &Route, path: &str) -> (u16, String) {
    let client = scene.app.session(&by.owner);
    let answer = if route.serves != Serves::Api {
        let fields = [
            ("confirm", "yes"),
            ("enabled", "no"),
            ("overlap", "0"),
            ("name", "Mine"),
            ("delivery", &scene.ours.delivery),
        ];
        match route.method {
            Method::POST => client.post_form(path, &fields).await,
            _ => client.send(route.method.clone(), path, Body::empty()).await,
        }
    } else if route.method == Method::GET || route.method == Method::DELETE {
        client.send(route.method.clone(), path, Body::empty()).await
    } else {
        let body = match route.path.rsplit('/').next() {
            Some("recover") => json!({ "since": "2026-11-23T00:00:00Z" }),
            _ => json!({}),
        };
        client.json(route.method.clone(), path, body).await
    };
    (answer.status, answer.text().to_owned())
}

#[tokio::test]
async fn what_a_form_or_a_filter_names_is_looked_for_in_its_own_workspace_only() {
    let scene = Scene::open().await;
    let before = [scene.state(&scene.ours).await, scene.state(&scene.theirs).await];
    let Place { webhook, delivery, event, key, .. } = &scene.ours;
    let developer = format!("/w/{}/settings/advanced/developer", scene.theirs.workspace);
    let them = scene.app.session(&scene.theirs.owner);
    let ticked =
        them.post_form(&format!("{developer}/deliveries/resend-these"), &[("delivery", delivery)]).await;
    assert_eq!(ticked.header("location"), format!("{developer}/deliveries?done=deliveries-not-resent"));
    let theirs = format!("{developer}/events/{}/resend", scene.theirs.event);
    assert_eq!(them.post_form(&theirs, &[("delivery", delivery), ("token", "t")]).await.status, 404);
    for list in ["deliveries", "deliveries.csv"] {
        for filter in [format!("webhook_id={webhook}"), format!("event_id={event}")] {
            let answer = them.get(&format!("{developer}/{list}?{filter}")).await;
            assert_eq!(answer.status, 200);
            assert!(!answer.text().contains(delivery), "{}", answer.text());
        }
    }
    for (list, target) in
        [("deliveries?webhook_id=", webhook), ("audit-log?target=", key), ("api-keys?q=", key)]
    {
        let path = format!("/v1/workspaces/{}/{list}{target}", scene.theirs.workspace);
        assert_eq!(them.get(&path).await.done(200)["data"], json!([]), "{path}");
    }
    let path = format!("/v1/workspaces/{}/deliveries/resend", scene.theirs.workspace);
    let resent = them.post(&path, json!({ "filter": { "webhook_id": webhook, "status": "failed" } })).await;
    assert_eq!(resent.done(202)["deliveries"], 0);
    scene.quiet().await;
    assert_eq!(scene.state(&scene.ours).await, before[0]);
}
