//! Requests that may be sent twice: the first is done, the second is told what the first was.
//!
//! The web layer calls [`App::begin_repeatable`] before it does what was asked, and keeps or abandons what came of it.

use std::time::Duration;

use keybell_core::{Code, Problem};
use keybell_store::ops::idempotency::{AbandonAnswer, BeginAnswer, Begun, FinishAnswer, Slot};
use sha2::{Digest, Sha256};

use crate::App;
use crate::problems::of_store;

/// How long an answer is kept.
pub const ANSWER_KEPT: Duration = Duration::from_hours(24);

/// How long a request may be under way before its key is free again: longer than any request takes, short enough that a
/// crash in the middle of one does not refuse its repetition for long.
pub const UNDER_WAY_MAX: Duration = Duration::from_mins(2);

/// Seconds after which a repetition of a request under way may be sent again.
const TRY_AGAIN_SECONDS: u64 = 1;

/// What tells a request from others: SHA-256 over method, path with query, and body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a request.
    pub fn of(method: &str, path_and_query: &str, body: &[u8]) -> Fingerprint {
        // Neither a method nor a path holds a line feed, so the parts cannot run into each other.
        let head = format!("{method}\n{path_and_query}\n");
        Fingerprint(Sha256::new().chain_update(head).chain_update(body).finalize().into())
    }
}

/// A request that is to be done, and whose answer is to be kept.
#[derive(Debug)]
#[must_use = "keep its answer, or abandon it"]
pub struct UnderWay(Slot);

/// What to do with a request that names an idempotency key.
#[derive(Debug)]
pub enum Repeatable {
    /// Do it.
    First(UnderWay),
    /// Answer it as the first was answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body, without secrets.
        body: Vec<u8>,
    },
}

impl App {
    /// Takes `key` of `owner` for a request, unless the same request is answered already.
    ///
    /// [`Code::IdempotencyMismatch`] where the key came with another request before, and
    /// [`Code::IdempotencyInProgress`] while the first is under way.
    pub async fn begin_repeatable(
        &self,
        owner: String,
        key: String,
        fingerprint: Fingerprint,
    ) -> Result<Repeatable, Problem> {
        let now = self.now();
        let slot = Slot { owner, key, held_until: now + UNDER_WAY_MAX };
        let begin = BeginAnswer { slot: slot.clone(), fingerprint: fingerprint.0.to_vec(), now };
        match self.store().write(begin).await.map_err(of_store)? {
            Begun::First => Ok(Repeatable::First(UnderWay(slot))),
            Begun::InProgress { fingerprint: known } | Begun::Answered { fingerprint: known, .. }
                if known != fingerprint.0 =>
            {
                Err(Code::IdempotencyMismatch.into())
            }
            Begun::InProgress { .. } => {
                Err(Problem::from(Code::IdempotencyInProgress).retry_after(TRY_AGAIN_SECONDS))
            }
            Begun::Answered { status, body, .. } => Ok(Repeatable::Answered { status, body }),
        }
    }

    /// Keeps the answer of a request; `body` holds no secret.
    pub async fn keep_answer(&self, under_way: UnderWay, status: u16, body: Vec<u8>) -> Result<(), Problem> {
        let finish = FinishAnswer { slot: under_way.0, status, body, expires_at: self.now() + ANSWER_KEPT };
        self.store().write(finish).await.map_err(of_store)
    }

    /// Frees the key of a request whose answer is not for keeping.
    pub async fn abandon_answer(&self, under_way: UnderWay) -> Result<(), Problem> {
        self.store().write(AbandonAnswer { slot: under_way.0 }).await.map_err(of_store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_method_path_and_body_apart() {
        let all = [
            Fingerprint::of("POST", "/v1/workspaces", b"{}"),
            Fingerprint::of("POST", "/v1/workspaces", b"{} "),
            Fingerprint::of("POST", "/v1/workspaces?a", b"{}"),
            Fingerprint::of("PUT", "/v1/workspaces", b"{}"),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one));
        }
        assert_eq!(all[0], Fingerprint::of("POST", "/v1/workspaces", b"{}"));
    }
}
