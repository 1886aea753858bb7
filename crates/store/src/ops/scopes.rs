//! Scopes: the catalogue of what a platform's API keys may be allowed. Keybell's own are not stored.

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, Timestamp};

use super::audit::{self, AuditFact, NO_WORKSPACE};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Query, Read, Row, Tx};

statements! {
    INSERT = "INSERT INTO scopes (name, description, created_at) SELECT $1, $2, $3 \
              WHERE (SELECT COUNT(*) FROM scopes) < $4 ON CONFLICT (name) DO NOTHING";
    EXISTS = "SELECT name FROM scopes WHERE name = $1";
    LOAD = "SELECT name, description, created_at FROM scopes";
    DELETE = "DELETE FROM scopes WHERE name = $1";
}

/// A scope that the platform declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Its name, such as `reports:read`.
    pub name: String,
    /// What it allows.
    pub description: String,
    /// When it was declared.
    pub created_at: Timestamp,
}

/// What came of declaring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It is done.
    Done,
    /// The name is in use already.
    Taken,
    /// The catalogue is full.
    Full,
}

/// Declares a scope.
#[derive(Debug)]
pub struct InsertScope {
    /// The scope.
    pub scope: Scope,
    /// Most scopes of an installation.
    pub scopes_max: i64,
    /// Who declares it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for InsertScope {
    const NAME: &'static str = "scopes.insert";
    type Out = Inserted;

    fn run(&self, tx: &mut dyn Tx) -> Result<Inserted, StoreError> {
        let Scope { name, description, created_at } = &self.scope;
        let args = [name.into(), description.into(), (*created_at).into(), self.scopes_max.into()];
        if tx.exec(&INSERT, &args)? == 0 {
            let taken = tx.as_read().first(&EXISTS, &[name.into()], |_| Ok(()))?;
            return Ok(if taken.is_some() { Inserted::Taken } else { Inserted::Full });
        }
        audit::entry(tx, NO_WORKSPACE, &self.by, &self.origin, &self.fact)?;
        Ok(Inserted::Done)
    }
}

/// Every scope: what is read into memory at the start.
#[derive(Debug)]
pub struct LoadScopes;

impl Query for LoadScopes {
    const NAME: &'static str = "scopes.load";
    type Out = Vec<Scope>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.all(&LOAD, &[], read_scope)
    }
}

/// Removes a scope from the catalogue. Keys that have it keep it; no key can be given it any more.
#[derive(Debug)]
pub struct DeleteScope {
    /// Its name.
    pub name: String,
    /// Who removes it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for DeleteScope {
    const NAME: &'static str = "scopes.delete";
    /// `false` where there is no such scope.
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        if tx.exec(&DELETE, &[(&self.name).into()])? == 0 {
            return Ok(false);
        }
        audit::entry(tx, NO_WORKSPACE, &self.by, &self.origin, &self.fact)?;
        Ok(true)
    }
}

fn read_scope(row: &dyn Row) -> Result<Scope, StoreError> {
    Ok(Scope { name: row.text(0)?.to_owned(), description: row.text(1)?.to_owned(), created_at: row.at(2)? })
}
