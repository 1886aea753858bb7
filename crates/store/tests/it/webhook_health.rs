//! What failed attempts write of a webhook, and what they must not write twice.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::{AuditId, DeliveryId, EventKey, Timestamp, WebhookId, WorkspaceId};
use keybell_store::Store;
use keybell_store::ops::attempts::RecordAttempts;
use keybell_store::ops::audit::ListEntries;
use keybell_store::ops::events::{ListEvents, NewDelivery};
use keybell_store::ops::webhook_health::{
    Became, Failure, Health, HealthChange, Judged, Notice, NoticeEvent,
};
use keybell_store::ops::webhooks::{DisabledReason, GetWebhook};

use crate::engine::{Engine, NOW, on_both_engines};
use crate::furniture::{URL, WEBHOOK, WORKSPACE, all_entries, furnished};

on_both_engines! {
    of_two_nodes_that_judge_the_same_failure_one_warns_and_one_disables
    a_workspace_that_is_not_there_is_told_nothing
    a_disabled_webhook_has_a_greater_version_than_before
}

const HOUR: Duration = Duration::from_hours(1);

fn notice(number: u8, workspace: WorkspaceId) -> Notice {
    let deliveries = vec![NewDelivery {
        id: DeliveryId::from_bytes([number; 16]),
        webhook: WebhookId::from_bytes([9; 16]),
        in_memory: false,
    }];
    let events = vec![NoticeEvent { workspace, key: EventKey::from_bytes([number; 16]), deliveries }];
    Notice { audit: AuditId::from_bytes([number; 16]), events }
}

fn failure(delivery: u8) -> Failure {
    Failure {
        delivery: DeliveryId::from_bytes([delivery; 16]),
        url: URL.to_owned(),
        error_code: Some("timeout".to_owned()),
        response_status: None,
    }
}

async fn record(store: &Store, at: Timestamp, health: Health) -> Vec<Judged> {
    let change = HealthChange { workspace: WORKSPACE, webhook: WEBHOOK, at, health };
    let op = RecordAttempts { outcomes: Arc::default(), health: Arc::new(vec![change]) };
    store.write(op).await.expect("it can be recorded")
}

/// The failure of a delivery after some hours, with ids from `number` on.
async fn failed(store: &Store, hours: u32, number: u8) -> Judged {
    let health = Health::Failing {
        failure: failure(number),
        disable_after: Some(10 * HOUR),
        warning: Box::new(notice(number, WORKSPACE)),
        disabling: Box::new(notice(number + 1, WORKSPACE)),
    };
    record(store, NOW + hours * HOUR, health).await.remove(0)
}

/// The actions in the audit log and the types of events, the newest first.
async fn written(store: &Store) -> (Vec<String>, Vec<String>) {
    let entries = ListEntries { actor_id: Some("keybell".to_owned()), ..all_entries() };
    let entries = store.read(entries).await.expect("entries can be read").found;
    let events = ListEvents {
        workspace: WORKSPACE,
        below: EventKey::from_bytes([0xff; 16]),
        from: EventKey::from_bytes([0; 16]),
        event_type: None,
        rows: 100,
        looked_at_max: 100,
    };
    let events = store.read(events).await.expect("events can be read").found;
    let actions = entries.into_iter().map(|entry| entry.action).collect();
    (actions, events.into_iter().map(|event| event.event_type).collect())
}

async fn of_two_nodes_that_judge_the_same_failure_one_warns_and_one_disables(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    failed(&store, 0, 10).await;
    for (hours, number) in [(5, 20), (10, 40)] {
        let (one, other) = tokio::join!(failed(&store, hours, number), failed(&store, hours, number + 10));
        let told = [one, other].map(|judged| judged.told);
        assert_eq!(told.iter().sum::<usize>(), 1, "{told:?}");
    }
    let (actions, types) = written(&store).await;
    assert_eq!(actions, ["webhook.disabled", "webhook.failing"]);
    assert_eq!(types, ["keybell.webhook.disabled", "keybell.webhook.failing"]);
}

async fn a_workspace_that_is_not_there_is_told_nothing(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    let nowhere = WorkspaceId::from_bytes([7; 16]);
    let gone = Health::Gone { failure: failure(3), disabling: Box::new(notice(10, nowhere)) };
    let judged = record(&store, NOW, gone).await.remove(0);
    assert_eq!(judged.told, 0);
    assert_eq!(written(&store).await, (vec!["webhook.disabled".to_owned()], vec![]));
}

async fn a_disabled_webhook_has_a_greater_version_than_before(engine: Engine) {
    // It was changed by a node whose clock is ahead.
    let store = furnished(&engine, NOW + HOUR).await;
    let gone = || Health::Gone { failure: failure(3), disabling: Box::new(notice(10, WORKSPACE)) };
    let judged = record(&store, NOW, gone()).await.remove(0);
    let version = NOW + HOUR + Duration::from_micros(1);
    assert_eq!(judged.became, Became::Disabled { reason: DisabledReason::Gone, version });
    let stored = store.read(GetWebhook { workspace: WORKSPACE, id: WEBHOOK }).await.expect("it can be read");
    assert_eq!(stored.expect("it is there").record.updated_at, version);
    assert_eq!(record(&store, NOW + HOUR, gone()).await, [], "it is disabled already");
}
