//! Accounts: the people who can sign in. Called by the app's accounts and setup; never gives out a password hash but to
//! check a password.

use keybell_core::grant::Origin;
use keybell_core::{AccountId, ActorRef, MemberId, Role, WorkspaceId};

use super::audit::{self, AuditFact};
use super::{members, one_time_links, sessions};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Query, Read, Tx};

statements! {
    INSERT = "INSERT INTO accounts (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5)";
    INSERT_NEW = "INSERT INTO accounts (id, email, name, password_hash, created_at) VALUES ($1, $2, $3, $4, $5) \
                  ON CONFLICT (email) DO NOTHING";
    INSERT_WORKSPACE = "INSERT INTO workspaces (id, external_id, name, created_at) VALUES ($1, NULL, $2, $3)";
    BY_EMAIL = "SELECT id, password_hash FROM accounts WHERE email = $1";
    BY_ID = "SELECT email, name FROM accounts WHERE id = $1";
    ANY = "SELECT 1 FROM accounts LIMIT 1";
}

/// What a sign-in checks a password against.
pub struct Credentials {
    /// Whose it is.
    pub account: AccountId,
    /// The password's hash, as a PHC string.
    pub password_hash: String,
}

/// A person as the pages show them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The id.
    pub id: AccountId,
    /// Where to reach them; also what they sign in with.
    pub email: String,
    /// What they are called.
    pub name: String,
}

/// Finds the account that signs in with `email`.
pub struct FindCredentials {
    /// The e-mail address, in lower case.
    pub email: String,
}

impl Query for FindCredentials {
    const NAME: &'static str = "accounts.find_credentials";
    type Out = Option<Credentials>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.first(&BY_EMAIL, &[(&self.email).into()], |row| {
            Ok(Credentials { account: row.id(0)?, password_hash: row.text(1)?.to_owned() })
        })
    }
}

/// Reads one account.
#[derive(Debug)]
pub struct FindAccount {
    /// Which.
    pub account: AccountId,
}

impl Query for FindAccount {
    const NAME: &'static str = "accounts.find";
    type Out = Option<Account>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.first(&BY_ID, &[(&self.account).into()], |row| {
            Ok(Account { id: self.account, email: row.text(0)?.to_owned(), name: row.text(1)?.to_owned() })
        })
    }
}

/// Whether anybody can sign in yet.
#[derive(Debug)]
pub struct AnyAccount;

impl Query for AnyAccount {
    const NAME: &'static str = "accounts.any";
    type Out = bool;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        any(tx)
    }
}

pub(super) fn any(tx: &mut dyn Read) -> Result<bool, StoreError> {
    Ok(tx.first(&ANY, &[], |_| Ok(()))?.is_some())
}

/// Uses up the setup link: makes the first account, its workspace, its place there as owner, and its session.
pub struct SetUp {
    /// The digest of the link that was followed.
    pub link_digest: [u8; 32],
    /// The new account.
    pub account: AccountId,
    /// Its e-mail address, in lower case.
    pub email: String,
    /// What the person is called.
    pub name: String,
    /// The hash of their password, as a PHC string.
    pub password_hash: String,
    /// The new workspace.
    pub workspace: WorkspaceId,
    /// Its name.
    pub workspace_name: String,
    /// Their place in it.
    pub member: MemberId,
    /// Their first session.
    pub session: sessions::NewSession,
    /// Where the request came from.
    pub origin: Origin,
    /// What the audit log says about the workspace.
    pub fact: AuditFact,
}

impl Op for SetUp {
    const NAME: &'static str = "accounts.set_up";
    /// `false` where the link is used up, replaced, or too old; nothing was made then.
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let at = self.fact.at;
        if !one_time_links::use_up_setup(tx, &self.link_digest, at)? {
            return Ok(false);
        }
        let account = [
            (&self.account).into(),
            (&self.email).into(),
            (&self.name).into(),
            (&self.password_hash).into(),
            at.into(),
        ];
        tx.exec(&INSERT, &account)?;
        tx.exec(&INSERT_WORKSPACE, &[(&self.workspace).into(), (&self.workspace_name).into(), at.into()])?;
        members::insert(tx, self.workspace, self.member, self.account, Role::Owner, at)?;
        sessions::insert(tx, self.account, &self.session, at)?;
        let by = ActorRef { kind: "member".to_owned(), id: self.member.to_string(), name: self.name.clone() };
        audit::entry(tx, self.workspace, &by, &self.origin, &self.fact)?;
        Ok(true)
    }
}

/// Makes an account that somebody else vouches for: the demo's, and later an invited person's.
pub struct CreateAccount {
    /// The new account.
    pub account: AccountId,
    /// Its e-mail address, in lower case.
    pub email: String,
    /// What the person is called.
    pub name: String,
    /// The hash of their password, as a PHC string.
    pub password_hash: String,
    /// Their place in a workspace.
    pub member: members::NewMember,
    /// Who vouches.
    pub by: ActorRef,
    /// Where the request came from.
    pub origin: Origin,
    /// What the audit log says.
    pub fact: AuditFact,
}

impl Op for CreateAccount {
    const NAME: &'static str = "accounts.create";
    /// `false` where the e-mail address is taken; nothing was made then.
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let at = self.fact.at;
        let account = [
            (&self.account).into(),
            (&self.email).into(),
            (&self.name).into(),
            (&self.password_hash).into(),
            at.into(),
        ];
        if tx.exec(&INSERT_NEW, &account)? == 0 {
            return Ok(false);
        }
        let place = &self.member;
        members::insert(tx, place.workspace, place.member, self.account, place.role, at)?;
        audit::entry(tx, place.workspace, &self.by, &self.origin, &self.fact)?;
        Ok(true)
    }
}
