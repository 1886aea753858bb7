//! Every API key of the installation, in memory, by ID: what [`verify`](crate::verify) asks.
//!
//! It is filled at the start and changed after each commit, on the thread that committed and before anybody is answered.
//! A change bears the version of its record, and an older version never replaces a newer one, in whatever order the
//! changes arrive: a key that was once seen revoked stays revoked. Nothing here waits for the database, and a look-up
//! takes no lock.

use std::sync::Arc;

use keybell_core::key::{Digest, KeyId, Proof, SecretKey, Standing};
use keybell_core::seal::{MasterKey, Pepper};
use keybell_core::{Timestamp, WorkspaceId};
use keybell_store::ops::api_keys::{LoadKeys, StoredDigest, StoredKey};
use keybell_store::{Store, StoreError};
use papaya::Operation;
use serde_json::value::RawValue;

/// The pepper that new secrets are digested under. Digests under the ones before it stay readable.
pub(crate) const PEPPER: u32 = 1;

/// Keys read at once when the ring is filled: some megabytes, and a read that holds up no other for long.
const LOADED_AT_ONCE: i64 = 5_000;

/// A key as a check needs it.
pub(crate) struct LiveKey {
    /// Its ID.
    pub(crate) id: KeyId,
    /// The workspace it belongs to.
    pub(crate) workspace: WorkspaceId,
    /// What people call it.
    pub(crate) name: Box<str>,
    /// What decides whether it may do something.
    pub(crate) standing: Standing,
    /// What the platform wants to know of it, as it is stored: a JSON object.
    pub(crate) metadata: Box<RawValue>,
    current: StoredDigest,
    previous: Option<(StoredDigest, Timestamp)>,
    version: Timestamp,
}

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
        StoredDigest { digest: secret_key.digest(pepper), pepper: number }
    }

    /// Whether `secret_key` is what `stored` was made of. A digest under a pepper that nobody knows matches nothing.
    pub(crate) fn proves(&self, secret_key: &SecretKey, stored: &StoredDigest) -> bool {
        self.get(stored.pepper).is_some_and(|pepper| secret_key.digest(pepper).matches(&stored.digest))
    }
}

/// The keys in memory.
pub(crate) struct Keyring {
    keys: papaya::HashMap<KeyId, Arc<LiveKey>>,
    /// Workspaces that were deleted: a change of one of their keys may still be on its way.
    gone: papaya::HashSet<WorkspaceId>,
    peppers: Peppers,
}

impl Keyring {
    pub(crate) fn new(peppers: Peppers) -> Keyring {
        Keyring { keys: papaya::HashMap::new(), gone: papaya::HashSet::new(), peppers }
    }

    pub(crate) fn peppers(&self) -> &Peppers {
        &self.peppers
    }

