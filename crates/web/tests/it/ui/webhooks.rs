//! Webhooks on the pages.

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};
use std::time::Duration;

use super::browser::{Browser, Page};

/// How long a delivery may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const LIST: &str = "/settings/advanced/developer/webhooks";

/// A workspace with a catalogue, its id, and its owner's browser at the list of webhooks.
async fn at_the_list(app: &TestApp) -> (String, Browser<'_>, Page) {
    for name in ["portfolio.updated", "portfolio.rebalanced", "research_report.published"] {
        app.operator()
            .post("/v1/event-types", json!({ "name": name, "description": "<i>x</i>" }))
            .await
            .done(201);
    }
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(app, &token);
    let page = browser.open(&format!("/w/{workspace}{LIST}")).await.is(200);
    (workspace, browser, page)
}

async fn only(app: &TestApp, workspace: &str) -> Value {
    let listed = app.operator().get(&format!("/v1/workspaces/{workspace}/webhooks")).await.done(200);
    let data = listed["data"].as_array().expect("a list").clone();
    assert_eq!(data.len(), 1, "{listed}");
    data[0].clone()
}

#[tokio::test]
async fn a_webhook_is_made_with_events_content_type_and_headers() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    assert!(page.text().contains("No webhooks yet"), "{}", page.text());
    let empty = browser.open(&page.link("Create Webhook")).await.is(200);
    for example in [
        "application/json",
        "application/xml",
        "application/x-www-form-urlencoded",
        "application/cloudevents+json",
    ] {
        assert_eq!(empty.all(&format!("[data-example='{example}'] pre code")).len(), 1, "{example}");
    }
    let form = empty.form("Create Webhook").with("name", "Warehouse").with("url", "http://127.0.0.1:9/in");
    let form = form
        .ticked("events", "portfolio.*")
        .ticked("events", "portfolio.updated")
        .ticked("events", "research_report.published");
    let form = form
        .with("content_type", "application/xml")
        .with("header_name", "X-Api-Key")
        .with("header_value", "hunter2")
        .ticked("header_secret", "0");
    let secret = browser.send(&form).await.is(200);
    let told = "The webhook was created. Its signing secret can be revealed below.";
    assert!(secret.text().contains(told) && !secret.text().contains("rotation"), "{}", secret.text());
    let made = only(&app, &workspace).await;
    assert_eq!(
        made["events"],
        json!(["portfolio.*", "research_report.published"]),
        "a group has its events in it"
    );
    assert_eq!(
        (&made["content_type"], &made["headers"][0]["secret"]),
        (&json!("application/xml"), &json!(true))
    );

    let again = browser.send(&form).await.is(200);
    assert!(again.text().contains("it was done once"), "{}", again.text());
    only(&app, &workspace).await;

    let revealed = browser.send(&secret.form("Reveal")).await.is(200);
    assert!(revealed.value("secret-1").starts_with("whsec_"));
    assert_eq!(revealed.all("label[for=secret-1]")[0].text().collect::<String>(), "Signing secret");
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await;
    let one = browser.open(&list.link("Warehouse")).await.is(200);
    assert!(one.text().contains("(secret)") && !one.answer.text().contains("hunter2"), "{}", one.text());
}

#[tokio::test]
async fn the_form_says_what_all_events_leave_out() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_list(&app).await;
    let form = browser.open(&page.link("Create Webhook")).await.is(200);
    let hint = form.all("input[name=which_events][value=all]")[0].attr("aria-describedby").expect("a hint");
    let told: String = form.all(&format!("#events #{hint}"))[0].text().collect();
    assert!(told.contains("leaves out") && told.contains("keybell.*"), "{told}");
    assert_eq!(form.all("#events input[value='keybell.*']").len(), 1, "and what it names can be ticked");
    let groups: Vec<_> =
        form.all("#events [data-group]").iter().filter_map(|group| group.attr("aria-label")).collect();
    assert_eq!(groups, ["portfolio", "research_report", "keybell"], "the platform's own come first");
}

