//! Webhooks through the use cases: made, matched with events, edited, switched, deleted; their secrets kept.

mod refused;

use std::time::Duration;

use keybell_app::event_types::NewEventType;
use keybell_app::webhooks::{
    DisabledReason, NewHeader, NewWebhook, ShownHeader, Webhook, WebhookPatch, WebhookRateLimit,
    WebhookStatus,
};
use keybell_app::{App, Page};
use keybell_core::grant::{ManageWebhooks, Origin};
use keybell_core::payload::ContentType;
use keybell_core::seal::MasterKey;
use keybell_core::{Actor, Code, Grant, Role, WebhookId, WorkspaceId};
use serde_json::{Map, Value, json};

use crate::house::{House, On, house, settings};
use crate::workspaces::{code, grant, make, operates, operator, person};

/// A webhook on loopback that wants those events.
pub(crate) fn new_webhook(events: &[&str]) -> NewWebhook {
    NewWebhook {
        name: "Receiver".to_owned(),
        description: String::new(),
        url: "http://127.0.0.1:9/hooks".to_owned(),
        events: events.iter().map(ToString::to_string).collect(),
        content_type: ContentType::Json,
        headers: Vec::new(),
        enabled: true,
        rate_limit: None,
        max_in_flight: None,
        signing_secret: None,
        metadata: Map::new(),
    }
}

/// Declares an event type of that name.
pub(crate) async fn declare(app: &App, name: &str) {
    let new = NewEventType {
        name: name.to_owned(),
        group: None,
        description: String::new(),
        schema: None,
        example: None,
    };
    app.create_event_type(operates(), new).await.expect("the event type can be declared");
}

