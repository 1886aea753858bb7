//! Workspaces: made and removed by the platform, named by it or by their owners.

mod directory;

use std::sync::Arc;

use keybell_core::fields;
use keybell_core::grant::{DeleteWorkspace, ManageWorkspace, OperatorGrant, ReadWorkspace};
use keybell_core::{Actor, Code, FieldError, Grant, Problem, WorkspaceId};
use keybell_store::ops::workspaces as ops;
use keybell_store::ops::workspaces::{GetWorkspace, ListWorkspaces, Written};
use serde_json::{Map, Value, json};

pub use keybell_store::ops::workspaces::Workspace;

use crate::problems::{of_store, refuse_any};
use crate::{App, Listing, Page, audit};
pub(crate) use directory::Directory;

/// Most bytes of a platform's own id for a workspace: it stands in addresses.
pub const EXTERNAL_ID_BYTES_MAX: usize = 255;

/// What a workspace shall be.
#[derive(Clone, Debug)]
pub struct NewWorkspace {
    /// What people call it.
    pub name: String,
    /// What the platform calls it; unique within the installation.
    pub external_id: Option<String>,
}

/// What shall be different. `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct WorkspacePatch {
    /// What people call it.
    pub name: Option<String>,
    /// What the platform calls it, which only an operator may change; `Some(None)` takes it away.
    pub external_id: Option<Option<String>>,
}

impl App {
    /// Makes a workspace. [`Code::Conflict`] where another has that external id.
    pub async fn create_workspace(
        &self,
        grant: OperatorGrant,
        new: NewWorkspace,
    ) -> Result<Workspace, Problem> {
        let checks = [fields::name(&new.name), check_external_id(new.external_id.as_deref())];
        refuse_any(checks)?;
        let now = self.now();
        let workspace = Workspace {
            id: WorkspaceId::new(now, self.randomness()),
            external_id: new.external_id,
            name: new.name,
            created_at: now,
        };
        let changes =
            json!({ "name": { "to": workspace.name }, "external_id": { "to": workspace.external_id } });
        let op = ops::InsertWorkspace {
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(now, "workspace.created", &workspace.id, changes),
            workspace: workspace.clone(),
        };
        self.write_workspace(op, workspace).await
    }

    /// All workspaces, newest first.
    pub async fn list_workspaces(
        &self,
        _grant: OperatorGrant,
        page: Page,
    ) -> Result<Listing<Workspace>, Problem> {
        let list = ListWorkspaces { before: page.after(WorkspaceId::parse)?, rows: page.rows() };
        let found = self.store().read(list).await.map_err(of_store)?;
        Ok(page.listing(found, |workspace| workspace.id.to_string()))
    }

    /// One workspace.
    pub async fn workspace(&self, grant: Grant<ReadWorkspace>) -> Result<Workspace, Problem> {
        self.stored_workspace(grant.workspace()).await
    }

    /// Changes a workspace; what it is after it.
    pub async fn edit_workspace(
        &self,
        grant: Grant<ManageWorkspace>,
        patch: WorkspacePatch,
    ) -> Result<Workspace, Problem> {
        if patch.external_id.is_some() && !grant.is_operators() {
            let message = "is the platform's to change; use an operator key";
            return Err(Problem::field("external_id", "not_allowed", message));
        }
        let _changing = self.directory().changing.lock().await;
        let before = self.stored_workspace(grant.workspace()).await?;
        let after = Workspace {
            name: patch.name.unwrap_or_else(|| before.name.clone()),
            external_id: patch.external_id.unwrap_or_else(|| before.external_id.clone()),
            ..before.clone()
        };
        let checks = [fields::name(&after.name), check_external_id(after.external_id.as_deref())];
        refuse_any(checks)?;
        if after == before {
            return Ok(before);
        }
        let op = ops::EditWorkspace {
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(self.now(), "workspace.edited", &after.id, differences(&before, &after)),
            workspace: after.clone(),
        };
        self.write_workspace(op, after).await
    }

    /// Removes a workspace and everything in it. Its keys are refused, nothing is delivered for it, and nobody reads
    /// anything of it, from the moment this answers; its events, deliveries and logs are then cleared in the background.
    pub async fn delete_workspace(&self, grant: Grant<DeleteWorkspace>) -> Result<(), Problem> {
        let id = grant.workspace();
        let _changing = self.directory().changing.lock().await;
        let op = ops::DeleteWorkspace {
            id,
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(self.now(), "workspace.deleted", &id, json!({})),
        };
        let app = self.clone();
        let deleted = self.commit(op, move |deleted| {
            if *deleted {
                app.forget_keys_of(id);
                let webhooks = app.registry().forget_workspace(id);
                app.engine().workspace_deleted(id, webhooks);
                app.directory().remove(id);
            }
        });
        if deleted.await? { Ok(()) } else { Err(Code::NotFound.into()) }
    }

