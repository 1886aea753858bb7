//! API keys on the pages.

use std::time::Duration;

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::json;

use super::browser::{Browser, Page};

const LIST: &str = "/settings/advanced/developer/api-keys";

/// A workspace, its id, and its owner's browser at the list of keys.
async fn at_the_list(app: &TestApp) -> (String, Browser<'_>, Page) {
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(app, &token);
    let page = browser.open(&format!("/w/{workspace}{LIST}")).await.is(200);
    (workspace, browser, page)
}

async fn is_good(app: &TestApp, secret_key: &str) -> bool {
    let checked =
        app.operator().post("/v1/api-keys/verify", json!({ "secret_key": secret_key })).await.done(200);
    checked["valid"] == true
}

#[tokio::test]
async fn a_key_is_generated_shown_once_and_opens_the_api() {
    let app = TestApp::start().await;
    app.operator()
        .post("/v1/scopes", json!({ "name": "reports:read", "description": "See reports" }))
        .await
        .done(201);
    let (workspace, mut browser, page) = at_the_list(&app).await;
    assert!(page.text().contains("No API keys yet"), "{}", page.text());
    let form = browser.open(&page.link("Create API Key")).await.is(200).form("Generate");
    let form = form
        .with("name", "Warehouse")
        .with("description", "Nightly\r\nimport")
        .ticked("scopes", "reports:read");
    let form = form.with("allowed_networks", "192.0.2.0/24\r\n198.51.100.7").with("limit_count", "100");
    let shown = browser.send(&form).await.is(200);
    let secret_key = shown.value("secret-key");
    let id = shown.value("public-identifier");
    assert!(secret_key.starts_with(&format!("{id}_")), "{secret_key}");
    assert!(shown.text().contains("shown once"), "{}", shown.text());
    assert_eq!(shown.answer.header("cache-control"), "no-store");

    let asked = json!({ "secret_key": secret_key, "required_scopes": ["reports:read"], "source_address": "198.51.100.7" });
    assert_eq!(app.operator().post("/v1/api-keys/verify", asked).await.done(200)["valid"], true);

    let again = browser.send(&form).await.is(200);
    assert!(
        again.text().contains("sent before") && !again.answer.text().contains(&secret_key),
        "{}",
        again.text()
    );
    for path in [
        format!("/w/{workspace}{LIST}"),
        format!("/w/{workspace}{LIST}/{id}/edit"),
        format!("/w/{workspace}/settings/advanced/audit-log"),
    ] {
        let page = browser.open(&path).await.is(200);
        assert!(!page.answer.text().contains(&secret_key[id.len() + 1..]), "{path}");
    }
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await;
    assert_eq!(list.all("tbody tr").len(), 1, "sent twice, made once");
    assert!(list.text().contains("Warehouse") && list.text().contains("reports:read"), "{}", list.text());
}

#[tokio::test]
async fn a_key_of_many_scopes_has_a_row_of_four_and_all_of_them_on_its_own_page() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    let scopes: Vec<String> = (0..10).map(|number| format!("reports:read{number}")).collect();
    for scope in &scopes {
        app.operator().post("/v1/scopes", json!({ "name": scope, "description": "See" })).await.done(201);
    }
    for (name, many) in [("Ten", 10), ("Four", 4)] {
        let made = json!({ "name": name, "scopes": scopes[..many] });
        app.operator().post(&format!("/v1/workspaces/{workspace}/api-keys"), made).await.done(201);
    }
    let list = browser.open(&page.path).await.is(200);
    let shown = |selector: &str| {
        list.all(selector).iter().map(|found| found.text().collect()).collect::<Vec<String>>()
    };
    assert_eq!(shown("[data-label=Scopes] > .tags > .tag"), [&scopes[..4], &scopes[..4]].concat());
    assert_eq!(shown("[data-label=Scopes] summary"), ["6 more scopes"], "four need no more");
    assert_eq!(shown("[data-label=Scopes] details:not([open]) .tag"), scopes[4..]);
    let own = browser.open(&list.link("Ten")).await.is(200);
    let tags: Vec<String> = own.all("dl .tags > .tag").iter().map(|tag| tag.text().collect()).collect();
    assert_eq!(tags, scopes);
}