#[tokio::test]
async fn events_of_keybell_are_wanted_beside_all_of_the_platform_and_stay_when_the_form_is_saved() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    let form = browser.open(&page.link("Create Webhook")).await.form("Create Webhook");
    let form = form.with("name", "Hook").with("url", "http://127.0.0.1:9/").with("which_events", "all");
    browser
        .send(&form.ticked("events", "keybell.webhook.failing").ticked("events", "portfolio.updated"))
        .await;
    let wanted = json!(["*", "keybell.webhook.failing"]);
    assert_eq!(only(&app, &workspace).await["events"], wanted, "what is among all is not named again");
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await.is(200);
    assert!(
        list.text().contains("All events") && list.text().contains("keybell.webhook.failing"),
        "{}",
        list.text()
    );
    let form = browser.open(&list.link("Edit Hook")).await.form("Save");
    browser.send(&form.with("description", "changed")).await.is(200);
    let saved = only(&app, &workspace).await;
    assert_eq!((&saved["events"], &saved["description"]), (&wanted, &json!("changed")));
}

#[tokio::test]
async fn the_switch_needs_no_script_and_says_what_it_is() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    let form = browser.open(&page.link("Create Webhook")).await.form("Create Webhook");
    let form = form.with("name", "Hook").with("url", "http://127.0.0.1:9/").with("which_events", "all");
    browser.send(&form).await.is(200);
    let mut list = browser.open(&format!("/w/{workspace}{LIST}")).await.is(200);
    for (is_on, done) in [(true, "The webhook is off."), (false, "The webhook is on.")] {
        let switch = list.all("button[role=switch]")[0];
        assert_eq!(switch.attr("aria-checked"), Some(if is_on { "true" } else { "false" }));
        let form = list.form("Hook is on");
        list = browser.send(&form).await.is(200);
        assert!(list.text().contains(done), "{}", list.text());
        let (_, row) = list.path.split_once('#').expect("it leads back to the row");
        assert_eq!(list.all(&format!("tr[id='{row}'] button[role=switch]")).len(), 1, "{row}");
        assert_eq!(only(&app, &workspace).await["enabled"], !is_on);
        browser.send(&form).await.is(200);
        assert_eq!(only(&app, &workspace).await["enabled"], !is_on, "sent twice, it is the same");
    }
    assert_eq!(only(&app, &workspace).await["events"], json!(["*"]));
    assert!(list.text().contains("All events"), "{}", list.text());
}

#[tokio::test]
async fn a_switch_leads_back_to_its_row_on_its_page_of_the_list() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    for number in 0..51 {
        let new =
            json!({ "name": format!("Hook {number:02}"), "url": "http://127.0.0.1:9/", "events": ["*"] });
        app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), new).await.done(201);
    }
    let first = browser.open(&page.path).await.is(200);
    let later = browser.open(&first.link("Older")).await.is(200);
    // Of webhooks that were made at the same time, any may be the last.
    let switch = later.all("button[role=switch]")[0].attr("aria-label").expect("a name").to_owned();
    let off = browser.send(&later.form(&switch)).await.is(200);
    assert!(off.text().contains("The webhook is off."), "{}", off.text());
    let (path, row) = off.path.split_once('#').expect("it leads back to the row");
    let (_, place) = later.path.split_once('?').expect("a later page");
    assert!(path.contains(place), "{path}");
    assert_eq!(off.all(&format!("tr[id='{row}'] button[aria-checked=false]")).len(), 1, "{}", off.text());
    // From there again, where the address also says what was done.
    let on = browser.send(&off.form(&switch)).await.is(200);
    assert!(on.text().contains("The webhook is on."), "{}", on.text());
    assert_eq!((on.path.contains(place), on.all("tbody tr").len()), (true, 1), "{}", on.path);
    let elsewhere = later.form(&switch).with("back", "https://evil.example?to=evil");
    let answer = browser.send(&elsewhere).await.is(200);
    assert!(answer.path.starts_with(&format!("{}?done=", page.path)), "{}", answer.path);
}

