//! Comfort in forms, as far as only a browser with the pages' scripts shows it: the picker of events of a webhook.

use keybell_e2e::api::Api;
use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::person::{Hand, Person};
use keybell_e2e::role::Role::{CheckBox, Heading, TextBox};
use keybell_e2e::steps::set_up_link;
use keybell_testkit::installation::{Installation, Profile};
use serde_json::{Value, json};
use thirtyfour::Key;

/// An installation with two event types of one group, and a person at the form of a new webhook.
async fn at_the_form() -> (Installation, Api, Person) {
    let mut installation = Installation::prepare(Profile::Debug, None, "").expect("keybell can be built");
    let key = installation.operator_key("platform").expect("an operator key can be made");
    installation.serve().expect("keybell starts");
    let platform = Api::new(installation.address(), &key);
    for name in ["portfolio.updated", "portfolio.rebalanced"] {
        platform.must("POST", "/v1/event-types", &json!({"name": name}));
    }
    let person = Person::new(Browser::open(&installation.url(""), Look::default()).await, Hand::Pointer);
    person.set_up(&set_up_link(&mut installation), "Acme Research", "correct horse battery staple").await;
    person.open_developer().await;
    person.open_section("Webhooks").await;
    let form = format!("{}/new", person.browser.path().await);
    person.browser.go(&form).await;
    person.browser.find(Heading, "Create Webhook").await;
    person.pick("These events").await;
    (installation, platform, person)
}

#[tokio::test]
async fn enter_in_the_search_of_events_sends_nothing_and_no_match_is_said() {
    let (_installation, platform, person) = at_the_form().await;
    let browser = &person.browser;
    person.describe_webhook("CRM", "", "https://hooks.example.com/crm").await;
    let search = browser.find(TextBox, "Search the events").await;
    search.send_keys("nothing" + Key::Enter).await.expect("it can be typed into");
    browser.sees("No event fits.").await;
    search.clear().await.expect("it can be cleared");
    search.send_keys("updated" + Key::Enter).await.expect("it can be typed into");
    let gone = async || (!browser.text().await.contains("No event fits.")).then_some(());
    browser.until("a match", gone).await;
    assert!(browser.path().await.ends_with("/webhooks/new"), "{}", browser.path().await);
    // Beside all events, where nothing is searched, those of Keybell can be wanted whatever was searched for before.
    assert!(!browser.text().await.contains("keybell.webhook.failing"));
    person.pick("All events, also future ones").await;
    browser.sees("keybell.webhook.failing").await;
    person.pick("These events").await;
    let filtered = async || (!browser.text().await.contains("keybell.webhook.failing")).then_some(());
    browser.until("what was searched for", filtered).await;
    let workspaces = platform.must("GET", "/v1/workspaces", &Value::Null);
    let workspace = workspaces["data"][0]["id"].as_str().expect("there is one");
    let webhooks = platform.must("GET", &format!("/v1/workspaces/{workspace}/webhooks"), &Value::Null);
    assert_eq!(webhooks["data"], json!([]));
    person.browser.close().await;
}

#[tokio::test]
async fn a_whole_group_is_drawn_ticked_and_gives_its_events_their_own_ticks_back() {
    let (_installation, _platform, person) = at_the_form().await;
    let browser = &person.browser;
    person.press(CheckBox, "portfolio.updated").await;
    // Whether each is ticked and disabled, the group first.
    let boxes = async || {
        let script = "return [...document.querySelectorAll('[aria-label=portfolio] input')]
            .map((box) => [box.value, box.checked, box.disabled, box.indeterminate])";
        browser.evaluate(script).await
    };
    let own = json!([
        ["portfolio.*", false, false, true],
        ["portfolio.rebalanced", false, false, false],
        ["portfolio.updated", true, false, false],
    ]);
    assert_eq!(boxes().await, own);
    person.press(CheckBox, "All of portfolio").await;
    let whole = json!([
        ["portfolio.*", true, false, false],
        ["portfolio.rebalanced", true, true, false],
        ["portfolio.updated", true, true, false],
    ]);
    assert_eq!(boxes().await, whole);
    person.press(CheckBox, "All of portfolio").await;
    assert_eq!(boxes().await, own);
    person.browser.close().await;
}
