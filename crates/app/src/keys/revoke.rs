//! Revoking a key: for ever, and before the answer.

use keybell_core::grant::ManageKeys;
use keybell_core::key::{ApiKey, KeyId};
use keybell_core::{Code, Grant, Problem};
use keybell_store::ops::api_keys::{Changed, RevokeKey};
use serde_json::json;

use super::{changed_meanwhile, not_theirs};
use crate::App;

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
            fact: self.audit_fact(at, "api_key.revoked", &self.public_identifier_of(&known), json!({})),
        };
        match self.change_key(op).await? {
            Changed::Done(stored) | Changed::Revoked(stored) => Ok(stored.key),
            Changed::NotTheirs => Err(not_theirs()),
            Changed::Missing => Err(Code::NotFound.into()),
            Changed::Stale => Err(changed_meanwhile()),
        }
    }
}
