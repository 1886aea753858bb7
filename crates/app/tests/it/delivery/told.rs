//! What is told of webhooks that fail or are gone: to whom, once, and without end or loss.

use std::time::Duration;

use keybell_app::settings::Settings;
use keybell_app::webhooks::{DisabledReason, NewWebhook, WebhookPatch};
use keybell_core::seal::MasterKey;
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::json;

use super::failing::{
    DISABLED, FAILING, HALF_A_DAY, all_told, another_event, dead, entries, half_a_day_later, once, shown,
    told, types, watch,
};
use super::{Desk, PATIENCE, event};
use crate::house::{On, START, workspace};
use crate::workspaces::{grant, make, operator};

#[tokio::test]
async fn of_two_nodes_one_tells() {
    let desk = Desk::start(On::SqliteFile, once()).await;
    let (receiver, watcher) = (dead(), Receiver::ok());
    let hook = desk.hook(&receiver).await;
    watch(&desk, &watcher).await;
    let other = desk.house.restarted_with(Settings { node: "other".to_owned(), ..once() }).await;
    other.start_engine(&[tokio::runtime::Handle::current()]).await.expect("the engine starts");
    for _ in 0..=10 {
        desk.later(HALF_A_DAY);
        let called = receiver.received().len();
        let of_other = other.publish(vec![(desk.may_publish(), event("{}"))]);
        let (of_other, _) = tokio::join!(of_other, desk.publish("{}"));
        of_other.expect("it is accepted");
        receiver.wait_for(called + 2, PATIENCE).await;
        desk.quiet().await;
        other.engine().quiet().await;
        all_told(&desk).await;
        other.engine().quiet().await;
    }
    assert!(!shown(&desk, &hook).await.enabled);
    let actions: Vec<_> =
        entries(desk.app(), desk.workspace).await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions, ["webhook.failing", "webhook.disabled"]);
    assert_eq!(told(desk.app(), desk.workspace).await.len(), 2);
    let requests = watcher.wait_for(2, PATIENCE).await;
    assert_eq!(types(&requests), [FAILING, DISABLED]);
}

#[tokio::test]
async fn a_webhook_that_is_gone_is_told_of_once() {
    for on in [On::Memory, On::Postgres] {
        let desk = Desk::start(on, once()).await;
        let (receiver, watcher) = (Receiver::start(|_| Reply::status(410)), Receiver::ok());
        let hook = desk.hook(&receiver).await;
        watch(&desk, &watcher).await;
        desk.try_publish(vec![event("1"), event("2"), event("3")]).await.expect("they are accepted");
        desk.quiet().await;
        let told_of = watcher.wait_for(1, PATIENCE).await.remove(0).json();
        let data = &told_of["data"];
        assert_eq!((&told_of["type"], &data["reason"]), (&json!(DISABLED), &json!("gone")), "{on:?}");
        assert_eq!((&data["failing_since"], &data["last_response_status"]), (&json!(null), &json!(410)));
        assert_eq!(told(desk.app(), desk.workspace).await, [(DISABLED.to_owned(), hook.id.to_string())]);
        assert_eq!(entries(desk.app(), desk.workspace).await.len(), 1, "{on:?}");
    }
}

#[tokio::test]
async fn a_member_who_disables_a_webhook_tells_nobody() {
    let desk = Desk::start(On::Memory, once()).await;
    let (receiver, watcher) = (dead(), Receiver::ok());
    let hook = desk.hook(&receiver).await;
    watch(&desk, &watcher).await;
    another_event(&desk, &[&receiver]).await;
    desk.house.clock.advance(Duration::from_millis(1));
    let off = WebhookPatch { enabled: Some(false), ..WebhookPatch::default() };
    desk.app().edit_webhook(grant(&operator(), desk.workspace), hook.id, off).await.expect("switched");
    assert_eq!(told(desk.app(), desk.workspace).await, []);
    assert_eq!(shown(&desk, &hook).await.disabled_reason, Some(DisabledReason::ByMember));
}

#[tokio::test]
async fn webhooks_that_are_told_of_each_other_come_to_an_end() {
    let desk = Desk::start(On::Memory, once()).await;
    let (one, other) = (dead(), dead());
    let all = |new: &mut NewWebhook| {
        new.events = vec!["*".to_owned(), "keybell.*".to_owned()];
    };
    let hooks = [desk.hook_with(&one, all).await, desk.hook_with(&other, all).await];
    for _ in 0..=10 {
        half_a_day_later(&desk, &[&one, &other]).await;
    }
    // Time enough for whatever might go round.
    for _ in 0..40 {
        desk.later(HALF_A_DAY);
        desk.publish("{}").await;
        desk.quiet().await;
    }
    let told = told(desk.app(), desk.workspace).await;
    let of = |event_type: &str| {
        let mut webhooks: Vec<_> =
            told.iter().filter(|told| told.0 == event_type).map(|told| told.1.clone()).collect();
        webhooks.sort();
        webhooks
    };
    let mut both: Vec<_> = hooks.iter().map(|hook| hook.id.to_string()).collect();
    both.sort();
    assert_eq!((of(FAILING), of(DISABLED), told.len()), (both.clone(), both, 4));
    // Nobody is told of itself, by an endpoint that fails.
    for (receiver, hook) in [(&one, &hooks[0]), (&other, &hooks[1])] {
        let id = json!(hook.id.to_string());
        assert!(receiver.received().iter().all(|request| request.json()["data"]["webhook_id"] != id));
    }
}