#[tokio::test]
async fn a_webhook_is_edited_and_a_secret_header_keeps_its_value_until_another_is_written() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    let new = json!({ "name": "Hook", "url": "http://127.0.0.1:9/", "events": ["portfolio.*"], "metadata": { "a": 1 },
        "max_in_flight": 2, "headers": [{ "name": "x-key", "value": "hunter2", "secret": true }, { "name": "x-open", "value": "blue" }] });
    let made = app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), new).await.done(201);
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await;
    let edit = browser.open(&list.link("Edit Hook")).await.is(200);
    assert!(!edit.answer.text().contains("hunter2"));
    assert_eq!(edit.all("input[data-all][checked]").len(), 1, "the group is ticked");
    let page = browser.send(&edit.form("Save").with("name", "Renamed")).await.is(200);
    assert!(page.text().contains("The webhook was saved."), "{}", page.text());
    let now = only(&app, &workspace).await;
    assert_eq!(now["name"], "Renamed");
    for field in ["url", "events", "headers", "metadata", "max_in_flight", "content_type", "enabled"] {
        assert_eq!(now[field], made[field], "{field}");
    }

    let wrong = edit.form("Save").with("url", "ftp://example.com").without("events");
    let page = browser.send(&wrong).await.is(422);
    assert_eq!(page.value("url"), "ftp://example.com");
    assert!(
        page.all("#url[aria-invalid=true]").len() == 1 && page.all("#events .wrong").len() == 1,
        "{}",
        page.text()
    );
    assert_eq!(page.all("input[name=header_name][value=x-key]").len(), 1);
}

#[tokio::test]
async fn deleting_says_what_will_happen_and_needs_a_tick() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    let new = json!({ "name": "Hook", "url": "http://127.0.0.1:9/", "events": ["*"] });
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), new).await.done(201);
    let list = browser.open(&format!("/w/{workspace}{LIST}")).await;
    let ask = browser.open(&list.link("Delete Hook")).await.is(200);
    assert!(ask.text().contains("cannot be undone"), "{}", ask.text());
    assert_eq!(ask.all("a[autofocus]").len(), 1, "focus starts on Cancel");
    browser.send(&ask.form("Delete")).await.is(200);
    only(&app, &workspace).await;
    let page = browser.send(&ask.form("Delete").ticked("confirm", "yes")).await.is(200);
    assert!(
        page.text().contains("The webhook was deleted.") && page.text().contains("No webhooks yet"),
        "{}",
        page.text()
    );
    browser.send(&ask.form("Delete").ticked("confirm", "yes")).await.is(404);
}

#[tokio::test]
async fn a_signing_secret_is_rotated_with_an_overlap_and_once() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    let webhook = json!({ "name": "Warehouse", "url": "http://127.0.0.1:9/in", "events": ["*"] });
    let made = app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), webhook).await.done(201);
    let secret = format!("/w/{workspace}{LIST}/{}/signing-secret", made["id"].as_str().expect("an id"));
    let ask = browser.open(&secret).await.is(200).link("Rotate");
    let form = browser.open(&ask).await.is(200).form("Rotate").with("overlap", "3600");
    let rotated = browser.send(&form).await.is(200);
    let old = made["signing_secret"].as_str().expect("a secret");
    assert_eq!(rotated.value("secret-2"), old);
    assert_ne!(rotated.value("secret-1"), old);
    assert!(rotated.text().contains("signs until"), "{}", rotated.text());
    let label = |id: &str| rotated.all(&format!("label[for={id}]"))[0].text().collect::<String>();
    assert_eq!((&*label("secret-1"), &*label("secret-2")), ("New signing secret", "Old signing secret"));
    let until = "A rotation is under way: the old secret signs beside the new one until 23 Nov 2026, 13:00";
    let masked = browser.open(&secret).await.is(200);
    assert!(masked.text().contains(until), "{}", masked.text());
    let under_way = browser.open(&ask).await.is(200);
    assert!(under_way.text().contains("A rotation is under way"), "{}", under_way.text());
    let again = browser.send(&form).await.is(200);
    assert!(again.text().contains("it was done once"), "{}", again.text());
    browser.send(&form.without("overlap")).await.is(422);

    let token = app.member(&workspace, Role::Guest).await;
    let mut guest = Browser::signed_in(&app, &token);
    assert!(!guest.open(&secret).await.is(200).offers("Rotate"));
    guest.open(&ask).await.is(403);
}

