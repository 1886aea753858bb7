//! Webhooks that only fail: warned of half-way, disabled after days, and what others are told of it.

use std::time::Duration;

use keybell_app::audit::{AuditEntry, AuditFilter};
use keybell_app::deliveries::{DeliveryFilter, DeliveryStatus};
use keybell_app::events::EventFilter;
use keybell_app::settings::Settings;
use keybell_app::webhooks::{DisabledReason, Webhook, WebhookPatch, WebhookStatus};
use keybell_app::{App, Page};
use keybell_core::WorkspaceId;
use keybell_core::seal::MasterKey;
use keybell_testkit::receiver::{Received, Receiver, Reply};
use serde_json::{Value, json};

use super::{Desk, Hook, PATIENCE, event};
use crate::house::{On, START, settings};
use crate::workspaces::{grant, operator};

pub(super) const HALF_A_DAY: Duration = Duration::from_hours(12);
pub(super) const FAILING: &str = "keybell.webhook.failing";
pub(super) const DISABLED: &str = "keybell.webhook.disabled";

/// Each event is tried once, so that its number is the number of attempts.
pub(super) fn once() -> Settings {
    let mut settings = settings();
    settings.delivery.retry_schedule = Vec::new();
    settings
}

pub(super) fn dead() -> Receiver {
    Receiver::start(|_| Reply::status(500))
}

/// Half a day later, another event that `receivers` are called with once more.
pub(super) async fn half_a_day_later(desk: &Desk, receivers: &[&Receiver]) {
    desk.later(HALF_A_DAY);
    another_event(desk, receivers).await;
}

pub(super) async fn another_event(desk: &Desk, receivers: &[&Receiver]) {
    let called: Vec<_> = receivers.iter().map(|receiver| receiver.received().len()).collect();
    desk.publish("{}").await;
    for (receiver, called) in receivers.iter().zip(called) {
        receiver.wait_for(called + 1, PATIENCE).await;
    }
    desk.quiet().await;
}

/// A webhook for Keybell's own events.
pub(super) async fn watch(desk: &Desk, receiver: &Receiver) -> Hook {
    desk.hook_with(receiver, |new| new.events = vec!["keybell.*".to_owned()]).await
}

pub(super) async fn shown(desk: &Desk, hook: &Hook) -> Webhook {
    desk.app().webhook(grant(&operator(), desk.workspace), hook.id).await.expect("it is there")
}

async fn switch_on(desk: &Desk, hook: &Hook) {
    desk.house.clock.advance(Duration::from_millis(1));
    let patch = WebhookPatch { enabled: Some(true), ..WebhookPatch::default() };
    desk.app().edit_webhook(grant(&operator(), desk.workspace), hook.id, patch).await.expect("switched");
}

/// The audit entries about failing and disabling, the oldest first.
pub(super) async fn entries(app: &App, workspace: WorkspaceId) -> Vec<AuditEntry> {
    let page = Page::new(Some(250), None).expect("250 is the limit");
    let log = app.list_audit(grant(&operator(), workspace), AuditFilter::default(), page).await;
    let about = |entry: &AuditEntry| ["webhook.failing", "webhook.disabled"].contains(&&*entry.action);
    let mut entries: Vec<_> = log.expect("operators may").data.into_iter().filter(about).collect();
    entries.reverse();
    entries
}

/// The operator events of a workspace, the oldest first: type and webhook.
pub(super) async fn told(app: &App, workspace: WorkspaceId) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for event_type in [DISABLED, FAILING] {
        let filter = EventFilter { event_type: Some(event_type.to_owned()), ..EventFilter::default() };
        let listed = app.list_events(grant(&operator(), workspace), filter, Page::default()).await;
        for listed in listed.expect("events can be listed").data {
            let read =
                app.event(grant(&operator(), workspace), listed.id.clone()).await.expect("it is there");
            let data: Value = serde_json::from_str(&read.data).expect("it is JSON");
            let fits = app.catalogue().event_type(event_type).expect("it is built in").check_data(&read.data);
            assert!(fits.is_ok(), "{event_type} {data}: {fits:?}");
            told.push((listed.created_at, event_type.to_owned(), data["webhook_id"].to_string()));
        }
    }
    told.sort();
    told.into_iter().map(|(_, event_type, webhook)| (event_type, webhook.replace('"', ""))).collect()
}