#[tokio::test]
async fn the_operators_workspace_is_told_of_all_and_once() {
    let mut settings = once();
    settings.delivery.operator_workspace = Some("platform".to_owned());
    let desk = Desk::start(On::Memory, settings).await;
    let platform = make(desk.app(), "Platform", Some("platform")).await.id;
    let (receiver, watcher) = (Receiver::start(|_| Reply::status(410)), Receiver::ok());
    let customers = desk.hook(&receiver).await;
    let desk = Desk { workspace: platform, ..desk };
    watch(&desk, &watcher).await;
    let own = desk.hook(&receiver).await;
    desk.publish("{}").await;
    watcher.wait_for(1, PATIENCE).await;
    all_told(&desk).await;
    desk.house.clock.advance(Duration::from_millis(1));
    let desk = Desk { workspace: workspace(1), ..desk };
    desk.publish("{}").await;
    let requests = watcher.wait_for(2, PATIENCE).await;
    let about: Vec<_> = requests.iter().map(|request| request.json()["data"]["webhook_id"].clone()).collect();
    assert_eq!(about, [json!(own.id.to_string()), json!(customers.id.to_string())]);
    desk.quiet().await;
    let of_customer = (DISABLED.to_owned(), customers.id.to_string());
    assert_eq!(told(desk.app(), workspace(1)).await, std::slice::from_ref(&of_customer));
    assert_eq!(told(desk.app(), platform).await, [(DISABLED.to_owned(), own.id.to_string()), of_customer]);
    assert_eq!(requests[1].json()["workspace_id"], json!(platform.to_string()), "it is published there");
    assert_eq!(requests[1].json()["data"]["workspace_id"], json!(workspace(1).to_string()));
}

#[tokio::test]
async fn an_operators_workspace_that_is_deleted_or_was_never_there_is_told_nothing() {
    let mut settings = once();
    settings.delivery.operator_workspace = Some(workspace(2).to_string());
    let desk = Desk::start(On::Memory, settings).await;
    let receiver = Receiver::start(|_| Reply::status(410));
    desk.app().delete_workspace(grant(&operator(), workspace(2))).await.expect("deleted");
    let hook = desk.hook(&receiver).await;
    another_event(&desk, &[&receiver]).await;
    assert_eq!(told(desk.app(), desk.workspace).await, [(DISABLED.to_owned(), hook.id.to_string())]);
    assert_eq!(told(desk.app(), workspace(2)).await, []);

    let mut settings = once();
    settings.delivery.operator_workspace = Some("nobody".to_owned());
    let desk = Desk::start(On::Memory, settings).await;
    desk.hook(&receiver).await;
    another_event(&desk, &[&receiver]).await;
    assert_eq!(told(desk.app(), desk.workspace).await.len(), 1);
}

/// Everything of the process ends at once, in the midst of telling, and another one goes on from what was committed.
#[test]
fn a_crash_neither_loses_nor_doubles_what_is_told() {
    let runtime = || {
        let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
        built.expect("a runtime can be built")
    };
    let (receiver, watcher) = (Receiver::start(|_| Reply::status(410)), Receiver::start(|_| Reply::hang()));
    let before = runtime();
    let mut desk = before.block_on(async {
        let desk = Desk::start(On::Memory, once()).await;
        desk.hook(&receiver).await;
        watch(&desk, &watcher).await;
        desk.publish("{}").await;
        watcher.wait_for(1, PATIENCE).await;
        desk
    });
    drop(before);
    watcher.answer_with(|_| Reply::status(204));
    runtime().block_on(async {
        desk.house.app = desk.house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again");
        desk.start_engine().await;
        let requests = watcher.wait_for(2, PATIENCE).await;
        assert_eq!(
            requests[0].header("webhook-id"),
            requests[1].header("webhook-id"),
            "it is the same event"
        );
        desk.quiet().await;
        assert_eq!(told(desk.app(), desk.workspace).await.len(), 1);
        assert_eq!(entries(desk.app(), desk.workspace).await.len(), 1);
        let at: Vec<_> = entries(desk.app(), desk.workspace).await.iter().map(|entry| entry.at).collect();
        assert_eq!(at, [START]);
    });
}
