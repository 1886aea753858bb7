//! Deliveries made again, tests of webhooks, and the live list, on the pages.

use std::time::Duration;

use keybell_app::deliveries::COUNTED_FOR_PAGE_MAX;
use keybell_core::Role;
use keybell_testkit::app::{On, TestApp};
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::json;

use super::browser::{Browser, Page};
use crate::newsroom::{Newsroom, TYPE};

const PATIENCE: Duration = Duration::from_secs(20);

/// A workspace whose webhook received `many` events, and its owner's browser at the deliveries that succeeded.
async fn delivered<'a>(app: &'a TestApp, receiver: &Receiver, many: usize) -> (String, Browser<'a>, Page) {
    app.operator().post("/v1/event-types", json!({ "name": "portfolio.updated" })).await.done(201);
    let workspace = app.workspace("Evergreen").await;
    let webhook = json!({ "name": "Warehouse", "url": receiver.url("/in"), "events": ["*"] });
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), webhook).await.done(201);
    app.app.start_engine(&[tokio::runtime::Handle::current()]).await.expect("it starts once");
    for number in 0..many {
        let event = json!({ "type": "portfolio.updated", "data": { "number": number } });
        app.operator().post(&format!("/v1/workspaces/{workspace}/events"), event).await.done(202);
    }
    receiver.wait_for(many, PATIENCE).await;
    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(app, &token);
    let list = format!("/w/{workspace}/settings/advanced/developer/deliveries?status=succeeded");
    let page = until(&mut browser, &list, |page| page.all("tbody tr").len() == many).await;
    (workspace, browser, page)
}

/// The page, once it is as wanted: an attempt is written down after it is over.
async fn until(browser: &mut Browser<'_>, path: &str, is: impl Fn(&Page) -> bool) -> Page {
    let wanted = async {
        loop {
            let page = browser.open(path).await.is(200);
            if is(&page) {
                break page;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wanted).await.expect("the attempts are written down")
}

#[tokio::test]
async fn a_delivery_is_made_again_from_its_page() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|_| Reply::status(200));
    let (_, mut browser, page) = delivered(&app, &receiver, 1).await;
    let one = browser.open(&page.link("portfolio.updated")).await.is(200);
    let life: Vec<String> = one.all("ol.life > li").iter().map(|part| part.text().collect()).collect();
    assert!(life[0].starts_with("Occurred 23 Nov 2026") && life[1].starts_with("Accepted"), "{life:?}");
    let form = one.form("Resend");
    let again = browser.send(&form).await.is(200);
    assert!(again.text().contains("The delivery is made again."), "{}", again.text());
    let requests = receiver.wait_for(2, PATIENCE).await;
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
    let path = again.path.split('?').next().expect("a path").to_owned();
    let one = until(&mut browser, &path, |page| page.text().contains("Attempt 2")).await;
    assert!(
        one.text().contains("sent again by hand") && one.text().contains("curl --globoff -X POST"),
        "{}",
        one.text()
    );

    let twice = browser.send(&form).await.is(200);
    assert!(
        twice.text().contains("it was done once") && !twice.text().contains("Attempt 3"),
        "{}",
        twice.text()
    );
    browser.send(&twice.form("Resend")).await.is(200);
    let requests = receiver.wait_for(3, PATIENCE).await;
    assert_eq!(requests.len(), 3, "once for each time that the page was asked");
}

#[tokio::test]
async fn ticked_deliveries_are_made_again_and_the_filter_stays() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|_| Reply::status(200));
    let (_, mut browser, page) = delivered(&app, &receiver, 3).await;
    let ids: Vec<_> = page
        .all("input[name=delivery]")
        .iter()
        .filter_map(|tick| tick.attr("value"))
        .map(str::to_owned)
        .collect();
    assert_eq!(ids.len(), 3);
    let form = page.form("Resend the ticked ones");
    let none = browser.send(&form).await.is(200);
    assert!(none.text().contains("No delivery was ticked"), "{}", none.text());
    let form = form.ticked("delivery", &ids[0]).ticked("delivery", &ids[2]);
    let some = browser.send(&form).await.is(200);
    assert!(some.text().contains("These deliveries are made again."), "{}", some.text());
    assert!(some.path.contains("status=succeeded"), "{}", some.path);
    receiver.wait_for(5, PATIENCE).await;
    until(&mut browser, &page.path, |page| page.all("tbody tr").len() == 3).await;

    let twice = browser.send(&form).await.is(200);
    assert!(twice.text().contains("it was done once"), "{}", twice.text());
    assert!(twice.path.contains("status=succeeded"), "{}", twice.path);
    assert_eq!(twice.all("tbody tr").len(), 3, "none is made again: {}", twice.text());
}