/// Waits until what was told of has arrived: a clock that moves on meanwhile would end its leases, and repeat it.
pub(super) async fn all_told(desk: &Desk) {
    for event_type in [FAILING, DISABLED] {
        let of_type =
            || DeliveryFilter { event_type: Some(event_type.to_owned()), ..DeliveryFilter::default() };
        desk.until(|| async {
            let told = desk.deliveries_where(of_type()).await;
            told.iter().all(|delivery| delivery.status != DeliveryStatus::Pending)
        })
        .await;
    }
    desk.quiet().await;
}

pub(super) fn types(received: &[Received]) -> Vec<String> {
    received.iter().map(|request| request.json()["type"].as_str().expect("a type").to_owned()).collect()
}

async fn is_warned_of_and_disabled(on: On) {
    let desk = Desk::start(on, once()).await;
    let (receiver, watcher, everything) = (dead(), Receiver::ok(), Receiver::ok());
    let hook = desk
        .hook_with(&receiver, |new| {
            new.url = receiver.url("/in?token=secret");
            "Orders".clone_into(&mut new.name);
        })
        .await;
    watch(&desk, &watcher).await;
    desk.hook(&everything).await;
    let both = [&receiver, &everything];

    another_event(&desk, &both).await;
    for _ in 1..5 {
        half_a_day_later(&desk, &both).await;
    }
    assert_eq!(entries(desk.app(), desk.workspace).await, [], "48 hours are not half of five days");
    half_a_day_later(&desk, &both).await;
    let warning = watcher.wait_for(1, PATIENCE).await.remove(0).json();
    assert_eq!(warning["type"], FAILING);
    let (since, ends) = (START.to_string(), (START + 10 * HALF_A_DAY).to_string());
    let data = json!({
        "workspace_id": desk.workspace.to_string(), "workspace_external_id": null,
        "webhook_id": hook.id.to_string(), "webhook_name": "Orders", "url": format!("http://{}", receiver.address()),
        "reason": "failing", "failing_since": since, "last_error_code": null, "last_response_status": 500,
        "will_be_disabled_at": ends,
    });
    assert_eq!(warning["data"], data, "{on:?}");
    assert_eq!(shown(&desk, &hook).await.status, WebhookStatus::Failing);
    all_told(&desk).await;

    for _ in 6..10 {
        half_a_day_later(&desk, &both).await;
    }
    assert!(shown(&desk, &hook).await.enabled, "108 hours are not five days");
    half_a_day_later(&desk, &both).await;
    let disabled = watcher.wait_for(2, PATIENCE).await.remove(1).json();
    let mut data = data;
    data.as_object_mut().expect("an object").remove("will_be_disabled_at");
    assert_eq!((&disabled["type"], &disabled["data"]), (&json!(DISABLED), &data), "{on:?}");
    let after = shown(&desk, &hook).await;
    assert_eq!(
        (after.status, after.disabled_reason),
        (WebhookStatus::Disabled, Some(DisabledReason::Failing))
    );

    all_told(&desk).await;
    half_a_day_later(&desk, &[&everything]).await;
    assert_eq!((receiver.received().len(), watcher.received().len()), (11, 2), "{on:?}");
    assert!(types(&everything.received()).iter().all(|name| name == super::TYPE), "* leaves ours out");
    let entries = entries(desk.app(), desk.workspace).await;
    let said: Vec<_> = entries
        .iter()
        .map(|entry| (&*entry.by.kind, &*entry.action, &*entry.target_id, entry.changes_json.clone()))
        .collect();
    let id = hook.id.to_string();
    let warned = json!({ "failing_since": { "to": since }, "will_be_disabled_at": { "to": ends } });
    let ended = json!({
        "enabled": { "from": true, "to": false }, "disabled_reason": { "from": null, "to": "failing" },
    });
    assert_eq!(
        said,
        [
            ("system", "webhook.failing", &*id, warned.to_string()),
            ("system", "webhook.disabled", &*id, ended.to_string()),
        ],
        "{on:?}"
    );
}

