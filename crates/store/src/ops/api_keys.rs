//! API keys. What is stored of a secret is its digest; what is looked up by is the ID, never the digest.
//!
//! Every change makes `updated_at` greater, so that it tells versions of a record apart: an edit names the version it
//! was made from, and the memory never lets an older version replace a newer one. That a key was used is no change.

pub(super) mod change;
pub(super) mod import;
pub(super) mod last_use;
pub(super) mod list;
pub(super) mod load;

pub use change::{Changed, EditKey, EndOverlap, KeyToRevoke, RevokeKey, RevokeKeys, RotateKey};
pub use import::{ImportKeys, Imported};
pub use last_use::{LastUse, RecordLastUses};
pub use list::{KeyOrder, ListKeys};
pub use load::{CountKeys, CountKeysOfWorkspace, LoadKeys, LoadedKey, LoadedPrevious};

use ipnet::IpNet;
use keybell_core::WorkspaceId;
use keybell_core::grant::Origin;
use keybell_core::key::{ApiKey, Digest, Environment, KeyId, PreviousSecret};

use crate::error::StoreError;
use crate::ops::audit::{self, AuditFact};
use crate::ops::json;
use crate::statements;
use crate::tx::{Op, Query, Read, Row, Tx};

macro_rules! columns {
    () => {
        "workspace_id, id, environment, name, description, digest, pepper, previous_digest, previous_pepper, \
         previous_expires_at, previous_last_used_at, enabled, scopes, allowed_networks, rate_limits, metadata, \
         expires_at, created_at, created_by, updated_at, last_used_at, last_used_from, revoked_at, revoked_by, \
         digest_of, previous_digest_of"
    };
}
use columns;

statements! {
    INSERT = "INSERT INTO api_keys (workspace_id, id, environment, name, description, digest, pepper, enabled, scopes, \
              allowed_networks, rate_limits, metadata, expires_at, created_at, created_by_id, created_by, updated_at, \
              digest_of) \
              SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $14, $18 \
              WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = $1) \
              AND (SELECT COUNT(*) FROM api_keys WHERE workspace_id = $1) < $17 \
              ON CONFLICT DO NOTHING";
    ID_TAKEN = "SELECT id FROM api_keys WHERE id = $1";
    IMPORTED = "SELECT id FROM api_keys WHERE digest = $1 AND digest_of = 'sha256' \
                UNION ALL SELECT id FROM api_keys WHERE previous_digest = $1 AND previous_digest_of = 'sha256'";
    WORKSPACE = "SELECT id FROM workspaces WHERE id = $1";
    BY_ID = concat!("SELECT ", columns!(), " FROM api_keys WHERE workspace_id = $1 AND id = $2");
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

/// A digest, the number of the pepper it was made under, and what it is of.
#[derive(Clone, Copy)]
pub struct StoredDigest {
    /// The digest.
    pub digest: Digest,
    /// The pepper's number.
    pub pepper: u32,
    /// What it is of.
    pub of: DigestOf,
}

/// What a digest is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestOf {
    /// The secret of a key that we gave out.
    Secret,
    /// The SHA-256 of the text of a key that another system gave out.
    ImportedText,
}

impl DigestOf {
    const fn as_str(self) -> &'static str {
        match self {
            DigestOf::Secret => "secret",
            DigestOf::ImportedText => "sha256",
        }
    }

    fn parse(word: &str) -> Result<DigestOf, StoreError> {
        match word {
            "secret" => Ok(DigestOf::Secret),
            "sha256" => Ok(DigestOf::ImportedText),
            _ => Err(StoreError::Corrupt { what: "word for what a digest is of" }),
        }
    }
}

/// What came of adding a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is there.
    Done,
    /// Another key has this ID; try with another.
    IdTaken,
    /// An imported key has this digest, or had it before its last rotation.
    ImportedBefore,
    /// The workspace has as many as it may.
    Full,
    /// The workspace was deleted meanwhile.
    NoWorkspace,
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
        insert(tx, &self.stored, self.keys_max, &self.origin, &self.fact)
    }
}