#[tokio::test]
async fn all_that_a_filter_means_are_made_again_once_after_the_page_said_how_many() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|_| Reply::status(200));
    let (_, mut browser, page) = delivered(&app, &receiver, 3).await;
    assert_eq!(page.all("tbody > tr > td[data-label='Time taken']").len(), 3);
    assert!(page.text().contains(" ms"), "{}", page.text());
    let ask = browser.open(&page.link("Resend all that fit this filter")).await.is(200);
    assert!(ask.text().contains("Resend these 3 deliveries?"), "{}", ask.text());
    assert_eq!(ask.all("dl.pairs dd")[0].text().collect::<String>(), "Succeeded");
    let list = page.path.split('?').next().expect("a path").to_owned();
    let later = browser.open(&format!("{list}/resend?status=succeeded&from=2026-11-23T12:01")).await.is(200);
    assert!(later.text().contains("Nothing to resend"), "{}", later.text());
    let since = browser.open(&format!("{list}/resend?status=succeeded&to=2026-11-23")).await.is(200);
    for told in ["Resend these 3 deliveries?", "Made before", "2026-11-24T00:00:00.000Z"] {
        assert!(since.text().contains(told), "{told}: {}", since.text());
    }
    let form = ask.form("Resend these 3");
    let done = browser.send(&form).await.is(200);
    assert!(done.text().contains("These deliveries are made again."), "{}", done.text());
    let again = browser.send(&form).await.is(200);
    assert!(again.text().contains("This form was sent before"), "{}", again.text());
    receiver.wait_for(6, PATIENCE).await;

    browser.open(&format!("{list}/resend?status=pending")).await.is(404);
    browser.open(&format!("{list}/resend?status=failed&answer=timeout")).await.is(422);
    browser.open(&format!("{list}/resend?status=failed&from=soon")).await.is(422);
    let none = browser.open(&format!("{list}/resend?status=failed")).await.is(200);
    assert!(none.text().contains("Nothing to resend") && !none.offers("Resend"), "{}", none.text());
}

/// So many events at once, and when all of them have been delivered.
async fn deliver(newsroom: &Newsroom, event_type: &str, many: usize) {
    let event = json!({ "workspace": newsroom.workspace, "type": event_type, "data": {} });
    let events = json!({ "events": vec![event; many] });
    newsroom.app.operator().post("/v1/events/batch", events).await.done(202);
    newsroom.quiet().await;
    newsroom.app.clock.advance(Duration::from_secs(1));
}

#[tokio::test]
async fn the_page_says_how_many_exactly_up_to_as_many_as_it_counts_and_at_least_past_them() {
    for on in [On::Memory, On::Postgres] {
        let newsroom = Newsroom::open(on).await;
        newsroom
            .app
            .operator()
            .post("/v1/event-types", json!({ "name": "portfolio.updated" }))
            .await
            .done(201);
        let receiver = Receiver::ok();
        newsroom.webhook(&receiver).await;
        let owner = newsroom.app.member(&newsroom.workspace, Role::Owner).await;
        let mut browser = Browser::signed_in(&newsroom.app, &owner);
        let list = format!("/w/{}/settings/advanced/developer/deliveries", newsroom.workspace);
        let all = format!("{list}/resend?status=succeeded");
        let oldest = format!("{all}&event_type=portfolio.updated");
        let counted = usize::try_from(COUNTED_FOR_PAGE_MAX).expect("it is a number of rows");

        deliver(&newsroom, "portfolio.updated", 1).await;
        deliver(&newsroom, TYPE, counted - 1).await;
        let ask = browser.open(&all).await.is(200);
        assert!(ask.text().contains(&format!("Resend these {counted} deliveries?")), "{}", ask.text());
        let ask = browser.open(&oldest).await.is(200);
        assert!(ask.text().contains("Resend this 1 delivery?"), "{}", ask.text());

        deliver(&newsroom, TYPE, 1).await;
        let ask = browser.open(&all).await.is(200);
        assert!(ask.text().contains(&format!("Resend at least {counted} deliveries?")), "{}", ask.text());
        assert!(
            ask.text().contains("were not all counted") && ask.offers("Resend all of them"),
            "{}",
            ask.text()
        );
        let ask = browser.open(&oldest).await.is(200);
        assert!(ask.text().contains("Resend at least 1 delivery?"), "{}", ask.text());
    }
}

#[tokio::test]
async fn a_guest_is_offered_nothing_that_would_be_refused() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|_| Reply::status(200));
    let (workspace, mut owner, page) = delivered(&app, &receiver, 1).await;
    let one = page.link("portfolio.updated");
    let form = owner.open(&one).await.form("Resend");
    let token = app.member(&workspace, Role::Guest).await;
    let mut guest = Browser::signed_in(&app, &token);
    let list = guest.open(&page.path).await.is(200);
    assert!(!list.offers("Resend") && list.all("input[name=delivery]").is_empty(), "{}", list.text());
    guest.send(&form).await.is(403);
    guest.send(&page.form("Resend the ticked ones")).await.is(403);
    guest.open(&page.link("Resend all that fit this filter")).await.is(403);
    let webhook = page.path.split("/deliveries").next().expect("a path").to_owned() + "/webhooks";
    let webhook = owner.open(&webhook).await.link("Warehouse");
    guest.open(&format!("{webhook}/test")).await.is(403);
}

