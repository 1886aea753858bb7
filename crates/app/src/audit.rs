//! The audit log: read, and what its entries say. The ops themselves write them, in the transaction of the change.

use keybell_core::grant::ReadAudit;
use keybell_core::{AuditId, Grant, Problem, Timestamp, WorkspaceId};
use keybell_store::ops::audit::{AuditFact, ListEntries};
use serde_json::{Map, Value, json};

pub use keybell_store::ops::audit::AuditEntry;

use crate::page::LOOKED_AT_MAX;
use crate::{App, Listing, Page};

/// Everything that entries tell of, in the order in which pages offer it. Those of `event_type`, `scope` and `operator_key`
/// belong to no workspace.
pub const ACTIONS: [&str; 28] = [
    "api_key.created",
    "api_key.edited",
    "api_key.imported",
    "api_key.overlap_ended",
    "api_key.revoked",
    "api_key.rotated",
    "delivery.resent",
    "event_type.archived",
    "event_type.created",
    "event_type.edited",
    "member.added",
    "operator_key.created",
    "operator_key.revoked",
    "scope.created",
    "scope.deleted",
    "webhook.created",
    "webhook.deleted",
    // These two are told of by the store, which judges webhooks.
    "webhook.disabled",
    "webhook.failing",
    "webhook.edited",
    "webhook.recovered",
    "webhook.signing_secret_rotated",
    "webhook.signing_secret_shown",
    "webhook.tested",
    "workspace.created",
    "workspace.deleted",
    "workspace.deliveries_resent",
    "workspace.edited",
];

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// What this actor did, by their id.
    pub actor: Option<String>,
    /// This action, such as `api_key.created`.
    pub action: Option<String>,
    /// What was done to this target, by its id.
    pub target: Option<String>,
    /// Of this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl App {
    /// The audit log of a workspace, newest first. The page is full wherever there are so many that fit, however long that
    /// takes.
    pub async fn list_audit(
        &self,
        grant: Grant<ReadAudit>,
        filter: AuditFilter,
        page: Page,
    ) -> Result<Listing<AuditEntry>, Problem> {
        self.look_at_audit(grant.workspace(), &filter, &page, usize::MAX).await
    }

    /// The same for a person who waits: where next to nothing fits, the page ends after a look at so many entries, and goes
    /// on by its cursor.
    pub async fn glance_at_audit(
        &self,
        grant: Grant<ReadAudit>,
        filter: AuditFilter,
        page: Page,
    ) -> Result<Listing<AuditEntry>, Problem> {
        self.look_at_audit(grant.workspace(), &filter, &page, 1).await
    }

    async fn look_at_audit(
        &self,
        workspace: WorkspaceId,
        filter: &AuditFilter,
        page: &Page,
        looks: usize,
    ) -> Result<Listing<AuditEntry>, Problem> {
        let below = page.after(AuditId::parse)?.unwrap_or(AuditId::from_bytes([0xff; 16]));
        let look = |below, rows| {
            self.store().read(ListEntries {
                workspace,
                below,
                from: filter.from,
                until: filter.to,
                actor_id: filter.actor.clone(),
                action: filter.action.clone(),
                target_id: filter.target.clone(),
                rows,
                looked_at_max: LOOKED_AT_MAX,
            })
        };
        page.looked(looks, below, look, |entry: &AuditEntry| entry.id).await
    }

    /// What an entry says: `action` was done to `target_id` at `at`. `changes` is an object, which never holds a secret.
    pub(crate) fn audit_fact(
        &self,
        at: Timestamp,
        action: &'static str,
        target_id: &(impl ToString + ?Sized),
        changes: impl Into<Value>,
    ) -> AuditFact {
        // So whatever test does it finds an action that no page offers.
        debug_assert!(ACTIONS.contains(&action), "{action} is not among the actions");
        let (target_kind, _verb) = action.split_once('.').expect("an action is a kind, a dot and a verb");
        AuditFact {
            id: AuditId::new(at, self.randomness()),
            at,
            action,
            target_kind,
            target_id: target_id.to_string(),
            changes_json: changes.into().to_string(),
        }
    }
}

/// What an edit changed: `{"field": {"from": …, "to": …}}` for each field that is not what it was.
pub(crate) fn differences<const FIELDS: usize>(
    before: [(&str, Value); FIELDS],
    after: [(&str, Value); FIELDS],
) -> Map<String, Value> {
    let both = before.into_iter().zip(after);
    let changed = both.filter(|((_, from), (_, to))| from != to);
    changed.map(|((field, from), (_, to))| (field.to_owned(), json!({ "from": from, "to": to }))).collect()
}