#[tokio::test]
async fn what_was_written_stays_in_the_form_beside_what_is_wrong_with_it() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_list(&app).await;
    let form = browser.open(&page.link("Create API Key")).await.form("Generate");
    let wrong =
        form.with("name", " ").with("description", "<b>bold</b>").with("allowed_networks", "everywhere");
    let page = browser.send(&wrong).await.is(422);
    assert_eq!(page.value("description"), "<b>bold</b>");
    assert_eq!(page.value("allowed_networks"), "everywhere");
    assert_eq!(page.all("#name[aria-invalid=true]").len(), 1);
    assert_eq!(page.all("details.more[open]").len(), 1, "what is wrong can be seen");
    let links: Vec<_> =
        page.all("#errors a").iter().filter_map(|link| link.attr("href")).map(str::to_owned).collect();
    assert_eq!(links, ["#name", "#allowed_networks"]);

    let custom =
        page.form("Generate").with("name", "ok").with("allowed_networks", "").with("expires", "custom");
    let page = browser.send(&custom.clone().with("expires_on", "2026-11-22")).await.is(422);
    assert!(page.text().contains("Last day: must be today or later"), "{}", page.text());
    let page = browser.send(&custom.with("expires_on", "2027-01-31")).await.is(200);
    assert!(page.text().contains("Your new key"), "the same token, since nothing was made before");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_each_at_a_field_that_takes_the_focus() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    let made = json!({ "name": "Old" });
    app.operator().post(&format!("/v1/workspaces/{workspace}/api-keys"), made).await.done(201);
    let new = browser.open(&page.link("Create API Key")).await.form("Generate");
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await;
    let edit = browser.open(&list.link("Edit Old")).await.form("Save");
    for form in [new, edit] {
        let form = form.with("name", " ").with("expires", "custom").with("allowed_networks", "everywhere");
        let form = form.with("limit_name", "a b").with("limit_count", "many");
        let page = browser.send(&form).await.is(422);
        let links: Vec<_> = page.all("#errors a").iter().filter_map(|link| link.attr("href")).collect();
        assert_eq!(links, ["#name", "#expires_on", "#allowed_networks", "#rate_limits", "#rate_limits"]);
        assert!(page.text().contains("Last day: choose the last day"), "{}", page.text());
        for told in links {
            let found = page.all(&format!("input{told}, textarea{told}, {told}[tabindex]"));
            let described = found.first().and_then(|field| field.attr("aria-describedby"));
            let id = &told[1..];
            assert!(described.is_some_and(|by| by.contains(&format!("{id}-wrong"))), "{told}");
            assert_eq!(page.all(&format!("p{told}-wrong")).len(), 1, "{told}");
        }
    }
}