#[tokio::test]
async fn how_fast_a_webhook_is_called_is_written_kept_and_taken_back() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    let empty = browser.open(&page.link("Create Webhook")).await.is(200);
    let form = empty.form("Create Webhook").with("name", "Warehouse").with("url", "http://127.0.0.1:9/in");
    let form = form.with("which_events", "all");
    let refused = browser.send(&form.clone().with("rate_limit.limit", "many")).await.is(422);
    assert!(refused.text().contains("must be a whole number"), "{}", refused.text());
    assert_eq!(refused.value("rate_limit\\.limit"), "", "a field of numbers cannot hold it");
    let all_wrong =
        form.clone().with("name", "").with("rate_limit.limit", "many").with("max_in_flight", "few");
    let told = |page: &Page| -> Vec<String> {
        page.all("[role=alert] a").iter().filter_map(|link| link.attr("href")).map(str::to_owned).collect()
    };
    let refused = browser.send(&all_wrong).await.is(422);
    let fields = ["#name", "#rate_limit.limit", "#max_in_flight"];
    assert_eq!(told(&refused), fields, "all at once, in the order of the form");
    let refused = browser.send(&form.clone().with("rate_limit.limit", "0")).await.is(422);
    assert_eq!(refused.value("rate_limit\\.limit"), "0");
    let form = form
        .with("rate_limit.limit", "30")
        .with("rate_limit.window_seconds", "60")
        .with("max_in_flight", "3");
    browser.send(&form).await.is(200);
    let made = only(&app, &workspace).await;
    assert_eq!(made["rate_limit"], json!({ "limit": 30, "window_seconds": 60 }));
    assert_eq!(made["max_in_flight"], 3);

    let own = format!("/w/{workspace}{LIST}/{}", made["id"].as_str().expect("an id"));
    let limited = browser.open(&own).await.is(200);
    assert!(limited.text().contains("Rate limit30 requests in 60 seconds"), "{}", limited.text());
    let form = browser.open(&format!("{own}/edit")).await.is(200).form("Save");
    let form = form.with("rate_limit.limit", "").with("rate_limit.window_seconds", "");
    let page = browser.send(&form).await.is(200);
    assert!(page.text().contains("Rate limitNo limit of its own"), "{}", page.text());
    let saved = only(&app, &workspace).await;
    assert_eq!((&saved["rate_limit"], &saved["max_in_flight"]), (&Value::Null, &json!(3)));
}

#[tokio::test]
async fn an_example_is_of_what_is_wanted_first() {
    let app = TestApp::start().await;
    let (workspace, mut browser, _) = at_the_list(&app).await;
    let example = |name: &str, value: Value| json!({ "name": name, "group": "memo", "description": "", "example": { "what": value } });
    for (name, value) in [("memo.written", json!("<b>ink</b>")), ("memo.burnt", json!(1.50))] {
        app.operator().post("/v1/event-types", example(name, value)).await.done(201);
    }
    let form = browser.open(&format!("/w/{workspace}{LIST}/new?events=memo.written")).await.is(200);
    assert!(form.text().contains("Example payload, XML: memo.written"), "{}", form.text());
    let mut asked = async |query: &str| {
        let answer = browser.open(&format!("/w/{workspace}{LIST}/example{query}")).await.is(200).answer;
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.json()
    };
    let written = asked("?events=memo.written&events=memo.burnt").await;
    assert_eq!(written["event_type"], "memo.written");
    assert!(written["bodies"]["application/json"].as_str().is_some_and(|body| body.contains("<b>ink</b>")));
    assert!(written["bodies"]["application/xml"].as_str().is_some_and(|body| body.contains("&lt;b&gt;ink")));
    assert_eq!(asked("?events=memo.*").await["event_type"], "memo.burnt", "the first of the group");
    // What has no example, or is not there, leaves what a newcomer sees.
    let usual = asked("").await["event_type"].clone();
    for query in ["?events=portfolio.updated", "?events=nothing.known", "?events=%3Cb%3E"] {
        assert_eq!(asked(query).await["event_type"], usual, "{query}");
    }
}

