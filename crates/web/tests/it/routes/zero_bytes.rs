//! The character U+0000, which nobody types and PostgreSQL cannot hold, in each field that somebody can write into. Each of
//! them is found on its page, so that a new field is asked too.

use keybell_testkit::app::On;
use keybell_web::{Route, Serves};
use serde_json::json;

use super::Scene;
use crate::ui::browser::{Browser, Form, Page};

const ZERO: &str = "a\0b";
/// How it is written once somebody sees it again.
const SHOWN: &str = "a\u{fffd}b";
/// What is written into, by hand or past what a browser lets through.
const TYPED: [&str; 8] = ["text", "email", "url", "password", "number", "date", "datetime-local", "search"];
/// What is good in fields that are empty at first, and the choices by which others are looked at.
const GOOD: [(&str, &str); 9] = [
    ("workspace_name", "Evergreen"),
    ("name", "Ada"),
    ("email", "ada@example.com"),
    ("password", "correct horse battery"),
    ("expires", "custom"),
    ("expires_on", "2027-11-23"),
    ("url", "http://127.0.0.1:9/"),
    ("which_events", "all"),
    ("confirm", "Import"),
];

async fn scene(on: On) -> Scene {
    let scene = Scene::open_on(on).await;
    // A key that was just used is revoked by its name, which is typed.
    let path = format!("/v1/workspaces/{}/api-keys/{}/rotate", scene.ours.workspace, scene.ours.key);
    let rotated = scene.app.operator().post(&path, json!({ "overlap_seconds": 0 })).await.done(200);
    let asked = json!({ "secret_key": rotated["secret_key"] });
    assert_eq!(scene.app.operator().post("/v1/api-keys/verify", asked).await.done(200)["valid"], true);
    scene.quiet().await;
    scene
}

/// The names of the fields of `selected` that are written into, each once.
fn typed(page: &Page, selected: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for field in page.all(selected) {
        let kind = field.attr("type").unwrap_or("text");
        let element = field.value().name();
        let is_typed = element == "textarea" || element == "input" && TYPED.contains(&kind);
        let name = field.attr("name").filter(|name| is_typed && !names.iter().any(|known| known == name));
        names.extend(name.map(str::to_owned));
    }
    names
}

fn filled(mut form: Form) -> Form {
    for (name, good) in GOOD {
        if form.fields.iter().any(|(known, _)| known == name) {
            form = form.with(name, good);
        }
    }
    form
}

/// What is wrong with the page that `sent` came back as, with a zero byte in `name`.
fn judge(page: &Page, name: &str, sent: &Form) -> Vec<String> {
    let mut wrong = Vec::new();
    let is_sign_in = sent.action == "/sign-in";
    if page.status != if is_sign_in { 403 } else { 422 } {
        return vec![format!("answered {}: {}", page.status, page.text())];
    }
    if page.answer.text().contains('\0') {
        wrong.push("the page has a zero byte".to_owned());
    }
    if page.all("main [role=alert]").is_empty() {
        wrong.push("nothing says why".to_owned());
    }
    if !is_sign_in && page.all("main [aria-invalid=true]").is_empty() {
        wrong.push("no field is marked".to_owned());
    }
    for link in page.all("#errors a") {
        let to = link.attr("href").unwrap_or_default().trim_start_matches('#').to_owned();
        if page.all(&format!("[id='{to}']")).is_empty() {
            wrong.push(format!("an error links to #{to}, which is nowhere"));
        }
    }
    let Some(now) = page.forms().into_iter().find(|form| form.action == sent.action) else {
        return vec![format!("the form is gone: {}", page.text())];
    };
    for (field, value) in sent.fields.iter().filter(|(field, _)| field != "password") {
        let numbers = page.all(&format!("[name='{field}'][type=number], [name='{field}'][type=date]"));
        if field == name && !numbers.is_empty() {
            // A browser has no words there, and says on its console where a page has some.
            if numbers.iter().any(|number| number.attr("value") != Some("")) {
                wrong.push("it stands in a field that cannot hold it".to_owned());
            }
            continue;
        }
        let kept = value.replace('\0', "\u{fffd}");
        if !now.fields.iter().any(|(known, now)| known == field && *now == kept) {
            wrong.push(format!("{field} was {kept:?} and is lost"));
        }
    }
    wrong.into_iter().map(|what| format!("{} with it in {name}: {what}", sent.action)).collect()
}