#[tokio::test]
async fn a_key_is_edited_and_keeps_what_the_form_does_not_touch() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    let new = json!({ "name": "Old", "expires_at": "2027-05-01T00:00:00Z", "metadata": { "team": "a" },
        "rate_limits": [{ "name": "burst", "limit": 5, "window_seconds": 7 }], "allowed_networks": ["192.0.2.0/24"] });
    let made = app.operator().post(&format!("/v1/workspaces/{workspace}/api-keys"), new).await.done(201);
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await;
    let edit = browser.open(&list.link("Edit Old")).await.is(200);
    let form = edit.form("Save").with("name", "New").with("enabled", "no");
    let page = browser.send(&form).await.is(200);
    assert!(
        page.text().contains("The key was saved.") && page.text().contains("Disabled"),
        "{}",
        page.text()
    );
    let id = made["id"].as_str().expect("an id");
    let now = app.operator().get(&format!("/v1/workspaces/{workspace}/api-keys/{id}")).await.done(200);
    assert_eq!((&now["name"], &now["enabled"]), (&json!("New"), &json!(false)));
    for field in ["expires_at", "metadata", "rate_limits", "allowed_networks", "scopes", "environment"] {
        assert_eq!(now[field], made[field], "{field}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_and_there_is_nothing_left_to_do_with_it() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    let secret_key = app.api_key(&workspace, &[]).await;
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await;
    let ask = browser.open(&list.link("Revoke")).await.is(200);
    assert_eq!(ask.all("a[autofocus]").len(), 1, "focus starts on Cancel");
    assert!(ask.text().contains("Requests in 24 hours0"), "{}", ask.text());
    let unticked = browser.send(&ask.form("Revoke")).await.is(422);
    assert_eq!(unticked.all("#confirm[type=checkbox][aria-describedby=confirm-wrong]").len(), 1);
    assert_eq!(unticked.all("p#confirm-wrong").len(), 1, "told beside the box");
    assert!(is_good(&app, &secret_key).await, "without the tick nothing happens");

    // Now it was used, and a tick is not enough any more.
    let ask = browser.send(&ask.form("Revoke").ticked("confirm", "yes")).await.is(422);
    assert!(is_good(&app, &secret_key).await, "without its name nothing happens");
    assert!(ask.text().contains("Requests in 24 hours1"), "{}", ask.text());
    assert_eq!(ask.all("#confirm[aria-invalid=true][aria-describedby=confirm-wrong]").len(), 1);
    assert_eq!(ask.all("p#confirm-wrong").len(), 1, "told beside the field");
    let page = browser.send(&ask.form("Revoke").with("confirm", "tests")).await.is(200);
    assert!(
        page.text().contains("The key was revoked.") && page.text().contains("Revoked"),
        "{}",
        page.text()
    );
    assert!(!is_good(&app, &secret_key).await);
    assert!(!page.offers("Edit") && !page.offers("Rotate"));
}

#[tokio::test]
async fn a_rotated_key_has_both_secrets_until_the_overlap_ends() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    let old = app.api_key(&workspace, &[]).await;
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await;
    let form = browser.open(&list.link("Rotate")).await.is(200).form("Rotate").with("overlap", "3600");
    let shown = browser.send(&form).await.is(200);
    let new = shown.value("secret-key");
    assert!(shown.text().contains("The old secret key works until"), "{}", shown.text());
    assert!(new != old && is_good(&app, &old).await && is_good(&app, &new).await);
    let again = browser.send(&form).await.is(200);
    assert!(!again.answer.text().contains(&new) && is_good(&app, &new).await, "sent twice, rotated once");
    app.clock.advance(Duration::from_hours(1));
    assert!(!is_good(&app, &old).await && is_good(&app, &new).await);
}

#[tokio::test]
async fn a_key_without_scopes_is_said_to_open_nothing_that_asks_for_one() {
    let app = TestApp::start().await;
    app.operator()
        .post("/v1/scopes", json!({ "name": "reports:read", "description": "See reports" }))
        .await
        .done(201);
    let (workspace, mut browser, page) = at_the_list(&app).await;
    let new = browser.open(&page.link("Create API Key")).await.is(200).form("Generate");
    let warning = "is refused by whatever asks for a scope";
    let without = browser.send(&new.with("name", "Without")).await.is(200);
    assert!(without.text().contains(&format!("The key has no scopes: it verifies, and {warning}.")));
    let new = browser.open(&format!("/w/{workspace}{LIST}/new")).await.is(200).form("Generate");
    let with = browser.send(&new.with("name", "Scoped").ticked("scopes", "reports:read")).await.is(200);
    assert!(!with.text().contains(warning), "{}", with.text());

    let list = browser.open(&format!("/w/{workspace}{LIST}")).await.is(200);
    let own = browser.open(&list.link("Without")).await.is(200);
    assert!(own.text().contains(&format!("The key verifies, and {warning}.")), "{}", own.text());
    assert!(!browser.open(&list.link("Scoped")).await.text().contains(warning));
    for (enabled, is_on) in [("no", false), ("yes", true)] {
        let form = browser.open(&list.link("Edit Without")).await.is(200).form("Save");
        browser.send(&form.with("enabled", enabled)).await.is(200);
        let own = browser.open(&list.link("Without")).await.is(200);
        assert_eq!(own.text().contains(warning), is_on, "{enabled}: {}", own.text());
        let rotate = browser.open(&list.link("Rotate Without")).await.is(200).form("Rotate");
        let rotated = browser.send(&rotate).await.is(200);
        assert_eq!(rotated.text().contains(warning), is_on, "{enabled}: {}", rotated.text());
    }
    let ask = browser.open(&list.link("Revoke Without")).await.is(200);
    browser.send(&ask.form("Revoke").ticked("confirm", "yes")).await.is(200);
    assert!(!browser.open(&list.link("Without")).await.text().contains(warning), "it verifies no more");
}

