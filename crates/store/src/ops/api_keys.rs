//! API keys. What is stored of a secret is its digest; what is looked up by is the ID, never the digest.
//!
//! Every change makes `updated_at` greater, so that it tells versions of a record apart: an edit names the version it
//! was made from, and the memory never lets an older version replace a newer one.

use keybell_core::grant::Origin;
use keybell_core::key::{ApiKey, Digest, Environment, KeyId, KeyStatus, PreviousSecret};
use keybell_core::{ActorRef, Timestamp, WorkspaceId};

use crate::error::StoreError;
use crate::ops::audit::{self, AuditFact};
use crate::ops::json;
use crate::statements;
use crate::tx::{Op, Query, Read, Row, Tx};

macro_rules! columns {
    () => {
        "workspace_id, id, environment, name, description, digest, pepper, previous_digest, previous_pepper, \
         previous_expires_at, previous_last_used_at, enabled, scopes, allowed_networks, rate_limits, metadata, \
         expires_at, created_at, created_by, updated_at, last_used_at, last_used_from, revoked_at, revoked_by"
    };
}

statements! {
    INSERT = "INSERT INTO api_keys (workspace_id, id, environment, name, description, digest, pepper, enabled, scopes, \
              allowed_networks, rate_limits, metadata, expires_at, created_at, created_by_id, created_by, updated_at) \
              SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $14 \
              WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = $1) \
              AND (SELECT COUNT(*) FROM api_keys WHERE workspace_id = $1) < $17 \
              ON CONFLICT DO NOTHING";
    ID_TAKEN = "SELECT id FROM api_keys WHERE id = $1";
    WORKSPACE = "SELECT id FROM workspaces WHERE id = $1";
    BY_ID = concat!("SELECT ", columns!(), " FROM api_keys WHERE workspace_id = $1 AND id = $2");
    LIST = concat!("SELECT ", columns!(), " FROM api_keys \
            WHERE workspace_id = $1 AND (created_at, id) < ($2, $3) \
            AND (CAST($4 AS TEXT) IS NULL OR environment = $4) \
            AND (CAST($5 AS TEXT) IS NULL OR $5 = CASE WHEN revoked_at IS NOT NULL THEN 'revoked' \
            WHEN enabled = 0 THEN 'disabled' WHEN expires_at <= $6 THEN 'expired' ELSE 'active' END) \
            AND (CAST($7 AS TEXT) IS NULL OR LOWER(name) LIKE $8 ESCAPE '!' OR name LIKE $7 ESCAPE '!' \
            OR LOWER(description) LIKE $8 ESCAPE '!' OR description LIKE $7 ESCAPE '!' OR id = $9) \
            ORDER BY created_at DESC, id DESC LIMIT $10");
    LOAD = concat!("SELECT ", columns!(), " FROM api_keys \
            WHERE (workspace_id, id) > ($1, $2) ORDER BY workspace_id, id LIMIT $3");
    EDIT = concat!("UPDATE api_keys SET name = $5, description = $6, enabled = $7, scopes = $8, \
            allowed_networks = $9, rate_limits = $10, metadata = $11, expires_at = $12, updated_at = $13 \
            WHERE workspace_id = $1 AND id = $2 AND updated_at = $3 AND revoked_at IS NULL \
            AND (CAST($4 AS TEXT) IS NULL OR created_by_id = $4) RETURNING ", columns!());
    ROTATE = concat!("UPDATE api_keys SET previous_digest = digest, previous_pepper = pepper, \
            previous_expires_at = $5, previous_last_used_at = last_used_at, digest = $6, pepper = $7, updated_at = $8 \
            WHERE workspace_id = $1 AND id = $2 AND updated_at = $3 AND revoked_at IS NULL \
            AND (CAST($4 AS TEXT) IS NULL OR created_by_id = $4) RETURNING ", columns!());
    REVOKE = concat!("UPDATE api_keys SET revoked_at = $4, revoked_by = $5, \
            updated_at = CASE WHEN updated_at >= $4 THEN updated_at + 1 ELSE $4 END \
            WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL \
            AND (CAST($3 AS TEXT) IS NULL OR created_by_id = $3) RETURNING ", columns!());
}

