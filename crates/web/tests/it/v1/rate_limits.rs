//! Rate limits, as `POST /v1/api-keys/verify` and Keybell's own API apply them.

use std::time::Duration;

use keybell_core::key::RateLimit;
use keybell_testkit::app::{TestApp, settings};
use serde_json::{Value, json};

use crate::northwind::{KEYS, code, key, path_of, secret, start, start_with, text, verify, wrong_fields};

fn limit(name: &str, limit: u64, window_seconds: u64) -> Value {
    json!({ "name": name, "limit": limit, "window_seconds": window_seconds })
}

async fn limited(app: &TestApp, limits: &[Value]) -> Value {
    key(app, json!({ "rate_limits": limits })).await
}

/// The code of an answer, and of each limit that it tells what is left.
fn told(verdict: &Value) -> String {
    let limits = verdict["rate_limits"].as_array().into_iter().flatten();
    let left = limits.map(|limit| format!("{} {}", text(&limit["name"]), limit["remaining"]));
    format!("{}: {}", text(&verdict["code"]), left.collect::<Vec<_>>().join(", "))
}

/// What is left of every limit, without counting.
async fn left(app: &TestApp, key: &Value) -> String {
    told(&verify(app, secret(key), json!({ "rate_limit_cost": 0 })).await)
}

#[tokio::test]
async fn a_check_tells_what_is_left_and_a_refusal_when_to_come_back() {
    let app = start().await;
    let key = limited(&app, &[limit("per_minute", 10, 60)]).await;
    let first = verify(&app, secret(&key), json!({})).await;
    assert_eq!(
        first["rate_limits"],
        json!([{ "name": "per_minute", "limit": 10, "window_seconds": 60, "remaining": 9, "reset_seconds": 6 }])
    );
    assert_eq!(first.get("retry_after_seconds"), None);
    for remaining in (0..9).rev() {
        assert_eq!(
            told(&verify(&app, secret(&key), json!({})).await),
            format!("valid: per_minute {remaining}")
        );
    }
    let refused = verify(&app, secret(&key), json!({})).await;
    assert_eq!(
        refused,
        json!({
            "valid": false,
            "code": "rate_limited",
            "rate_limits": [
                { "name": "per_minute", "limit": 10, "window_seconds": 60, "remaining": 0, "reset_seconds": 60 },
            ],
            "retry_after_seconds": 6,
        })
    );
}

#[tokio::test]
async fn a_limit_comes_back_evenly_and_after_its_window_all_of_it_is_free() {
    let app = start().await;
    let key = limited(&app, &[limit("per_minute", 10, 60)]).await;
    verify(&app, secret(&key), json!({ "rate_limit_cost": 10 })).await;
    app.clock.advance(Duration::from_millis(5_999));
    let early = verify(&app, secret(&key), json!({})).await;
    assert_eq!(
        (told(&early).as_str(), &early["retry_after_seconds"]),
        ("rate_limited: per_minute 0", &json!(1))
    );
    app.clock.advance(Duration::from_millis(1));
    assert_eq!(told(&verify(&app, secret(&key), json!({})).await), "valid: per_minute 0");
    assert_eq!(code(&app, secret(&key)).await, "rate_limited", "one came back, not more");
    app.clock.advance(Duration::from_mins(1));
    let peeked = verify(&app, secret(&key), json!({ "rate_limit_cost": 0 })).await;
    assert_eq!(
        (&peeked["rate_limits"][0]["remaining"], &peeked["rate_limits"][0]["reset_seconds"]),
        (&json!(10), &json!(0))
    );
    let all = verify(&app, secret(&key), json!({ "rate_limit_cost": 10 })).await;
    assert_eq!(told(&all), "valid: per_minute 0");
}