#[tokio::test]
async fn the_page_of_a_key_says_how_often_it_may_be_used() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    let limits = json!([{ "name": "burst", "limit": 5, "window_seconds": 1 },
        { "name": "daily", "limit": 10_000, "window_seconds": 86_400 }]);
    for made in [json!({ "name": "Limited", "rate_limits": limits }), json!({ "name": "Free" })] {
        app.operator().post(&format!("/v1/workspaces/{workspace}/api-keys"), made).await.done(201);
    }
    let list = browser.open(&page.path).await.is(200);
    for (name, told) in [
        ("Limited", "Rate limits5 requests in 1 second burst10,000 requests in 86,400 seconds dailyCreated"),
        ("Free", "Rate limitsNo limit of its own"),
    ] {
        let own = browser.open(&list.link(name)).await.is(200);
        let facts: Vec<String> =
            own.all("dl.pairs :is(dt, dd)").iter().map(|fact| fact.text().collect()).collect();
        assert!(facts.concat().contains(told), "{name}: {facts:?}");
    }
}

#[tokio::test]
async fn a_key_that_was_revoked_in_an_overlap_has_no_old_secret_that_is_still_to_end() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    app.api_key(&workspace, &[]).await;
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await;
    let form = browser.open(&list.link("Rotate")).await.is(200).form("Rotate").with("overlap", "3600");
    browser.send(&form).await.is(200);
    let rotated = browser.open(&list.path).await.is(200);
    assert!(rotated.text().contains("Old secret ends"), "{}", rotated.text());
    let ask = browser.open(&rotated.link("Revoke")).await.is(200);
    let revoked = browser.send(&ask.form("Revoke").ticked("confirm", "yes")).await.is(200);
    assert!(revoked.text().contains("Revoked"), "{}", revoked.text());
    let own = browser.open(&revoked.link("tests")).await.is(200);
    for page in [revoked, own] {
        assert!(!page.text().to_lowercase().contains("old secret"), "{}", page.text());
    }
}