/// An API key as it is stored: the record, and what is remembered of its secrets.
#[derive(Clone)]
pub struct StoredKey {
    /// The record.
    pub key: ApiKey,
    /// Of the secret it has.
    pub current: StoredDigest,
    /// Of the secret it had before the last rotation.
    pub previous: Option<StoredDigest>,
}

/// A digest, and the number of the pepper it was made under.
#[derive(Clone, Copy)]
pub struct StoredDigest {
    /// The digest.
    pub digest: Digest,
    /// The pepper's number.
    pub pepper: u32,
}

/// What came of adding a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is there.
    Done,
    /// Another key has this ID; try with another.
    IdTaken,
    /// The workspace has as many as it may.
    Full,
    /// The workspace was deleted meanwhile.
    NoWorkspace,
}

/// What came of changing a key.
pub enum Changed {
    /// It is changed: the record as it is now.
    Done(Box<StoredKey>),
    /// It was revoked before: the record as it was left.
    Revoked(Box<StoredKey>),
    /// Somebody changed it since the version that the change was made from.
    Stale,
    /// It is somebody else's, and whoever asks may only change their own.
    NotTheirs,
    /// The workspace has no such key.
    Missing,
}

/// Adds a key.
pub struct InsertKey {
    /// The key.
    pub stored: StoredKey,
    /// Most keys of a workspace, revoked ones included.
    pub keys_max: u32,
    /// From where it is made.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for InsertKey {
    const NAME: &'static str = "api_keys.insert";
    type Out = Inserted;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let StoredKey { key, current, .. } = &self.stored;
        let written = Written::of(key);
        let created_by = json::write(&key.created_by);
        let args = [
            (&key.workspace).into(),
            key.id.as_str().into(),
            key.environment.as_str().into(),
            (&key.name).into(),
            (&key.description).into(),
            current.digest.as_bytes().as_slice().into(),
            i64::from(current.pepper).into(),
            key.enabled.into(),
            (&written.scopes).into(),
            (&written.allowed_networks).into(),
            (&written.rate_limits).into(),
            (&written.metadata).into(),
            key.expires_at.into(),
            key.created_at.into(),
            (&key.created_by.id).into(),
            (&created_by).into(),
            i64::from(self.keys_max).into(),
        ];
        if tx.exec(&INSERT, &args)? == 0 {
            let taken = tx.as_read().first(&ID_TAKEN, &[key.id.as_str().into()], |_| Ok(()))?;
            let workspace = tx.as_read().first(&WORKSPACE, &[(&key.workspace).into()], |_| Ok(()))?;
            return Ok(match (workspace, taken) {
                (None, _) => Inserted::NoWorkspace,
                (Some(()), Some(())) => Inserted::IdTaken,
                (Some(()), None) => Inserted::Full,
            });
        }
        audit::entry(tx, key.workspace, &key.created_by, &self.origin, &self.fact)?;
        Ok(Inserted::Done)
    }
}

/// One key of a workspace.
#[derive(Debug)]
pub struct GetKey {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The key.
    pub id: KeyId,
}

impl Query for GetKey {
    const NAME: &'static str = "api_keys.get";
    type Out = Option<StoredKey>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.first(&BY_ID, &[(&self.workspace).into(), self.id.as_str().into()], read_key)
    }
}

/// Keys of a workspace, newest first.
#[derive(Debug)]
pub struct ListKeys {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Only keys after this one in the list: when it was made, and its ID.
    pub after: Option<(Timestamp, KeyId)>,
    /// Only keys of this environment.
    pub environment: Option<Environment>,
    /// Only keys in this state.
    pub status: Option<KeyStatus>,
    /// The instant at which the states are.
    pub now: Timestamp,
    /// Only keys with this text in the name or the description, without regard to the case of `a`–`z`.
    pub text: Option<String>,
    /// … or with this ID.
    pub id: Option<KeyId>,
    /// Most keys to give.
    pub rows: i64,
}

