//! A workspace with one webhook, for stories that begin there.

use keybell_core::grant::Origin;
use keybell_core::payload::ContentType;
use keybell_core::{ActorRef, AuditId, Timestamp, WebhookId, WorkspaceId};
use keybell_store::Store;
use keybell_store::ops::audit::{AuditFact, ListEntries};
use keybell_store::ops::webhooks::{InsertWebhook, StoredWebhook, WebhookRecord};
use keybell_store::ops::workspaces::{InsertWorkspace, Workspace};

use crate::engine::{Engine, NOW};

pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId::from_bytes([1; 16]);
pub(crate) const WEBHOOK: WebhookId = WebhookId::from_bytes([2; 16]);
pub(crate) const URL: &str = "https://example.com/in";

pub(crate) fn nobody() -> ActorRef {
    ActorRef { kind: "operator".to_owned(), id: "tests".to_owned(), name: "tests".to_owned() }
}

pub(crate) fn fact(number: u8) -> AuditFact {
    AuditFact {
        id: AuditId::from_bytes([number; 16]),
        at: NOW,
        action: "webhook.created",
        target_kind: "webhook",
        target_id: String::new(),
        changes_json: "{}".to_owned(),
    }
}

/// All entries of the audit log of [`WORKSPACE`], at once.
pub(crate) fn all_entries() -> ListEntries {
    ListEntries {
        workspace: WORKSPACE,
        below: AuditId::from_bytes([0xff; 16]),
        from: None,
        until: None,
        actor_id: None,
        action: None,
        target_id: None,
        rows: 100,
        looked_at_max: 100,
    }
}

/// A store with a workspace and a webhook in it, of the version `updated_at`.
pub(crate) async fn furnished(engine: &Engine, updated_at: Timestamp) -> Store {
    let store = engine.open();
    let workspace = Workspace { id: WORKSPACE, external_id: None, name: "Acme".to_owned(), created_at: NOW };
    let insert = InsertWorkspace { workspace, by: nobody(), origin: Origin::default(), fact: fact(1) };
    store.write(insert).await.expect("a workspace can be added");
    let record = WebhookRecord {
        workspace: WORKSPACE,
        id: WEBHOOK,
        name: "Orders".to_owned(),
        description: String::new(),
        url: URL.to_owned(),
        events: vec!["*".to_owned()],
        content_type: ContentType::Json,
        headers: Vec::new(),
        disabled: None,
        failing_since: None,
        rate_limit: None,
        max_in_flight: None,
        metadata: serde_json::Map::new(),
        created_at: updated_at,
        created_by: nobody(),
        updated_at,
        last_delivery_at: None,
    };
    let stored = StoredWebhook { record, secrets: Vec::new() };
    let insert = InsertWebhook { stored, webhooks_max: 1, origin: Origin::default(), fact: fact(2) };
    assert!(store.write(insert).await.expect("a webhook can be added"));
    store
}
