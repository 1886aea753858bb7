//! Webhooks that are not made: each wrong field with its word, and no more of them than there may be.

use keybell_app::App;
use keybell_app::settings::Settings;
use keybell_app::webhooks::{NewWebhook, WebhookPatch, WebhookRateLimit};
use keybell_core::{Code, WorkspaceId};
use serde_json::json;

use super::{furnish, furnished, header, made, new_webhook, object};
use crate::house::{House, On, settings};
use crate::workspaces::{code, fields, grant, make, operates, operator};

async fn refused(app: &App, workspace: WorkspaceId, new: NewWebhook) -> Vec<(String, &'static str)> {
    fields(app.create_webhook(grant(&operator(), workspace), new).await.map(|_| ()))
}

#[tokio::test]
async fn events_that_the_catalogue_does_not_have_are_refused() {
    let (house, workspace) = furnished(On::Memory).await;
    let app = &house.app;
    let unknown = |at: usize| (format!("events[{at}]"), "unknown_event_type");
    assert_eq!(refused(app, workspace, new_webhook(&["*", "portfolio.sold"])).await, [unknown(1)]);
    assert_eq!(refused(app, workspace, new_webhook(&["port.*"])).await, [unknown(0)]);
    assert_eq!(refused(app, workspace, new_webhook(&[])).await, [("events".to_owned(), "required")]);
    assert_eq!(refused(app, workspace, new_webhook(&["a b"])).await, [("events[0]".to_owned(), "invalid")]);

    // What a webhook has already may stay after the catalogue dropped it.
    let webhook = made(app, &operator(), workspace, new_webhook(&["portfolio.updated"])).await;
    app.archive_event_type(operates(), "portfolio.updated").await.expect("it is there");
    let events = vec!["portfolio.updated".to_owned(), "research_report.published".to_owned()];
    let patch = WebhookPatch { events: Some(events), ..WebhookPatch::default() };
    let edited = app.edit_webhook(grant(&operator(), workspace), webhook.id, patch).await.expect("valid");
    assert_eq!(edited.events.len(), 2);
    assert_eq!(refused(app, workspace, new_webhook(&["portfolio.updated"])).await, [unknown(0)]);
}

#[tokio::test]
async fn a_url_is_refused_with_the_rule_that_refuses_it() {
    let (house, workspace) = furnished(On::Memory).await;
    let url = |url: &str| NewWebhook { url: url.to_owned(), ..new_webhook(&["*"]) };
    for (text, rule) in [
        ("example.com", "invalid"),
        ("/hooks", "invalid"),
        ("ftp://127.0.0.1/", "scheme"),
        ("http://ada@127.0.0.1/", "user_information"),
        ("http://127.0.0.1/#a", "fragment"),
        ("http://10.0.0.1/", "private"),
        ("http://[::ffff:a00:1]/", "private"),
        ("http://169.254.169.254/latest/meta-data", "cloud_metadata"),
        (&format!("http://127.0.0.1/{}", "a".repeat(2_048)), "too_long"),
    ] {
        assert_eq!(refused(&house.app, workspace, url(text)).await, [("url".to_owned(), rule)], "{text}");
    }
    // Spelled as one likes, it is the address that counts, and loopback is allowed here.
    for text in ["http://2130706433:8080/", "http://localhost:8080/", "http://127.1/"] {
        made(&house.app, &operator(), workspace, url(text)).await;
    }
    let webhook = made(&house.app, &operator(), workspace, url("http://127.0.0.1/")).await;
    let patch = WebhookPatch { url: Some("http://10.0.0.1/".to_owned()), ..WebhookPatch::default() };
    let edited = house.app.edit_webhook(grant(&operator(), workspace), webhook.id, patch).await;
    assert_eq!(fields(edited), [("url".to_owned(), "private")]);
}

#[tokio::test]
async fn a_name_that_leads_only_to_refused_addresses_is_refused_at_once() {
    let mut strict: Settings = settings();
    strict.delivery.allowed_networks = Vec::new();
    let (house, workspace) = furnish(House::start(On::Memory, strict.clone()).await).await;
    let localhost = || NewWebhook { url: "https://localhost/hooks".to_owned(), ..new_webhook(&["*"]) };
    assert_eq!(refused(&house.app, workspace, localhost()).await, [("url".to_owned(), "loopback")]);

    strict.delivery.require_https = true;
    let (house, workspace) = furnish(House::start(On::Memory, strict).await).await;
    assert_eq!(
        refused(&house.app, workspace, new_webhook(&["*"])).await,
        [("url".to_owned(), "https_required")]
    );
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let (house, workspace) = furnished(On::Memory).await;
    let new = NewWebhook {
        name: String::new(),
        description: "x".repeat(1_001),
        url: "http://10.0.0.1/".to_owned(),
        headers: vec![header("Host", Some("a"), false), header("x-a", Some("\n"), true)],
        rate_limit: Some(WebhookRateLimit { limit: 0, window_seconds: 1 }),
        max_in_flight: Some(17),
        signing_secret: Some("whsec_c2hvcnQ=".to_owned()),
        metadata: object(json!({"a": "x".repeat(4_096)})),
        ..new_webhook(&["portfolio.sold"])
    };
    let mut told = refused(&house.app, workspace, new).await;
    told.sort();
    let expected = [
        ("description", "too_long"),
        ("events[0]", "unknown_event_type"),
        ("headers[0].name", "reserved"),
        ("headers[1].value", "characters"),
        ("max_in_flight", "out_of_range"),
        ("metadata", "too_long"),
        ("name", "required"),
        ("rate_limit.limit", "out_of_range"),
        ("signing_secret", "invalid"),
        ("url", "private"),
    ];
    assert_eq!(told, expected.map(|(field, code)| (field.to_owned(), code)));
    assert_eq!(house.app.registry().len(), 0);
}

#[tokio::test]
async fn a_workspace_has_as_many_webhooks_as_the_settings_allow() {
    for on in [On::Memory, On::Postgres] {
        let mut narrow = settings();
        narrow.limits.webhooks_per_workspace = 2;
        let (house, workspace) = furnish(House::start(on, narrow).await).await;
        for _ in 0..2 {
            made(&house.app, &operator(), workspace, new_webhook(&["*"])).await;
        }
        let third = house.app.create_webhook(grant(&operator(), workspace), new_webhook(&["*"])).await;
        assert_eq!(code(third.map(|_| ())), Code::Conflict, "{on:?}");
        let other = make(&house.app, "Other", None).await.id;
        made(&house.app, &operator(), other, new_webhook(&["*"])).await;
        assert_eq!(house.app.registry().len(), 3, "{on:?}");
    }
}
