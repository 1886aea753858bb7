//! Lists whose filter fits next to nothing: a page looks through so many at once, says how far back it looked, and goes on from
//! there. How many that are is read off the page, so that these stories hold for any number.

use keybell_core::Role;
use keybell_testkit::app::{On, TestApp, settings};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::browser::{Browser, Page};

/// What there is much of, and what there is one of: the oldest.
const MUCH: &str = "price.changed";
const RARE: &str = "research_report.published";
/// Events that are published in one call.
const BATCH: usize = 1_000;
/// Calls after which a look has to have an end: none may go through ten thousand.
const BATCHES_MAX: usize = 10;
/// Edits of the webhook at once.
const EDITS: usize = 250;
/// What a link says that goes on where a look ended.
const FURTHER: &str = "Look further back";

/// A workspace with two webhooks that want everything, where one rare event happened before many others. Nothing is sent.
struct Archive {
    app: TestApp,
    workspace: String,
    webhook: String,
    owner: String,
}

impl Archive {
    async fn open(on: On) -> Archive {
        let app = TestApp::start_with(on, settings()).await;
        for name in [MUCH, RARE] {
            app.operator().post("/v1/event-types", json!({ "name": name })).await.done(201);
        }
        let workspace = app.workspace("Evergreen").await;
        let path = format!("/v1/workspaces/{workspace}/webhooks");
        let mut webhook = Value::Null;
        for name in ["Archive", "Warehouse"] {
            let new = json!({ "name": name, "url": "http://127.0.0.1:9/", "events": ["*"] });
            webhook = app.operator().post(&path, new).await.done(201)["id"].clone();
        }
        let webhook = webhook.as_str().expect("a webhook has an id").to_owned();
        let owner = app.member(&workspace, Role::Owner).await;
        let archive = Archive { app, workspace, webhook, owner };
        archive.publish(RARE, 1).await;
        archive
    }

    /// So many events, a moment after those before them.
    async fn publish(&self, event_type: &str, many: usize) {
        let event = json!({ "workspace": self.workspace, "type": event_type, "data": {} });
        let events = json!({ "events": vec![event; many] });
        self.app.operator().post("/v1/events/batch", events).await.done(202);
        self.app.clock.advance(std::time::Duration::from_secs(1));
    }

    fn browser(&self) -> Browser<'_> {
        Browser::signed_in(&self.app, &self.owner)
    }

    /// The address of a list of the Developer page.
    fn list(&self, query: &str) -> String {
        format!("/w/{}/settings/advanced/developer/{query}", self.workspace)
    }

    /// Publishes until a look at each of `lists` does not reach the rare one any more, and one batch more.
    async fn fill(&self, lists: &[String]) {
        for _ in 0..BATCHES_MAX {
            let mut all_end = true;
            for list in lists {
                all_end &= self.browser().open(list).await.is(200).offers(FURTHER);
            }
            self.publish(MUCH, BATCH).await;
            if all_end {
                return;
            }
        }
        panic!("looks at {lists:?} have no end");
    }

    /// Edits the webhook until a look at `list` does not reach how it was made any more, and so many times more.
    async fn edit(&self, list: &str) {
        let path = format!("/v1/workspaces/{}/webhooks/{}", self.workspace, self.webhook);
        let mut is_past = false;
        for number in 0..BATCHES_MAX * EDITS {
            let edited = json!({ "description": format!("Edited {number} times") });
            self.app.operator().patch(&path, edited).await.done(200);
            if number % EDITS == 0 {
                if is_past {
                    return;
                }
                is_past = self.browser().open(list).await.is(200).offers(FURTHER);
            }
        }
        panic!("looks at {list} have no end");
    }

    /// The ids of everything that the API lists, newest first.
    async fn ids(&self, query: &str) -> Vec<String> {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/workspaces/{}/{query}&limit=250{cursor}", self.workspace);
            let listed = self.app.operator().get(&path).await.done(200);
            let listed_ids = listed["data"].as_array().expect("a list");
            ids.extend(listed_ids.iter().filter_map(|one| Some(one["id"].as_str()?.to_owned())));
            match listed["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return ids,
            }
        }
    }
}

