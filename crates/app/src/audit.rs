//! The audit log, read. Entries are written by the ops themselves, in the transaction of the change.

use keybell_core::grant::ReadAudit;
use keybell_core::{AuditId, Grant, Problem, Timestamp};
use keybell_store::ops::audit::ListEntries;

pub use keybell_store::ops::audit::AuditEntry;

use crate::problems::of_store;
use crate::{App, Listing, Page};

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
    /// The audit log of a workspace, newest first.
    pub async fn list_audit(
        &self,
        grant: Grant<ReadAudit>,
        filter: AuditFilter,
        page: Page,
    ) -> Result<Listing<AuditEntry>, Problem> {
        let list = ListEntries {
            workspace: grant.workspace(),
            before: page.after(AuditId::parse)?,
            from: filter.from,
            until: filter.to,
            actor_id: filter.actor,
            action: filter.action,
            target_id: filter.target,
            rows: page.rows(),
        };
        let found = self.store().read(list).await.map_err(of_store)?;
        Ok(page.listing(found, |entry| entry.id.to_string()))
    }
}
