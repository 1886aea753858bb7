//! How keys were used and deliveries went, as the pages show it.

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::{On, TestApp};
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::json;

use super::browser::{Browser, Page};
use crate::newsroom::{Newsroom, text};

const DEVELOPER: &str = "/settings/advanced/developer";

/// The sentence over each chart of a page.
fn findings(page: &Page) -> Vec<String> {
    let said = |figure: &scraper::ElementRef<'_>| {
        let words: Vec<_> = figure.text().flat_map(str::split_whitespace).collect();
        words.join(" ")
    };
    page.all("figure.chart figcaption").iter().map(said).collect()
}

/// What the rows of a table under a chart hold.
fn rows(page: &Page, chart: &str) -> Vec<Vec<String>> {
    let table = format!("figure:has(#{chart}-finding) tbody tr");
    let cell = scraper::Selector::parse("th, td").expect("a selector");
    let cells = |row: &scraper::ElementRef<'_>| row.select(&cell).map(|cell| cell.text().collect()).collect();
    page.all(&table).iter().map(cells).collect()
}

async fn verify(app: &TestApp, secret_key: &str, times: usize) {
    for _ in 0..times {
        app.operator().post("/v1/api-keys/verify", json!({ "secret_key": secret_key })).await.done(200);
    }
}

#[tokio::test]
async fn the_page_of_a_webhook_says_how_it_is_doing_and_shows_how_it_went() {
    for on in [On::Memory, On::Postgres] {
        let room = Newsroom::trying_once(on).await;
        let receiver = Receiver::answering([Reply::status(204), Reply::status(204), Reply::status(500)]);
        let good = Receiver::ok();
        let (webhook, other) = (room.webhook(&receiver).await, room.webhook(&good).await);
        let token = room.app.member(&room.workspace, Role::Guest).await;
        let mut browser = Browser::signed_in(&room.app, &token);
        let webhooks = format!("/w/{}{DEVELOPER}/webhooks", room.workspace);
        let own = format!("{webhooks}/{}", text(&webhook["id"]));
        let page = browser.open(&own).await.is(200);
        assert!(page.text().contains("New No delivery has come to its end yet."), "{}", page.text());
        assert_eq!(findings(&page)[0], "No attempts in the last 24 hours.");
        assert!(browser.open(&webhooks).await.text().contains("Nothing sent"));

        room.publish("a").await;
        room.app.clock.advance(Duration::from_hours(1));
        room.publish("b").await;
        assert!(browser.open(&own).await.text().contains("Healthy Its deliveries arrive."));
        room.publish("c").await;
        for written in [false, true] {
            let page = browser.open(&own).await.is(200);
            assert!(page.text().contains("Failing since 23 Nov 2026, 13:00:00 UTC"), "{}", page.text());
            assert!(page.text().contains("After 5 days of nothing but failures"), "{}", page.text());
            let finding = "2 of 3 attempts in the last 24 hours succeeded; the worst hour was 23 Nov, 13:00 with 1 failure.";
            assert_eq!(findings(&page)[0], finding, "{on:?} {written}");
            let hours = rows(&page, "attempts");
            assert_eq!((hours.len(), hours[22].join(" ")), (24, "23 Nov, 12:00 1 0".to_owned()));
            assert_eq!(hours[23].join(" "), "23 Nov, 13:00 1 1");
            let latency = rows(&page, "latency");
            assert!(
                latency[0][1..].iter().all(|cell| cell == "—") && latency[23][1].ends_with('s'),
                "{latency:?}"
            );
            let list = browser.open(&webhooks).await.is(200);
            assert!(list.text().contains("66.6 % of 3 attempts succeeded"), "{}", list.text());
            assert!(list.text().contains("100 % of 3 attempts succeeded"), "{}", list.text());
            assert_eq!((list.all("svg.spark .bad").len(), list.all("svg.spark .good").len()), (1, 2));
            let overview = browser.open(&format!("/w/{}{DEVELOPER}", room.workspace)).await.is(200);
            let both = "5 of 6 attempts in the last 24 hours succeeded; the worst hour was 23 Nov, 13:00 with 1 failure.";
            assert_eq!(findings(&overview), [both], "no key, no chart of keys");
            room.app.app.write_usage().await.expect("the database is there");
        }
        for (period, length, many) in
            [("7 days", "3 hours", 56), ("30 days", "day", 30), ("24 hours", "hour", 24)]
        {
            let page = browser.open(&own).await;
            let page = browser.open(&page.link(period)).await.is(200);
            assert_eq!(rows(&page, "attempts").len(), many, "{period}");
            assert!(
                page.answer.text().contains(&format!("<caption>Attempts by {length}</caption>")),
                "{period}"
            );
            assert_eq!(page.all(".periods [aria-current]").len(), 1);
        }
        let other = format!("{webhooks}/{}?period=nothing", text(&other["id"]));
        let other = browser.open(&other).await.is(200);
        assert_eq!(findings(&other)[0], "3 of 3 attempts in the last 24 hours succeeded.");
        room.app.app.stop_engine(Duration::ZERO).await;
    }
}

