//! The audit log on the pages.

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::json;

use super::browser::{Browser, Page};

/// A workspace that was renamed on the pages and by the API, its id, and its owner's browser at the audit log.
async fn at_the_log(app: &TestApp) -> (String, Browser<'_>, Page) {
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(app, &token);
    app.clock.advance(Duration::from_mins(1));
    let page = browser.open(&format!("/w/{workspace}/settings")).await.is(200);
    let page = browser.send(&page.form("Save").with("name", "<b>Larch</b>")).await.is(200);
    assert!(page.text().contains("The workspace was saved."), "{}", page.text());
    app.clock.advance(Duration::from_mins(1));
    app.operator().patch(&format!("/v1/workspaces/{workspace}"), json!({ "name": "Birch" })).await.done(200);
    let page = browser.open(&format!("/w/{workspace}/settings/advanced/audit-log")).await.is(200);
    (workspace, browser, page)
}

fn rows(page: &Page) -> Vec<String> {
    page.all("tbody tr:not(.detail)").iter().map(|row| row.text().collect()).collect()
}

#[tokio::test]
async fn the_audit_log_tells_who_did_what_from_where_with_before_and_after() {
    let app = TestApp::start().await;
    let (workspace, _, page) = at_the_log(&app).await;
    let told = &rows(&page)[1];
    for part in ["Workspace edited", "owner 0", "Member", "192.0.2.10", &workspace] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let detail = page.all("tr.detail")[1].text().collect::<String>();
    assert!(detail.contains("What changed: name"), "{detail}");
    let text = |selector: &str| page.all(selector)[1].text().collect::<String>();
    assert_eq!(
        (text("tr.detail del").as_str(), text("tr.detail ins").as_str()),
        ("Evergreen", "<b>Larch</b>")
    );
}

#[tokio::test]
async fn the_log_is_filtered_by_its_address_and_by_what_stands_in_it() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_log(&app).await;
    let list = page.path.clone();
    let of_owner = browser.open(&page.link("owner 0")).await.is(200);
    assert_eq!(rows(&of_owner).len(), 1, "only what they did");
    assert!(of_owner.value("actor").starts_with("mem_"), "what is filtered by can be seen");
    let edits = browser.open(&format!("{list}?action=workspace.edited&from=2026-11-23T12:02")).await.is(200);
    assert_eq!((rows(&edits).len(), edits.all("option[selected]").len()), (1, 1));
    assert_eq!(edits.value("from"), "2026-11-23T12:02");
    let none = browser.open(&format!("{list}?to=2026-11-22")).await.is(200);
    assert!(none.text().contains("No entry fits this filter."), "{}", none.text());
    assert_eq!(browser.open(&none.link("Clear")).await.path, list);
    let odd = browser.open(&format!("{list}?from=soon&action=%3Cscript%3E")).await.is(200);
    assert!(odd.text().contains("“soon” is no time"), "{}", odd.text());
    assert_eq!((odd.all("#from[aria-invalid=true]").len(), odd.all("script:not([src])").len()), (1, 0));
}

#[tokio::test]
async fn the_filter_stays_while_the_pages_are_turned() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_log(&app).await;
    for number in 0..50 {
        let name = format!("Name {number}");
        app.operator().patch(&format!("/v1/workspaces/{workspace}"), json!({ "name": name })).await.done(200);
    }
    let first = browser.open(&format!("{}?action=workspace.edited", page.path)).await.is(200);
    assert_eq!(rows(&first).len(), 50);
    let older = browser.open(&first.link("Older")).await.is(200);
    assert_eq!((rows(&older).len(), older.all("option[selected]").len()), (2, 1));
    assert_eq!(rows(&browser.open(&older.link("Newest")).await).len(), 50);
}