#[tokio::test]
async fn an_old_secret_tells_its_last_use_and_is_ended_from_the_page_of_its_key() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    let old = app.api_key(&workspace, &[]).await;
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await;
    let (key, rotate) = (list.link("tests"), list.link("Rotate"));
    assert!(!browser.open(&key).await.is(200).offers("End it now"), "there is no old secret");
    let form = browser.open(&rotate).await.form("Rotate").with("overlap", "86400");
    let new = browser.send(&form).await.is(200).value("secret-key");
    let unused = browser.open(&key).await.is(200);
    assert!(unused.text().contains("The old secret was never used. It ends"), "{}", unused.text());
    assert!(is_good(&app, &old).await);
    let used = browser.open(&key).await;
    assert!(used.text().contains("The old secret was last used 23 Nov 2026"), "{}", used.text());
    let asks = browser.open(&rotate).await;
    assert!(asks.all(".note time[data-relative]").is_empty(), "`until in 23 hours` is no English");

    // Somebody who may see the key and not manage it is offered nothing, and refused.
    let token = app.member(&workspace, Role::Member).await;
    let mut member = Browser::signed_in(&app, &token);
    assert!(!member.open(&key).await.is(200).offers("End it now"));
    member.send(&used.form("End it now")).await.is(403);
    assert!(is_good(&app, &old).await);

    let ended = browser.send(&used.form("End it now")).await.is(200);
    assert!(ended.answer.text().contains("The old secret has ended."), "{}", ended.text());
    assert!(!ended.offers("End it now"));
    assert!(!is_good(&app, &old).await && is_good(&app, &new).await);
    let again = browser.send(&used.form("End it now")).await.is(200);
    assert!(again.answer.text().contains("The old secret has ended."), "sent twice, done once");

    // The page from before another rotation does not end the overlap of that one.
    let form = browser.open(&rotate).await.form("Rotate").with("overlap", "3600");
    browser.send(&form).await.is(200);
    let other = browser.send(&used.form("End it now")).await.is(200);
    assert!(
        other.answer.text().contains("nothing was ended") && is_good(&app, &new).await,
        "{}",
        other.text()
    );
}

#[tokio::test]
async fn the_list_is_searched_filtered_and_turned_by_its_address() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    for number in 0..60 {
        let name = format!("Key {number:02} & more");
        app.operator()
            .post(&format!("/v1/workspaces/{workspace}/api-keys"), json!({ "name": name }))
            .await
            .done(201);
    }
    let first = browser.open(&format!("/w/{workspace}{LIST}")).await.is(200);
    assert_eq!(first.all("tbody tr").len(), 50);
    let second = browser.open(&first.link("Older")).await.is(200);
    assert_eq!(second.all("tbody tr").len(), 10);
    assert_eq!(browser.open(&second.link("Newest")).await.all("tbody tr").len(), 50);
    let found = browser.open(&format!("/w/{workspace}{LIST}?q=%26+more&status=active")).await.is(200);
    assert_eq!((found.all("tbody tr").len(), found.value("q").as_str()), (50, "& more"));
    let older = browser.open(&found.link("Older")).await.is(200);
    assert_eq!((older.all("tbody tr").len(), older.value("q").as_str()), (10, "& more"), "the filter stays");
    let sorted = browser.open(&format!("/w/{workspace}{LIST}?sort=name&environment=live")).await.is(200);
    let name = |page: &Page| page.all("tbody th a").first().map(|link| link.text().collect::<String>());
    assert_eq!(name(&sorted).as_deref(), Some("Key 00 & more"));
    let next = browser.open(&sorted.link("Next page")).await.is(200);
    assert_eq!((next.all("tbody tr").len(), name(&next).as_deref()), (10, Some("Key 50 & more")));
    assert_eq!(browser.open(&next.link("First page")).await.all("tbody tr").len(), 50);
    // A name may begin with white space, also where a page ends.
    for number in 0..51 {
        let name = format!("\u{3000}odd {number:02}");
        app.operator()
            .post(&format!("/v1/workspaces/{workspace}/api-keys"), json!({ "name": name }))
            .await
            .done(201);
    }
    let odd = browser.open(&format!("/w/{workspace}{LIST}?sort=name&q=odd")).await.is(200);
    let rest = browser.open(&odd.link("Next page")).await.is(200);
    assert_eq!((odd.all("tbody tr").len(), rest.all("tbody tr").len()), (50, 1));
    let test = browser.open(&format!("/w/{workspace}{LIST}?environment=test")).await.is(200);
    assert!(test.text().contains("No key fits this search."), "{}", test.text());
    let none = browser.open(&format!("/w/{workspace}{LIST}?q=nothing")).await.is(200);
    assert!(none.text().contains("No key fits this search."), "{}", none.text());
}

