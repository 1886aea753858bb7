//! Revoking a key: for ever, and before the answer.

use keybell_core::grant::{ManageKeys, Origin};
use keybell_core::key::{ApiKey, KeyId, Kind, SecretKey};
use keybell_core::{Code, Grant, Problem};
use keybell_store::ops::api_keys::{Changed, RevokeKey};
use serde_json::json;

use super::{changed_meanwhile, not_theirs};
use crate::App;

impl App {
    /// Revokes a key. When this comes back, no check of the key says yes any more. Again is no error and changes nothing.
    pub async fn revoke_key(&self, grant: Grant<ManageKeys>, id: KeyId) -> Result<ApiKey, Problem> {
        self.revoke_granted(&grant, id).await
    }

    /// Revokes the key of the public identifier `id` for whoever presents its own secret: the finder of a lost one, too. It
    /// may be switched off, expired, or be used from anywhere. An operator key revokes any.
    ///
    /// [`Code::NotFound`] where it is another key's secret; [`Code::SecretRotatedOut`] for one that is no good any more.
    pub async fn revoke_presented(
        &self,
        secret_key: &str,
        id: &str,
        origin: &Origin,
    ) -> Result<ApiKey, Problem> {
        let presented = SecretKey::parse(secret_key, self.brand()).ok();
        if let Some(operator_key) = presented.filter(|key| key.kind() == Kind::Operator) {
            let operator = self.operator_of_secret(&operator_key)?;
            let id = self.key_id(id).ok_or(Code::NotFound)?;
            let workspace = self.keyring().with(id, |key| key.workspace).ok_or(Code::NotFound)?;
            return self.revoke_granted(&operator.grant::<ManageKeys>(workspace, origin)?, id).await;
        }
        let holder = self.holder_of_secret(secret_key)?;
        let grant = holder.grant_own_key(id, origin)?;
        let id = self.key_id(id).ok_or(Code::NotFound)?;
        self.revoke_granted(&grant, id).await
    }

    async fn revoke_granted<A>(&self, grant: &Grant<A>, id: KeyId) -> Result<ApiKey, Problem> {
        let at = self.now();
        let public = self.keyring().with(id, |key| self.public_identifier_of(key)).ok_or(Code::NotFound)?;
        let op = RevokeKey {
            workspace: grant.workspace(),
            id,
            at,
            only_made_by: grant.only_made_by().map(str::to_owned),
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(at, "api_key.revoked", &public, json!({})),
        };
        match self.change_key(op).await? {
            Changed::Done(stored) | Changed::Revoked(stored) | Changed::Already(stored) => {
                Ok(self.with_last_use(stored.key))
            }
            Changed::NotTheirs => Err(not_theirs()),
            Changed::Missing => Err(Code::NotFound.into()),
            Changed::Stale(_) => Err(changed_meanwhile()),
        }
    }
}