impl Query for ListKeys {
    const NAME: &'static str = "api_keys.list";
    type Out = Vec<StoredKey>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let end = Timestamp::from_micros(i64::MAX);
        let (at, id) = self.after.as_ref().map_or((end, ""), |(at, id)| (*at, id.as_str()));
        let pattern = self.text.as_deref().map(containing);
        let lower = self.text.as_deref().map(|text| containing(&text.to_lowercase()));
        let args = [
            (&self.workspace).into(),
            at.into(),
            id.into(),
            self.environment.map(Environment::as_str).into(),
            self.status.map(KeyStatus::as_str).into(),
            self.now.into(),
            pattern.as_ref().into(),
            lower.as_ref().into(),
            self.id.as_ref().map(KeyId::as_str).into(),
            self.rows.into(),
        ];
        tx.all(&LIST, &args, read_key)
    }
}

/// A pattern of `LIKE … ESCAPE '!'` for what contains `text`.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for char in text.chars() {
        if matches!(char, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
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
    type Out = Vec<StoredKey>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let first = WorkspaceId::from_bytes([0; 16]);
        let (workspace, id) =
            self.after.as_ref().map_or((&first, ""), |(workspace, id)| (workspace, id.as_str()));
        tx.all(&LOAD, &[workspace.into(), id.into(), self.rows.into()], read_key)
    }
}

/// Writes what may be edited of a key, made from the version `from`.
pub struct EditKey {
    /// The record as it shall be; its `updated_at` is greater than `from`.
    pub key: ApiKey,
    /// The `updated_at` of the record that the edit was made from.
    pub from: Timestamp,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who edits it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for EditKey {
    const NAME: &'static str = "api_keys.edit";
    type Out = Changed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let key = &self.key;
        let written = Written::of(key);
        let args = [
            (&key.workspace).into(),
            key.id.as_str().into(),
            self.from.into(),
            self.only_made_by.as_ref().into(),
            (&key.name).into(),
            (&key.description).into(),
            key.enabled.into(),
            (&written.scopes).into(),
            (&written.allowed_networks).into(),
            (&written.rate_limits).into(),
            (&written.metadata).into(),
            key.expires_at.into(),
            key.updated_at.into(),
        ];
        let Some(changed) = tx.as_read().first(&EDIT, &args, read_key)? else {
            return why_not(tx, key.workspace, key.id, self.only_made_by.as_deref());
        };
        audit::entry(tx, key.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Changed::Done(Box::new(changed)))
    }
}

/// Gives a key a new secret, made from the version `from`; the one it has stays good until `overlap_until`.
pub struct RotateKey {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The key.
    pub id: KeyId,
    /// Of the new secret.
    pub digest: StoredDigest,
    /// The end of the overlap.
    pub overlap_until: Timestamp,
    /// The `updated_at` of the record that the rotation was decided on.
    pub from: Timestamp,
    /// When; greater than `from`.
    pub at: Timestamp,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who rotates it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for RotateKey {
    const NAME: &'static str = "api_keys.rotate";
    type Out = Changed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let args = [
            (&self.workspace).into(),
            self.id.as_str().into(),
            self.from.into(),
            self.only_made_by.as_ref().into(),
            self.overlap_until.into(),
            self.digest.digest.as_bytes().as_slice().into(),
            i64::from(self.digest.pepper).into(),
            self.at.into(),
        ];
        let Some(changed) = tx.as_read().first(&ROTATE, &args, read_key)? else {
            return why_not(tx, self.workspace, self.id, self.only_made_by.as_deref());
        };
        audit::entry(tx, self.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Changed::Done(Box::new(changed)))
    }
}

