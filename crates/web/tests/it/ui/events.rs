//! Events on the pages.

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};

use super::browser::{Browser, Page};

const LIST: &str = "/settings/advanced/developer/events";

/// A workspace with a catalogue, its id, and its owner's browser at the events.
async fn at_the_list(app: &TestApp) -> (String, Browser<'_>, Page) {
    for name in ["portfolio.updated", "research_report.published"] {
        app.operator().post("/v1/event-types", json!({ "name": name })).await.done(201);
    }
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(app, &token);
    let page = browser.open(&format!("/w/{workspace}{LIST}")).await.is(200);
    (workspace, browser, page)
}

async fn publish(app: &TestApp, workspace: &str, event: Value) {
    app.operator().post(&format!("/v1/workspaces/{workspace}/events"), event).await.done(202);
}

async fn make_webhook(app: &TestApp, workspace: &str, url: &str) {
    let webhook = json!({ "name": "Warehouse", "url": url, "events": ["*"] });
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), webhook).await.done(201);
}

#[tokio::test]
async fn an_empty_list_says_whether_there_is_none_or_none_that_fits() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_list(&app).await;
    assert!(page.text().contains("No events yet") && page.offers("Event catalogue"), "{}", page.text());
    let none = browser.open(&format!("{}?type=portfolio.updated", page.path)).await.is(200);
    assert!(none.text().contains("No event fits this filter."), "{}", none.text());
    assert_eq!(browser.open(&none.link("Clear")).await.path, page.path);
}

#[tokio::test]
async fn events_are_listed_filtered_and_turned_by_their_address() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    for number in 0..55 {
        publish(&app, &workspace, json!({ "type": "portfolio.updated", "data": number })).await;
    }
    app.clock.advance(Duration::from_hours(24));
    publish(&app, &workspace, json!({ "type": "research_report.published", "data": 1, "id": "report-1" }))
        .await;

    let first = browser.open(&page.path).await.is(200);
    assert_eq!(first.all("tbody tr").len(), 50);
    assert!(first.text().contains("report-1"), "the publisher's own id: {}", first.text());
    assert_eq!(browser.open(&first.link("Older")).await.all("tbody tr").len(), 6);
    let of_type = browser.open(&format!("{}?type=portfolio.updated&to=2026-11-23", page.path)).await.is(200);
    assert_eq!((of_type.all("tbody tr").len(), of_type.all("option[selected]").len()), (50, 1));
    let older = browser.open(&of_type.link("Older")).await.is(200);
    assert_eq!(
        (older.all("tbody tr").len(), older.value("to").as_str()),
        (5, "2026-11-24T00:00"),
        "the filter stays"
    );
    for (filter, many) in
        [("from=2026-11-24", 1), ("to=2026-11-22", 0), ("type=gone.type", 0), ("from=2026-11-24T12:01", 0)]
    {
        let page = browser.open(&format!("{}?{filter}", page.path)).await.is(200);
        assert_eq!(page.all("tbody tr").len(), many, "{filter}");
    }
    let odd = browser.open(&format!("{}?from=%22%3E%3Cscript%3E", page.path)).await.is(200);
    assert!(odd.text().contains("is no time, and was left out") && odd.all("script:not([src])").is_empty());
}

#[tokio::test]
async fn an_event_shows_its_data_as_it_was_published_and_where_it_went() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    make_webhook(&app, &workspace, "http://127.0.0.1:9/in").await;
    let hostile = json!({ "note": "</code><script>alert(1)</script>\u{202e}🦊", "amount": 1 });
    publish(&app, &workspace, json!({ "type": "portfolio.updated", "data": hostile })).await;
    let list = browser.open(&page.path).await.is(200);
    let one = browser.open(&list.link("portfolio.updated")).await.is(200);
    let text = |id: &str| one.all(id)[0].text().collect::<String>();
    assert!(text("#data-laid").contains("\"amount\": 1"), "{}", text("#data-laid"));
    assert_eq!(serde_json::from_str::<Value>(&text("#data-raw")).expect("JSON"), hostile);
    assert_eq!(one.all("script:not([src])").len(), 0);
    assert!(one.text().contains("Warehouse") && one.text().contains("Pending"), "{}", one.text());
    assert!(!one.offers("Resend"), "it is under way");
    assert_eq!(browser.open(&one.link("All deliveries of this event")).await.all("tbody tr").len(), 1);
    let kind =
        browser.open(&list.path.replace("/events", "/event-catalogue/portfolio.updated")).await.is(200);
    let of_type = browser.open(&kind.link("Events of this type")).await.is(200);
    assert_eq!(of_type.all("tbody tr").len(), 1);

    for unknown in ["evt_00000000000000000000000000", "x", "a.b", &"x".repeat(300)] {
        browser.open(&format!("{}/{unknown}", page.path)).await.is(404);
    }
}

