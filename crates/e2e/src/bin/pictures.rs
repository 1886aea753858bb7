//! Takes the pictures of the README: `keybell demo`, as its visitor sees it. Run by `cargo xtask pictures`, which says in
//! `KEYBELL_PICTURES` where they go.

use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::demo::Demo;
use keybell_e2e::role::Role::{Button, Heading, Link};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let demo = Demo::start();
    make_keys(&demo);
    let browser = Browser::open(demo.keybell(), Look { width: 1120, ..Look::default() }).await;
    browser.go(demo.url("/sign-in/")).await;
    if browser.has(Button, "Sign in").await {
        browser.click(Button, "Sign in").await;
    }
    browser.click(Link, "Settings").await;
    browser.click(Button, "Advanced Settings").await;
    browser.click(Link, "Developer").await;
    browser.find(Heading, "Overview").await;
    browser.click(Link, "API keys").await;
    browser.find(Heading, "API keys").await;
    browser.picture("developer").await;
    browser.click(Link, "Webhooks").await;
    browser.find(Heading, "Webhooks").await;
    browser.picture("webhooks").await;
    browser.click(Link, "Deliveries").await;
    browser.find(Heading, "Deliveries").await;
    browser.picture("deliveries").await;
    browser.close().await;
}

/// Two more keys, as a team would have them.
fn make_keys(demo: &Demo) {
    let keybell = demo.keybell_api(&demo.secret_key());
    for key in [
        json!({"name": "Integration tests", "description": "Runs on every change", "environment": "test", "scopes": ["reports:read"]}),
        json!({"name": "Nightly import", "description": "Copies reports into the CRM", "scopes": ["reports:read"]}),
    ] {
        let made = keybell.must("POST", "/v1/workspaces/current/api-keys", &key);
        let secret_key = made["secret_key"].as_str().expect("it is shown once");
        demo.platform_api(secret_key).ask("GET", "/v1/research-reports", &Value::Null);
    }
}