#[tokio::test]
async fn a_test_shows_what_was_sent_and_what_came_back() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|_| Reply::status(418).body("<i>short and stout</i>"));
    let (_, mut browser, page) = delivered(&app, &receiver, 0).await;
    let list = page.path.split("/deliveries").next().expect("a path").to_owned() + "/webhooks";
    let webhook = browser.open(&list).await.link("Warehouse");
    let webhook = browser.open(&webhook).await.is(200);
    let ask = browser.open(&webhook.link("Send test")).await.is(200);
    let form = ask.form("Send test").with("event_type", "portfolio.updated");
    let tested = browser.send(&form).await.is(200);
    for told in [
        "The endpoint answered 418",
        "<i>short and stout</i>",
        "webhook-signature",
        "portfolio.updated",
        "23 Nov 2026, 12:00:00 UTC · test · took",
        "curl --globoff -X POST",
        "As it was sent, byte for byte",
        "Send another test",
    ] {
        assert!(tested.text().contains(told), "{told}: {}", tested.text());
    }
    let copied = |id: &str| {
        assert_eq!(tested.all(&format!("button[data-copy='{id}'][hidden]")).len(), 1, "{id}");
        tested.all(&format!("code#{id}"))[0].text().collect::<String>()
    };
    assert_eq!(copied("answer-1-body"), "<i>short and stout</i>");
    assert!(copied("request-1-raw").starts_with(r#"{"id":"test_"#));
    assert!(copied("request-1-body").starts_with("{\n"));
    assert!(!tested.answer.text().contains("<i>"));
    let sent = receiver.wait_for(1, PATIENCE).await.remove(0);
    assert!(sent.header("webhook-id").is_some_and(|id| id.starts_with("test_")));
    let twice = browser.send(&form).await.is(200);
    assert!(twice.text().contains("it was done once"), "{}", twice.text());
    assert!(!twice.text().contains("The endpoint answered"), "{}", twice.text());
    let another = browser.send(&tested.form("Send another test")).await.is(200);
    assert!(another.text().contains("The endpoint answered 418"), "{}", another.text());
    assert_eq!(receiver.wait_for(2, PATIENCE).await.len(), 2, "one for each time that it was meant");
    let told = browser.send_for_events(&ask.form("Send test").with("event_type", "portfolio.updated")).await;
    assert_eq!(told.header("content-type"), "text/event-stream", "{}", told.text());
    assert!(told.text().starts_with("event: sending\n"), "{}", told.text());
    for part in [
        "event: outcome\n",
        "The endpoint answered 418",
        "<i>short and stout</i>",
        "webhook-signature",
        r#""started":"2026-11-23T12:00:00.000Z","timings":" · test · took"#,
        r#""curl":"curl --globoff -X POST"#,
        r#""raw":"{\"id\":\"test_"#,
        r#""raw":null"#,
    ] {
        assert!(told.text().contains(part), "{part}: {}", told.text());
    }
    let told = browser.send_for_events(&ask.form("Send test").with("event_type", "memo.written")).await;
    assert!(
        told.text().contains("event: refused\ndata: \"The catalogue has no event type"),
        "{}",
        told.text()
    );
    let unknown = another.form("Send another test").with("event_type", "memo.written");
    let unknown = browser.send(&unknown).await;
    assert!(
        unknown.status >= 400 && unknown.text().contains("no event type of that name"),
        "{}",
        unknown.text()
    );
}

#[tokio::test]
async fn live_tells_what_there_is_and_nothing_to_others() {
    let app = TestApp::start().await;
    let receiver = Receiver::start(|_| Reply::status(200));
    let (workspace, mut browser, page) = delivered(&app, &receiver, 2).await;
    // A view that is begun while the server ends tells what there is, and no more.
    app.app.end_live_views();
    let live = format!("/w/{workspace}/settings/advanced/developer/deliveries/live");
    let told = browser.open(&live).await.is(200);
    assert!(told.answer.header("content-type").starts_with("text/event-stream"));
    assert_eq!(told.answer.header("cache-control"), "no-store");
    for id in page.all("tbody tr").iter().filter_map(|row| row.attr("data-id")) {
        assert!(told.answer.text().contains(id), "{}", told.answer.text());
    }
    assert_eq!(told.answer.text().matches("event: delivery").count(), 2);
    let failed = browser.open(&format!("{live}?status=failed")).await.is(200);
    assert!(!failed.answer.text().contains("event:"), "{}", failed.answer.text());

    let elsewhere = app.workspace("Northwind").await;
    let token = app.member(&elsewhere, Role::Owner).await;
    Browser::signed_in(&app, &token).open(&live).await.is(404);
    assert!(Browser::new(&app).open(&live).await.path.starts_with("/sign-in"));
}
