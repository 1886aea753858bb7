//! Revoking many keys by what they have in common.

use std::collections::HashSet;
use std::sync::Arc;

use keybell_core::grant::ManageKeys;
use keybell_core::key::{ApiKey, Environment, KeyId, KeyStatus, PublicIdentifier};
use keybell_core::{Grant, Problem, Timestamp};
use keybell_store::ops::api_keys::{KeyOrder, KeyToRevoke, ListKeys, RevokeKeys};
use serde_json::json;

use super::{CHANGE_TRIES_MAX, SEARCH_CHARS_MAX, changed_meanwhile};
use crate::App;
use crate::problems::of_store;

/// Keys that are read or revoked at once: some milliseconds of the writer's time.
const KEYS_AT_ONCE: usize = 250;
/// Most identifiers of one filter: as many keys as a page of a list has.
const IDS_MAX: usize = 250;

/// Which keys are meant: those that fit all of it. Revoked ones never are.
#[derive(Clone, Debug, Default)]
pub struct RevokeFilter {
    /// These, by their public identifiers.
    pub ids: Option<Vec<String>>,
    /// In this state.
    pub status: Option<KeyStatus>,
    /// Of this environment.
    pub environment: Option<Environment>,
    /// With this text in the name or the description.
    pub search: Option<String>,
    /// Made before this instant.
    pub created_before: Option<Timestamp>,
    /// Not used since this instant, nor made since.
    pub unused_since: Option<Timestamp>,
}

impl RevokeFilter {
    /// A filter that leaves nothing out was most likely sent by mistake.
    fn check(&self) -> Result<(), Problem> {
        let RevokeFilter { ids, status, environment, search, created_before, unused_since } = self;
        let is_empty = ids.is_none() && status.is_none() && environment.is_none() && created_before.is_none();
        if is_empty && unused_since.is_none() && search.as_deref().unwrap_or_default().is_empty() {
            let message = "must name something; {\"status\": \"active\"} means all that are in use";
            return Err(Problem::field("filter", "required", message));
        }
        if ids.as_ref().is_some_and(|ids| ids.len() > IDS_MAX) {
            return Err(Problem::field(
                "filter.ids",
                "too_many",
                format!("must have at most {IDS_MAX} entries"),
            ));
        }
        if search.as_ref().is_some_and(|text| text.contains('\0')) {
            // No stored text has it: PostgreSQL cannot hold it.
            return Err(Problem::field("filter.q", "not_allowed", "must not have the character U+0000"));
        }
        if search.as_ref().is_some_and(|text| text.chars().count() > SEARCH_CHARS_MAX) {
            let message = format!("must have at most {SEARCH_CHARS_MAX} characters");
            return Err(Problem::field("filter.q", "too_long", message));
        }
        Ok(())
    }

    /// What the list does not filter by. `ids` are those of the filter.
    fn fits(&self, key: &ApiKey, ids: Option<&HashSet<PublicIdentifier>>, public: &PublicIdentifier) -> bool {
        let named = ids.is_none_or(|ids| ids.contains(public));
        let old = self.created_before.is_none_or(|before| key.created_at < before);
        let last_seen = key.last_used_at.unwrap_or(key.created_at).max(key.created_at);
        let unused = self.unused_since.is_none_or(|since| last_seen < since);
        key.revoked_at.is_none() && named && old && unused
    }
}

/// A key that the filter means, as it was read.
struct Meant {
    id: KeyId,
    public: PublicIdentifier,
    read_at: Timestamp,
}

impl App {
    /// How many keys the filter means now: what [`App::revoke_keys`] would revoke.
    pub async fn count_revocable(
        &self,
        grant: Grant<ManageKeys>,
        filter: &RevokeFilter,
    ) -> Result<usize, Problem> {
        Ok(self.revocable(&grant, filter).await?.len())
    }

    /// Revokes the keys that the filter means; how many it were. When this comes back, no check of them says yes any more.
    ///
    /// A member who is confined to their own keys revokes those among them. A key that is changed meanwhile is looked at
    /// again, and revoked only if the filter still means it; [`Code::Conflict`](keybell_core::Code::Conflict) where others
    /// change the same keys again and again.
    pub async fn revoke_keys(
        &self,
        grant: Grant<ManageKeys>,
        filter: &RevokeFilter,
    ) -> Result<usize, Problem> {
        let mut revoked = 0;
        for _ in 0..CHANGE_TRIES_MAX {
            let meant = self.revocable(&grant, filter).await?;
            let mut left = meant.len();
            for keys in meant.chunks(KEYS_AT_ONCE) {
                let done = self.revoke_as_read(&grant, keys).await?;
                (left, revoked) = (left - done, revoked + done);
            }
            if left == 0 {
                return Ok(revoked);
            }
        }
        Err(changed_meanwhile())
    }

    async fn revoke_as_read(&self, grant: &Grant<ManageKeys>, keys: &[Meant]) -> Result<usize, Problem> {
        let at = self.now();
        let key = |key: &Meant| KeyToRevoke {
            id: key.id,
            read_at: key.read_at,
            fact: self.audit_fact(at, "api_key.revoked", &key.public, json!({})),
        };
        let op = RevokeKeys {
            workspace: grant.workspace(),
            keys: keys.iter().map(key).collect(),
            at,
            only_made_by: grant.only_made_by().map(str::to_owned),
            by: grant.by().clone(),
            origin: grant.origin().clone(),
        };
        let keyring = Arc::clone(self.keyring());
        let done = self.commit(op, move |revoked| {
            for stored in revoked {
                keyring.put(stored);
            }
        });
        Ok(done.await?.len())
    }

    async fn revocable(
        &self,
        grant: &Grant<ManageKeys>,
        filter: &RevokeFilter,
    ) -> Result<Vec<Meant>, Problem> {
        filter.check()?;
        // A text that names no key of ours means none.
        let ids = filter.ids.as_ref().map(|ids| -> HashSet<PublicIdentifier> {
            ids.iter().filter_map(|id| PublicIdentifier::parse(id, self.brand())).collect()
        });
        let text = filter.search.clone().filter(|text| !text.is_empty());
        let mut meant = Vec::new();
        let mut after = None;
        loop {
            let page = ListKeys {
                workspace: grant.workspace(),
                order: KeyOrder::Newest(after),
                environment: filter.environment,
                status: filter.status,
                now: self.now(),
                id: None,
                text: text.clone(),
                rows: i64::try_from(KEYS_AT_ONCE).expect("it is a small number"),
            };
            let found = self.store().read(page).await.map_err(of_store)?;
            let Some(last) = found.last() else { return Ok(meant) };
            after = Some((last.key.created_at, last.key.id));
            for key in found.into_iter().map(|stored| self.with_last_use(stored.key)) {
                let public = key.public_identifier(self.brand());
                let theirs = grant.only_made_by().is_none_or(|member| member == key.created_by.id);
                if theirs && filter.fits(&key, ids.as_ref(), &public) {
                    meant.push(Meant { id: key.id, public, read_at: key.updated_at });
                }
            }
        }
    }
}