#[tokio::test]
async fn each_page_of_a_webhook_leads_to_its_others() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    let form =
        browser.open(&page.link("Create Webhook")).await.form("Create Webhook").with("which_events", "all");
    browser.send(&form.with("name", "Warehouse").with("url", "http://127.0.0.1:9/in")).await.is(200);
    let own = browser.open(&page.path).await.link("Warehouse");
    let guest = app.member(&workspace, Role::Guest).await;
    let mut guest = Browser::signed_in(&app, &guest);
    let parts = ["Overview", "Deliveries", "Settings", "Signing secret", "Verify", "Send test"];
    let mut path = own.clone();
    for part in parts {
        let open = browser.open(&path).await.is(200);
        let joined_by = if part == "Send test" { "to" } else { "of" };
        path = open.link(&format!("{part} {joined_by} Warehouse"));
        let open = browser.open(&path).await.is(200);
        let current: String = open.all("nav[aria-label='Webhook'] [aria-current]")[0].text().collect();
        assert_eq!(current, format!("{part} {joined_by} Warehouse"));
        assert_eq!(
            open.all("nav[aria-label='Developer'] [aria-current]")[0].text().collect::<String>(),
            "Webhooks"
        );
    }
    let seen = guest.open(&own).await.is(200);
    assert_eq!(seen.all("nav[aria-label='Webhook'] a").len(), parts.len() - 2);
    assert!(!seen.offers("Settings of Warehouse") && !seen.offers("Send test"));
}

#[tokio::test]
async fn a_delivery_that_is_tried_again_has_not_ended_and_one_that_fails_is_marked() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_list(&app).await;
    let receiver = Receiver::start(|_| Reply::status(500));
    let new = json!({ "name": "Hook", "url": receiver.url("/"), "events": ["*"] });
    app.operator().post(&format!("/v1/workspaces/{workspace}/webhooks"), new).await.done(201);
    let cell = |list: &Page, label: &str| {
        list.all(&format!("td[data-label='{label}']"))[0].text().collect::<String>().trim().to_owned()
    };
    let list = browser.open(&page.path).await.is(200);
    assert_eq!(cell(&list, "Last delivery"), "None yet");
    assert_eq!(list.all("td[data-label=Status] .badge.good .mark").len(), 1, "beside the switch");

    app.app.start_engine(&[tokio::runtime::Handle::current()]).await.expect("it starts once");
    let event = json!({ "type": "portfolio.updated", "data": {} });
    app.operator().post(&format!("/v1/workspaces/{workspace}/events"), event).await.done(202);
    receiver.wait_for(1, PATIENCE).await;
    let failing = async {
        loop {
            let list = browser.open(&page.path).await.is(200);
            if cell(&list, "Status").ends_with("Failing") {
                break list;
            }
            tokio::task::yield_now().await;
        }
    };
    let list = tokio::time::timeout(PATIENCE, failing).await.expect("the attempt is written down");
    assert_eq!(cell(&list, "Last delivery"), "None has ended yet");
    assert_eq!(list.all("td[data-label=Status] .badge.bad .mark").len(), 1, "beside the switch");
}
