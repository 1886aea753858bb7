//! Deliveries on the pages.

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::json;

use super::browser::{Browser, Page};

/// A workspace whose webhook wants everything, with `many` events published, and its owner's browser at the deliveries.
async fn at_the_list(app: &TestApp, many: usize) -> (String, Browser<'_>, Page) {
    for name in ["portfolio.updated", "research_report.published"] {
        app.operator().post("/v1/event-types", json!({ "name": name })).await.done(201);
    }
    let workspace = app.workspace("Evergreen").await;
    let webhook = json!({ "name": "Warehouse", "url": "http://127.0.0.1:9/in", "events": ["*"] });
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), webhook).await.done(201);
    for number in 0..many {
        let event =
            json!({ "type": "portfolio.updated", "data": { "number": number, "note": "<b>bold</b>" } });
        app.operator().post(&format!("/v1/workspaces/{workspace}/events"), event).await.done(202);
    }
    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(app, &token);
    let page = browser.open(&format!("/w/{workspace}/settings/advanced/developer/deliveries")).await.is(200);
    (workspace, browser, page)
}

#[tokio::test]
async fn an_empty_list_says_whether_there_is_none_or_none_that_fits() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_list(&app, 0).await;
    assert!(page.text().contains("No deliveries yet"), "{}", page.text());
    let page = browser.open(&format!("{}?status=failed", page.path)).await.is(200);
    assert!(page.text().contains("No delivery fits this filter."), "{}", page.text());
    assert_eq!(browser.open(&page.link("Clear")).await.path, page.path.split('?').next().expect("a path"));
}

#[tokio::test]
async fn deliveries_are_listed_filtered_and_turned_by_their_address() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_list(&app, 60).await;
    assert_eq!(page.all("tbody tr").len(), 50);
    assert!(page.text().contains("Warehouse") && page.text().contains("Pending"), "{}", page.text());
    let older = browser.open(&page.link("Older")).await.is(200);
    assert_eq!(older.all("tbody tr").len(), 10);

    let filtered =
        browser.open(&format!("{}?status=pending&answer=none&event_type=portfolio.updated", page.path)).await;
    assert_eq!(filtered.all("tbody tr").len(), 50);
    assert_eq!(filtered.all("option[selected]").len(), 3, "what is filtered by can be seen");
    let older = browser.open(&filtered.link("Older")).await.is(200);
    assert_eq!(
        (older.all("tbody tr").len(), older.all("option[selected]").len()),
        (10, 3),
        "the filter stays"
    );
    for none in ["status=succeeded", "answer=5xx", "event_type=research_report.published"] {
        assert_eq!(browser.open(&format!("{}?{none}", page.path)).await.all("tbody tr").len(), 0, "{none}");
    }

    let webhook = browser.open(&page.path.replace("/deliveries", "/webhooks")).await.link("Warehouse");
    let webhook = browser.open(&webhook).await.is(200);
    assert_eq!(webhook.all("tbody tr").len(), 10, "the last ones are on the webhook's own page");
    let of_webhook = browser.open(&webhook.link("All deliveries")).await.is(200);
    assert!(of_webhook.text().contains("Deliveries of Warehouse"), "{}", of_webhook.text());
    assert_eq!(of_webhook.all("tbody tr").len(), 50);
}

#[tokio::test]
async fn the_list_of_the_workspace_leads_to_that_of_a_webhook_by_its_name() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app, 1).await;
    let other = json!({ "name": "<b>Archive", "url": "http://127.0.0.1:9/in", "events": ["research_report.published"] });
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), other).await.done(201);
    let list = format!("/w/{workspace}/settings/advanced/developer/deliveries");
    let page = browser.open(&list).await.is(200);
    let options = page.all("form.filters select[name=webhook_id] option");
    let names: Vec<String> = options.iter().map(|option| option.text().collect()).collect();
    assert_eq!(names, ["Any", "<b>Archive", "Warehouse"]);
    // As a browser sends the form: with every field of it.
    let sent = |option: usize| {
        let id = options[option].attr("value").expect("an id");
        format!("{list}?status=pending&answer=&event_type=&webhook_id={id}&from=&to=")
    };
    let any = browser.open(&sent(0)).await.is(200);
    assert_eq!((any.all("tbody tr").len(), any.all("#webhook").len()), (1, 1), "{}", any.text());
    for (option, name, rows) in [(1, "<b>Archive", 0), (2, "Warehouse", 1)] {
        let own = browser.open(&sent(option)).await.is(200);
        assert!(own.text().contains(&format!("Deliveries of {name}")), "{}", own.text());
        assert_eq!((own.all("tbody tr").len(), own.all("#webhook").len()), (rows, 0), "{name}");
        assert_eq!(own.all("#status option[selected]")[0].attr("value"), Some("pending"), "the filter stays");
    }
}

