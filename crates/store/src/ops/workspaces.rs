//! Workspaces: the tenants of a platform.

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, Timestamp, WorkspaceId};

use super::audit::{self, AuditFact, NO_WORKSPACE};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Arg, Op, Query, Read, Row, Tx};

statements! {
    INSERT = "INSERT INTO workspaces (id, external_id, name, created_at) VALUES ($1, $2, $3, $4) \
              ON CONFLICT (external_id) DO NOTHING";
    BY_ID = "SELECT id, external_id, name, created_at FROM workspaces WHERE id = $1";
    LIST = "SELECT id, external_id, name, created_at FROM workspaces WHERE id < $1 ORDER BY id DESC LIMIT $2";
    EDIT = "UPDATE workspaces SET name = $2, external_id = $3 WHERE id = $1 \
            AND NOT EXISTS (SELECT 1 FROM workspaces other WHERE other.external_id = $3 AND other.id <> $1)";
    DELETE_API_KEYS = "DELETE FROM api_keys WHERE workspace_id = $1";
    DELETE_RESENDS = "DELETE FROM resends WHERE workspace_id = $1";
    DELETE_SIGNING_SECRETS = "DELETE FROM signing_secrets WHERE workspace_id = $1";
    DELETE_WEBHOOKS = "DELETE FROM webhooks WHERE workspace_id = $1";
    DELETE_MEMBERS = "DELETE FROM members WHERE workspace_id = $1";
    DELETE = "DELETE FROM workspaces WHERE id = $1";
}

/// What goes in the transaction that deletes a workspace: what can be used, and what makes it somebody's. It is bounded by
/// the limits on keys, webhooks, members and requests to resend. Nobody can reach the rest from then on, and it goes in bites
/// afterwards ([`Large`](super::retention::Large)): a million rows at once would hold everybody up for seconds.
static DELETE_ALL: [&crate::Sql; 5] =
    [&DELETE_API_KEYS, &DELETE_SIGNING_SECRETS, &DELETE_WEBHOOKS, &DELETE_RESENDS, &DELETE_MEMBERS];

/// A workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// What the platform calls it, if it told.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is done.
    Done,
    /// Another workspace has this external id.
    ExternalIdTaken,
    /// There is no such workspace.
    Missing,
}

/// Adds a workspace.
#[derive(Debug)]
pub struct InsertWorkspace {
    /// The workspace.
    pub workspace: Workspace,
    /// Who makes it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for InsertWorkspace {
    const NAME: &'static str = "workspaces.insert";
    type Out = Written;

    fn run(&self, tx: &mut dyn Tx) -> Result<Written, StoreError> {
        let Workspace { id, external_id, name, created_at } = &self.workspace;
        let args = [id.into(), external_id.as_ref().into(), name.into(), (*created_at).into()];
        if tx.exec(&INSERT, &args)? == 0 {
            return Ok(Written::ExternalIdTaken);
        }
        audit::entry(tx, *id, &self.by, &self.origin, &self.fact)?;
        Ok(Written::Done)
    }
}

/// One workspace.
#[derive(Debug)]
pub struct GetWorkspace {
    /// Which.
    pub id: WorkspaceId,
}

impl Query for GetWorkspace {
    const NAME: &'static str = "workspaces.get";
    type Out = Option<Workspace>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.first(&BY_ID, &[(&self.id).into()], read_workspace)
    }
}

/// Workspaces, newest first.
#[derive(Debug)]
pub struct ListWorkspaces {
    /// Only workspaces before this one.
    pub before: Option<WorkspaceId>,
    /// Most workspaces to give.
    pub rows: i64,
}

impl Query for ListWorkspaces {
    const NAME: &'static str = "workspaces.list";
    type Out = Vec<Workspace>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let before = self.before.unwrap_or(WorkspaceId::from_bytes([0xff; 16]));
        tx.all(&LIST, &[(&before).into(), self.rows.into()], read_workspace)
    }
}

/// Writes what may be edited of a workspace.
#[derive(Debug)]
pub struct EditWorkspace {
    /// The workspace as it shall be.
    pub workspace: Workspace,
    /// Who edits it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for EditWorkspace {
    const NAME: &'static str = "workspaces.edit";
    type Out = Written;

    fn run(&self, tx: &mut dyn Tx) -> Result<Written, StoreError> {
        let Workspace { id, external_id, name, .. } = &self.workspace;
        if tx.exec(&EDIT, &[id.into(), name.into(), external_id.as_ref().into()])? == 0 {
            let found = tx.as_read().first(&BY_ID, &[id.into()], |_| Ok(()))?;
            return Ok(if found.is_some() { Written::ExternalIdTaken } else { Written::Missing });
        }
        audit::entry(tx, *id, &self.by, &self.origin, &self.fact)?;
        Ok(Written::Done)
    }
}

/// Removes a workspace with its keys, webhooks and members. What else belongs to it is then found by
/// [`StrayWorkspaces`](super::retention::StrayWorkspaces) and goes in bites, the audit log included. That the workspace was
/// removed is remembered among the entries that concern none.
#[derive(Debug)]
pub struct DeleteWorkspace {
    /// Which.
    pub id: WorkspaceId,
    /// Who removes it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for DeleteWorkspace {
    const NAME: &'static str = "workspaces.delete";
    /// `false` where there is no such workspace.
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let args: [Arg<'_>; 1] = [(&self.id).into()];
        for statement in DELETE_ALL {
            tx.exec(statement, &args)?;
        }
        if tx.exec(&DELETE, &args)? == 0 {
            return Ok(false);
        }
        audit::entry(tx, NO_WORKSPACE, &self.by, &self.origin, &self.fact)?;
        Ok(true)
    }
}

fn read_workspace(row: &dyn Row) -> Result<Workspace, StoreError> {
    Ok(Workspace {
        id: row.id(0)?,
        external_id: row.opt_text(1)?.map(str::to_owned),
        name: row.text(2)?.to_owned(),
        created_at: row.at(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::retention;

    #[test]
    fn every_table_that_begins_with_a_workspace_is_emptied_of_it() {
        let schema =
            crate::migrations::MIGRATIONS.iter().map(crate::migrations::Migration::text).collect::<String>();
        let tables = schema.split("CREATE TABLE ").skip(1).filter_map(|table| {
            let (name, columns) = table.split_once(" (")?;
            let renamed = format!("ALTER TABLE {name} RENAME TO ");
            let renamed = schema.split_once(&renamed).and_then(|(_, after)| after.split_once(';'));
            let name = renamed.map_or(name, |(now, _)| now);
            columns.trim_start().starts_with("workspace_id ").then_some(name)
        });
        for table in tables {
            let deleted = format!("DELETE FROM {table} WHERE workspace_id = $1");
            let at_once = DELETE_ALL.iter().any(|statement| statement.text == deleted);
            let in_bites =
                retention::bite::STATEMENTS.iter().any(|statement| statement.text.starts_with(&deleted));
            let found = format!(" FROM {table} WHERE workspace_id > $1");
            let found = retention::STATEMENTS.iter().any(|statement| statement.text.contains(&found));
            assert!(at_once != in_bites, "{table} keeps its rows, or loses them twice");
            assert_eq!(in_bites, found, "{table}: what is cleared in bites is looked for, and nothing else");
        }
    }
}
