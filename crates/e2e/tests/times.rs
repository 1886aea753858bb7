//! What is told by how long ago it was, on a page that stays open.

use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::person::{Hand, Person};
use keybell_e2e::steps::set_up_link;
use keybell_testkit::installation::{Installation, Profile};

/// Sets the page's clock forward by an hour and a half.
const LATER: &str = "const now = Date.now; Date.now = () => now() + 5_400_000;";
/// As the browser does for a page that is looked at again.
const SEEN_AGAIN: &str = "document.dispatchEvent(new Event('visibilitychange'));";

#[tokio::test]
async fn how_long_ago_it_was_is_told_anew_when_a_page_is_looked_at_again() {
    let mut installation = Installation::prepare(Profile::Debug, None, "").expect("keybell can be built");
    installation.serve().expect("keybell starts");
    let person = Person::new(Browser::open(&installation.url(""), Look::default()).await, Hand::Pointer);
    person.set_up(&set_up_link(&mut installation), "Acme Research", "correct horse battery staple").await;
    let browser = &person.browser;
    browser.go("/account/sessions").await;
    browser.evaluate(LATER).await;
    assert!(!browser.text().await.contains("1 hour ago"));
    browser.evaluate(SEEN_AGAIN).await;
    browser.sees("1 hour ago").await;
    person.browser.close().await;
}
