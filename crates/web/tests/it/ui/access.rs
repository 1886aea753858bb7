//! The way in and out.

use std::time::Duration;

use keybell_app::passwords::PASSWORD_CHARS_MIN;
use keybell_core::{AccountId, Role};
use keybell_testkit::app::TestApp;

use super::browser::Browser;

const PASSWORD: &str = "correct horse battery";

/// An installation whose first owner has set it up, and their browser.
async fn set_up(app: &TestApp) -> Browser<'_> {
    let link = app.app.setup_link_if_needed().await.expect("made").expect("nobody has an account");
    let mut browser = Browser::new(app);
    let page = browser.open(&format!("/setup/{}", link.reveal())).await.is(200);
    let form = page.form("Create the workspace");
    let form = form.with("workspace_name", "Evergreen").with("name", "Ada").with("email", "Ada@Example.com");
    let page = browser.send(&form.with("password", PASSWORD)).await.is(200);
    assert!(page.text().contains("Evergreen") && page.path.starts_with("/w/ws_"), "{}", page.path);
    browser
}

#[tokio::test]
async fn the_setup_link_makes_the_first_owner_once() {
    let app = TestApp::start().await;
    let link = app.app.setup_link_if_needed().await.expect("made").expect("nobody has an account");
    let newer = app.app.setup_link_if_needed().await.expect("made").expect("nobody has an account");
    let mut browser = Browser::new(&app);
    browser.open(&format!("/setup/{}", link.reveal())).await.is(404);
    let path = format!("/setup/{}", newer.reveal());
    for _ in 0..2 {
        browser.open(&path).await.is(200);
    }

    let form = browser.open(&path).await.form("Create the workspace");
    let wrong = form
        .clone()
        .with("workspace_name", " ")
        .with("name", "Ada")
        .with("email", "ada")
        .with("password", "short");
    let page = browser.send(&wrong).await.is(422);
    assert_eq!(page.value("name"), "Ada", "what was right is kept");
    assert_eq!(page.value("password"), "");
    assert_eq!(page.all("[aria-invalid=true]").len(), 3, "{}", page.text());
    assert_eq!(page.all("#errors a").len(), 3);

    let right = form.with("workspace_name", "Evergreen").with("name", "Ada").with("email", "ada@example.com");
    let right = right.with("password", &"x".repeat(PASSWORD_CHARS_MIN));
    let page = browser.send(&right).await.is(200);
    assert!(page.text().contains("You are owner of this workspace."), "{}", page.text());
    Browser::new(&app).send(&right).await.is(404);
    assert!(app.app.setup_link_if_needed().await.expect("asked").is_none());
}

#[tokio::test]
async fn somebody_signs_in_goes_where_they_wanted_and_signs_out() {
    let app = TestApp::start().await;
    let mut owner = set_up(&app).await;
    let wanted = owner.open("/").await.path + "/settings?done=x";

    let mut browser = Browser::new(&app);
    let page = browser.open(&wanted).await.is(200);
    assert!(page.path.starts_with("/sign-in?next="), "{}", page.path);
    let form = page.form("Sign in").with("email", " ADA@example.com").with("password", "not this one");
    let refused = browser.send(&form).await.is(403);
    assert!(refused.text().contains("not right"), "{}", refused.text());
    assert_eq!(refused.value("email"), " ADA@example.com");
    let page = browser.send(&refused.form("Sign in").with("password", PASSWORD)).await.is(200);
    assert_eq!(page.path, wanted);

    let page = browser.send(&page.form("Sign out")).await.is(200);
    assert_eq!(page.path, "/sign-in");
    assert!(browser.open(&wanted).await.path.starts_with("/sign-in"), "signed out");
    owner.open(&wanted).await.is(200);
}

#[tokio::test]
async fn a_session_ends_at_once_when_signed_out_elsewhere_and_by_itself_after_two_weeks() {
    let app = TestApp::start().await;
    let mut here = set_up(&app).await;
    let mut there = Browser::new(&app);
    let form = there
        .open("/sign-in")
        .await
        .form("Sign in")
        .with("email", "ada@example.com")
        .with("password", PASSWORD);
    there.send(&form).await.is(200);
    let page = here.open("/account/sessions").await.is(200);
    assert_eq!(page.all("tbody tr").len(), 2);
    assert!(
        page.text().contains("Firefox on Linux") && page.text().contains("192.0.2.10"),
        "{}",
        page.text()
    );

    here.send(&page.form("Sign out everywhere")).await.is(200);
    assert_eq!(there.open("/account/sessions").await.path, "/sign-in?next=%2Faccount%2Fsessions");

    there.send(&form).await.is(200);
    for _ in 0..2 {
        app.clock.advance(Duration::from_hours(13 * 24));
        there.open("/account/sessions").await.is(200);
    }
    app.clock.advance(Duration::from_hours(14 * 24));
    assert!(there.open("/account/sessions").await.path.starts_with("/sign-in"));
}

#[tokio::test]
async fn one_session_is_ended_and_the_others_stay() {
    let app = TestApp::start().await;
    let mut here = set_up(&app).await;
    let mut there = Browser::new(&app);
    let form = there
        .open("/sign-in")
        .await
        .form("Sign in")
        .with("email", "ada@example.com")
        .with("password", PASSWORD);
    app.clock.advance(Duration::from_mins(1));
    let listed = there.send(&form).await.is(200);
    drop(listed);
    // The one used last comes first: it is the other browser's, whose first form this is.
    let page = here.open("/account/sessions").await.is(200);
    let page = here.send(&page.form("Sign out Firefox")).await.is(200);
    assert!(page.text().contains("The session was ended."), "{}", page.text());
    assert!(there.open("/").await.path.starts_with("/sign-in"));
}

#[tokio::test]
async fn guessing_a_password_is_slowed_down() {
    let app = TestApp::start().await;
    set_up(&app).await;
    let mut browser = Browser::new(&app);
    let form = browser.open("/sign-in").await.form("Sign in").with("email", "ada@example.com");
    for _ in 0..10 {
        browser.send(&form.clone().with("password", "guess guess guess")).await.is(403);
    }
    let page = browser.send(&form.clone().with("password", PASSWORD)).await.is(429);
    assert!(
        page.text().contains("Wait 15 minutes") || page.text().contains("Wait 16 minutes"),
        "{}",
        page.text()
    );
    assert!(!page.answer.header("retry-after").is_empty());
    app.clock.advance(Duration::from_mins(15));
    browser.send(&form.with("password", PASSWORD)).await.is(200);
}

#[tokio::test]
async fn a_one_time_link_signs_in_by_its_button_and_only_once() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Admin).await;
    let person = app.app.signed_in(&token).await.expect("signed in");
    let account: AccountId = person.account;
    let link = app.app.sign_in_link(account).await.expect("made");
    let path = format!("/sign-in/{}", link.reveal());
    let mut browser = Browser::new(&app);
    browser.open(&path).await.is(200);
    let page = browser.open(&path).await.is(200);
    let form = page.form("Sign in");
    assert!(browser.send(&form).await.is(200).path.starts_with("/w/ws_"));
    Browser::new(&app).send(&form).await.is(404);
    Browser::new(&app).open(&path).await.is(404);

    let late = app.app.sign_in_link(account).await.expect("made");
    app.clock.advance(Duration::from_hours(1));
    Browser::new(&app).open(&format!("/sign-in/{}", late.reveal())).await.is(404);
}
