//! Every API key of the installation, in memory, by ID: what [`verify`](crate::verify) asks.
//!
//! It is filled at the start and changed after each commit, on the thread that committed and before anybody is answered.
//! A change bears the version of its record, and an older version never replaces a newer one, in whatever order the
//! changes arrive: a key that was once seen revoked stays revoked. Nothing here waits for the database, and a look-up
//! takes no lock.

mod live_key;
mod peppers;
mod shared_scopes;

use std::net::IpAddr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use keybell_core::key::{BadKey, Brand, Digest, ImportedKey, KeyId, Proof, SecretKey};
use keybell_core::{Timestamp, WorkspaceId};
use keybell_store::ops::api_keys::{DigestOf, LoadKeys, LoadedKey, StoredDigest, StoredKey};
use keybell_store::{Store, StoreError};
use papaya::{Compute, Operation, ResizeMode};

pub(crate) use live_key::{LastUse, LiveKey};
pub(crate) use peppers::{PEPPER, Peppers};
use shared_scopes::SharedScopes;

use crate::usage::Usage;

/// Keys read at once when the ring is filled: half a megabyte, which is not given back when it is done.
const LOADED_AT_ONCE: i64 = 1_000;

/// Locks for the addresses of last uses, which are too long to be written in one go.
const SOURCE_LOCKS: usize = 64;

/// The keys in memory.
pub(crate) struct Keyring {
    /// IDs are drawn at random and nobody chooses one, so that a quick hash is as good as a strong one.
    keys: papaya::HashMap<KeyId, LiveKey, RandomState>,
    /// Keys that another system gave out, by their digest under the newest pepper.
    imported: papaya::HashMap<[u8; 32], KeyId>,
    /// Workspaces that were deleted: a change of one of their keys may still be on its way.
    gone: papaya::HashSet<WorkspaceId>,
    peppers: Peppers,
    scopes: SharedScopes,
    source_locks: [Mutex<()>; SOURCE_LOCKS],
    /// Where a record that is replaced leaves what was counted at it.
    usage: Arc<Usage>,
}