#[tokio::test]
async fn a_webhook_that_only_fails_is_warned_of_and_disabled_on_sqlite() {
    is_warned_of_and_disabled(On::SqliteFile).await;
}

#[tokio::test]
async fn a_webhook_that_only_fails_is_warned_of_and_disabled_on_postgres() {
    is_warned_of_and_disabled(On::Postgres).await;
}

#[tokio::test]
async fn what_waits_for_it_is_parked_and_a_member_who_enables_it_begins_anew() {
    let mut settings = settings();
    settings.delivery.retry_schedule = vec![HALF_A_DAY; 30];
    settings.delivery.retry_jitter_percent = 0;
    let desk = Desk::start(On::Memory, settings).await;
    let (receiver, watcher) = (dead(), Receiver::ok());
    let hook = desk.hook(&receiver).await;
    watch(&desk, &watcher).await;
    desk.try_publish(vec![event("1"), event("2")]).await.expect("they are accepted");
    for half_days in 1..=10 {
        receiver.wait_for(2 * half_days, PATIENCE).await;
        desk.quiet().await;
        all_told(&desk).await;
        desk.later(HALF_A_DAY);
    }
    watcher.wait_for(2, PATIENCE).await;
    all_told(&desk).await;
    let of_hook = || DeliveryFilter { webhook: Some(hook.id), ..DeliveryFilter::default() };
    let waits = async || {
        desk.deliveries_where(of_hook()).await.iter().filter(|one| one.next_attempt_at.is_some()).count()
    };
    desk.until(|| async { waits().await == 0 }).await;
    let called = receiver.received().len();
    desk.later(10 * HALF_A_DAY);
    desk.quiet().await;
    assert_eq!(receiver.received().len(), called, "nothing is sent to it");

    switch_on(&desk, &hook).await;
    receiver.wait_for(called + 2, PATIENCE).await;
    desk.quiet().await;
    assert_eq!(shown(&desk, &hook).await.status, WebhookStatus::Failing);
    let begun = desk.now();
    for half_days in 1..=5 {
        assert_eq!(watcher.received().len(), 2, "its failures of before do not count");
        desk.later(HALF_A_DAY);
        receiver.wait_for(called + 2 + 2 * half_days, PATIENCE).await;
        desk.quiet().await;
    }
    let warning = watcher.wait_for(3, PATIENCE).await.remove(2).json();
    assert_eq!(
        (&warning["type"], &warning["data"]["failing_since"]),
        (&json!(FAILING), &json!(begun.to_string()))
    );
}

#[tokio::test]
async fn a_success_in_between_ends_the_spell() {
    let desk = Desk::start(On::Memory, once()).await;
    let receiver = dead();
    let hook = desk.hook(&receiver).await;
    for _ in 0..5 {
        half_a_day_later(&desk, &[&receiver]).await;
    }
    receiver.answer_with(|_| Reply::status(204));
    half_a_day_later(&desk, &[&receiver]).await;
    assert_eq!(shown(&desk, &hook).await.status, WebhookStatus::Active);
    receiver.answer_with(|_| Reply::status(500));
    for _ in 0..5 {
        half_a_day_later(&desk, &[&receiver]).await;
    }
    assert_eq!(entries(desk.app(), desk.workspace).await, []);
    half_a_day_later(&desk, &[&receiver]).await;
    assert_eq!(entries(desk.app(), desk.workspace).await.len(), 1, "60 hours after the success");
}

#[tokio::test]
async fn a_restart_in_between_warns_no_second_time_and_forgets_nothing() {
    let mut desk = Desk::start(On::SqliteFile, once()).await;
    let receiver = dead();
    let hook = desk.hook(&receiver).await;
    for half_days in 0..=10 {
        desk.app().stop_engine(Duration::ZERO).await;
        desk.house.app = desk.house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again");
        desk.start_engine().await;
        assert!(shown(&desk, &hook).await.enabled, "{half_days}");
        half_a_day_later(&desk, &[&receiver]).await;
    }
    let actions: Vec<_> =
        entries(desk.app(), desk.workspace).await.into_iter().map(|entry| (entry.at, entry.action)).collect();
    let at = |half_days: u32| START + half_days * HALF_A_DAY;
    assert_eq!(
        actions,
        [(at(6), "webhook.failing".to_owned()), (at(11), "webhook.disabled".to_owned())],
        "the first failure is at half a day"
    );
    assert!(!shown(&desk, &hook).await.enabled);
}

