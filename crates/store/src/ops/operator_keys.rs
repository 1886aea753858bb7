//! Operator keys: the credentials of the platform's backend and of whoever runs the installation.

use keybell_core::grant::Origin;
use keybell_core::key::{Digest, KeyId};
use keybell_core::{ActorRef, Timestamp};

use crate::error::StoreError;
use crate::ops::audit::{self, AuditFact};
use crate::statements;
use crate::tx::{Op, Query, Read, Row, Tx};

statements! {
    INSERT = "INSERT INTO operator_keys (id, name, digest, pepper, created_at) \
              SELECT $1, $2, $3, $4, $5 \
              WHERE (SELECT COUNT(*) FROM operator_keys WHERE revoked_at IS NULL) < $6 \
              ON CONFLICT DO NOTHING";
    EXISTS = "SELECT id FROM operator_keys WHERE id = $1";
    LIST = "SELECT id, name, digest, pepper, created_at, last_used_at, revoked_at FROM operator_keys \
            ORDER BY created_at DESC, id DESC";
    LIVE = "SELECT id, name, digest, pepper, created_at, last_used_at, revoked_at FROM operator_keys \
            WHERE revoked_at IS NULL ORDER BY created_at DESC, id DESC";
    REVOKE = "UPDATE operator_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
}

/// An operator key, without its secret.
#[derive(Clone)]
pub struct StoredOperatorKey {
    /// Its ID.
    pub id: KeyId,
    /// What it was named.
    pub name: String,
    /// What is remembered of its secret.
    pub digest: Digest,
    /// Under which pepper.
    pub pepper: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// What came of inserting a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is there.
    Done,
    /// Another key has this ID; try with another.
    IdTaken,
    /// There are as many as there may be.
    Full,
}

/// Adds an operator key.
pub struct InsertOperatorKey {
    /// The key.
    pub key: StoredOperatorKey,
    /// Most operator keys that are not revoked.
    pub keys_max: u32,
    /// Who makes it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for InsertOperatorKey {
    const NAME: &'static str = "operator_keys.insert";
    type Out = Inserted;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let key = &self.key;
        let args = [
            key.id.as_str().into(),
            (&key.name).into(),
            key.digest.as_bytes().as_slice().into(),
            i64::from(key.pepper).into(),
            key.created_at.into(),
            i64::from(self.keys_max).into(),
        ];
        if tx.exec(&INSERT, &args)? == 0 {
            let taken = tx.as_read().first(&EXISTS, &[key.id.as_str().into()], |_| Ok(()))?;
            return Ok(if taken.is_some() { Inserted::IdTaken } else { Inserted::Full });
        }
        audit::entry(tx, audit::NO_WORKSPACE, &self.by, &self.origin, &self.fact)?;
        Ok(Inserted::Done)
    }
}

/// Every operator key that there ever was, newest first.
#[derive(Debug)]
pub struct ListOperatorKeys;

impl Query for ListOperatorKeys {
    const NAME: &'static str = "operator_keys.list";
    type Out = Vec<StoredOperatorKey>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.all(&LIST, &[], read_key)
    }
}

/// The operator keys that are not revoked.
#[derive(Debug)]
pub struct LiveOperatorKeys;

impl Query for LiveOperatorKeys {
    const NAME: &'static str = "operator_keys.live";
    type Out = Vec<StoredOperatorKey>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.all(&LIVE, &[], read_key)
    }
}

/// Revokes an operator key; whether it was one that was not revoked before.
#[derive(Debug)]
pub struct RevokeOperatorKey {
    /// Which.
    pub id: KeyId,
    /// When.
    pub at: Timestamp,
    /// Who revokes it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for RevokeOperatorKey {
    const NAME: &'static str = "operator_keys.revoke";
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        if tx.exec(&REVOKE, &[self.id.as_str().into(), self.at.into()])? == 0 {
            return Ok(false);
        }
        audit::entry(tx, audit::NO_WORKSPACE, &self.by, &self.origin, &self.fact)?;
        Ok(true)
    }
}

fn read_key(row: &dyn Row) -> Result<StoredOperatorKey, StoreError> {
    Ok(StoredOperatorKey {
        id: KeyId::parse(row.text(0)?).ok_or(StoreError::Corrupt { what: "key id" })?,
        name: row.text(1)?.to_owned(),
        digest: super::api_keys::read_digest(row.bytes(2)?)?,
        pepper: super::api_keys::read_pepper(row.int(3)?)?,
        created_at: row.at(4)?,
        last_used_at: row.opt_at(5)?,
        revoked_at: row.opt_at(6)?,
    })
}
