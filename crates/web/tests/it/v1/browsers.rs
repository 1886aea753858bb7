//! `/v1/forward-auth`, where secret keys in browsers are refused.

use keybell_app::settings::Settings;
use keybell_testkit::app::{Client, settings};
use serde_json::json;

use crate::northwind::{code, key, path_of, secret, start, start_with};

/// What only browsers send.
const BY_BROWSERS: [(&str, &str); 5] = [
    ("origin", "https://app.example"),
    ("origin", "null"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-dest", "empty"),
];

fn refusing() -> Settings {
    Settings { refuse_browsers: true, ..settings() }
}

#[tokio::test]
async fn a_secret_key_that_a_browser_sends_is_refused_where_that_is_configured() {
    let app = start_with(refusing()).await;
    let key =
        key(&app, json!({ "rate_limits": [{ "name": "day", "limit": 9, "window_seconds": 86_400 }] })).await;
    let by_bearer = app.bearer(secret(&key));
    let by_header = app.stranger().with("x-api-key", secret(&key));
    for (name, value) in BY_BROWSERS {
        for client in [&by_bearer, &by_header] {
            let answer = client.clone().with(name, value).get("/v1/forward-auth").await;
            answer.refused(403, "secret_key_in_browser");
            assert_eq!(answer.header("x-keybell-code"), "secret_key_in_browser", "{name}: {value}");
            assert_eq!(answer.header("x-ratelimit-remaining"), "", "it was not counted");
        }
    }
    let nginx = by_bearer.clone().with("origin", "https://app.example");
    let answer = nginx.get("/v1/forward-auth?gateway=nginx").await;
    assert_eq!((answer.status, answer.header("x-keybell-status")), (403, "403"));

    let answer = by_bearer
        .with("user-agent", "Mozilla/5.0")
        .with("referer", "https://app.example/")
        .get("/v1/forward-auth")
        .await;
    assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (200, "8"));
}

#[tokio::test]
async fn a_browser_learns_nothing_of_the_key_that_it_sends() {
    let app = start_with(refusing()).await;
    let revoked = key(&app, json!({})).await;
    app.operator().post_empty(&format!("{}/revoke", path_of(&revoked))).await.done(200);
    let in_browser =
        async |client: Client<'_>| client.with("origin", "https://app.example").get("/v1/forward-auth").await;
    in_browser(app.bearer(secret(&revoked))).await.refused(403, "secret_key_in_browser");
    in_browser(app.bearer("nonsense")).await.refused(403, "secret_key_in_browser");
    in_browser(app.stranger()).await.refused(401, "missing_credential");
}

#[tokio::test]
async fn otherwise_browsers_are_let_through_like_others() {
    let app = start().await;
    let key = key(&app, json!({})).await;
    for (name, value) in BY_BROWSERS {
        app.bearer(secret(&key)).with(name, value).get("/v1/forward-auth").await.done(200);
    }
}

#[tokio::test]
async fn only_gateways_refuse_browsers() {
    let app = start_with(refusing()).await;
    let key = key(&app, json!({ "scopes": ["keybell:keys.read"] })).await;
    assert_eq!(code(&app, secret(&key)).await, "valid");
    let client = app.bearer(secret(&key)).with("origin", "https://app.example");
    client.get("/v1/workspaces/current/api-keys").await.done(200);
}