#[tokio::test]
async fn the_deliveries_of_an_event_stay_those_when_they_are_filtered() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_list(&app, 2).await;
    let delivery = browser.open(&page.link("portfolio.updated")).await.is(200);
    let event = delivery.all("a[href*='/events/']")[0].attr("href").expect("it leads to its event");
    let event = browser.open(event).await.is(200);
    let id = event.path.rsplit('/').next().expect("it ends with the id");
    let of_event = browser.open(&format!("{}?event_id={id}", page.path)).await.is(200);
    assert_eq!(of_event.all("tbody tr").len(), 1);
    assert_eq!(of_event.all(&format!("h1 + p + p a[href='{}']", event.path)).len(), 1, "{}", of_event.text());
    assert_eq!(of_event.all(&format!("form.filters input[name=event_id][value='{id}']")).len(), 1);
    let unknown = browser.open(&format!("{}?event_id=no%20id", page.path)).await.is(200);
    assert_eq!(unknown.all("input[name=event_id]").len(), 0, "what is not understood is not said");
}

#[tokio::test]
async fn deliveries_are_found_by_when_they_were_made() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app, 2).await;
    app.clock.advance(Duration::from_hours(1));
    let event = json!({ "type": "research_report.published", "data": {} });
    app.operator().post(&format!("/v1/workspaces/{workspace}/events"), event).await.done(202);
    for (filter, rows, is_live) in [
        ("from=2026-11-23T12:30", 1, true),
        ("to=2026-11-23T12:30", 2, false),
        ("from=2026-11-23&to=2026-11-23", 3, false),
        ("from=2026-11-23T12:00&to=2026-11-23T12:00", 0, false),
    ] {
        let found = browser.open(&format!("{}?{filter}", page.path)).await.is(200);
        assert_eq!(found.all("tbody tr").len(), rows, "{filter}");
        assert_eq!(found.all("[data-live]").len(), usize::from(is_live), "{filter}");
    }
    let found = browser.open(&format!("{}?from=2026-11-23T12:30&to=soon", page.path)).await.is(200);
    assert_eq!(found.all("tbody tr").len(), 1);
    assert_eq!(found.all("input[value='2026-11-23T12:30']").len(), 1, "what is filtered by can be seen");
    assert!(found.text().contains("“soon” is no time, and was left out."), "{}", found.text());
    browser.open(&format!("{}.csv?to=soon", page.path)).await.is(422);
}

#[tokio::test]
async fn an_event_type_that_the_catalogue_no_longer_has_stays_chosen_in_the_filter() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_list(&app, 1).await;
    let developer = page.path.trim_end_matches("/deliveries");
    for list in ["deliveries?event_type", "events?type"] {
        let filtered = browser.open(&format!("{developer}/{list}=portfolio.closed")).await.is(200);
        let chosen = filtered.all("option[selected]");
        let words: Vec<_> = chosen.iter().filter_map(|option| option.attr("value")).collect();
        assert!(words.contains(&"portfolio.closed"), "{list}: {words:?}");
        assert!(filtered.text().contains("fits this filter"), "{}", filtered.text());
    }
}

