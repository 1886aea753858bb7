//! Audit entries: who changed what, when, from where.
//!
//! Every op that changes something calls [`entry`] inside its own transaction, so that no change is without its entry and
//! no entry without its change. Entries are only ever added.

use std::time::Duration;

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, AuditId, Timestamp, WorkspaceId};

use super::look::Looked;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::statements;
use crate::tx::{Arg, Query, Read, Row, Tx};

/// The workspace of entries that concern no workspace, such as those about operator keys and accounts.
pub const NO_WORKSPACE: WorkspaceId = WorkspaceId::from_bytes([0; 16]);

/// Entries on one way through the log; after `$3` the window of ids, after `$5` the filters.
macro_rules! list {
    ($way:literal, $more:literal) => {
        concat!(
            "SELECT id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, source_address, \
             request_id, changes FROM audit_entries ",
            $way,
            " WHERE workspace_id = $1 AND id < $2 AND id >= $3 AND at >= $4 AND at < $5 \
             AND (CAST($6 AS TEXT) IS NULL OR actor_id = $6) \
             AND (CAST($7 AS TEXT) IS NULL OR action = $7) \
             AND (CAST($8 AS TEXT) IS NULL OR target_id = $8) ",
            $more,
            "ORDER BY id DESC LIMIT $9"
        )
    };
}
/// The last of the next entries on that way that have to be looked at.
macro_rules! end_of_look {
    ($way:literal, $more:literal) => {
        concat!(
            "SELECT id FROM audit_entries ",
            $way,
            " WHERE workspace_id = $1 AND id < $2 AND id >= $3 ",
            $more,
            "ORDER BY id DESC LIMIT 1 OFFSET $4"
        )
    };
}

statements! {
    INSERT = "INSERT INTO audit_entries (workspace_id, id, at, actor_kind, actor_id, actor_name, action, target_kind, \
              target_id, source_address, request_id, changes) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    LIST = list!("", "");
    OF_TARGET = list!("/*indexed by audit_entries_target*/", "AND target_id = $8 ");
    OF_ACTOR = list!("/*indexed by audit_entries_actor*/", "AND actor_id = $6 ");
    OF_ACTION = list!("/*indexed by audit_entries_action*/", "AND action = $7 ");
    END_OF_TARGET = end_of_look!("/*indexed by audit_entries_target*/", "AND target_id = $5 ");
    END_OF_ACTOR = end_of_look!("/*indexed by audit_entries_actor*/", "AND actor_id = $5 ");
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
    /// Only entries whose id is lower.
    pub below: AuditId,
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
    /// Most entries to look at, at least 1, where two filters are given: one of them has an index.
    pub looked_at_max: i64,
}

impl Query for ListEntries {
    const NAME: &'static str = "audit.list";
    type Out = Looked<AuditEntry, AuditId>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        // An entry's id says its millisecond, so a time is a range of ids and, at its ends, of the rest.
        let from = self.from.unwrap_or(Timestamp::EPOCH);
        let until = self.until.unwrap_or(Timestamp::from_micros(i64::MAX));
        let lowest = AuditId::first_of(from);
        let below = self
            .until
            .map_or(self.below, |until| self.below.min(AuditId::first_of(until + Duration::from_millis(1))));
        let (list, end) = self.way();
        let mut to: Option<AuditId> = None;
        if let Some((statement, id)) = end {
            let skipped = Arg::Int(self.looked_at_max.saturating_sub(1));
            let args = [(&self.workspace).into(), (&below).into(), (&lowest).into(), skipped, id.into()];
            to = tx.first(statement, &args, |row| row.id(0))?;
        }
        let args = [
            (&self.workspace).into(),
            (&below).into(),
            to.as_ref().unwrap_or(&lowest).into(),
            from.into(),
            until.into(),
            self.actor_id.as_ref().into(),
            self.action.as_ref().into(),
            self.target_id.as_ref().into(),
            self.rows.into(),
        ];
        Ok(Looked::at_most(self.rows, tx.all(list, &args, read_entry)?, to))
    }
}

impl ListEntries {
    /// The statement that goes by the narrowest of the filters, and, where others leave out what that finds, the one that
    /// ends its look.
    fn way(&self) -> (&'static Sql, Option<(&'static Sql, &str)>) {
        match (self.target_id.as_deref(), self.actor_id.as_deref(), self.action.as_deref()) {
            (None, None, None) => (&LIST, None),
            (None, None, Some(_)) => (&OF_ACTION, None),
            (None, Some(_), None) => (&OF_ACTOR, None),
            (None, Some(actor), Some(_)) => (&OF_ACTOR, Some((&END_OF_ACTOR, actor))),
            (Some(_), None, None) => (&OF_TARGET, None),
            (Some(target), ..) => (&OF_TARGET, Some((&END_OF_TARGET, target))),
        }
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
