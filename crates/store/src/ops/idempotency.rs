//! Answers to repeat: what a request with an `Idempotency-Key` was answered, so that the same request again is not done
//! again.
//!
//! A row without a status stands for a request under way. It expires soon, so that a node that died with it does not block
//! the key for a day (retention removes what expired); whoever finishes it must still hold it, which the expiry it was begun with proves.

use keybell_core::Timestamp;

use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Row, Tx};

statements! {
    DELETE_EXPIRED = "DELETE FROM idempotent_answers WHERE owner = $1 AND idempotency_key = $2 AND expires_at <= $3";
    BEGIN = "INSERT INTO idempotent_answers (owner, idempotency_key, fingerprint, expires_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING";
    KNOWN = "SELECT fingerprint, status, body FROM idempotent_answers WHERE owner = $1 AND idempotency_key = $2";
    FINISH = "UPDATE idempotent_answers SET status = $4, body = $5, expires_at = $6 \
              WHERE owner = $1 AND idempotency_key = $2 AND status IS NULL AND expires_at = $3";
    ABANDON = "DELETE FROM idempotent_answers \
               WHERE owner = $1 AND idempotency_key = $2 AND status IS NULL AND expires_at = $3";
}

/// Whose request it is, and which: the key of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The credential that sent it; keys of two credentials never meet.
    pub owner: String,
    /// The `Idempotency-Key`.
    pub key: String,
    /// Until when the request under way holds it.
    pub held_until: Timestamp,
}

/// What is known about a request that begins.
#[derive(Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: it is to be done now.
    First,
    /// The same key is under way.
    InProgress {
        /// The request it came with.
        fingerprint: Vec<u8>,
    },
    /// The same key was answered.
    Answered {
        /// The request it came with.
        fingerprint: Vec<u8>,
        /// The answer's HTTP status.
        status: u16,
        /// The answer's body, without secrets.
        body: Vec<u8>,
    },
}

/// Takes the slot for a request, or says what stands in it.
pub struct BeginAnswer {
    /// The slot.
    pub slot: Slot,
    /// What tells this request from others: a digest of it.
    pub fingerprint: Vec<u8>,
    /// The present instant.
    pub now: Timestamp,
}

impl Op for BeginAnswer {
    const NAME: &'static str = "idempotency.begin";
    type Out = Begun;

    fn run(&self, tx: &mut dyn Tx) -> Result<Begun, StoreError> {
        let Slot { owner, key, held_until } = &self.slot;
        tx.exec(&DELETE_EXPIRED, &[owner.into(), key.into(), self.now.into()])?;
        let begun =
            tx.exec(&BEGIN, &[owner.into(), key.into(), (&self.fingerprint).into(), (*held_until).into()])?;
        if begun == 1 {
            return Ok(Begun::First);
        }
        let known = tx.as_read().first(&KNOWN, &[owner.into(), key.into()], known)?;
        known.ok_or(StoreError::Corrupt { what: "idempotent answer" })
    }
}

fn known(row: &dyn Row) -> Result<Begun, StoreError> {
    let fingerprint = row.bytes(0)?.to_vec();
    let Some(status) = row.opt_int(1)? else { return Ok(Begun::InProgress { fingerprint }) };
    let status = u16::try_from(status).map_err(|_| StoreError::Corrupt { what: "HTTP status" })?;
    Ok(Begun::Answered { fingerprint, status, body: row.bytes(2)?.to_vec() })
}

/// Keeps the answer of a request that was begun; does nothing where the slot is held no longer.
pub struct FinishAnswer {
    /// The slot.
    pub slot: Slot,
    /// The answer's HTTP status.
    pub status: u16,
    /// The answer's body, without secrets.
    pub body: Vec<u8>,
    /// How long it is kept.
    pub expires_at: Timestamp,
}

impl Op for FinishAnswer {
    const NAME: &'static str = "idempotency.finish";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let Slot { owner, key, held_until } = &self.slot;
        let (status, body) = (i64::from(self.status).into(), (&self.body).into());
        tx.exec(
            &FINISH,
            &[owner.into(), key.into(), (*held_until).into(), status, body, self.expires_at.into()],
        )?;
        Ok(())
    }
}

/// Frees the slot of a request that came to no answer worth keeping, so that it can be sent again.
pub struct AbandonAnswer {
    /// The slot.
    pub slot: Slot,
}

impl Op for AbandonAnswer {
    const NAME: &'static str = "idempotency.abandon";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let Slot { owner, key, held_until } = &self.slot;
        tx.exec(&ABANDON, &[owner.into(), key.into(), (*held_until).into()])?;
        Ok(())
    }
}