#[tokio::test]
async fn a_delivery_that_waits_says_so() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_list(&app, 1).await;
    let one = browser.open(&page.link("portfolio.updated")).await.is(200);
    for told in ["Accepted", "Waits at its webhook", "No attempt has been made yet."] {
        assert!(one.text().contains(told), "{told}: {}", one.text());
    }
    assert_eq!(browser.open(&one.link("All deliveries of this event")).await.all("tbody tr").len(), 1);
    browser
        .open(&page.path.replace("/deliveries", "/deliveries/dlv_00000000000000000000000000"))
        .await
        .is(404);
}

#[tokio::test]
async fn a_list_of_pending_deliveries_offers_none_to_tick() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_list(&app, 1).await;
    let pending = browser.open(&format!("{}?status=pending", page.path)).await.is(200);
    assert_eq!(pending.all("tbody tr").len(), 1);
    assert!(!pending.offers("Resend") && pending.all("form[method=post] table, .tick").is_empty());
    let model = pending.all("template#delivery-row")[0].inner_html();
    assert!(model.contains("data-put=\"status\"") && !model.contains("checkbox"), "{model}");
    assert!(
        page.offers("Resend the ticked ones"),
        "what else is listed may have ended, or end while it is live"
    );
}

#[tokio::test]
async fn a_guest_sees_that_something_was_sent_and_not_what() {
    let app = TestApp::start().await;
    let (workspace, _, page) = at_the_list(&app, 1).await;
    let one = page.link("portfolio.updated");
    let token = app.member(&workspace, Role::Guest).await;
    let mut guest = Browser::signed_in(&app, &token);
    let list = guest.open(&page.path).await.is(200);
    assert_eq!((list.all("tbody tr").len(), list.all("tbody a").len()), (1, 0));
    guest.open(&one).await.is(403);
    let of_event = guest.open(&format!("{}?event_id=evt_1", page.path)).await.is(200);
    assert_eq!(of_event.all("h1 + p + p code").len(), 1, "{}", of_event.text());
    assert_eq!(of_event.all("a[href*='/events/']").len(), 0, "it would be refused");
}

#[tokio::test]
async fn a_delivery_shows_what_was_sent_and_what_came_back_of_each_attempt() {
    let app = TestApp::start().await;
    let answer = Reply::status(410).header("x-why", "<i>gone</i>").body(r#"{"error":{"code":1.50}}"#);
    let receiver = Receiver::answering([answer]);
    app.operator().post("/v1/event-types", json!({ "name": "portfolio.updated" })).await.done(201);
    let workspace = app.workspace("Evergreen").await;
    let headers = json!([{ "name": "x-secret", "value": "hunter2", "secret": true }, { "name": "x-open", "value": "blue" }]);
    let webhook =
        json!({ "name": "Warehouse", "url": receiver.url("/in"), "events": ["*"], "headers": headers });
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), webhook).await.done(201);
    app.app.start_engine(&[tokio::runtime::Handle::current()]).await.expect("it starts once");
    let event = json!({ "type": "portfolio.updated", "data": { "note": "<b>bold</b>" } });
    app.operator().post(&format!("/v1/workspaces/{workspace}/events"), event).await.done(202);
    receiver.wait_for(1, Duration::from_secs(20)).await;

    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(&app, &token);
    let list = format!("/w/{workspace}/settings/advanced/developer/deliveries");
    // The attempt is written down after it is over; the page is asked until then.
    let ended = async {
        loop {
            let page = browser.open(&list).await.is(200);
            if page.text().contains("410") {
                break page;
            }
            tokio::task::yield_now().await;
        }
    };
    let page =
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the attempt is written down");
    assert!(page.text().contains("Failed"), "{}", page.text());
    let one = browser.open(&page.link("portfolio.updated")).await.is(200);
    for told in [
        "410 Gone",
        "x-why",
        "<i>gone</i>",
        "webhook-signature",
        "••••• (secret)",
        "\"note\": \"<b>bold</b>\"",
        "\"code\": 1.50",
    ] {
        assert!(one.text().contains(told), "{told}: {}", one.text());
    }
    assert!(!one.answer.text().contains("hunter2"));
    let webhook = browser.open(&one.link("Warehouse")).await.is(200);
    assert!(webhook.text().contains("answered 410 Gone"), "{}", webhook.text());
    app.app.stop_engine(Duration::from_secs(5)).await;
}