#[tokio::test]
async fn an_event_of_another_workspace_is_not_there() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    publish(&app, &workspace, json!({ "type": "portfolio.updated", "data": "ours", "id": "ours" })).await;
    let other = app.workspace("Northwind").await;
    let token = app.member(&other, Role::Owner).await;
    let mut stranger = Browser::signed_in(&app, &token);
    stranger.open(&format!("{}/ours", page.path)).await.is(404);
    stranger.open(&format!("/w/{other}{LIST}/ours")).await.is(404);
    browser.open(&format!("{}/ours", page.path)).await.is(200);
}

#[tokio::test]
async fn a_guest_sees_that_something_happened_and_not_what() {
    let app = TestApp::start().await;
    let (workspace, _, page) = at_the_list(&app).await;
    publish(&app, &workspace, json!({ "type": "portfolio.updated", "data": "secret", "id": "one" })).await;
    let token = app.member(&workspace, Role::Guest).await;
    let mut guest = Browser::signed_in(&app, &token);
    let list = guest.open(&page.path).await.is(200);
    assert_eq!((list.all("tbody tr").len(), list.all("tbody th a").len()), (1, 0));
    guest.open(&format!("{}/one", page.path)).await.is(403);
}

/// Opens `path` until `text` is on it: what came of an attempt is written down after it is over.
async fn open_until(browser: &mut Browser<'_>, path: &str, text: &str) -> Page {
    let look = async {
        loop {
            let page = browser.open(path).await.is(200);
            if page.text().contains(text) {
                break page;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look)
        .await
        .expect("what came of the attempt is written down")
}

#[tokio::test]
async fn an_event_is_sent_again_to_a_webhook_that_was_sent_it_and_only_once_for_a_form() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    let receiver = Receiver::start(|_| Reply::status(200));
    make_webhook(&app, &workspace, &receiver.url("/in")).await;
    app.app.start_engine(&[tokio::runtime::Handle::current()]).await.expect("it starts once");
    publish(&app, &workspace, json!({ "type": "portfolio.updated", "data": 1, "id": "one" })).await;
    publish(&app, &workspace, json!({ "type": "portfolio.updated", "data": 2, "id": "two" })).await;
    receiver.wait_for(2, Duration::from_secs(20)).await;

    let path = format!("{}/one", page.path);
    let one = open_until(&mut browser, &path, "Warehouse (succeeded)").await;
    let form = one.form("Resend");
    let two = open_until(&mut browser, &format!("{}/two", page.path), "Warehouse (succeeded)").await;
    let choice = |page: &Page| page.all("#delivery option")[0].attr("value").unwrap_or_default().to_owned();
    browser.send(&form.clone().with("delivery", &choice(&two))).await.is(404);
    browser.send(&form.clone().with("delivery", "x")).await.is(404);
    let form = form.with("delivery", &choice(&one));
    let sent = browser.send(&form).await.is(200);
    assert!(sent.text().contains("The delivery is made again."), "{}", sent.text());
    let again = browser.send(&form).await.is(200);
    assert!(again.text().contains("it was done once"), "{}", again.text());
    let requests = receiver.wait_for(3, Duration::from_secs(20)).await;
    assert_eq!(requests[2].header("webhook-id"), Some("one"));

    // A member may not send to what others made, and a guest not at all.
    let member = app.member(&workspace, Role::Member).await;
    let mut member = Browser::signed_in(&app, &member);
    let seen = open_until(&mut member, &path, "Succeeded").await;
    assert!(!seen.offers("Resend"));
    let now = open_until(&mut browser, &path, "Warehouse (succeeded)").await;
    member.send(&now.form("Resend").with("delivery", &choice(&now))).await.is(403);
    app.app.stop_engine(Duration::from_secs(5)).await;
}