#[tokio::test]
async fn an_answer_from_where_it_no_longer_points_says_nothing_of_a_webhook() {
    let desk = Desk::start(On::Memory, once()).await;
    let (receiver, elsewhere) =
        (Receiver::start(|_| Reply::status(410).after(HALF_A_SECOND)), Receiver::ok());
    let hook = desk.hook(&receiver).await;
    desk.publish("{}").await;
    receiver.wait_for(1, PATIENCE).await;
    desk.house.clock.advance(Duration::from_millis(1));
    let patch = WebhookPatch { url: Some(elsewhere.url("/new")), ..WebhookPatch::default() };
    desk.app().edit_webhook(grant(&operator(), desk.workspace), hook.id, patch).await.expect("edited");
    desk.quiet().await;
    assert_eq!(shown(&desk, &hook).await.status, WebhookStatus::Active);
    desk.publish("{}").await;
    elsewhere.wait_for(1, PATIENCE).await;
}

const HALF_A_SECOND: Duration = Duration::from_millis(500);

#[tokio::test]
async fn one_event_that_is_never_taken_disables_nothing_and_neither_do_two_days_far_apart() {
    let mut settings = settings();
    settings.delivery.retry_schedule = vec![HALF_A_DAY; 15];
    settings.delivery.retry_jitter_percent = 0;
    let desk = Desk::start(On::Memory, settings).await;
    let receiver = dead();
    let hook = desk.hook(&receiver).await;
    desk.publish("{}").await;
    for attempts in 1..=15 {
        receiver.wait_for(attempts, PATIENCE).await;
        desk.quiet().await;
        desk.later(HALF_A_DAY);
    }
    receiver.wait_for(16, PATIENCE).await;
    desk.quiet().await;
    assert!(shown(&desk, &hook).await.enabled, "seven days of one event");
    let warned = entries(desk.app(), desk.workspace).await;
    assert_eq!(warned.len(), 1);

    let desk = Desk::start(On::Memory, once()).await;
    let receiver = dead();
    let hook = desk.hook(&receiver).await;
    for _ in 0..4 {
        another_event(&desk, &[&receiver]).await;
        desk.later(Duration::from_hours(7 * 24));
    }
    assert_eq!(shown(&desk, &hook).await.status, WebhookStatus::Failing);
    assert_eq!(entries(desk.app(), desk.workspace).await, [], "once a week is not five days");
}

#[tokio::test]
async fn the_probes_of_an_open_circuit_are_enough_to_judge_by() {
    let desk = Desk::start(On::Memory, once()).await;
    let receiver = dead();
    let hook = desk.hook(&receiver).await;
    desk.try_publish((0..60).map(|_| event("1")).collect()).await.expect("they are accepted");
    receiver.wait_for(keybell_core::circuit::OPENS_AFTER, PATIENCE).await;
    desk.quiet().await;
    let mut called = receiver.received().len();
    assert!(called < 40, "the circuit is open");
    for half_days in 1..=10 {
        desk.later(HALF_A_DAY);
        receiver.wait_for(called + 1, PATIENCE).await;
        desk.quiet().await;
        called = receiver.received().len();
        assert_eq!(entries(desk.app(), desk.workspace).await.len(), half_days / 5, "{half_days}");
    }
    assert_eq!(shown(&desk, &hook).await.disabled_reason, Some(DisabledReason::Failing));
}

#[tokio::test]
async fn never_is_never() {
    let mut settings = once();
    settings.delivery.disable_failing_after = None;
    let desk = Desk::start(On::Memory, settings).await;
    let receiver = dead();
    let hook = desk.hook(&receiver).await;
    for _ in 0..30 {
        half_a_day_later(&desk, &[&receiver]).await;
    }
    assert_eq!(shown(&desk, &hook).await.status, WebhookStatus::Failing);
    assert_eq!(entries(desk.app(), desk.workspace).await, []);
}
