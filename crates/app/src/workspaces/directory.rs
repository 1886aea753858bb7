//! All workspaces in memory, by id and by the platform's own id.

use std::sync::Arc;

use foldhash::fast::RandomState;
use keybell_core::WorkspaceId;
use keybell_store::ops::workspaces::{ListWorkspaces, Workspace};
use keybell_store::{Store, StoreError};
use tokio::sync::Mutex;

/// Workspaces read at once at the start.
const LOAD_ROWS: i64 = 5_000;

/// The workspaces of the installation.
#[derive(Default)]
pub(crate) struct Directory {
    by_id: papaya::HashMap<WorkspaceId, Entry, RandomState>,
    by_external_id: papaya::HashMap<Arc<str>, WorkspaceId>,
    /// Held from a change's transaction until it is in memory, so that memory sees changes in the order of the database.
    pub(super) changing: Mutex<()>,
}

/// What is remembered of a workspace.
#[derive(Clone)]
struct Entry {
    external_id: Option<Arc<str>>,
}

impl Directory {
    /// Reads all workspaces.
    pub(crate) async fn load(&self, store: &Store) -> Result<(), StoreError> {
        let mut before = None;
        loop {
            let found = store.read(ListWorkspaces { before, rows: LOAD_ROWS }).await?;
            let Some(last) = found.last() else { return Ok(()) };
            before = Some(last.id);
            for workspace in &found {
                self.put(workspace);
            }
        }
    }

    /// Takes in a workspace as it is now.
    pub(super) fn put(&self, workspace: &Workspace) {
        let external_id: Option<Arc<str>> = workspace.external_id.as_deref().map(Arc::from);
        let by_external_id = self.by_external_id.pin();
        if let Some(external_id) = &external_id {
            by_external_id.insert(Arc::clone(external_id), workspace.id);
        }
        let by_id = self.by_id.pin();
        let before = by_id.insert(workspace.id, Entry { external_id: external_id.clone() });
        if let Some(old) = before.and_then(|entry| entry.external_id.as_ref())
            && external_id.as_ref() != Some(old)
        {
            by_external_id.remove(old);
        }
    }

    /// Forgets a workspace that was deleted.
    pub(super) fn remove(&self, id: WorkspaceId) {
        let by_id = self.by_id.pin();
        if let Some(external_id) = by_id.remove(&id).and_then(|entry| entry.external_id.as_ref()) {
            self.by_external_id.pin().remove(external_id);
        }
    }

    /// Whether there is such a workspace.
    pub(crate) fn has(&self, id: WorkspaceId) -> bool {
        self.by_id.pin().contains_key(&id)
    }

    /// The workspace that the platform calls `external_id`.
    fn by_external_id(&self, external_id: &str) -> Option<WorkspaceId> {
        self.by_external_id.pin().get(external_id).copied()
    }

    /// The workspace that `text` names: by its id or by the platform's own.
    pub(crate) fn named(&self, text: &str) -> Option<WorkspaceId> {
        match WorkspaceId::parse(text) {
            Some(id) => self.has(id).then_some(id),
            None => self.by_external_id(text),
        }
    }

    /// What the platform calls a workspace.
    pub(super) fn external_id(&self, id: WorkspaceId) -> Option<Arc<str>> {
        self.by_id.pin().get(&id)?.external_id.clone()
    }
}