#[tokio::test]
async fn a_check_counts_as_many_requests_as_it_says() {
    let app = start().await;
    let key = limited(&app, &[limit("per_minute", 10, 60)]).await;
    let with_cost = async |cost: u64| verify(&app, secret(&key), json!({ "rate_limit_cost": cost })).await;
    assert_eq!(told(&with_cost(5).await), "valid: per_minute 5");
    assert_eq!(told(&with_cost(0).await), "valid: per_minute 5", "nothing is counted");
    let more = with_cost(6).await;
    assert_eq!(
        (told(&more).as_str(), &more["retry_after_seconds"]),
        ("rate_limited: per_minute 5", &json!(6))
    );
    assert_eq!(told(&with_cost(5).await), "valid: per_minute 0");
    assert_eq!(told(&with_cost(0).await), "valid: per_minute 0", "what costs nothing is never over a limit");
    let never = with_cost(11).await;
    assert_eq!(told(&never), "rate_limited: per_minute 0");
    assert_eq!(never.get("retry_after_seconds"), None, "more than the whole limit never fits");
}

#[tokio::test]
async fn the_greatest_cost_is_the_greatest_limit() {
    let app = start().await;
    let key = limited(&app, &[limit("wide", 1_000_000_000, 86_400)]).await;
    let ask = |cost: Value| json!({ "secret_key": secret(&key), "rate_limit_cost": cost });
    for (cost, error) in [
        (json!(1_000_000_001), "rate_limit_cost out_of_range"),
        (json!(u64::MAX), "rate_limit_cost out_of_range"),
        (json!(-1), "rate_limit_cost wrong_type"),
        (json!(1.5), "rate_limit_cost wrong_type"),
    ] {
        let answer = app.operator().post("/v1/api-keys/verify", ask(cost)).await;
        assert_eq!(wrong_fields(&answer), [error]);
    }
    assert_eq!(left(&app, &key).await, "valid: wide 1000000000");
    let all = verify(&app, secret(&key), json!({ "rate_limit_cost": 1_000_000_000 })).await;
    assert_eq!(told(&all), "valid: wide 0");
}

#[tokio::test]
async fn reads_and_writes_are_counted_by_limits_of_those_names_and_preflights_by_none() {
    let app = start().await;
    let key = limited(&app, &[limit("reads", 9, 60), limit("writes", 9, 60), limit("burst", 9, 60)]).await;
    let with_method =
        async |method: &str| told(&verify(&app, secret(&key), json!({ "method": method })).await);
    assert_eq!(with_method("GET").await, "valid: reads 8, burst 8");
    for (method, writes) in [("POST", 8), ("PUT", 7), ("PATCH", 6), ("DELETE", 5)] {
        let burst = writes - 1;
        assert_eq!(with_method(method).await, format!("valid: writes {writes}, burst {burst}"), "{method}");
    }
    for method in ["HEAD", "OPTIONS"] {
        assert_eq!(with_method(method).await, "valid: ", "{method}");
    }
    let unsaid = verify(&app, secret(&key), json!({})).await;
    assert_eq!(told(&unsaid), "valid: reads 7, writes 4, burst 3");
    verify(&app, secret(&key), json!({ "rate_limit_cost": 3 })).await;
    assert_eq!(with_method("GET").await, "rate_limited: reads 4, burst 0");
    assert_eq!(with_method("HEAD").await, "valid: ", "not even where nothing is left");
}

#[tokio::test]
async fn a_request_that_one_limit_refuses_is_counted_by_none() {
    let app = start().await;
    let key = limited(&app, &[limit("burst", 1, 1), limit("day", 10, 86_400)]).await;
    assert_eq!(told(&verify(&app, secret(&key), json!({})).await), "valid: burst 0, day 9");
    let refused = verify(&app, secret(&key), json!({})).await;
    assert_eq!(told(&refused), "rate_limited: burst 0, day 9");
    assert_eq!(refused["retry_after_seconds"], 1);
    app.clock.advance(Duration::from_secs(1));
    verify(&app, secret(&key), json!({})).await;
    assert_eq!(left(&app, &key).await, "valid: burst 0, day 8");
    let both = verify(&app, secret(&key), json!({ "rate_limit_cost": 9 })).await;
    assert_eq!(both.get("retry_after_seconds"), None, "one of them would never let it through");
}

