//! Members on the pages.

use keybell_core::Role;
use keybell_testkit::app::TestApp;

use super::browser::Browser;

#[tokio::test]
async fn everybody_sees_who_is_here_and_owners_see_how_they_sign_in() {
    let app = TestApp::start().await;
    let (workspace, other) = (app.workspace("Evergreen").await, app.workspace("Northwind").await);
    let owner = app.member(&workspace, Role::Owner).await;
    let guest = app.member(&workspace, Role::Guest).await;
    app.member(&other, Role::Owner).await;
    let path = format!("/w/{workspace}/settings/members");

    let page = Browser::signed_in(&app, &owner).open(&path).await.is(200);
    assert_eq!(page.all("tbody tr").len(), 2, "nobody of another workspace");
    for told in ["owner 0 You", "owner0@example.com", "may do everything", "guest 1", "guest1@example.com"] {
        assert!(page.text().contains(told), "{told}: {}", page.text());
    }
    let page = Browser::signed_in(&app, &guest).open(&path).await.is(200);
    assert!(page.text().contains("owner 0") && page.text().contains("guest 1 You"), "{}", page.text());
    let main = page.all("main")[0].html();
    assert!(!main.contains("@example.com"), "{main}");
}

#[tokio::test]
async fn a_long_list_of_members_is_turned() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    let owner = app.member(&workspace, Role::Owner).await;
    for _ in 0..50 {
        app.member(&workspace, Role::Member).await;
    }
    let mut browser = Browser::signed_in(&app, &owner);
    let first = browser.open(&format!("/w/{workspace}/settings/members")).await.is(200);
    assert_eq!(first.all("tbody tr").len(), 50);
    let older = browser.open(&first.link("Older")).await.is(200);
    assert_eq!(older.all("tbody tr").len(), 1);
    assert_eq!(browser.open(&older.link("Newest")).await.all("tbody tr").len(), 50);
}