fn header(name: &str, value: Option<&str>, secret: bool) -> NewHeader {
    NewHeader { name: name.to_owned(), value: value.map(str::to_owned), secret }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn tick(house: &House) {
    house.clock.advance(Duration::from_millis(1));
}

/// A house with a workspace and a catalogue of two groups.
async fn furnished(on: On) -> (House, WorkspaceId) {
    let house = house(on).await;
    furnish(house).await
}

async fn furnish(house: House) -> (House, WorkspaceId) {
    for name in ["portfolio.updated", "portfolio.rebalanced", "research_report.published"] {
        declare(&house.app, name).await;
    }
    let workspace = make(&house.app, "Acme", None).await.id;
    // What is made in one millisecond is listed in no order.
    tick(&house);
    (house, workspace)
}

async fn made(app: &App, actor: &Actor, workspace: WorkspaceId, new: NewWebhook) -> Webhook {
    app.create_webhook(grant(actor, workspace), new).await.map(|(webhook, _)| webhook).expect("it is valid")
}

fn matched(app: &App, workspace: WorkspaceId, event_type: &str) -> Vec<WebhookId> {
    app.registry().matching(workspace, event_type).iter().map(|webhook| webhook.id).collect()
}

async fn actions(app: &App, workspace: WorkspaceId) -> Vec<String> {
    let log = app.list_audit(
        grant(&operator(), workspace),
        keybell_app::audit::AuditFilter::default(),
        Page::default(),
    );
    log.await.expect("operators may").data.into_iter().map(|entry| entry.action).collect()
}

#[tokio::test]
async fn a_webhook_is_made_edited_switched_and_deleted() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let (house, workspace) = furnished(on).await;
        let app = &house.app;
        let new = NewWebhook {
            description: "Everything about portfolios".to_owned(),
            content_type: ContentType::Xml,
            rate_limit: Some(WebhookRateLimit { limit: 10, window_seconds: 60 }),
            max_in_flight: Some(4),
            metadata: object(json!({"team": "quant", "stage": 1})),
            ..new_webhook(&["portfolio.*"])
        };
        let (webhook, secret) =
            app.create_webhook(grant(&operator(), workspace), new).await.expect("it is valid");
        assert_eq!(
            (webhook.status, webhook.enabled, webhook.disabled_reason),
            (WebhookStatus::Active, true, None)
        );
        assert!(secret.reveal().starts_with("whsec_"));
        let read = app.webhook(grant(&operator(), workspace), webhook.id).await.expect("it is there");
        assert_eq!(read, webhook, "{on:?}");
        let listed = app.list_webhooks(grant(&operator(), workspace), Page::default()).await.expect("a list");
        assert_eq!(listed.data, std::slice::from_ref(&webhook), "{on:?}");
        tick(&house);
        let shown =
            app.signing_secrets(grant(&operator(), workspace), webhook.id).await.expect("operators may");
        let shown: Vec<_> = shown.iter().map(|shown| (shown.secret.reveal(), shown.expires_at)).collect();
        assert_eq!(shown, [(secret.reveal(), None)], "{on:?}");

        tick(&house);
        let patch = WebhookPatch {
            name: Some("Portfolios".to_owned()),
            events: Some(vec!["portfolio.updated".to_owned()]),
            rate_limit: Some(None),
            metadata: Some(Some(object(json!({"stage": null, "owner": "ada"})))),
            ..WebhookPatch::default()
        };
        let edited =
            app.edit_webhook(grant(&operator(), workspace), webhook.id, patch.clone()).await.expect("valid");
        assert_eq!(edited.updated_at, house.app.now());
        assert_eq!(edited.metadata, object(json!({"owner": "ada", "team": "quant"})));
        let expected = Webhook {
            name: "Portfolios".to_owned(),
            events: vec!["portfolio.updated".to_owned()],
            rate_limit: None,
            metadata: edited.metadata.clone(),
            updated_at: edited.updated_at,
            ..webhook.clone()
        };
        assert_eq!(edited, expected, "what the patch does not name stays, {on:?}");
        let same =
            app.edit_webhook(grant(&operator(), workspace), webhook.id, patch).await.expect("nothing new");
        assert_eq!(same, edited, "{on:?}");

        let switch = |enabled| WebhookPatch { enabled: Some(enabled), ..WebhookPatch::default() };
        tick(&house);
        let off =
            app.edit_webhook(grant(&operator(), workspace), webhook.id, switch(false)).await.expect("valid");
        assert_eq!(
            (off.status, off.disabled_reason),
            (WebhookStatus::Disabled, Some(DisabledReason::ByMember))
        );
        assert_eq!(matched(app, workspace, "portfolio.updated"), [], "{on:?}");
        tick(&house);
        let on_again =
            app.edit_webhook(grant(&operator(), workspace), webhook.id, switch(true)).await.expect("valid");
        assert_eq!((on_again.status, on_again.disabled_reason), (WebhookStatus::Active, None));
        assert_eq!(matched(app, workspace, "portfolio.updated"), [webhook.id], "{on:?}");

        tick(&house);
        app.delete_webhook(grant(&operator(), workspace), webhook.id).await.expect("it is there");
        assert_eq!(matched(app, workspace, "portfolio.updated"), [], "{on:?}");
        assert_eq!(code(app.webhook(grant(&operator(), workspace), webhook.id).await), Code::NotFound);
        assert_eq!(code(app.delete_webhook(grant(&operator(), workspace), webhook.id).await), Code::NotFound);
        let secrets = app.signing_secrets(grant(&operator(), workspace), webhook.id).await.map(|_| ());
        assert_eq!(code(secrets), Code::NotFound, "{on:?}");
        let expected = [
            "webhook.deleted",
            "webhook.edited",
            "webhook.edited",
            "webhook.edited",
            "webhook.signing_secret_shown",
            "webhook.created",
            "workspace.created",
        ];
        assert_eq!(
            actions(app, workspace).await,
            expected,
            "one entry for each change and none else, {on:?}"
        );
    }
}

#[tokio::test]
async fn events_reach_the_webhooks_of_their_workspace_that_want_them() {
    let (house, workspace) = furnished(On::Memory).await;
    let app = &house.app;
    let by_type = made(app, &operator(), workspace, new_webhook(&["portfolio.updated"])).await.id;
    let by_group = made(app, &operator(), workspace, new_webhook(&["portfolio.*"])).await.id;
    let all = made(app, &operator(), workspace, new_webhook(&["*"])).await.id;
    let off = NewWebhook { enabled: false, ..new_webhook(&["*"]) };
    let off = made(app, &operator(), workspace, off).await;
    assert_eq!(off.disabled_reason, Some(DisabledReason::ByMember));
    let elsewhere = make(app, "Elsewhere", None).await.id;
    made(app, &operator(), elsewhere, new_webhook(&["*"])).await;

    assert_eq!(matched(app, workspace, "portfolio.updated"), [by_type, by_group, all]);
    assert_eq!(matched(app, workspace, "portfolio.rebalanced"), [by_group, all]);
    assert_eq!(matched(app, workspace, "research_report.published"), [all]);
    // A type that is declared later belongs to its group at once.
    declare(app, "portfolio.closed").await;
    assert_eq!(matched(app, workspace, "portfolio.closed"), [by_group, all]);
    let again = house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again");
    let mut found = matched(&again, workspace, "portfolio.updated");
    found.sort();
    assert_eq!(found, [by_type, by_group, all]);
}

