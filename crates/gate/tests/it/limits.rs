//! How often a key may be used, as the gate's clients see it; and keys that browsers send.

use keybell_gate::{Needs, Verifier, require};
use serde_json::json;

use crate::platform::{Answer, World, call, text};

async fn limited(world: &World) -> String {
    let limits = json!([
        { "name": "reads", "limit": 2, "window_seconds": 3_600 },
        { "name": "day", "limit": 100, "window_seconds": 86_400 },
    ]);
    let key = world.key(json!({ "rate_limits": limits })).await;
    format!("Bearer {}", text(&key["secret_key"]))
}

async fn asked<V: Verifier>(verifier: &V, bearer: &str) -> Answer {
    call(require(verifier.clone(), Needs::default()), &[("authorization", bearer)]).await
}

async fn told_by<V: Verifier>(world: &World, verifier: &V) -> Vec<String> {
    let bearer = limited(world).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let answer = asked(verifier, &bearer).await;
        let header =
            |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-");
        told.push(format!(
            "{} {} | {} | {} of {} | retry after {}",
            answer.status,
            answer.body["code"].as_str().unwrap_or("-"),
            header("ratelimit"),
            header("x-ratelimit-remaining"),
            header("x-ratelimit-limit"),
            header("retry-after"),
        ));
        assert_eq!(header("ratelimit-policy"), r#""reads";q=2;w=3600, "day";q=100;w=86400"#);
        assert!(header("x-ratelimit-reset").parse::<u64>().is_ok_and(|reset| reset > 1_700_000_000));
    }
    told
}

#[tokio::test]
async fn every_answer_tells_what_is_left_and_one_past_a_limit_when_to_come_again() {
    let world = World::new().await;
    let told = told_by(&world, &world.local).await;
    insta::assert_snapshot!(told.join("\n"), @r#"
    200 - | "reads";r=1;t=1800, "day";r=99;t=864 | 1 of 2 | retry after -
    200 - | "reads";r=0;t=3600, "day";r=98;t=1728 | 0 of 2 | retry after -
    429 rate_limited | "reads";r=0;t=3600, "day";r=98;t=1728 | 0 of 2 | retry after 1800
    "#);
    assert_eq!(told_by(&world, &world.remote).await, told, "whichever way the gate asks");
}

#[tokio::test]
async fn a_key_without_limits_is_told_of_none() {
    let world = World::new().await;
    let key = world.key(json!({})).await;
    let bearer = format!("Bearer {}", text(&key["secret_key"]));
    for answer in [asked(&world.local, &bearer).await, asked(&world.remote, &bearer).await] {
        assert!(
            answer.status == 200 && answer.headers.keys().all(|name| !name.as_str().contains("ratelimit"))
        );
    }
}

#[tokio::test]
async fn a_key_that_a_browser_sends_is_refused_where_the_platform_wants_it() {
    let world = World::new().await;
    let key = world.key(json!({})).await;
    let bearer = format!("Bearer {}", text(&key["secret_key"]));
    let layer = || require(world.local.clone(), Needs::default());
    for (name, value) in [("origin", "https://app.example"), ("sec-fetch-mode", "cors")] {
        let headers = [("authorization", bearer.as_str()), (name, value)];
        assert_eq!(call(layer(), &headers).await.status, 200);
        let refused = call(layer().refuse_browsers(), &headers).await;
        assert_eq!((refused.status, &refused.body["code"]), (403, &json!("secret_key_in_browser")));
    }
    assert_eq!(call(layer().refuse_browsers(), &[("authorization", &bearer)]).await.status, 200);
}
