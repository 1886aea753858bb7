//! Sessions of people, found by the digest of the token that their cookie holds.

use keybell_core::{AccountId, Timestamp};

use super::members::{self, Place};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Query, Read, Tx};

/// Most sessions of an account: enough for every device a person has. The one not seen longest gives way.
pub const SESSIONS_PER_ACCOUNT_MAX: i64 = 50;

statements! {
    INSERT = "INSERT INTO sessions (digest, account_id, created_at, last_seen_at, expires_at, source_address, user_agent) \
              VALUES ($1, $2, $3, $3, $4, $5, $6)";
    PRUNE = "DELETE FROM sessions WHERE account_id = $1 AND (expires_at <= $2 OR digest NOT IN \
             (SELECT digest FROM sessions WHERE account_id = $1 ORDER BY last_seen_at DESC, digest LIMIT $3))";
    FIND = "SELECT s.account_id, a.name, a.email, s.last_seen_at FROM sessions s \
            JOIN accounts a ON a.id = s.account_id WHERE s.digest = $1 AND s.expires_at > $2";
    SEEN = "UPDATE sessions SET last_seen_at = $2, expires_at = $3 WHERE digest = $1 AND expires_at > $2";
    LIST = "SELECT digest, created_at, last_seen_at, expires_at, source_address, user_agent FROM sessions \
            WHERE account_id = $1 AND expires_at > $2 ORDER BY last_seen_at DESC, digest";
    END = "DELETE FROM sessions WHERE digest = $1";
    END_OF = "DELETE FROM sessions WHERE digest = $1 AND account_id = $2";
    END_ALL = "DELETE FROM sessions WHERE account_id = $1";
}

/// A session that begins.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The digest of its token.
    pub digest: [u8; 32],
    /// When it ends, if it is not seen before.
    pub expires_at: Timestamp,
    /// From which address the person signed in.
    pub source_address: Option<String>,
    /// With which browser.
    pub user_agent: Option<String>,
}

/// A session that was found, with all that makes its actor.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// Who.
    pub account: AccountId,
    /// What they are called.
    pub name: String,
    /// What they sign in with.
    pub email: String,
    /// When it was last seen, as far as that was written down.
    pub last_seen_at: Timestamp,
    /// The person's places.
    pub places: Vec<Place>,
}

/// A session as the person sees it in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// The digest of its token, which names it.
    pub digest: [u8; 32],
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// When it ends, if it is not seen before.
    pub expires_at: Timestamp,
    /// From which address the person signed in.
    pub source_address: Option<String>,
    /// With which browser.
    pub user_agent: Option<String>,
}

/// Begins a session.
#[derive(Debug)]
pub struct BeginSession {
    /// Whose.
    pub account: AccountId,
    /// The session.
    pub session: NewSession,
    /// When.
    pub at: Timestamp,
}

impl Op for BeginSession {
    const NAME: &'static str = "sessions.begin";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        insert(tx, self.account, &self.session, self.at)
    }
}

pub(super) fn insert(
    tx: &mut dyn Tx,
    account: AccountId,
    session: &NewSession,
    at: Timestamp,
) -> Result<(), StoreError> {
    let args = [
        session.digest.as_slice().into(),
        (&account).into(),
        at.into(),
        session.expires_at.into(),
        session.source_address.as_ref().into(),
        session.user_agent.as_ref().into(),
    ];
    tx.exec(&INSERT, &args)?;
    tx.exec(&PRUNE, &[(&account).into(), at.into(), SESSIONS_PER_ACCOUNT_MAX.into()])?;
    Ok(())
}

/// Finds the session of a token, with its person and their places, in one snapshot.
#[derive(Debug)]
pub struct FindSession {
    /// The digest of the token.
    pub digest: [u8; 32],
    /// Now.
    pub now: Timestamp,
}

impl Query for FindSession {
    const NAME: &'static str = "sessions.find";
    type Out = Option<LiveSession>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let args = [self.digest.as_slice().into(), self.now.into()];
        let found = tx.first(&FIND, &args, |row| {
            Ok(LiveSession {
                account: row.id(0)?,
                name: row.text(1)?.to_owned(),
                email: row.text(2)?.to_owned(),
                last_seen_at: row.at(3)?,
                places: Vec::new(),
            })
        })?;
        let Some(session) = found else { return Ok(None) };
        let places = members::places_of(tx, session.account)?;
        Ok(Some(LiveSession { places, ..session }))
    }
}

/// Writes down that a session was seen, which moves its end. A session that ended stays ended.
#[derive(Debug)]
pub struct SeeSession {
    /// The digest of the token.
    pub digest: [u8; 32],
    /// Now.
    pub now: Timestamp,
    /// Its new end.
    pub expires_at: Timestamp,
}

impl Op for SeeSession {
    const NAME: &'static str = "sessions.see";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        tx.exec(&SEEN, &[self.digest.as_slice().into(), self.now.into(), self.expires_at.into()])?;
        Ok(())
    }
}

/// The live sessions of an account, the one seen last first; at most [`SESSIONS_PER_ACCOUNT_MAX`].
#[derive(Debug)]
pub struct ListSessions {
    /// Whose.
    pub account: AccountId,
    /// Now.
    pub now: Timestamp,
}

impl Query for ListSessions {
    const NAME: &'static str = "sessions.list";
    type Out = Vec<ListedSession>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.all(&LIST, &[(&self.account).into(), self.now.into()], |row| {
            Ok(ListedSession {
                digest: row.bytes(0)?.try_into().map_err(|_| StoreError::Corrupt { what: "digest" })?,
                created_at: row.at(1)?,
                last_seen_at: row.at(2)?,
                expires_at: row.at(3)?,
                source_address: row.opt_text(4)?.map(str::to_owned),
                user_agent: row.opt_text(5)?.map(str::to_owned),
            })
        })
    }
}

/// Ends sessions, at once.
#[derive(Debug)]
pub enum EndSessions {
    /// The one whose token this digest is of.
    OfToken([u8; 32]),
    /// The one that this digest names, if it is this account's.
    One(AccountId, [u8; 32]),
    /// Every one of the account.
    All(AccountId),
}

impl Op for EndSessions {
    const NAME: &'static str = "sessions.end";
    /// How many ended.
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        match self {
            EndSessions::OfToken(digest) => tx.exec(&END, &[digest.as_slice().into()]),
            EndSessions::One(account, digest) => {
                tx.exec(&END_OF, &[digest.as_slice().into(), account.into()])
            }
            EndSessions::All(account) => tx.exec(&END_ALL, &[account.into()]),
        }
    }
}