async fn in_every_field_of_a_form(on: On) {
    let scene = scene(on).await;
    let before = scene.state(&scene.ours).await;
    let routes = scene.routes();
    let (mut asked, mut wrong) = (0, Vec::new());
    for route in routes.iter().filter(|route| route.serves == Serves::Form) {
        let path = scene.path(route);
        if !routes.iter().any(|page| page.serves == Serves::Page && page.path == route.path) {
            continue;
        }
        let mut browser = Browser::signed_in(&scene.app, &scene.ours.owner);
        let query = if path.ends_with("/deliveries/resend") { "?status=failed" } else { "" };
        let page = browser.open(&format!("{path}{query}")).await.is(200);
        let Some(form) = page.forms().into_iter().find(|form| form.action == path) else { continue };
        for name in typed(&page, &format!("form[method=post][action='{path}'] [name]")) {
            let sent = filled(form.clone()).with(&name, ZERO);
            let answer = Browser::signed_in(&scene.app, &scene.ours.owner).send(&sent).await;
            wrong.extend(judge(&answer, &name, &sent));
            asked += 1;
        }
    }
    assert!(wrong.is_empty(), "{on:?}:\n{}", wrong.join("\n"));
    assert!(asked >= 28, "only {asked} fields were found");
    assert_eq!(scene.state(&scene.ours).await, before);
}

#[tokio::test]
async fn in_a_field_of_a_form_it_is_an_error_of_that_field_and_all_that_was_written_is_kept() {
    in_every_field_of_a_form(On::Memory).await;
}

#[tokio::test]
async fn so_it_is_on_postgresql_which_cannot_hold_it() {
    in_every_field_of_a_form(On::Postgres).await;
}

/// The lists, and the files of them.
fn lists(scene: &Scene) -> Vec<Route> {
    let mut lists = scene.routes();
    lists.retain(|route| matches!(route.serves, Serves::Page | Serves::Download | Serves::EventStream));
    lists
}

#[tokio::test]
async fn in_a_filter_it_finds_nothing_and_stays_written() {
    for on in [On::Memory, On::Postgres] {
        let scene = scene(on).await;
        let mut browser = Browser::signed_in(&scene.app, &scene.ours.owner);
        let mut filters = 0;
        for route in lists(&scene).into_iter().filter(|route| route.serves == Serves::Page) {
            let page = browser.open(&scene.path(&route)).await.is(200);
            for name in typed(&page, "main form[method=get] [name]") {
                let path = scene.path(&route);
                let and = if path.contains('?') { '&' } else { '?' };
                let found = browser.open(&format!("{path}{and}{name}=a%00b")).await.is(200);
                assert!(!found.answer.text().contains('\0'), "{path} {name}");
                let field = format!("main form[method=get] [name='{name}']");
                let kept = found.all(&field).iter().any(|field| field.attr("value") == Some(SHOWN));
                let is_said = found.all("main").iter().any(|main| main.html().contains(SHOWN));
                assert!(kept || is_said, "{on:?}: {path} does not say {name}: {}", found.text());
                assert!(
                    found.all("main table").is_empty() || is_time(&name),
                    "{path} {name}: {}",
                    found.text()
                );
                filters += 1;
            }
        }
        assert!(filters >= 8, "only {filters} filters were found");
    }
}

/// What is no time bounds nothing, which the page says.
fn is_time(name: &str) -> bool {
    ["from", "to"].contains(&name)
}

#[tokio::test]
async fn in_an_address_it_breaks_nothing() {
    for on in [On::Memory, On::Postgres] {
        let scene = scene(on).await;
        let words = [
            "q",
            "status",
            "environment",
            "sort",
            "webhook_id",
            "event_id",
            "event_type",
            "answer",
            "type",
            "from",
            "to",
            "action",
            "actor",
            "target",
            "cursor",
            "page",
            "period",
            "done",
            "next",
            "events",
            "workspace",
        ];
        for route in lists(&scene) {
            for word in words {
                let path = scene.path(&route);
                let and = if path.contains('?') { '&' } else { '?' };
                let path = format!("{path}{and}{word}=a%00b");
                let client = scene.app.session(&scene.ours.owner);
                let answer = client.begin(axum::http::Method::GET, &path, axum::body::Body::empty()).await;
                assert!(answer.status().as_u16() < 500, "{on:?}: {path}: {}", answer.status());
            }
        }
    }
}
