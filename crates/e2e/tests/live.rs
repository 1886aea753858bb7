//! Live: the list of deliveries, told what happens in a browser that stays open while the server dies and comes back.

use std::time::Duration;

use keybell_e2e::api::Api;
use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::person::{Hand, Person};
use keybell_e2e::role::Role::{Heading, Link, Switch};
use keybell_e2e::steps::set_up_link;
use keybell_testkit::installation::{Installation, Profile};
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::json;

/// How long a delivery may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until the list has `count` deliveries that were answered.
async fn lists(browser: &Browser, count: usize) {
    let listed = async || {
        // The filter has the word, too.
        (browser.text().await.matches("Succeeded").count() > count).then_some(())
    };
    browser.until(&format!("{count} deliveries that succeeded"), listed).await;
}

#[tokio::test]
async fn what_happens_is_told_again_after_the_server_was_killed() {
    let receiver = Receiver::start(|_| Reply::status(204));
    let mut installation = Installation::prepare(Profile::Debug, None, "").expect("keybell can be built");
    let key = installation.operator_key("platform").expect("an operator key can be made");
    installation.serve().expect("keybell starts");
    let platform = Api::new(installation.address(), &key);
    platform.must("POST", "/v1/event-types", &json!({"name": "portfolio.updated"}));
    let person = Person::new(Browser::open(&installation.url(""), Look::default()).await, Hand::Pointer);
    person.set_up(&set_up_link(&mut installation), "Acme Research", "correct horse battery staple").await;
    let browser = &person.browser;
    let workspaces = platform.must("GET", "/v1/workspaces", &json!(null));
    let workspace = workspaces["data"][0]["id"].as_str().expect("there is one").to_owned();
    let of_workspace = |part: &str| format!("/v1/workspaces/{workspace}/{part}");
    let webhook = json!({"name": "CRM", "url": receiver.url("/"), "events": ["*"]});
    platform.must("POST", &of_workspace("webhooks"), &webhook);
    let publish =
        || platform.must("POST", &of_workspace("events"), &json!({"type": "portfolio.updated", "data": {}}));

    person.open_developer().await;
    browser.click(Link, "Deliveries").await;
    browser.find(Heading, "No deliveries yet").await;
    let live = async || browser.attribute(Switch, "Live", "aria-checked").await;
    assert_eq!(live().await.as_deref(), Some("false"), "it is off at first");
    browser.click(Switch, "Live").await;
    browser.sees("Waiting for deliveries").await;
    publish();
    lists(browser, 1).await;
    browser.sees("1 new").await;
    assert_eq!(browser.console().await, [""; 0]);

    installation.kill();
    browser.sees("The server is away. Trying again").await;
    installation.serve().expect("keybell starts again");
    publish();
    receiver.wait_for(2, PATIENCE).await;
    lists(browser, 2).await;
    browser.sees("2 new").await;
    assert_eq!(live().await.as_deref(), Some("true"), "nobody had to switch it on again");

    // Paused, it tells nothing; afterwards it tells what was missed.
    browser.click(Switch, "Live").await;
    browser.sees("Paused").await;
    publish();
    receiver.wait_for(3, PATIENCE).await;
    assert_eq!(
        browser.text().await.matches("portfolio.updated").count(),
        3,
        "two rows and a choice of the filter"
    );
    browser.click(Switch, "Live").await;
    lists(browser, 3).await;

    // A browser notes by itself that nobody was there.
    let console = browser.console().await;
    let ours: Vec<_> = console.iter().filter(|line| !line.contains("net::ERR_")).collect();
    assert!(ours.is_empty(), "{ours:?}");
    person.browser.close().await;
}
