//! The event catalogue on the pages.

use keybell_core::Role;
use keybell_testkit::app::TestApp;
use serde_json::json;

use super::browser::{Browser, Page};

const CATALOGUE: &str = "/settings/advanced/developer/event-catalogue";

/// A workspace with a catalogue, its id, and its owner's browser at it.
async fn at_the_catalogue(app: &TestApp) -> (String, Browser<'_>, Page) {
    let published = json!({
        "name": "research_report.published",
        "description": "A report can be read now",
        "schema": { "type": "object", "required": ["title"] },
        "example": { "title": "Copper & <b>tin</b>", "price": 1 },
    });
    for new in [
        published,
        json!({ "name": "portfolio.updated", "description": "</script><i>x</i>" }),
        json!({ "name": "portfolio.rebalanced" }),
    ] {
        app.operator().post("/v1/event-types", new).await.done(201);
    }
    let workspace = app.workspace("Evergreen").await;
    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(app, &token);
    let page = browser.open(&format!("/w/{workspace}{CATALOGUE}")).await.is(200);
    (workspace, browser, page)
}

#[tokio::test]
async fn the_catalogue_is_listed_by_groups_with_keybells_own_last() {
    let app = TestApp::start().await;
    let (_, _, page) = at_the_catalogue(&app).await;
    let groups: Vec<String> = page.all("section h2").iter().map(|group| group.text().collect()).collect();
    assert_eq!(groups, ["portfolio", "research_report", "keybell"]);
    assert!(page.text().contains("5 event types"), "{}", page.text());
    assert!(
        page.text().contains("</script><i>x</i>") && page.text().contains("No description"),
        "{}",
        page.text()
    );
}

#[tokio::test]
async fn the_catalogue_is_searched_by_its_address() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_catalogue(&app).await;
    let found = browser.open(&format!("{}?q=REPORT+read", page.path)).await.is(200);
    assert_eq!((found.all("tbody tr").len(), found.value("q").as_str()), (1, "REPORT read"));
    assert!(found.text().contains("1 event type found"), "{}", found.text());
    let none = browser.open(&format!("{}?q=nothing", page.path)).await.is(200);
    assert!(none.text().contains("No event type fits this search."), "{}", none.text());
    assert_eq!(browser.open(&none.link("Clear")).await.path, page.path);
}

#[tokio::test]
async fn an_event_type_shows_its_schema_and_an_example_as_it_would_be_sent() {
    let app = TestApp::start().await;
    let (workspace, mut browser, page) = at_the_catalogue(&app).await;
    let one = browser.open(&page.link("research_report.published")).await.is(200);
    let text = |id: &str| one.all(id)[0].text().collect::<String>();
    assert!(text("#schema").contains("\"required\": [\n"), "{}", text("#schema"));
    let json = text("#example-json");
    let xml = text("#example-xml");
    assert!(json.contains("\"title\": \"Copper & <b>tin</b>\"") && json.contains(&workspace), "{json}");
    assert!(xml.starts_with("<?xml") && xml.contains("&lt;b&gt;tin"), "{xml}");
    assert!(
        text("#example-form").starts_with("payload=") && text("#example-cloudevents").contains("specversion")
    );

    let bare = browser.open(&page.link("portfolio.rebalanced")).await.is(200);
    assert!(
        bare.text().contains("has given no example") && bare.text().contains("may be any JSON"),
        "{}",
        bare.text()
    );
    for unknown in ["nothing.of.it", "%3Cscript%3E"] {
        browser.open(&format!("{}/{unknown}", page.path)).await.is(404);
    }
}

#[tokio::test]
async fn a_webhook_for_an_event_begins_with_that_event_ticked() {
    let app = TestApp::start().await;
    let (_, mut browser, page) = at_the_catalogue(&app).await;
    let one = browser.open(&page.link("research_report.published")).await.is(200);
    let form = browser.open(&one.link("Create a webhook for this event")).await.is(200);
    let ticked = |form: &Page| {
        let boxes = form.all("input[name=events][checked]");
        boxes.iter().filter_map(|ticked| ticked.attr("value")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ticked(&form), ["research_report.published"]);
    assert_eq!(form.all("input[name=which_events][value=these][checked]").len(), 1);
    let group = browser.open(&page.link("Webhook for all of portfolio")).await.is(200);
    assert_eq!(ticked(&group), ["portfolio.*"]);
    let new = form.path.split('?').next().expect("a path").to_owned();
    let odd = browser.open(&format!("{new}?events=gone.type&events=*&events=gone.*")).await.is(200);
    assert_eq!(ticked(&odd), [""; 0], "a link ticks only what can be ticked by hand");
}

#[tokio::test]
async fn a_large_catalogue_is_turned() {
    let app = TestApp::start().await;
    let workspace = app.workspace("Evergreen").await;
    // Keybell's own two are there already: one page at its limit, and one row past it.
    for number in 0..198 {
        let new = json!({ "name": format!("a.n{number:03}") });
        app.operator().post("/v1/event-types", new).await.done(201);
    }
    let token = app.member(&workspace, Role::Owner).await;
    let mut browser = Browser::signed_in(&app, &token);
    let path = format!("/w/{workspace}{CATALOGUE}");
    let page = browser.open(&path).await.is(200);
    assert_eq!((page.all("tbody tr").len(), page.all("nav.pages").len()), (200, 0));
    app.operator().post("/v1/event-types", json!({ "name": "a.n198" })).await.done(201);
    let page = browser.open(&path).await.is(200);
    assert_eq!(page.all("tbody tr").len(), 200);
    let next = browser.open(&page.link("Next")).await.is(200);
    assert_eq!(next.all("tbody tr").len(), 1);
    assert_eq!(browser.open(&next.link("Previous")).await.path, path);
    let past = browser.open(&format!("{path}?page=18446744073709551615")).await.is(200);
    assert!(past.text().contains("There are no more event types."), "{}", past.text());
}