/// Revokes a key for ever. Again is [`Changed::Revoked`], unchanged.
#[derive(Debug)]
pub struct RevokeKey {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The key.
    pub id: KeyId,
    /// When.
    pub at: Timestamp,
    /// Only if it was made by this member.
    pub only_made_by: Option<String>,
    /// Who revokes it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for RevokeKey {
    const NAME: &'static str = "api_keys.revoke";
    type Out = Changed;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let by = json::write(&self.by);
        let args = [
            (&self.workspace).into(),
            self.id.as_str().into(),
            self.only_made_by.as_ref().into(),
            self.at.into(),
            (&by).into(),
        ];
        let Some(changed) = tx.as_read().first(&REVOKE, &args, read_key)? else {
            return why_not(tx, self.workspace, self.id, self.only_made_by.as_deref());
        };
        audit::entry(tx, self.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(Changed::Done(Box::new(changed)))
    }
}

/// Why a guarded change changed nothing.
fn why_not(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    id: KeyId,
    only_made_by: Option<&str>,
) -> Result<Changed, StoreError> {
    let found = tx.as_read().first(&BY_ID, &[(&workspace).into(), id.as_str().into()], read_key)?;
    Ok(match found {
        None => Changed::Missing,
        Some(stored) if only_made_by.is_some_and(|member| member != stored.key.created_by.id) => {
            Changed::NotTheirs
        }
        Some(stored) if stored.key.revoked_at.is_some() => Changed::Revoked(Box::new(stored)),
        Some(_) => Changed::Stale,
    })
}

/// The fields of a key that are stored as JSON, written.
struct Written {
    scopes: String,
    allowed_networks: String,
    rate_limits: String,
    metadata: String,
}

impl Written {
    fn of(key: &ApiKey) -> Written {
        let networks: Vec<String> = key.allowed_networks.iter().map(ToString::to_string).collect();
        Written {
            scopes: json::write(&key.scopes),
            allowed_networks: json::write(&networks),
            rate_limits: json::write(&key.rate_limits),
            metadata: json::write(&key.metadata),
        }
    }
}

pub(super) fn read_digest(bytes: &[u8]) -> Result<Digest, StoreError> {
    bytes.try_into().map(Digest::from_bytes).map_err(|_| StoreError::Corrupt { what: "digest" })
}

pub(super) fn read_pepper(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::Corrupt { what: "pepper number" })
}

/// Reads the columns of `columns!`, in their order.
fn read_key(row: &dyn Row) -> Result<StoredKey, StoreError> {
    let current = StoredDigest { digest: read_digest(row.bytes(5)?)?, pepper: read_pepper(row.int(6)?)? };
    let previous = match row.opt_bytes(7)? {
        Some(digest) => {
            Some(StoredDigest { digest: read_digest(digest)?, pepper: read_pepper(row.int(8)?)? })
        }
        None => None,
    };
    let previous_secret = match row.opt_at(9)? {
        Some(expires_at) => Some(PreviousSecret { expires_at, last_used_at: row.opt_at(10)? }),
        None => None,
    };
    let networks: Vec<String> = json::read(row.text(13)?, "list of networks")?;
    let networks: Result<_, _> = networks.iter().map(|network| network.parse()).collect();
    let key = ApiKey {
        workspace: row.id(0)?,
        id: KeyId::parse(row.text(1)?).ok_or(StoreError::Corrupt { what: "key id" })?,
        environment: Environment::parse(row.text(2)?).ok_or(StoreError::Corrupt { what: "environment" })?,
        name: row.text(3)?.to_owned(),
        description: row.text(4)?.to_owned(),
        previous_secret,
        enabled: row.bool(11)?,
        scopes: json::read(row.text(12)?, "list of scopes")?,
        allowed_networks: networks.map_err(|_| StoreError::Corrupt { what: "network" })?,
        rate_limits: json::read(row.text(14)?, "list of rate limits")?,
        metadata: json::read(row.text(15)?, "metadata")?,
        expires_at: row.opt_at(16)?,
        created_at: row.at(17)?,
        created_by: json::read(row.text(18)?, "actor")?,
        updated_at: row.at(19)?,
        last_used_at: row.opt_at(20)?,
        last_used_from: row.opt_text(21)?.map(str::to_owned),
        revoked_at: row.opt_at(22)?,
        revoked_by: row.opt_text(23)?.map(|by| json::read(by, "actor")).transpose()?,
    };
    Ok(StoredKey { key, current, previous })
}