#[tokio::test]
async fn the_pages_of_keys_show_how_each_was_used_and_nothing_of_other_workspaces() {
    for on in [On::Memory, On::Postgres] {
        let app = TestApp::start_with(on, keybell_testkit::app::settings()).await;
        let (ours, theirs) = (app.workspace("Evergreen").await, app.workspace("Northwind").await);
        let used = app.api_key(&ours, &[]).await;
        let (busy, of_theirs) = (app.api_key(&ours, &[]).await, app.api_key(&theirs, &[]).await);
        app.api_key(&ours, &[]).await;
        app.clock.advance(Duration::from_mins(1));
        verify(&app, &used, 2).await;
        verify(&app, &busy, 1_203).await;
        verify(&app, &of_theirs, 7).await;
        let id = used.rsplit_once('_').expect("an identifier and a secret").0;
        let path = format!("/v1/workspaces/{ours}/api-keys/{id}");
        app.operator().patch(&path, json!({ "enabled": false })).await.done(200);
        verify(&app, &used, 1).await;

        let token = app.member(&ours, Role::Owner).await;
        let mut browser = Browser::signed_in(&app, &token);
        for written in [false, true] {
            let list = browser.open(&format!("/w/{ours}{DEVELOPER}/api-keys")).await.is(200);
            for told in ["3 requests in 30 days, 1 refused", "1,203 requests in 30 days", "Never"] {
                assert!(list.text().contains(told), "{on:?} {written} {told}: {}", list.text());
            }
            assert_eq!(list.all("svg.spark").len(), 2, "the third was never used");
            let key = browser.open(&format!("/w/{ours}{DEVELOPER}/api-keys/{id}")).await.is(200);
            let finding = "2 of 3 requests in the last 24 hours were let through; the worst hour was 23 Nov, 12:00 with 1 refusal.";
            assert_eq!(findings(&key), [finding]);
            assert!(key.text().contains("The key was disabled"), "{}", key.text());
            let month = browser.open(&key.link("30 days")).await.is(200);
            assert_eq!(rows(&month, "requests")[29].join(" "), "23 Nov 2 1");
            assert!(month.text().contains("Days are days of UTC."), "{}", month.text());
            let overview = browser.open(&format!("/w/{ours}{DEVELOPER}")).await.is(200);
            assert!(findings(&overview)[0].starts_with("1,205 of 1,206 requests in the last 24 hours"));
            app.app.write_usage().await.expect("the database is there");
        }
        browser
            .open(&format!("/w/{ours}{DEVELOPER}/api-keys/{}", of_theirs.rsplit_once('_').expect("two").0))
            .await
            .is(404);
    }
}
