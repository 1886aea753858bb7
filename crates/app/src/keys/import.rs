//! Taking over keys that another system gave out, so that nobody needs a new one.

use std::collections::HashSet;
use std::sync::Arc;

use keybell_core::grant::ManageKeys;
use keybell_core::key::{ApiKey, ImportedKey, KeyId};
use keybell_core::{Code, FieldError, Grant, Problem};
use keybell_store::ops::api_keys::{ImportKeys, Imported, StoredKey};

use super::create::{ID_TRIES_MAX, NewKey, record, told_of_new};
use crate::App;
use crate::problems::Errors;

/// Most keys of one import: one transaction, and an answer that fits a screen.
pub const IMPORTED_AT_ONCE_MAX: usize = 1_000;

/// A key that another system gave out.
pub struct ImportKey {
    /// The SHA-256 of its whole text, as 64 hexadecimal digits.
    pub sha256: String,
    /// What it shall be here.
    pub new: NewKey,
}

impl App {
    /// Takes over keys, all of them or none; what they are here, in the same order. Their holders go on using the texts
    /// that they have.
    ///
    /// Only an operator may: whoever can plant digests of his choice could take what is another workspace's.
    /// [`Code::Validation`] names the fields that are not valid; [`Code::Conflict`] where a key was imported before, or the
    /// workspace would have more keys than it may.
    pub async fn import_keys(
        &self,
        grant: Grant<ManageKeys>,
        wanted: Vec<ImportKey>,
    ) -> Result<Vec<ApiKey>, Problem> {
        if !grant.is_operators() {
            let detail = "Only the platform imports keys. Use an operator key.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        if !(1..=IMPORTED_AT_ONCE_MAX).contains(&wanted.len()) {
            let message = format!("must have 1 to {IMPORTED_AT_ONCE_MAX} entries");
            return Err(Problem::field("api_keys", "out_of_range", message));
        }
        for _ in 0..ID_TRIES_MAX {
            let keys = self.read_imports(&grant, &wanted)?;
            let op = ImportKeys {
                keys: keys.iter().map(|stored| (stored.clone(), self.imported_fact(&stored.key))).collect(),
                keys_max: self.settings().limits.api_keys_per_workspace,
                origin: grant.origin().clone(),
            };
            let (keyring, taken) = (Arc::clone(self.keyring()), keys.clone());
            let imported = self.commit(op, move |imported| {
                if *imported == Imported::Done {
                    for stored in &taken {
                        keyring.put(stored);
                    }
                }
            });
            match imported.await? {
                Imported::Done => return Ok(keys.into_iter().map(|stored| stored.key).collect()),
                Imported::IdTaken => {}
                Imported::Before(place) => {
                    let detail = format!("api_keys[{place}] was imported before; nothing was imported now.");
                    return Err(Problem::new(Code::Conflict, detail));
                }
                Imported::Full { there } => {
                    let (wanted, most) = (wanted.len(), self.settings().limits.api_keys_per_workspace);
                    let detail = format!(
                        "The workspace has {there} API keys and may have {most}; these {wanted} do not fit. Nothing was imported."
                    );
                    return Err(Problem::new(Code::Conflict, detail));
                }
                Imported::NoWorkspace => return Err(Code::NotFound.into()),
            }
        }
        Err(Problem::internal("no free IDs were found for imported keys"))
    }

    /// The records of the keys, each with an ID of its own.
    fn read_imports(
        &self,
        grant: &Grant<ManageKeys>,
        wanted: &[ImportKey],
    ) -> Result<Vec<StoredKey>, Problem> {
        let now = self.now();
        let (mut keys, mut wrong, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for (place, ImportKey { sha256, new }) in wanted.iter().enumerate() {
            let mut errors = Errors::default();
            let imported = errors.one(ImportedKey::parse_hex(sha256).ok_or_else(|| {
                FieldError::new(
                    "sha256",
                    "invalid",
                    "must be 64 hexadecimal digits, the SHA-256 of the whole key",
                )
            }));
            if imported.is_some_and(|imported| imported.is_of_nothing()) {
                let message = "is the SHA-256 of nothing: the other system has no key there";
                errors.one::<()>(Err(FieldError::new("sha256", "not_allowed", message)));
            }
            if !seen.insert(sha256.to_ascii_lowercase()) {
                errors.one::<()>(Err(FieldError::new("sha256", "duplicate", "stands in this import twice")));
            }
            let checked = self.check_new_key(new, now, &mut errors);
            wrong.extend(errors.within(&format!("api_keys[{place}]")));
            let Some(imported) = imported else { continue };
            let key = record(grant, new, &checked, KeyId::random(self.randomness()), now);
            let current = self.keyring().peppers().digest_imported(&imported);
            keys.push(StoredKey { key, current, previous: None });
        }
        if wrong.is_empty() { Ok(keys) } else { Err(Problem::invalid(wrong)) }
    }

    fn imported_fact(&self, key: &ApiKey) -> keybell_store::ops::audit::AuditFact {
        let public = key.public_identifier(self.brand());
        self.audit_fact(key.created_at, "api_key.imported", &public, told_of_new(key))
    }
}