    /// The workspace that `text` names for `actor`: an id, the platform's own id, or `current`. From memory.
    ///
    /// Whether the actor may see it is for the grant to say.
    pub fn resolve_workspace(&self, actor: &Actor, text: &str) -> Result<WorkspaceId, Problem> {
        if text == CURRENT {
            return actor.current_workspace().ok_or_else(|| {
                let detail = "`current` is the workspace of an API key, or of somebody who has one only. Name the \
                              workspace by its id.";
                Problem::new(Code::NotFound, detail)
            });
        }
        self.directory().named(text).ok_or_else(|| Code::NotFound.into())
    }

    /// What the platform calls a workspace. From memory.
    pub(crate) fn workspace_external_id(&self, id: WorkspaceId) -> Option<Arc<str>> {
        self.directory().external_id(id)
    }

    /// Takes a workspace into memory that another use case made.
    pub(crate) async fn workspace_was_made(&self, id: WorkspaceId) -> Result<(), Problem> {
        let workspace = self.stored_workspace(id).await?;
        self.directory().put(&workspace);
        Ok(())
    }

    async fn stored_workspace(&self, id: WorkspaceId) -> Result<Workspace, Problem> {
        let found = self.store().read(GetWorkspace { id }).await.map_err(of_store)?;
        found.ok_or_else(|| Code::NotFound.into())
    }

    async fn write_workspace(
        &self,
        op: impl keybell_store::Op<Out = Written>,
        workspace: Workspace,
    ) -> Result<Workspace, Problem> {
        let (directory, live) = (Arc::clone(self.directory()), workspace.clone());
        let written = self.commit(op, move |written| {
            if *written == Written::Done {
                directory.put(&live);
            }
        });
        match written.await? {
            Written::Done => Ok(workspace),
            Written::Missing => Err(Code::NotFound.into()),
            Written::ExternalIdTaken => {
                Err(Problem::new(Code::Conflict, "Another workspace has that external_id."))
            }
        }
    }
}

/// What names the credential's own workspace.
const CURRENT: &str = "current";

/// Checks a platform's own id: something that can stand in an address, and cannot be taken for an id of ours.
fn check_external_id(external_id: Option<&str>) -> Result<(), FieldError> {
    let Some(text) = external_id else { return Ok(()) };
    let error = |code, message: String| Err(FieldError::new("external_id", code, message));
    if text.is_empty() || text.len() > EXTERNAL_ID_BYTES_MAX {
        return error("length", format!("must have 1 to {EXTERNAL_ID_BYTES_MAX} characters"));
    }
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"/\\?#%".contains(&byte);
    if !text.bytes().all(fits) || text.bytes().all(|byte| byte == b'.') {
        return error("characters", "may hold visible ASCII but / \\ ? # and %".to_owned());
    }
    if text == CURRENT || WorkspaceId::parse(text).is_some() {
        return error("reserved", "may not be `current`, nor look like an id of Keybell's".to_owned());
    }
    Ok(())
}

fn differences(before: &Workspace, after: &Workspace) -> Map<String, Value> {
    let editable = |workspace: &Workspace| {
        [("name", json!(workspace.name)), ("external_id", json!(workspace.external_id))]
    };
    audit::differences(editable(before), editable(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_can_stand_in_an_address() {
        let code = |text: &str| check_external_id(Some(text)).map_or_else(|error| error.code, |()| "ok");
        for good in ["1", "acme", "auth0|5f7c", "org:42", "a@b.c", "..a", &"x".repeat(EXTERNAL_ID_BYTES_MAX)]
        {
            assert_eq!(code(good), "ok", "{good}");
        }
        for (bad, why) in [
            ("", "length"),
            (&*"x".repeat(EXTERNAL_ID_BYTES_MAX + 1), "length"),
            ("a/b", "characters"),
            ("a b", "characters"),
            ("a%2Fb", "characters"),
            ("..", "characters"),
            ("ü", "characters"),
            ("current", "reserved"),
            (&WorkspaceId::from_bytes([1; 16]).to_string(), "reserved"),
        ] {
            assert_eq!(code(bad), why, "{bad}");
        }
        assert!(check_external_id(None).is_ok());
    }
}
