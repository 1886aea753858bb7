//! Operator keys: made by a command, checked from memory.
//!
//! Commands run in a process of their own, so a server reads the live keys again every [`OPERATOR_KEYS_EVERY`].

use std::sync::{Arc, Weak};
use std::time::Duration;

use keybell_core::fields;
use keybell_core::grant::Origin;
use keybell_core::key::{KeyId, Kind, PublicIdentifier, SecretKey};
use keybell_core::{Actor, ActorRef, Code, Problem, Timestamp};
use keybell_store::Store;
use keybell_store::ops::api_keys::{DigestOf, StoredDigest};
use keybell_store::ops::operator_keys::{
    InsertOperatorKey, Inserted, ListOperatorKeys, LiveOperatorKeys, RevokeOperatorKey, StoredOperatorKey,
};
use serde_json::json;
use tokio::sync::Mutex;

use crate::keyring::Peppers;
use crate::problems::of_store;
use crate::{App, Inner};

/// How long a server may be behind a command that made or revoked an operator key in another process; where it can, the
/// command asks the server to do it. Rare enough that an idle installation does next to nothing.
pub const OPERATOR_KEYS_EVERY: Duration = Duration::from_secs(3);

/// Most operator keys that are not revoked: each can do everything, and all are read again and again.
pub const OPERATOR_KEYS_MAX: u32 = 100;

/// Tries to find an ID that nobody has. The first one is free in all but one case of 10¹⁹.
const ID_TRIES_MAX: u32 = 3;

/// An operator key as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorKey {
    /// Its name to the outside: `kb_op_…`.
    pub id: PublicIdentifier,
    /// What it was named.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// The live operator keys in memory.
pub(crate) struct OperatorKeys {
    live: papaya::HashMap<KeyId, Arc<StoredOperatorKey>>,
    /// Held from a change's transaction until it is in memory, so that a reading from before it cannot undo it there.
    changing: Mutex<()>,
}

impl OperatorKeys {
    pub(crate) fn new() -> OperatorKeys {
        OperatorKeys { live: papaya::HashMap::new(), changing: Mutex::new(()) }
    }

    /// Makes the memory what the database is.
    pub(crate) async fn read_again(&self, store: &Store) -> Result<(), keybell_store::StoreError> {
        let _changing = self.changing.lock().await;
        let stored = store.read(LiveOperatorKeys).await?;
        let live = self.live.pin();
        live.retain(|id, _| stored.iter().any(|key| key.id == *id));
        for key in stored {
            live.insert(key.id, Arc::new(key));
        }
        Ok(())
    }

    fn prove(&self, secret_key: &SecretKey, peppers: &Peppers) -> Option<Arc<StoredOperatorKey>> {
        let live = self.live.pin();
        let key = live.get(&secret_key.id())?;
        let stored = StoredDigest { digest: key.digest, pepper: key.pepper, of: DigestOf::Secret };
        peppers.proves(secret_key, &stored).then(|| Arc::clone(key))
    }
}

/// Reads the operator keys again for as long as the installation is there.
pub(crate) async fn follow(app: Weak<Inner>) {
    let mut every = tokio::time::interval(OPERATOR_KEYS_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        every.tick().await;
        let Some(inner) = app.upgrade() else { return };
        let read = inner.operator_keys.read_again(&inner.store).await;
        if let Err(error) = &read
            && !failing
        {
            let error: &(dyn std::error::Error + 'static) = error;
            tracing::warn!(
                error,
                "operator keys could not be read again; those in memory stay good meanwhile"
            );
        }
        failing = read.is_err();
    }
}

impl App {
    /// Makes an operator key: the one credential that may do everything. Its secret is given out here and nowhere else.
    pub async fn create_operator_key(&self, name: &str) -> Result<SecretKey, Problem> {
        fields::name(name).map_err(|error| Problem::invalid(vec![error]))?;
        let keys = &self.inner.operator_keys;
        let _changing = keys.changing.lock().await;
        for _ in 0..ID_TRIES_MAX {
            let secret_key = SecretKey::mint(self.brand(), Kind::Operator, self.randomness());
            let digest = self.keyring().peppers().digest(&secret_key);
            let key = StoredOperatorKey {
                id: secret_key.id(),
                name: name.to_owned(),
                digest: digest.digest,
                pepper: digest.pepper,
                created_at: self.now(),
                last_used_at: None,
                revoked_at: None,
            };
            let op = InsertOperatorKey {
                key: key.clone(),
                keys_max: OPERATOR_KEYS_MAX,
                by: command(),
                origin: Origin::default(),
                fact: self.audit_fact(
                    self.now(),
                    "operator_key.created",
                    &secret_key.public_identifier(),
                    json!({}),
                ),
            };
            match self.store().write(op).await.map_err(of_store)? {
                Inserted::Done => {
                    keys.live.pin().insert(key.id, Arc::new(key));
                    return Ok(secret_key);
                }
                Inserted::IdTaken => {}
                Inserted::Full => {
                    let detail = format!("There are {OPERATOR_KEYS_MAX} operator keys. Revoke one first.");
                    return Err(Problem::new(Code::Conflict, detail));
                }
            }
        }
        Err(Problem::internal("no free ID was found for an operator key"))
    }

    /// Every operator key there ever was, newest first.
    pub async fn list_operator_keys(&self) -> Result<Vec<OperatorKey>, Problem> {
        let stored = self.store().read(ListOperatorKeys).await.map_err(of_store)?;
        let shown = |key: StoredOperatorKey| OperatorKey {
            id: PublicIdentifier { brand: *self.brand(), kind: Kind::Operator, id: key.id },
            name: key.name,
            created_at: key.created_at,
            revoked_at: key.revoked_at,
        };
        Ok(stored.into_iter().map(shown).collect())
    }

    /// Revokes the operator key of that public identifier. One that is revoked already is no error.
    ///
    /// Another process that serves this database refuses it within [`OPERATOR_KEYS_EVERY`]. [`Code::NotFound`] where
    /// there never was such a key.
    pub async fn revoke_operator_key(&self, id: &str) -> Result<(), Problem> {
        let not_found = || {
            Problem::new(
                Code::NotFound,
                "There is no operator key of this id; `operator-key list` shows them.",
            )
        };
        let public = PublicIdentifier::parse(id, self.brand()).filter(|public| public.kind == Kind::Operator);
        let public = public.ok_or_else(not_found)?;
        let keys = &self.inner.operator_keys;
        let _changing = keys.changing.lock().await;
        let op = RevokeOperatorKey {
            id: public.id,
            at: self.now(),
            by: command(),
            origin: Origin::default(),
            fact: self.audit_fact(self.now(), "operator_key.revoked", &public, json!({})),
        };
        let revoked = self.store().write(op).await.map_err(of_store)?;
        keys.live.pin().remove(&public.id);
        let known = revoked || self.list_operator_keys().await?.iter().any(|key| key.id == public);
        if known { Ok(()) } else { Err(not_found()) }
    }

    pub(crate) fn operator_of_secret(&self, secret_key: &SecretKey) -> Result<Actor, Problem> {
        let key =
            self.inner.operator_keys.prove(secret_key, self.keyring().peppers()).ok_or(Code::InvalidKey)?;
        Ok(Actor::Operator { key: secret_key.public_identifier().to_string(), name: key.name.clone() })
    }
}

/// Who does what a command does: whoever may read the installation's configuration and master key.
fn command() -> ActorRef {
    ActorRef { kind: "operator".to_owned(), id: "command-line".to_owned(), name: "Command line".to_owned() }
}