#[tokio::test]
async fn the_forms_of_a_key_lead_back_to_the_list_as_it_was_and_nowhere_else() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    let keys = format!("/v1/workspaces/{workspace}/api-keys");
    for number in 0..52 {
        app.operator().post(&keys, json!({ "name": format!("Key {number:02} & more") })).await.done(201);
    }
    let first =
        browser.open(&format!("/w/{workspace}{LIST}?q=%26+more&status=active&sort=name")).await.is(200);
    let list = browser.open(&first.link("Next page")).await.is(200);
    let path = list.path.clone();
    let (_, place) = path.rsplit_once("cursor=").expect("a later page");
    let (cursor, _) = form_urlencoded::parse(place.as_bytes()).next().expect("a later page");
    let edit = browser.open(&list.link("Edit Key 50")).await.is(200);
    assert_eq!(edit.link("Cancel"), path);
    let wrong = browser.send(&edit.form("Save").with("name", " ")).await.is(422);
    let saved = browser.send(&wrong.form("Save").with("name", "Key 50 & more")).await.is(200);
    assert!(saved.text().contains("The key was saved.") && saved.path.ends_with(place), "{}", saved.path);
    assert_eq!((saved.value("q").as_str(), saved.all("tbody tr").len()), ("& more", 2));

    let rotate = browser.open(&saved.link("Rotate Key 50")).await.is(200);
    assert_eq!(rotate.link("Cancel"), path);
    let rotated = browser.send(&rotate.form("Rotate")).await.is(200);
    let carried = rotated.all("form[method=get] input[type=hidden]");
    let carried: Vec<_> = carried.iter().map(|field| (field.attr("name"), field.attr("value"))).collect();
    let expected = [("q", "& more"), ("status", "active"), ("sort", "name"), ("cursor", &*cursor)];
    assert_eq!(carried, expected.map(|(name, value)| (Some(name), Some(value))));

    let revoke = browser.open(&saved.link("Revoke Key 51")).await.is(200);
    assert_eq!(revoke.link("Cancel"), path);
    let revoked = browser.send(&revoke.form("Revoke").ticked("confirm", "yes")).await.is(200);
    assert!(revoked.path.contains("done=key-revoked") && revoked.value("q") == "& more", "{}", revoked.path);
    assert_eq!(revoked.all("tbody tr").len(), 1);

    // What is no word of the list is not carried.
    let own = list.link("Edit Key 50");
    let (edit, _) = own.split_once('?').expect("it says where it leads back");
    for elsewhere in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example%3Fdone%3Dagain", "%3Fto%3Devil"] {
        let page = browser.open(&format!("{edit}?back={elsewhere}")).await.is(200);
        assert_eq!(page.link("Cancel"), format!("/w/{workspace}{LIST}"), "{elsewhere}");
    }
}

#[tokio::test]
async fn a_member_manages_the_keys_they_made_and_no_others() {
    let app = TestApp::start().await;
    let (workspace, mut owner, page) = at_the_list(&app).await;
    let form = owner.open(&page.link("Create API Key")).await.form("Generate").with("name", "Owner's");
    owner.send(&form).await.is(200);
    let token = app.member(&workspace, Role::Member).await;
    let mut member = Browser::signed_in(&app, &token);
    let list = member.open(&format!("/w/{workspace}{LIST}")).await.is(200);
    assert!(
        list.text().contains("Owner's") && !list.offers("Edit Owner's") && !list.offers("Revoke Owner's")
    );
    let form = member.open(&list.link("Create API Key")).await.form("Generate").with("name", "Member's");
    member.send(&form).await.is(200);
    let list = member.open(&format!("/w/{workspace}{LIST}")).await.is(200);
    assert!(list.offers("Edit Member's") && list.offers("Revoke Member's"));
    let of_owner = owner.open(&format!("/w/{workspace}{LIST}")).await.link("Revoke Owner's");
    let page = member.open(&of_owner).await.is(403);
    assert!(page.text().contains("Not allowed") && !page.offers("Revoke"), "{}", page.text());
    let form = owner.open(&of_owner).await.form("Revoke").with("confirm", "yes");
    member.send(&form).await.is(403);
}