#[tokio::test]
async fn secrets_are_sealed_on_disk_and_never_shown() {
    let (house, workspace) = furnished(On::SqliteFile).await;
    let app = &house.app;
    let chosen = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let new = NewWebhook {
        headers: vec![
            header("Authorization", Some("Bearer hunter2"), true),
            header("X-Team", Some("quant"), false),
        ],
        signing_secret: Some(chosen.to_owned()),
        ..new_webhook(&["*"])
    };
    let (webhook, secret) = app.create_webhook(grant(&operator(), workspace), new).await.expect("valid");
    assert_eq!(secret.reveal(), chosen);
    let headers = [
        ShownHeader { name: "Authorization".to_owned(), value: None, secret: true },
        ShownHeader { name: "X-Team".to_owned(), value: Some("quant".to_owned()), secret: false },
    ];
    assert_eq!(webhook.headers, headers);
    let shown = serde_json::to_string(&webhook).expect("JSON") + &format!("{webhook:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(chosen));

    // A patch without the value keeps it, one with a value changes it, and each is said in the audit log.
    let headers = |value| WebhookPatch {
        headers: Some(vec![header("authorization", value, true)]),
        ..WebhookPatch::default()
    };
    let sent = |app: &App| {
        let live = app.registry().get(workspace, webhook.id).expect("it is there");
        let values: Vec<_> =
            live.headers.iter().map(|header| (header.value.to_string(), header.secret)).collect();
        values
    };
    app.edit_webhook(grant(&operator(), workspace), webhook.id, headers(None)).await.expect("valid");
    assert_eq!(sent(app), [("Bearer hunter2".to_owned(), true)]);
    tick(&house);
    app.edit_webhook(grant(&operator(), workspace), webhook.id, headers(Some("Bearer hunter3")))
        .await
        .expect("valid");
    let again = house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again");
    assert_eq!(sent(&again), [("Bearer hunter3".to_owned(), true)]);
    let live = again.registry().get(workspace, webhook.id).expect("it is there");
    let secrets: Vec<_> = live.signing_secrets(again.now()).iter().map(|secret| secret.reveal()).collect();
    assert_eq!(secrets, [chosen]);

    let log = app.list_audit(
        grant(&operator(), workspace),
        keybell_app::audit::AuditFilter::default(),
        Page::default(),
    );
    let log = log.await.expect("operators may").data;
    assert!(log[0].changes_json.contains("secret_headers"), "{}", log[0].changes_json);
    let key = secret.key_bytes();
    for bytes in house.files() {
        for secret in [b"hunter2".as_slice(), b"hunter3", b"MfKQ9r8GKYqrTwjU", key] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

#[tokio::test]
async fn members_manage_what_they_made_and_see_the_rest() {
    for on in [On::Memory, On::Postgres] {
        let (house, workspace) = furnished(on).await;
        let app = &house.app;
        let (ada, bob) = (person(workspace, Role::Member, 1), person(workspace, Role::Member, 2));
        let adas = made(app, &ada, workspace, new_webhook(&["*"])).await;
        let listed =
            app.list_webhooks(grant(&bob, workspace), Page::default()).await.expect("members see all");
        assert_eq!(listed.data.len(), 1);

        let renamed = || WebhookPatch { name: Some("Mine".to_owned()), ..WebhookPatch::default() };
        assert_eq!(
            code(app.edit_webhook(grant(&bob, workspace), adas.id, renamed()).await),
            Code::Forbidden,
            "{on:?}"
        );
        assert_eq!(
            code(app.delete_webhook(grant(&bob, workspace), adas.id).await),
            Code::Forbidden,
            "{on:?}"
        );
        let secrets = app.signing_secrets(grant(&bob, workspace), adas.id).await.map(|_| ());
        assert_eq!(code(secrets), Code::Forbidden, "{on:?}");
        assert_eq!(actions(app, workspace).await.len(), 2, "what was refused is not in the log");

        app.edit_webhook(grant(&ada, workspace), adas.id, renamed()).await.expect("it is hers");
        app.signing_secrets(grant(&ada, workspace), adas.id).await.map(|_| ()).expect("it is hers");
        let admin = person(workspace, Role::Admin, 3);
        app.delete_webhook(grant(&admin, workspace), adas.id).await.expect("admins manage all");
        let guest = person(workspace, Role::Guest, 4);
        assert!(guest.grant::<ManageWebhooks>(workspace, &Origin::default()).is_err());
    }
}

#[tokio::test]
async fn a_webhook_of_another_workspace_does_not_exist() {
    let (house, workspace) = furnished(On::Memory).await;
    let app = &house.app;
    let webhook = made(app, &operator(), workspace, new_webhook(&["*"])).await.id;
    let other = make(app, "Other", None).await.id;
    let owner = person(other, Role::Owner, 1);
    let manage = || -> Grant<ManageWebhooks> { grant(&owner, other) };
    let patch = WebhookPatch { enabled: Some(false), ..WebhookPatch::default() };

    assert_eq!(code(app.webhook(grant(&owner, other), webhook).await), Code::NotFound);
    assert_eq!(code(app.edit_webhook(manage(), webhook, patch).await), Code::NotFound);
    assert_eq!(code(app.delete_webhook(manage(), webhook).await), Code::NotFound);
    assert_eq!(code(app.signing_secrets(manage(), webhook).await.map(|_| ())), Code::NotFound);
    assert!(app.registry().get(other, webhook).is_none());
    assert_eq!(matched(app, workspace, "portfolio.updated"), [webhook]);
}

#[tokio::test]
async fn edits_at_the_same_time_are_all_kept() {
    for on in [On::SqliteFile, On::Postgres] {
        let (house, workspace) = furnished(on).await;
        let app = &house.app;
        let webhook = made(app, &operator(), workspace, new_webhook(&["*"])).await.id;
        let edit = |name: &str| {
            let metadata = Some(Some(object(json!({ name: 1 }))));
            let patch = WebhookPatch { metadata, ..WebhookPatch::default() };
            app.edit_webhook(grant(&operator(), workspace), webhook, patch)
        };
        let (a, b, c) = tokio::join!(edit("a"), edit("b"), edit("c"));
        let versions = [a, b, c].map(|edited| edited.expect("it is kept").updated_at);
        assert!(versions[0] != versions[1] && versions[1] != versions[2] && versions[0] != versions[2]);
        let after = app.webhook(grant(&operator(), workspace), webhook).await.expect("it is there");
        assert_eq!(after.metadata, object(json!({"a": 1, "b": 1, "c": 1})), "{on:?}");
        let live = app.registry().get(workspace, webhook).expect("it is there");
        assert_eq!(live.updated_at, after.updated_at, "memory has the newest version, {on:?}");
    }
}

#[tokio::test]
async fn webhooks_are_listed_newest_first_in_pages() {
    let (house, workspace) = furnished(On::Memory).await;
    for name in ["1", "2", "3"] {
        let new = NewWebhook { name: name.to_owned(), ..new_webhook(&["*"]) };
        made(&house.app, &operator(), workspace, new).await;
        tick(&house);
    }
    let page = async |cursor| {
        let page = Page::new(Some(2), cursor).expect("2 is within the limit");
        let listed = house.app.list_webhooks(grant(&operator(), workspace), page).await.expect("a list");
        (listed.data.into_iter().map(|webhook| webhook.name).collect::<Vec<_>>(), listed.next_cursor)
    };
    let (first, cursor) = page(None).await;
    assert_eq!(first, ["3", "2"]);
    assert_eq!(page(cursor).await, (vec!["1".to_owned()], None));
}

#[tokio::test]
async fn more_than_is_read_at_once_is_in_memory_after_a_restart() {
    // Webhooks are read 1,000 at a time, across workspaces.
    let mut wide = settings();
    wide.limits.webhooks_per_workspace = 600;
    let (house, first) = furnish(House::start(On::Memory, wide).await).await;
    let second = make(&house.app, "Second", None).await.id;
    for workspace in [first, second] {
        for _ in 0..501 {
            made(&house.app, &operator(), workspace, new_webhook(&["*"])).await;
        }
    }
    let again = house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again");
    assert_eq!(again.registry().len(), 1_002);
    assert_eq!(again.registry().matching(second, "portfolio.updated").len(), 501);
}