fn rows(page: &Page) -> usize {
    page.all("main table.list tbody tr:not(.detail)").len()
}

/// Where a link goes on.
fn cursor(link: &str) -> String {
    let query = link.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "cursor").expect("it goes on somewhere").1.into_owned()
}

/// Holds `list`, whose filter fits the rare one alone, against `ids` of all that it goes through, newest first; the last
/// of them are `fit` that fit.
async fn holds(archive: &Archive, list: &str, ids: &[String], fit: usize) {
    let mut browser = archive.browser();
    let page = browser.open(list).await.is(200);
    assert_eq!(rows(&page), 0, "{list}: {}", page.text());
    assert!(page.text().contains("fits this filter"), "{}", page.text());
    // It looks through all of them down to this one.
    let end = cursor(&page.link(FURTHER));
    let looked_at = 1 + ids.iter().position(|id| *id == end).expect("it ended at one of them");
    let from = |before: usize| format!("{list}&cursor={}", ids[ids.len() - 1 - before]);

    let at_once = browser.open(&from(looked_at)).await.is(200);
    assert_eq!(rows(&at_once), fit, "{list} looks through {looked_at}: {}", at_once.text());

    let past = browser.open(&from(looked_at + fit)).await.is(200);
    assert_eq!(rows(&past), 0, "{list} looks through {looked_at}: {}", past.text());
    let further = browser.open(&past.link(FURTHER)).await.is(200);
    assert_eq!(rows(&further), fit, "{list}: {}", further.text());
    assert!(!further.offers(FURTHER), "{}", further.text());
}

async fn a_look_ends(on: On) {
    let archive = Archive::open(on).await;
    let webhook = &archive.webhook;
    let deliveries = archive.list(&format!("deliveries?event_type={RARE}"));
    let of_webhook = archive.list(&format!("deliveries?webhook_id={webhook}&event_type={RARE}"));
    let events = archive.list(&format!("events?type={RARE}"));
    archive.fill(&[deliveries.clone(), of_webhook.clone(), events.clone()]).await;

    holds(&archive, &deliveries, &archive.ids("deliveries?").await, 2).await;
    holds(&archive, &of_webhook, &archive.ids(&format!("deliveries?webhook_id={webhook}")).await, 1).await;
    holds(&archive, &events, &archive.ids("events?").await, 1).await;
    // The API makes as many looks as it needs.
    assert_eq!(archive.ids(&format!("deliveries?event_type={RARE}")).await.len(), 2);
    assert_eq!(archive.ids(&format!("events?type={RARE}")).await.len(), 1);
}

/// The audit log's are bounded where two filters are given, of which one has an index.
async fn a_look_at_the_audit_log_ends(on: On) {
    let archive = Archive::open(on).await;
    let log = format!("/w/{}/settings/advanced/audit-log?target={}", archive.workspace, archive.webhook);
    let made = format!("{log}&action=webhook.created");
    archive.edit(&made).await;
    let of_webhook = archive.ids(&format!("audit-log?target={}", archive.webhook)).await;
    holds(&archive, &made, &of_webhook, 1).await;
    let made = format!("audit-log?target={}&action=webhook.created", archive.webhook);
    assert_eq!(archive.ids(&made).await.len(), 1, "the API makes as many looks as it needs");
}

#[tokio::test]
async fn a_look_at_the_audit_log_ends_where_the_page_says() {
    a_look_at_the_audit_log_ends(On::Memory).await;
}

#[tokio::test]
async fn a_look_at_the_audit_log_ends_where_the_page_says_on_postgresql() {
    a_look_at_the_audit_log_ends(On::Postgres).await;
}

#[tokio::test]
async fn a_look_ends_where_the_page_says_and_goes_on_from_there() {
    a_look_ends(On::Memory).await;
}

#[tokio::test]
async fn a_look_ends_where_the_page_says_on_postgresql() {
    a_look_ends(On::Postgres).await;
}
