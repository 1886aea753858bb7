//! Audit entries: who changed what, when, from where.
//!
//! Every op that changes something calls [`entry`] inside its own transaction, so that no change is without its entry and
//! no entry without its change. Entries are only ever added.

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, AuditId, Timestamp, WorkspaceId};

use crate::error::StoreError;
use crate::statements;
use crate::tx::{Query, Read, Row, Tx};

/// The workspace of entries that concern no workspace, such as those about operator keys and accounts.
pub const NO_WORKSPACE: WorkspaceId = WorkspaceId::from_bytes([0; 16]);

statements! {
    INSERT = "INSERT INTO audit_entries (workspace_id, id, at, actor_kind, actor_id, actor_name, action, target_kind, \
              target_id, source_address, request_id, changes) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    LIST = "SELECT id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, source_address, \
            request_id, changes FROM audit_entries \
            WHERE workspace_id = $1 AND id < $2 AND at >= $3 AND at < $4 \
            AND (CAST($5 AS TEXT) IS NULL OR actor_id = $5) \
            AND (CAST($6 AS TEXT) IS NULL OR action = $6) \
            AND (CAST($7 AS TEXT) IS NULL OR target_id = $7) \
            ORDER BY id DESC LIMIT $8";
}

/// What happened, as the op that does it knows it. Who and from where come from its grant.
#[derive(Clone, Debug)]
pub struct AuditFact {
    /// The entry's id, made by the caller.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// What was done: `api_key.created`, `webhook.deleted`, …: the target's kind, a dot, a verb in the past.
    pub action: &'static str,
    /// On what kind of thing: `api_key`, `webhook`, ….
    pub target_kind: &'static str,
    /// On which: its id as the outside sees it.
    pub target_id: String,
    /// What changed, as a JSON object of `{"field": {"from": …, "to": …}}`; `{}` where that says nothing. Never a secret.
    pub changes_json: String,
}

/// An entry as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: ActorRef,
    /// What was done.
    pub action: String,
    /// On what kind of thing.
    pub target_kind: String,
    /// On which.
    pub target_id: String,
    /// From which address, where one is known.
    pub source_address: Option<String>,
    /// In which request.
    pub request_id: String,
    /// What changed, as JSON.
    pub changes_json: String,
}

/// Writes an entry about `fact` in `workspace` ([`NO_WORKSPACE`] where it concerns none), in the transaction of the change.
pub fn entry(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    by: &ActorRef,
    origin: &Origin,
    fact: &AuditFact,
) -> Result<(), StoreError> {
    let source_address = origin.source_address.map(|address| address.to_string());
    tx.exec(
        &INSERT,
        &[
            (&workspace).into(),
            (&fact.id).into(),
            fact.at.into(),
            (&by.kind).into(),
            (&by.id).into(),
            (&by.name).into(),
            fact.action.into(),
            fact.target_kind.into(),
            (&fact.target_id).into(),
            source_address.as_ref().into(),
            (&*origin.request_id).into(),
            (&fact.changes_json).into(),
        ],
    )?;
    Ok(())
}

/// Entries of a workspace, newest first.
#[derive(Debug)]
pub struct ListEntries {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Only entries before this one.
    pub before: Option<AuditId>,
    /// Only entries of this time or later.
    pub from: Option<Timestamp>,
    /// Only entries before this time.
    pub until: Option<Timestamp>,
    /// Only what this actor did, by their id.
    pub actor_id: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only what was done to this target, by its id.
    pub target_id: Option<String>,
    /// Most entries to give.
    pub rows: i64,
}

impl Query for ListEntries {
    const NAME: &'static str = "audit.list";
    type Out = Vec<AuditEntry>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let before = self.before.unwrap_or(AuditId::from_bytes([0xff; 16]));
        let from = self.from.unwrap_or(Timestamp::from_micros(i64::MIN));
        let until = self.until.unwrap_or(Timestamp::from_micros(i64::MAX));
        let args = [
            (&self.workspace).into(),
            (&before).into(),
            from.into(),
            until.into(),
            self.actor_id.as_ref().into(),
            self.action.as_ref().into(),
            self.target_id.as_ref().into(),
            self.rows.into(),
        ];
        tx.all(&LIST, &args, read_entry)
    }
}

fn read_entry(row: &dyn Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.id(0)?,
        at: row.at(1)?,
        by: ActorRef {
            kind: row.text(2)?.to_owned(),
            id: row.text(3)?.to_owned(),
            name: row.text(4)?.to_owned(),
        },
        action: row.text(5)?.to_owned(),
        target_kind: row.text(6)?.to_owned(),
        target_id: row.text(7)?.to_owned(),
        source_address: row.opt_text(8)?.map(str::to_owned),
        request_id: row.text(9)?.to_owned(),
        changes_json: row.text(10)?.to_owned(),
    })
}
