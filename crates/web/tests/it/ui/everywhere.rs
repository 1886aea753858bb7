//! What holds for all pages together, besides what `crate::routes` asks of each.

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::json;

use super::browser::Browser;

#[tokio::test]
async fn assets_are_kept_for_ever_under_the_names_that_pages_use() {
    let app = TestApp::start().await;
    let mut browser = Browser::new(&app);
    let page = browser.open("/sign-in").await.is(200);
    let found = page.all("link[href], script[src]");
    assert_eq!(found.len(), 9);
    for asset in found {
        let path = asset.attr("href").or(asset.attr("src")).expect("it was selected by it");
        let answer = app.stranger().get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    assert_eq!(app.stranger().get("/assets/style-0.css").await.status, 404);
}

#[tokio::test]
async fn an_address_that_nothing_has_is_a_page_that_leads_back() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(&app, &token);
    for rest in ["nothing", "settings/nothing", "settings/advanced/developer/api-keys/kb_live_0/nothing"] {
        let page = browser.open(&format!("/w/{workspace}/{rest}")).await.is(404);
        assert!(page.text().contains("Not found"), "{}", page.text());
        assert_eq!(page.link("Go to the start"), "/");
    }
    for id in ["kb_live_000000000000", "x"] {
        browser.open(&format!("/w/{workspace}/settings/advanced/developer/api-keys/{id}/edit")).await.is(404);
    }
    browser.open(&format!("/w/{workspace}/settings/advanced/developer/webhooks/whk_1")).await.is(404);
}

#[tokio::test]
async fn a_guest_sees_lists_and_no_button_that_would_be_refused() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    let developer = format!("/w/{workspace}/settings/advanced/developer");
    app.api_key(&workspace, &[]).await;
    let webhook = json!({ "name": "Hook", "url": "http://127.0.0.1:9/", "events": ["*"] });
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), webhook).await.done(201);
    let guest = app.member(&workspace, Role::Guest).await;
    let mut guest = Browser::signed_in(&app, &guest);
    for page in [
        "",
        "/api-keys",
        "/webhooks",
        "/events",
        "/event-catalogue",
        "/event-catalogue/keybell.webhook.failing",
    ] {
        let page = guest.open(&format!("{developer}{page}")).await.is(200);
        for button in ["Create", "Edit", "Rotate", "Revoke", "Delete", "is on", "Reveal", "Webhook for"] {
            assert!(!page.offers(button), "{}: {button}", page.path);
        }
    }
    let webhook = guest.open(&format!("{developer}/webhooks")).await.link("Hook");
    let page = guest.open(&webhook).await.is(200);
    assert!(!page.offers("Edit") && !page.offers("Delete") && !page.offers("is on"));
    let secret = guest.open(&format!("{webhook}/signing-secret")).await.is(200);
    assert!(!secret.offers("Reveal"));
    for refused in
        [format!("{developer}/api-keys/new"), format!("{developer}/webhooks/new"), format!("{webhook}/edit")]
    {
        let page = guest.open(&refused).await.is(403);
        assert!(page.text().contains("Not allowed"), "{}", page.text());
    }
    let page = guest.open(&format!("/w/{workspace}/settings")).await.is(200);
    assert!(!page.offers("Save") && !page.answer.text().contains("audit-log"));
    guest.open(&format!("/w/{workspace}/settings/advanced/audit-log")).await.is(403);
}

#[tokio::test]
async fn the_way_of_the_brief_leads_to_the_developer_page() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Member).await;
    let mut browser = Browser::signed_in(&app, &token);
    let start = browser.open("/").await.is(200);
    let settings = browser.open(&start.link("Settings")).await.is(200);
    let menu = settings.all("details.menu summary").into_iter().map(|menu| menu.text().collect::<String>());
    assert!(menu.into_iter().any(|menu| menu.contains("Advanced Settings")));
    let developer = browser.open(&settings.link("Developer")).await.is(200);
    assert_eq!(developer.path, format!("/w/{workspace}/settings/advanced/developer"));
    assert!(developer.text().contains("API keys") && developer.text().contains("Webhooks"));
}