    /// Reads all keys, page by page. Changes may come in meanwhile.
    pub(crate) async fn load(&self, store: &Store) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = store.read(LoadKeys { after, rows: LOADED_AT_ONCE }).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some((last.key.workspace, last.key.id));
            for stored in &page {
                self.put(LiveKey::of(stored));
            }
        }
    }

    /// Takes in a key as it is after a change, unless a newer version of it is there.
    pub(crate) fn put(&self, key: LiveKey) {
        let (id, workspace) = (key.id, key.workspace);
        let key = Arc::new(key);
        self.keys.pin().compute(id, |known| match known {
            Some((_, known)) if known.version >= key.version => Operation::Abort(()),
            _ => Operation::Insert(Arc::clone(&key)),
        });
        // After the insertion, so that either this or `forget_workspace` sees what the other did.
        if self.gone.pin().contains(&workspace) {
            self.keys.pin().remove(&id);
        }
    }

    /// Drops every key of a workspace that was deleted, for good.
    pub(crate) fn forget_workspace(&self, workspace: WorkspaceId) {
        self.gone.pin().insert(workspace);
        let keys = self.keys.pin();
        keys.retain(|_, key| key.workspace != workspace);
    }

    /// The key of that ID.
    pub(crate) fn get(&self, id: KeyId) -> Option<Arc<LiveKey>> {
        self.keys.pin().get(&id).map(Arc::clone)
    }

    /// The key that `secret_key` belongs to, and which of its secrets it is; `None` where it is nobody's. An unknown ID
    /// costs as much as a wrong secret.
    pub(crate) fn prove(&self, secret_key: &SecretKey) -> Option<(Arc<LiveKey>, Proof)> {
        let keys = self.keys.pin();
        let Some(key) = keys.get(&secret_key.id()) else {
            let nobodys = StoredDigest { digest: Digest::DUMMY, pepper: PEPPER };
            let _never = self.peppers.proves(secret_key, &nobodys);
            return None;
        };
        let proof = if self.peppers.proves(secret_key, &key.current) {
            Proof::Current
        } else {
            let (digest, expires_at) = key.previous.as_ref()?;
            self.peppers.proves(secret_key, digest).then_some(Proof::Previous { expires_at: *expires_at })?
        };
        // A text with another environment's word and a checksum to fit is not the key that was given out.
        (secret_key.kind() == key.standing.environment.kind()).then(|| (Arc::clone(key), proof))
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

impl LiveKey {
    pub(crate) fn of(stored: &StoredKey) -> LiveKey {
        let StoredKey { key, current, previous } = stored;
        let overlap_until = key.previous_secret.map(|previous| previous.expires_at);
        LiveKey {
            id: key.id,
            workspace: key.workspace,
            name: key.name.as_str().into(),
            standing: key.standing(),
            metadata: serde_json::value::to_raw_value(&key.metadata).expect("a JSON object can be written"),
            current: *current,
            previous: previous.zip(overlap_until),
            version: key.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use keybell_core::key::{ApiKey, Brand, Environment, Kind};
    use keybell_core::{ActorRef, Randomness};

    use super::*;

    struct Fixed;
    impl Randomness for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(9);
        }
    }

    /// A key of one workspace, its version, and whether it is revoked in it.
    fn version(number: i64, revoked: bool) -> (SecretKey, LiveKey) {
        let secret_key = SecretKey::mint(&Brand::parse("kb").expect("a brand"), Kind::Live, &Fixed);
        let at = Timestamp::from_seconds(number);
        let key = ApiKey {
            workspace: WorkspaceId::from_bytes([1; 16]),
            id: secret_key.id(),
            environment: Environment::Live,
            name: format!("version {number}"),
            description: String::new(),
            enabled: true,
            scopes: Vec::new(),
            allowed_networks: Vec::new(),
            rate_limits: Vec::new(),
            metadata: serde_json::Map::new(),
            expires_at: None,
            created_at: Timestamp::EPOCH,
            created_by: ActorRef { kind: "operator".to_owned(), id: "t".to_owned(), name: "t".to_owned() },
            updated_at: at,
            last_used_at: None,
            last_used_from: None,
            revoked_at: revoked.then_some(at),
            revoked_by: None,
            previous_secret: None,
        };
        let current = peppers().digest(&secret_key);
        let live = LiveKey::of(&StoredKey { key, current, previous: None });
        (secret_key, live)
    }

    fn peppers() -> Peppers {
        Peppers::of(&MasterKey::from_bytes([7; 32]))
    }

    #[test]
    fn an_older_version_that_comes_late_does_not_bring_a_key_back() {
        let ring = Keyring::new(peppers());
        let (secret_key, first) = version(1, false);
        ring.put(first);
        ring.put(version(3, true).1);
        ring.put(version(2, false).1);
        let (key, _) = ring.prove(&secret_key).expect("its secret is known");
        assert!(key.standing.revoked_at.is_some());
        assert_eq!((&*key.name, ring.len()), ("version 3", 1));
    }

    #[test]
    fn a_change_that_comes_after_its_workspace_was_deleted_is_dropped() {
        let ring = Keyring::new(peppers());
        let (secret_key, first) = version(1, false);
        ring.put(first);
        ring.forget_workspace(WorkspaceId::from_bytes([1; 16]));
        ring.put(version(2, false).1);
        assert!(ring.prove(&secret_key).is_none() && ring.len() == 0);
    }

    #[test]
    fn a_digest_under_another_master_key_proves_nothing() {
        let ring = Keyring::new(Peppers::of(&MasterKey::from_bytes([8; 32])));
        let (secret_key, planted) = version(1, false);
        ring.put(planted);
        assert!(ring.prove(&secret_key).is_none());
    }
}
