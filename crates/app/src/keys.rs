//! API keys: made, listed, edited, rotated, revoked.
//!
//! Every change is applied to the [keyring](crate::keyring) on the thread that committed it, before whoever asked is
//! answered and whether or not they still wait. So a key whose revocation was answered is refused from then on.

mod create;
mod edit;
mod import;
mod list;
mod revoke;
mod revoke_many;
mod rotate;

use std::sync::Arc;

use keybell_core::grant::ReadKeys;
use keybell_core::key::{ApiKey, KeyId, PublicIdentifier, RateLimit, SecretKey};
use keybell_core::{Code, FieldError, Grant, Problem, Timestamp, WorkspaceId};
use keybell_store::Op;
use keybell_store::ops::api_keys::{Changed, CountKeysOfWorkspace, GetKey, StoredKey};

use crate::App;
use crate::keyring::LiveKey;
use crate::page::{COUNTED_MAX, Counted};
use crate::problems::of_store;

pub use create::NewKey;
pub use edit::KeyPatch;
pub use import::{IMPORTED_AT_ONCE_MAX, ImportKey};
pub use list::{KeyFilter, KeySort, SEARCH_CHARS_MAX};
pub use revoke_many::RevokeFilter;
pub use rotate::{OVERLAP_DEFAULT, OVERLAP_MAX};

/// How often a change is made again from a newer version of the record, when others change the same key meanwhile.
const CHANGE_TRIES_MAX: u32 = 5;

/// A key with its secret, which is shown to whoever made it, once.
pub struct IssuedKey {
    /// The record.
    pub key: ApiKey,
    /// The secret key.
    pub secret_key: SecretKey,
}

impl App {
    /// How many keys the workspace has.
    pub async fn count_keys(&self, grant: Grant<ReadKeys>) -> Result<Counted, Problem> {
        let count =
            CountKeysOfWorkspace { workspace: grant.workspace(), now: self.now(), rows: COUNTED_MAX + 1 };
        Ok(Counted::of(self.store().read(count).await.map_err(of_store)?))
    }

    /// One key of a workspace.
    pub async fn key(&self, grant: Grant<ReadKeys>, id: KeyId) -> Result<ApiKey, Problem> {
        Ok(self.with_last_use(self.stored_key(grant.workspace(), id).await?.key))
    }

    /// The record with the last uses that memory knows and the database may not know yet.
    fn with_last_use(&self, key: ApiKey) -> ApiKey {
        let known = self.keyring().with(key.id, |key| self.keyring().last_use(key));
        let Some(known) = known else { return key };
        let mut key = key;
        if known.at > key.last_used_at {
            key.last_used_at = known.at;
            key.last_used_from = known.from.map(|address| address.to_string());
        }
        if let Some(previous) = &mut key.previous_secret {
            previous.last_used_at = previous.last_used_at.max(known.previous_at);
        }
        key
    }

    async fn stored_key(&self, workspace: WorkspaceId, id: KeyId) -> Result<StoredKey, Problem> {
        let found = self.store().read(GetKey { workspace, id }).await.map_err(of_store)?;
        found.ok_or_else(|| Code::NotFound.into())
    }

    /// The ID of the key that `public_identifier` names; `None` where the installation has no such key. From memory, so
    /// that what names nothing costs the database nothing. Whose it is, is for the grant to say.
    pub fn key_id(&self, public_identifier: &str) -> Option<KeyId> {
        let public = PublicIdentifier::parse(public_identifier, self.brand())?;
        let kind = self.keyring().with(public.id, |key| key.environment.kind())?;
        (kind == public.kind).then_some(public.id)
    }

    /// How a key in memory is named to the outside.
    pub(crate) fn public_identifier_of(&self, key: &LiveKey) -> PublicIdentifier {
        PublicIdentifier { brand: *self.brand(), kind: key.environment.kind(), id: key.id }
    }

    /// How many API keys there are in memory, those that are no longer good included.
    pub fn api_keys_in_memory(&self) -> usize {
        self.keyring().len()
    }

    /// Drops the keys of a workspace that was deleted from memory. To be called before the deletion is answered.
    pub(crate) fn forget_keys_of(&self, workspace: WorkspaceId) {
        self.keyring().forget_workspace(workspace);
    }

    /// Commits a change of one key and takes it into the keyring.
    async fn change_key(&self, op: impl Op<Out = Changed>) -> Result<Changed, Problem> {
        let keyring = Arc::clone(self.keyring());
        self.commit(op, move |changed| {
            if let Changed::Done(stored) | Changed::Revoked(stored) = changed {
                keyring.put(stored);
            }
        })
        .await
    }
}

/// The record after a change of a key that must not be revoked; `None` where somebody else changed the key first.
fn changed_record(changed: Changed) -> Result<Option<ApiKey>, Problem> {
    match changed {
        Changed::Done(stored) | Changed::Already(stored) => Ok(Some(stored.key)),
        Changed::Revoked(_) => Err(revoked()),
        Changed::Stale(_) => Ok(None),
        Changed::NotTheirs => Err(not_theirs()),
        Changed::Missing => Err(Code::NotFound.into()),
    }
}

/// The version after `from`: now, or just after it where the clock stands still or steps back.
fn next_version(from: Timestamp, now: Timestamp) -> Timestamp {
    now.max(from + std::time::Duration::from_micros(1))
}

/// Refuses to put scopes into somebody's hands that whoever acts may not give. `field` names the list in the errors.
fn refuse_more_than_own<A>(grant: &Grant<A>, scopes: &[String]) -> Result<(), Problem> {
    let refused = scopes.iter().enumerate().filter(|(_, scope)| !grant.may_give(scope));
    let errors: Vec<FieldError> = refused
        .map(|(index, scope)| {
            let message = format!("you cannot give {scope} to a key, since you do not have it yourself");
            FieldError::new(format!("scopes[{index}]"), "not_allowed", message)
        })
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    let detail = "A key cannot have scopes that whoever makes, edits or rotates it lacks.";
    let mut problem = Problem::new(Code::Forbidden, detail);
    problem.errors = errors;
    Err(problem)
}

/// Refuses limits in the place of the platform's own to anybody but an operator: those of the names that the configuration
/// has. `before` are the key's limits before an edit.
fn refuse_the_platforms_limits<A>(
    grant: &Grant<A>,
    platforms: &[RateLimit],
    before: &[RateLimit],
    after: &[RateLimit],
) -> Result<(), Problem> {
    if grant.is_operators() {
        return Ok(());
    }
    for RateLimit { name, .. } in platforms {
        let of = |limits: &[RateLimit]| limits.iter().position(|limit| limit.name == *name);
        let (was, is) = (of(before), of(after));
        if was.map(|place| &before[place]) != is.map(|place| &after[place]) {
            let field =
                is.map_or_else(|| "rate_limits".to_owned(), |place| format!("rate_limits[{place}].name"));
            let message = format!("{name} is the platform's to set; give a limit of yours another name");
            return Err(Problem::field(field, "not_allowed", message));
        }
    }
    Ok(())
}

fn revoked() -> Problem {
    Problem::new(Code::Conflict, "The key is revoked, for ever. Create a new one.")
}

fn not_theirs() -> Problem {
    Problem::new(
        Code::Forbidden,
        "Somebody else made this key. Ask them, or an owner or admin of the workspace.",
    )
}

fn changed_meanwhile() -> Problem {
    Problem::new(
        Code::Conflict,
        "The key was changed by others at the same time. Read it again, then try again.",
    )
}
