//! Sessions of people: begun by a password or a one-time link, carried by a cookie, ended at once.
//!
//! A token is looked up in the database on each request, so that an ended session is ended on every node.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keybell_core::grant::Origin;
use keybell_core::{AccountId, Actor, Code, Problem, Randomness, Timestamp};
use keybell_store::ops::sessions::{
    BeginSession, EndSessions, FindSession, ListSessions, ListedSession, LiveSession, NewSession, SeeSession,
};
use sha2::{Digest, Sha256};

use crate::App;
use crate::problems::of_store;

/// How long a session lives after it was last seen.
pub const SESSION_LIFE: Duration = Duration::from_hours(14 * 24);
/// How far behind the time a session was last seen may be: one write in five minutes, not one per page.
pub const SEEN_EVERY: Duration = Duration::from_mins(5);
/// Characters kept of a browser's name for itself.
pub const USER_AGENT_CHARS_MAX: usize = 300;

/// What a session's cookie holds: 256 random bits. It has no `Debug` and no `Clone`.
pub struct SessionToken(String);

impl SessionToken {
    /// The text for the cookie.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn mint(randomness: &dyn Randomness) -> Self {
        SessionToken(BASE64_URL_SAFE_NO_PAD.encode(randomness.bytes::<32>()))
    }
}

/// A session with its person, for the pages.
pub struct SignedIn {
    /// What they may do, and where.
    pub actor: Actor,
    /// Who.
    pub account: AccountId,
    /// What they are called.
    pub name: String,
    /// What they sign in with.
    pub email: String,
    /// Their workspaces' names, in the order of the actor's memberships.
    pub workspace_names: Vec<String>,
}

/// A session in the list of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name, to end it by; not its token.
    pub id: String,
    /// Whether it is the one that asks.
    pub is_this_one: bool,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When it was last seen, give or take [`SEEN_EVERY`].
    pub last_seen_at: Timestamp,
    /// When it ends, if it is not seen before.
    pub expires_at: Timestamp,
    /// From which address the person signed in.
    pub source_address: Option<String>,
    /// With which browser.
    pub user_agent: Option<String>,
}

impl App {
    /// Whoever a session's token belongs to. [`Code::MissingCredential`] where the session ended or never was.
    pub async fn actor_of_session(&self, token: &str) -> Result<Actor, Problem> {
        Ok(self.signed_in(token).await?.actor)
    }

    /// The same with what the pages show of the person.
    pub async fn signed_in(&self, token: &str) -> Result<SignedIn, Problem> {
        let (digest, now) = (digest_of(token), self.now());
        let found = self.store().read(FindSession { digest, now }).await.map_err(of_store)?;
        let LiveSession { account, name, email, last_seen_at, places } = found.ok_or_else(signed_out)?;
        if now.since(last_seen_at) >= SEEN_EVERY {
            let seen = SeeSession { digest, now, expires_at: now + SESSION_LIFE };
            self.store().write(seen).await.map_err(of_store)?;
        }
        let memberships = places.iter().map(|place| place.membership).collect();
        let actor = Actor::Person { account, name: name.clone(), memberships };
        let workspace_names = places.into_iter().map(|place| place.workspace_name).collect();
        Ok(SignedIn { actor, account, name, email, workspace_names })
    }

    /// Begins a session without asking anything: the caller has checked who it is.
    pub(crate) async fn begin_session(
        &self,
        account: AccountId,
        origin: &Origin,
        user_agent: Option<&str>,
    ) -> Result<SessionToken, Problem> {
        let (token, session) = self.new_session(origin, user_agent);
        self.store().write(BeginSession { account, session, at: self.now() }).await.map_err(of_store)?;
        Ok(token)
    }

    pub(crate) fn new_session(
        &self,
        origin: &Origin,
        user_agent: Option<&str>,
    ) -> (SessionToken, NewSession) {
        let token = SessionToken::mint(self.randomness());
        let user_agent = user_agent.map(|text| text.chars().take(USER_AGENT_CHARS_MAX).collect());
        let session = NewSession {
            digest: digest_of(token.reveal()),
            expires_at: self.now() + SESSION_LIFE,
            source_address: origin.source_address.map(|address| address.to_string()),
            user_agent,
        };
        (token, session)
    }

    /// The live sessions of the person whose `token` this is, the one seen last first.
    pub async fn list_sessions(&self, account: AccountId, token: &str) -> Result<Vec<Session>, Problem> {
        let listed = self.store().read(ListSessions { account, now: self.now() }).await.map_err(of_store)?;
        let own = digest_of(token);
        Ok(listed.into_iter().map(|session| shown(session, &own)).collect())
    }

    /// Ends the session of a token. It is refused from now on, on every node.
    pub async fn sign_out(&self, token: &str) -> Result<(), Problem> {
        self.store().write(EndSessions::OfToken(digest_of(token))).await.map_err(of_store)?;
        Ok(())
    }

    /// Ends one session of an account, by the id that the list gives it. Ending what has ended is no error.
    pub async fn end_session(&self, account: AccountId, id: &str) -> Result<(), Problem> {
        let digest = BASE64_URL_SAFE_NO_PAD.decode(id).ok().and_then(|bytes| bytes.try_into().ok());
        let digest = digest.ok_or(Code::NotFound)?;
        self.store().write(EndSessions::One(account, digest)).await.map_err(of_store)?;
        Ok(())
    }

    /// Ends every session of an account, that of the caller as well.
    pub async fn sign_out_everywhere(&self, account: AccountId) -> Result<(), Problem> {
        self.store().write(EndSessions::All(account)).await.map_err(of_store)?;
        Ok(())
    }
}

/// What the database keeps of a token or link: 190 bits and more need no slow hash, and no pepper.
pub(crate) fn digest_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn shown(session: ListedSession, own: &[u8; 32]) -> Session {
    Session {
        id: BASE64_URL_SAFE_NO_PAD.encode(session.digest),
        is_this_one: session.digest == *own,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
        source_address: session.source_address,
        user_agent: session.user_agent,
    }
}

fn signed_out() -> Problem {
    Problem::new(Code::MissingCredential, "The session has ended. Sign in again.")
}
