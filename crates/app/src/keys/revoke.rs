//! Revoking a key: for ever, and before the answer.

use keybell_core::grant::ManageKeys;
use keybell_core::key::{ApiKey, KeyId};
use keybell_core::{AuditId, Code, Grant, Problem};
use keybell_store::ops::api_keys::{Changed, RevokeKey};
use keybell_store::ops::audit::AuditFact;

use super::{changed_meanwhile, not_theirs};
use crate::App;
use crate::keyring::LiveKey;

impl App {
    /// Revokes a key. When this comes back, no check of the key says yes any more. Again is no error and changes nothing.
    pub async fn revoke_key(&self, grant: Grant<ManageKeys>, id: KeyId) -> Result<ApiKey, Problem> {
        let at = self.now();
        let known = self.keyring().get(id).ok_or(Code::NotFound)?;
        let op = RevokeKey {
            workspace: grant.workspace(),
            id,
            at,
            only_made_by: grant.only_made_by().map(str::to_owned),
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: AuditFact {
                id: AuditId::new(at, self.randomness()),
                at,
                action: "api_key.revoked",
                target_kind: "api_key",
                target_id: self.public_identifier_of(&known).to_string(),
                changes_json: "{}".to_owned(),
            },
        };
        let changed = self
            .change(op, |keyring, changed| {
                if let Changed::Done(stored) | Changed::Revoked(stored) = changed {
                    keyring.put(LiveKey::of(stored));
                }
            })
            .await?;
        match changed {
            Changed::Done(stored) | Changed::Revoked(stored) => Ok(stored.key),
            Changed::NotTheirs => Err(not_theirs()),
            Changed::Missing => Err(Code::NotFound.into()),
            Changed::Stale => Err(changed_meanwhile()),
        }
    }
}
