//! How to verify a webhook's signature, on its page.

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::json;

use super::browser::Browser;

#[tokio::test]
async fn every_language_has_an_address_a_whole_sample_and_no_secret() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    let new = json!({ "name": "Hook", "url": "http://127.0.0.1:9/", "events": ["*"], "content_type": "application/xml" });
    let made = app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), new).await.done(201);
    let secret = made["signing_secret"].as_str().expect("it is shown once");
    // Also somebody who may not see the secret writes code that needs it.
    let token = app.member(&workspace, Role::Guest).await;
    let mut browser = Browser::signed_in(&app, &token);
    let list = browser.open(&format!("/w/{workspace}/settings/advanced/developer/webhooks")).await.is(200);
    let first = browser.open(&list.link("Verify Hook")).await.is(200);
    assert!(first.text().contains("(XML from this webhook)"), "{}", first.text());
    let tabs: Vec<(String, String)> = first
        .all("nav[aria-label=Language] a")
        .into_iter()
        .map(|tab| (tab.text().collect(), tab.attr("href").unwrap_or_default().to_owned()))
        .collect();
    assert_eq!(tabs.len(), 8);
    for (language, href) in tabs {
        let page = browser.open(href.trim_end_matches("#sample")).await.is(200);
        assert_eq!(page.all("nav[aria-label=Language] [aria-current=page]").len(), 1);
        let title = page.all("#sample-title")[0].text().collect::<String>();
        assert_eq!(title, format!("In {language}"));
        let sample = page.all("#sample-text")[0].text().collect::<String>();
        for told in ["WEBHOOK_SECRET", "whsec_", "While a secret is rotated"] {
            assert!(sample.contains(told), "{language}: {told}");
        }
        assert_eq!(page.all("button[data-copy=sample-text]").len(), 1);
        assert!(!page.answer.text().contains(secret), "{language}: the page holds the secret");
    }
    let odd = browser.open(&format!("{}?language=cobol", list.link("Verify Hook"))).await.is(200);
    assert!(odd.text().contains("In JavaScript"), "an unknown language is the first one");
    let secret_page = list.link("Verify Hook").replace("/verify", "/signing-secret");
    assert!(browser.open(&secret_page).await.is(200).link("how to verify it").ends_with("/verify"));
}