#[tokio::test]
async fn of_several_limits_that_refuse_the_longest_wait_is_told() {
    let app = start().await;
    let key = limited(&app, &[limit("burst", 1, 1), limit("hour", 1, 3_600)]).await;
    verify(&app, secret(&key), json!({})).await;
    let refused = verify(&app, secret(&key), json!({})).await;
    assert_eq!(refused["retry_after_seconds"], 3_600);
}

#[tokio::test]
async fn the_installations_limits_apply_where_a_key_has_none_of_the_same_name() {
    let mut with_defaults = settings();
    let default = |name: &str, limit| RateLimit { name: name.to_owned(), limit, window_seconds: 60 };
    with_defaults.rate_limits = vec![default("per_minute", 3), default("writes", 2)];
    let app = start_with(with_defaults).await;
    let plain = key(&app, json!({})).await;
    assert_eq!(plain["rate_limits"], json!([]), "they are the installation's, not the key's");
    assert_eq!(left(&app, &plain).await, "valid: per_minute 3, writes 2");
    let wider = limited(&app, &[limit("per_minute", 600, 60), limit("hour", 5, 3_600)]).await;
    assert_eq!(left(&app, &wider).await, "valid: per_minute 600, hour 5, writes 2");
    verify(&app, secret(&plain), json!({ "rate_limit_cost": 2 })).await;
    assert_eq!(told(&verify(&app, secret(&plain), json!({})).await), "rate_limited: per_minute 1, writes 0");
    let read = verify(&app, secret(&plain), json!({ "method": "GET" })).await;
    assert_eq!(told(&read), "valid: per_minute 0");
    assert_eq!(
        left(&app, &wider).await,
        "valid: per_minute 600, hour 5, writes 2",
        "each key has its own count"
    );
}

#[tokio::test]
async fn an_edit_of_a_limit_keeps_what_was_used_of_it() {
    let app = start().await;
    let key = limited(&app, &[limit("per_minute", 10, 60)]).await;
    verify(&app, secret(&key), json!({ "rate_limit_cost": 4 })).await;
    let edit = async |change: Value| app.operator().patch(&path_of(&key), change).await.done(200);
    edit(json!({ "name": "another" })).await;
    assert_eq!(left(&app, &key).await, "valid: per_minute 6");
    edit(json!({ "rate_limits": [limit("per_minute", 100, 60)] })).await;
    assert_eq!(left(&app, &key).await, "valid: per_minute 96");
    edit(json!({ "rate_limits": [limit("per_minute", 3, 60)] })).await;
    assert_eq!(left(&app, &key).await, "valid: per_minute 0");
    edit(json!({ "rate_limits": null })).await;
    assert_eq!(told(&verify(&app, secret(&key), json!({})).await), "valid: ");
}

#[tokio::test]
async fn both_secrets_of_a_rotated_key_share_its_limits() {
    let app = start().await;
    let key = limited(&app, &[limit("per_minute", 2, 60)]).await;
    verify(&app, secret(&key), json!({})).await;
    let rotated = app.operator().post_empty(&format!("{}/rotate", path_of(&key))).await.done(200);
    assert_eq!(told(&verify(&app, secret(&rotated), json!({})).await), "valid: per_minute 0");
    assert_eq!(code(&app, secret(&key)).await, "rate_limited");
}

#[tokio::test]
async fn what_is_refused_for_another_reason_is_not_counted() {
    let app = start().await;
    let key = limited(&app, &[limit("per_minute", 2, 60)]).await;
    let asked = json!({ "required_scopes": ["reports:read"] });
    assert_eq!(
        verify(&app, secret(&key), asked).await,
        json!({ "valid": false, "code": "insufficient_scope" })
    );
    let other_environment = json!({ "environment": "test" });
    assert_eq!(verify(&app, secret(&key), other_environment).await["code"], "wrong_environment");
    app.operator().patch(&path_of(&key), json!({ "enabled": false })).await.done(200);
    assert_eq!(code(&app, secret(&key)).await, "key_disabled");
    app.operator().patch(&path_of(&key), json!({ "enabled": true })).await.done(200);
    let wrong = secret(&key).replace("kb_live_", "kb_test_");
    assert_eq!(code(&app, &wrong).await, "invalid_key");
    assert_eq!(left(&app, &key).await, "valid: per_minute 2");
}