/// Adds a key with its audit entry, unless something is in the way.
fn insert(
    tx: &mut dyn Tx,
    stored: &StoredKey,
    keys_max: u32,
    origin: &Origin,
    fact: &AuditFact,
) -> Result<Inserted, StoreError> {
    let StoredKey { key, current, .. } = stored;
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
        i64::from(keys_max).into(),
        current.of.as_str().into(),
    ];
    if tx.exec(&INSERT, &args)? == 0 {
        let there = |tx: &mut dyn Tx, sql, arg| tx.as_read().first(sql, &[arg], |_| Ok(()));
        return Ok(if there(tx, &WORKSPACE, (&key.workspace).into())?.is_none() {
            Inserted::NoWorkspace
        } else if there(tx, &ID_TAKEN, key.id.as_str().into())?.is_some() {
            Inserted::IdTaken
        } else if there(tx, &IMPORTED, current.digest.as_bytes().as_slice().into())?.is_some() {
            Inserted::ImportedBefore
        } else {
            Inserted::Full
        });
    }
    audit::entry(tx, key.workspace, &key.created_by, origin, fact)?;
    Ok(Inserted::Done)
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

fn read_stored_digest(
    row: &dyn Row,
    digest: usize,
    pepper: usize,
    of: usize,
) -> Result<StoredDigest, StoreError> {
    Ok(StoredDigest {
        digest: read_digest(row.bytes(digest)?)?,
        pepper: read_pepper(row.int(pepper)?)?,
        of: DigestOf::parse(row.text(of)?)?,
    })
}

/// The digest of the secret before the last rotation. A rotation from before imports were known left the word out.
fn read_previous_digest(
    row: &dyn Row,
    digest: usize,
    pepper: usize,
    of: usize,
) -> Result<Option<StoredDigest>, StoreError> {
    let Some(digest) = row.opt_bytes(digest)? else { return Ok(None) };
    let of = row.opt_text(of)?.map_or(Ok(DigestOf::Secret), DigestOf::parse)?;
    Ok(Some(StoredDigest { digest: read_digest(digest)?, pepper: read_pepper(row.int(pepper)?)?, of }))
}

fn read_networks(text: &str) -> Result<Vec<IpNet>, StoreError> {
    let networks: Vec<String> = json::read(text, "list of networks")?;
    let networks: Result<_, _> = networks.iter().map(|network| network.parse()).collect();
    networks.map_err(|_| StoreError::Corrupt { what: "network" })
}

fn read_environment(word: &str) -> Result<Environment, StoreError> {
    Environment::parse(word).ok_or(StoreError::Corrupt { what: "environment" })
}

fn read_id(text: &str) -> Result<KeyId, StoreError> {
    KeyId::parse(text).ok_or(StoreError::Corrupt { what: "key id" })
}

/// Reads the columns of `columns!`, in their order.
fn read_key(row: &dyn Row) -> Result<StoredKey, StoreError> {
    let current = read_stored_digest(row, 5, 6, 24)?;
    let previous = read_previous_digest(row, 7, 8, 25)?;
    let previous_secret = match row.opt_at(9)? {
        Some(expires_at) => Some(PreviousSecret { expires_at, last_used_at: row.opt_at(10)? }),
        None => None,
    };
    let key = ApiKey {
        workspace: row.id(0)?,
        id: read_id(row.text(1)?)?,
        environment: read_environment(row.text(2)?)?,
        name: row.text(3)?.to_owned(),
        description: row.text(4)?.to_owned(),
        previous_secret,
        enabled: row.bool(11)?,
        scopes: json::read(row.text(12)?, "list of scopes")?,
        allowed_networks: read_networks(row.text(13)?)?,
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
