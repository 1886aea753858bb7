//! When and from where keys were last used. It goes forwards only, and is no change of the record.

use keybell_core::key::KeyId;
use keybell_core::{Timestamp, WorkspaceId};

use crate::error::StoreError;
use crate::statements;
use crate::tx::{Isolation, Op, Tx};

statements! {
    USED = "UPDATE api_keys SET last_used_at = $3, last_used_from = $4 \
            WHERE workspace_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)";
    PREVIOUS_USED = "UPDATE api_keys SET previous_last_used_at = $4 \
            WHERE workspace_id = $1 AND id = $2 AND previous_digest = $3 \
            AND (previous_last_used_at IS NULL OR previous_last_used_at < $4)";
}

/// When a key was last used.
#[derive(Clone, Debug)]
pub struct LastUse {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The key.
    pub id: KeyId,
    /// When.
    pub at: Timestamp,
    /// The address it came from, where one was known.
    pub from: Option<String>,
    /// The digest of the secret before the last rotation, and when that one was last used, where it was.
    pub previous: Option<([u8; 32], Timestamp)>,
}

/// Writes down when keys were last used, where it is later than what stands there. Gives how many rows were changed.
#[derive(Debug)]
pub struct RecordLastUses {
    /// Of these keys.
    pub uses: Vec<LastUse>,
}

impl Op for RecordLastUses {
    const NAME: &'static str = "api_keys.last_uses";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        let mut changed = 0;
        for LastUse { workspace, id, at, from, previous } in &self.uses {
            let (workspace, id) = (workspace.into(), id.as_str().into());
            changed += tx.exec(&USED, &[workspace, id, (*at).into(), from.as_ref().into()])?;
            if let Some((digest, at)) = previous {
                changed +=
                    tx.exec(&PREVIOUS_USED, &[workspace, id, digest.as_slice().into(), (*at).into()])?;
            }
        }
        Ok(changed)
    }
}