#[tokio::test]
async fn a_key_that_calls_keybell_itself_is_limited_too() {
    let app = start().await;
    let body = json!({
        "scopes": ["keybell:keys.read", "keybell:keys.write"],
        "rate_limits": [limit("reads", 2, 60), limit("writes", 1, 60)],
    });
    let key = key(&app, body).await;
    let client = app.bearer(secret(&key));
    client.get(KEYS).await.done(200);
    client.get(KEYS).await.done(200);
    let refused = client.get(KEYS).await;
    let problem = refused.refused(429, "rate_limited");
    assert_eq!(problem["status"], 429);
    for (name, value) in [
        ("retry-after", "30"),
        ("ratelimit-policy", "\"reads\";q=2;w=60"),
        ("ratelimit", "\"reads\";r=0;t=60"),
        ("x-ratelimit-limit", "2"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1795435260"),
    ] {
        assert_eq!(refused.header(name), value, "{name}");
    }
    // A repeatable request looks at its credential twice, and is one all the same.
    let repeatable = client.with("idempotency-key", "order-1");
    repeatable.post(KEYS, json!({ "name": "a" })).await.done(201);
    repeatable.post(KEYS, json!({ "name": "a" })).await.refused(429, "rate_limited");
    app.operator().get(KEYS).await.done(200);
}

#[tokio::test]
async fn who_asks_about_a_key_is_counted_by_its_own_limits_and_the_key_by_the_keys() {
    let app = start().await;
    let body = json!({ "scopes": ["keybell:keys.read"], "rate_limits": [limit("per_minute", 2, 60)] });
    let asker = key(&app, body).await;
    let key = limited(&app, &[limit("per_minute", 5, 60)]).await;
    let client = app.bearer(secret(&asker));
    let question = json!({ "secret_key": secret(&key) });
    for remaining in [4, 3] {
        let verdict = client.post("/v1/api-keys/verify", question.clone()).await.done(200);
        assert_eq!(told(&verdict), format!("valid: per_minute {remaining}"));
    }
    client.post("/v1/api-keys/verify", question).await.refused(429, "rate_limited");
    assert_eq!(left(&app, &key).await, "valid: per_minute 3");
}

#[tokio::test]
async fn nobody_but_an_operator_sets_a_limit_in_the_place_of_the_platforms() {
    let mut limited = settings();
    limited.rate_limits = vec![RateLimit { name: "reads".to_owned(), limit: 5, window_seconds: 3_600 }];
    let app = start_with(limited).await;
    let scopes = json!({ "scopes": ["keybell:keys.read", "keybell:keys.write"] });
    let key = key(&app, scopes).await;
    let tenant = app.bearer(secret(&key)).with("x-request-id", "tenant");
    let more = |name: &str| json!([{ "name": name, "limit": 1_000_000, "window_seconds": 1 }]);
    let body = json!({ "name": "more", "rate_limits": more("reads") });
    let refused =
        tenant.post("/v1/workspaces/current/api-keys", body).await.refused(422, "validation_failed");
    assert_eq!(refused["errors"][0]["field"], "rate_limits[0].name");
    tenant
        .patch(&path_of(&key), json!({ "rate_limits": more("reads") }))
        .await
        .refused(422, "validation_failed");
    tenant.patch(&path_of(&key), json!({ "rate_limits": more("burst") })).await.done(200);
    app.operator().patch(&path_of(&key), json!({ "rate_limits": more("reads") })).await.done(200);
    tenant.patch(&path_of(&key), json!({ "rate_limits": [] })).await.refused(422, "validation_failed");
}
