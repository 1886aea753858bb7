//! The peppers that secrets are digested under, and what is to be stored of a secret.

use keybell_core::key::{ImportedKey, SecretKey};
use keybell_core::seal::{MasterKey, Pepper};
use keybell_store::ops::api_keys::{DigestOf, StoredDigest};

/// The pepper that new secrets are digested under. Digests under the ones before it stay readable.
pub(crate) const PEPPER: u32 = 1;

/// The peppers that digests may have been made under.
pub(crate) struct Peppers([Pepper; PEPPER as usize]);

impl Peppers {
    pub(crate) fn of(master_key: &MasterKey) -> Peppers {
        Peppers([master_key.pepper(PEPPER)])
    }

    /// The pepper of new secrets, and its number.
    pub(crate) fn newest(&self) -> (&Pepper, u32) {
        (&self.0[PEPPER as usize - 1], PEPPER)
    }

    fn get(&self, number: u32) -> Option<&Pepper> {
        self.0.get((number as usize).checked_sub(1)?)
    }

    /// What is to be stored of a new secret.
    pub(crate) fn digest(&self, secret_key: &SecretKey) -> StoredDigest {
        let (pepper, number) = self.newest();
        StoredDigest { digest: secret_key.digest(pepper), pepper: number, of: DigestOf::Secret }
    }

    /// What is to be stored of a key that another system gave out.
    pub(crate) fn digest_imported(&self, imported: &ImportedKey) -> StoredDigest {
        let (pepper, number) = self.newest();
        StoredDigest { digest: imported.digest(pepper), pepper: number, of: DigestOf::ImportedText }
    }

    /// Whether `secret_key` is what `stored` was made of. A digest under a pepper that nobody knows matches nothing.
    pub(crate) fn proves(&self, secret_key: &SecretKey, stored: &StoredDigest) -> bool {
        stored.of == DigestOf::Secret
            && self.get(stored.pepper).is_some_and(|pepper| secret_key.digest(pepper).matches(&stored.digest))
    }
}