impl Keyring {
    /// An empty ring with room for so many keys; it grows where there are more.
    pub(crate) fn new(peppers: Peppers, usage: Arc<Usage>, room: usize) -> Keyring {
        Keyring {
            // A table that grows a little with each change is never done growing where nothing changes, and each look-up
            // goes through both of them meanwhile.
            keys: papaya::HashMap::builder()
                .capacity(room)
                .hasher(RandomState::default())
                .resize_mode(ResizeMode::Blocking)
                .build(),
            imported: papaya::HashMap::new(),
            gone: papaya::HashSet::new(),
            peppers,
            scopes: SharedScopes::default(),
            source_locks: std::array::from_fn(|_| Mutex::default()),
            usage,
        }
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
            after = Some((last.workspace, last.id));
            for loaded in &page {
                self.put_loaded(loaded);
            }
        }
    }

    /// Takes in a key as it is after a change, unless a newer version of it is there.
    pub(crate) fn put(&self, stored: &StoredKey) {
        self.put_loaded(&LoadedKey::from(stored));
    }

    fn put_loaded(&self, loaded: &LoadedKey) {
        let (id, workspace) = (loaded.id, loaded.workspace);
        let digests = [Some(loaded.current), loaded.previous.map(|previous| previous.digest)];
        let keys = self.keys.pin();
        let put = keys.compute(id, |known| match known {
            Some((_, known)) if known.version >= loaded.updated_at => Operation::Abort(()),
            Some((_, known)) => {
                let key = LiveKey::of(loaded, &self.scopes);
                let _reading = self.source_lock(id);
                key.inherit(known);
                Operation::Insert(key)
            }
            None => Operation::Insert(LiveKey::of(loaded, &self.scopes)),
        });
        match put {
            Compute::Aborted(()) => return,
            Compute::Updated { old: (_, old), .. } => {
                self.usage.take_over(old);
                self.hand_on(old);
            }
            _ => {}
        }
        for digest in digests.into_iter().flatten().filter(|digest| digest.of == DigestOf::ImportedText) {
            self.imported.pin().insert(*digest.digest.as_bytes(), id);
        }
        // After the insertion, so that either this or `forget_workspace` sees what the other did.
        if self.gone.pin().contains(&workspace) {
            keys.remove(&id);
        }
    }

    /// Tells the record that took this one's place when it was last used, and has that written down anew.
    fn hand_on(&self, old: &LiveKey) {
        let _ = self.with(old.id, |new| {
            let _writing = self.source_lock(old.id);
            new.inherit(old);
            self.usage.list(new);
        });
    }

    /// Drops every key of a workspace that was deleted, for good.
    pub(crate) fn forget_workspace(&self, workspace: WorkspaceId) {
        self.gone.pin().insert(workspace);
        let keys = self.keys.pin();
        keys.retain(|_, key| key.workspace != workspace);
        self.imported.pin().retain(|_, id| keys.contains_key(id));
    }

    /// What `of` makes of the key of that ID; `None` where there is none.
    pub(crate) fn with<R>(&self, id: KeyId, of: impl FnOnce(&LiveKey) -> R) -> Option<R> {
        self.keys.pin().get(&id).map(of)
    }

    /// What `proved` makes of the key that `text` is a secret of, and of which; `None` where it is nobody's. Length, shape
    /// and checksum of a key of our own come first, so that what was mistyped costs next to nothing.
    ///
    /// A key is looked at where it lies: to hand it out would touch memory that nobody else needs.
    pub(crate) fn prove<R>(
        &self,
        text: &str,
        brand: &Brand,
        proved: impl FnOnce(&LiveKey, Proof) -> R,
    ) -> Option<R> {
        let own = match SecretKey::parse(text, brand) {
            Ok(secret_key) if secret_key.kind().environment().is_some() => Some(secret_key),
            Err(BadKey::Shape) => None,
            // An operator key is no API key, whoever imported its digest.
            Ok(_) | Err(BadKey::TooLong | BadKey::Checksum) => return None,
        };
        let keys = self.keys.pin();
        let own = own.and_then(|secret_key| self.prove_own(keys.get(&secret_key.id()), &secret_key));
        let (key, proof) = own.or_else(|| self.prove_imported(text, |id| keys.get(&id)))?;
        Some(proved(key, proof))
    }

    /// Whether `secret_key` is a secret of `key`, the key of its ID. That there is none costs as much as a wrong secret.
    fn prove_own<'a>(
        &self,
        key: Option<&'a LiveKey>,
        secret_key: &SecretKey,
    ) -> Option<(&'a LiveKey, Proof)> {
        let Some(key) = key else {
            let nobodys = StoredDigest { digest: Digest::DUMMY, pepper: PEPPER, of: DigestOf::Secret };
            let _never = self.peppers.proves(secret_key, &nobodys);
            return None;
        };
        // A text with another environment's word and a checksum to fit is not the key that was given out.
        let is_its_kind = secret_key.kind() == key.environment.kind();
        let proof = which(key, |digest| self.peppers.proves(secret_key, digest)).filter(|_| is_its_kind)?;
        Some((key, proof))
    }

    /// Whether `text` is a secret that another system gave out. It is looked up by a digest under the pepper, which nobody
    /// outside can aim at, and compared in constant time all the same.
    fn prove_imported<'a>(
        &self,
        text: &str,
        key_of: impl FnOnce(KeyId) -> Option<&'a LiveKey>,
    ) -> Option<(&'a LiveKey, Proof)> {
        let imported = self.imported.pin();
        if imported.is_empty() || text.is_empty() {
            return None;
        }
        let presented = self.peppers.digest_imported(&ImportedKey::of_text(text));
        let key = key_of(*imported.get(presented.digest.as_bytes())?)?;
        let same =
            |digest: &StoredDigest| digest.of == presented.of && digest.digest.matches(&presented.digest);
        which(key, same).map(|proof| (key, proof))
    }

    /// Notes that a key was let through at `now` from `source`.
    pub(crate) fn used(&self, key: &LiveKey, proof: Proof, now: Timestamp, source: Option<IpAddr>) {
        if !key.secret_used(proof, now) {
            return;
        }
        {
            let _writing = self.source_lock(key.id);
            key.used(now, source);
        }
        if key.activity.is_retired.load(SeqCst) {
            self.hand_on(key);
        }
    }

    /// When and from where a key was last used.
    pub(crate) fn last_use(&self, key: &LiveKey) -> LastUse {
        let _reading = self.source_lock(key.id);
        key.last_use()
    }

    fn source_lock(&self, id: KeyId) -> MutexGuard<'_, ()> {
        let place = id.as_str().bytes().fold(0, |sum, byte| sum + usize::from(byte)) % SOURCE_LOCKS;
        self.source_locks[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// Which of a key's secrets it is that `matches`.
fn which(key: &LiveKey, matches: impl Fn(&StoredDigest) -> bool) -> Option<Proof> {
    if matches(&key.current.stored()) {
        return Some(Proof::Current);
    }
    let previous = key.previous()?;
    matches(&previous.digest.stored()).then_some(Proof::Previous { expires_at: previous.expires_at })
}

#[cfg(test)]
mod tests {
    use keybell_core::key::{ApiKey, Environment, Kind, Switch};
    use keybell_core::seal::MasterKey;
    use keybell_core::{ActorRef, Randomness};

    use super::*;

    struct Fixed;
    impl Randomness for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(9);
        }
    }

    /// A key of one workspace, its version, and whether it is revoked in it.
    fn version(number: i64, revoked: bool) -> (SecretKey, StoredKey) {
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
        (secret_key, StoredKey { key, current, previous: None })
    }

    /// Whether it is on, and its name, as a check sees it.
    fn proved(ring: &Keyring, secret_key: &SecretKey) -> Option<(Switch, String)> {
        let brand = Brand::parse("kb").expect("a brand");
        ring.prove(secret_key.reveal(), &brand, |key, _| (key.standing().switch, key.name.to_string()))
    }

    fn peppers() -> Peppers {
        Peppers::of(&MasterKey::from_bytes([7; 32]))
    }

    #[test]
    fn an_older_version_that_comes_late_does_not_bring_a_key_back() {
        let ring = Keyring::new(peppers(), Arc::new(Usage::new()), 0);
        let (secret_key, first) = version(1, false);
        ring.put(&first);
        ring.put(&version(3, true).1);
        ring.put(&version(2, false).1);
        let seen = proved(&ring, &secret_key).expect("its secret is known");
        assert_eq!((seen, ring.len()), ((Switch::Revoked, "version 3".to_owned()), 1));
    }

    #[test]
    fn a_change_that_comes_after_its_workspace_was_deleted_is_dropped() {
        let ring = Keyring::new(peppers(), Arc::new(Usage::new()), 0);
        let (secret_key, first) = version(1, false);
        ring.put(&first);
        ring.forget_workspace(WorkspaceId::from_bytes([1; 16]));
        ring.put(&version(2, false).1);
        assert!(proved(&ring, &secret_key).is_none() && ring.len() == 0);
    }

    #[test]
    fn a_digest_under_another_master_key_proves_nothing() {
        let ring = Keyring::new(Peppers::of(&MasterKey::from_bytes([8; 32])), Arc::new(Usage::new()), 0);
        let (secret_key, planted) = version(1, false);
        ring.put(&planted);
        assert!(proved(&ring, &secret_key).is_none());
    }

    #[test]
    fn a_credential_of_another_kind_is_no_api_key_though_its_digest_was_imported() {
        let brand = Brand::parse("kb").expect("a brand");
        let ring = Keyring::new(peppers(), Arc::new(Usage::new()), 0);
        let (_, mut imported) = version(1, false);
        let operator_key = SecretKey::mint(&brand, Kind::Operator, &Fixed);
        let foreign = "ck_prod_dxjgVIbY";
        for (number, text, taken) in [(1, operator_key.reveal(), false), (2, foreign, true), (3, "", false)] {
            imported.current = peppers().digest_imported(&ImportedKey::of_text(text));
            imported.key.updated_at = Timestamp::from_seconds(number);
            ring.put(&imported);
            assert_eq!(ring.prove(text, &brand, |_, _| ()).is_some(), taken, "{number}");
        }
    }
}
