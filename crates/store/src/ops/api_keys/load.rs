//! All keys, as far as memory needs them: what is read at the start.

use ipnet::IpNet;
use keybell_core::key::{Environment, KeyId, RateLimit, Switch};
use keybell_core::{Timestamp, WorkspaceId};

use super::{
    StoredDigest, StoredKey, read_environment, read_id, read_networks, read_previous_digest,
    read_stored_digest,
};
use crate::error::StoreError;
use crate::ops::json;
use crate::statements;
use crate::tx::{Query, Read, Row};

statements! {
    LOAD = "SELECT workspace_id, id, environment, name, digest, pepper, digest_of, previous_digest, previous_pepper, \
            previous_digest_of, previous_expires_at, previous_last_used_at, enabled, revoked_at, expires_at, scopes, \
            allowed_networks, rate_limits, metadata, updated_at, last_used_at, last_used_from FROM api_keys \
            WHERE (workspace_id, id) > ($1, $2) ORDER BY workspace_id, id LIMIT $3";
    COUNT = "SELECT COUNT(*) FROM api_keys";
    COUNT_OF_WORKSPACE = "SELECT COUNT(*), COUNT(CASE WHEN k.revoked_at IS NULL AND k.enabled = 1 \
                          AND (k.expires_at IS NULL OR k.expires_at > $2) THEN 1 END) FROM \
                          (SELECT revoked_at, enabled, expires_at FROM api_keys WHERE workspace_id = $1 \
                          ORDER BY id LIMIT $3) k";
}

/// What is stored where a list or an object is empty: most are, and a million of them need no parser.
const EMPTY_LIST: &str = "[]";

/// What a check of a key needs to know of it.
#[derive(Clone)]
pub struct LoadedKey {
    /// The workspace it belongs to.
    pub workspace: WorkspaceId,
    /// Its ID.
    pub id: KeyId,
    /// Which half of the platform it opens.
    pub environment: Environment,
    /// What people call it.
    pub name: String,
    /// Of the secret it has.
    pub current: StoredDigest,
    /// Of the secret it had before the last rotation.
    pub previous: Option<LoadedPrevious>,
    /// Whether it is on.
    pub switch: Switch,
    /// From when on it is no longer good, if ever.
    pub expires_at: Option<Timestamp>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// From where it may be used; from everywhere where there is none.
    pub allowed_networks: Vec<IpNet>,
    /// How often it may be used.
    pub rate_limits: Vec<RateLimit>,
    /// What the platform wants to know of it: the text of a JSON object.
    pub metadata: String,
    /// Its version: greater with each change.
    pub updated_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// From where.
    pub last_used_from: Option<String>,
}

/// The secret before the last rotation.
#[derive(Clone, Copy)]
pub struct LoadedPrevious {
    /// What is remembered of it.
    pub digest: StoredDigest,
    /// The end of the overlap.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

impl From<&StoredKey> for LoadedKey {
    fn from(stored: &StoredKey) -> LoadedKey {
        let StoredKey { key, current, previous } = stored;
        LoadedKey {
            workspace: key.workspace,
            id: key.id,
            environment: key.environment,
            name: key.name.clone(),
            current: *current,
            previous: previous.zip(key.previous_secret).map(|(digest, previous)| LoadedPrevious {
                digest,
                expires_at: previous.expires_at,
                last_used_at: previous.last_used_at,
            }),
            switch: key.switch(),
            expires_at: key.expires_at,
            scopes: key.scopes.clone(),
            allowed_networks: key.allowed_networks.clone(),
            rate_limits: key.rate_limits.clone(),
            metadata: json::write(&key.metadata),
            updated_at: key.updated_at,
            last_used_at: key.last_used_at,
            last_used_from: key.last_used_from.clone(),
        }
    }
}

/// How many keys there are, of all workspaces and in every state.
#[derive(Debug)]
pub struct CountKeys;

impl Query for CountKeys {
    const NAME: &'static str = "api_keys.count";
    type Out = i64;

    fn run(&self, tx: &mut dyn Read) -> Result<i64, StoreError> {
        Ok(tx.first(&COUNT, &[], |row| row.int(0))?.unwrap_or(0))
    }
}

/// How many keys a workspace has.
#[derive(Debug)]
pub struct CountKeysOfWorkspace {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The present instant, which tells those that have expired.
    pub now: Timestamp,
    /// Most keys to count.
    pub rows: i64,
}

impl Query for CountKeysOfWorkspace {
    const NAME: &'static str = "api_keys.count_of_workspace";
    /// All of them, and those that are active.
    type Out = (i64, i64);

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let args = [(&self.workspace).into(), self.now.into(), self.rows.into()];
        let counted = tx.first(&COUNT_OF_WORKSPACE, &args, |row| Ok((row.int(0)?, row.int(1)?)))?;
        Ok(counted.unwrap_or_default())
    }
}

/// Keys of all workspaces, in the order of their primary key: what is read into memory at the start.
#[derive(Debug)]
pub struct LoadKeys {
    /// Only keys after this one.
    pub after: Option<(WorkspaceId, KeyId)>,
    /// Most keys to give.
    pub rows: i64,
}

impl Query for LoadKeys {
    const NAME: &'static str = "api_keys.load";
    type Out = Vec<LoadedKey>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let first = WorkspaceId::from_bytes([0; 16]);
        let (workspace, id) =
            self.after.as_ref().map_or((&first, ""), |(workspace, id)| (workspace, id.as_str()));
        tx.all(&LOAD, &[workspace.into(), id.into(), self.rows.into()], read_loaded)
    }
}

fn read_loaded(row: &dyn Row) -> Result<LoadedKey, StoreError> {
    Ok(LoadedKey {
        workspace: row.id(0)?,
        id: read_id(row.text(1)?)?,
        environment: read_environment(row.text(2)?)?,
        name: row.text(3)?.to_owned(),
        current: read_stored_digest(row, 4, 5, 6)?,
        previous: read_previous(row)?,
        switch: match (row.opt_at(13)?, row.bool(12)?) {
            (Some(_), _) => Switch::Revoked,
            (None, true) => Switch::On,
            (None, false) => Switch::Off,
        },
        expires_at: row.opt_at(14)?,
        scopes: read_list(row.text(15)?, "list of scopes")?,
        allowed_networks: match row.text(16)? {
            EMPTY_LIST => Vec::new(),
            text => read_networks(text)?,
        },
        rate_limits: read_list(row.text(17)?, "list of rate limits")?,
        metadata: row.text(18)?.to_owned(),
        updated_at: row.at(19)?,
        last_used_at: row.opt_at(20)?,
        last_used_from: row.opt_text(21)?.map(str::to_owned),
    })
}

fn read_previous(row: &dyn Row) -> Result<Option<LoadedPrevious>, StoreError> {
    let digest = read_previous_digest(row, 7, 8, 9)?;
    let (Some(digest), Some(expires_at)) = (digest, row.opt_at(10)?) else { return Ok(None) };
    Ok(Some(LoadedPrevious { digest, expires_at, last_used_at: row.opt_at(11)? }))
}

fn read_list<T: serde::de::DeserializeOwned>(text: &str, what: &'static str) -> Result<Vec<T>, StoreError> {
    if text == EMPTY_LIST { Ok(Vec::new()) } else { json::read(text, what) }
}
