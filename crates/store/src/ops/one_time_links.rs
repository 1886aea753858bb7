//! Links that do something once: set the installation up, sign somebody in. Kept as the digest of what stands in the link.

use keybell_core::{AccountId, Timestamp};

use super::{accounts, sessions};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Query, Read, Tx};

statements! {
    INSERT = "INSERT INTO one_time_links (digest, kind, detail, created_at, expires_at, used_at) \
              VALUES ($1, $2, $3, $4, $5, NULL)";
    FORGET_OLD = "DELETE FROM one_time_links WHERE expires_at <= $1";
    REPLACE_SETUP = "DELETE FROM one_time_links WHERE kind = 'setup'";
    IS_LIVE = "SELECT detail FROM one_time_links \
               WHERE digest = $1 AND kind = $2 AND used_at IS NULL AND expires_at > $3";
    USE_SETUP = "UPDATE one_time_links SET used_at = $2 WHERE digest = $1 AND kind = 'setup' AND used_at IS NULL \
                 AND expires_at > $2 AND NOT EXISTS (SELECT 1 FROM accounts)";
    USE_SIGN_IN = "UPDATE one_time_links SET used_at = $2 WHERE digest = $1 AND kind = 'sign_in' AND used_at IS NULL \
                   AND expires_at > $2 RETURNING detail";
}

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Makes the first account and its workspace.
    Setup,
    /// Signs an account in.
    SignIn,
}

impl LinkKind {
    const fn as_str(self) -> &'static str {
        match self {
            LinkKind::Setup => "setup",
            LinkKind::SignIn => "sign_in",
        }
    }
}

/// Makes the setup link, in place of any from before, while there is no account.
#[derive(Debug)]
pub struct MakeSetupLink {
    /// The digest of what stands in the link.
    pub digest: [u8; 32],
    /// Now.
    pub at: Timestamp,
    /// Until when it can be used.
    pub expires_at: Timestamp,
}

impl Op for MakeSetupLink {
    const NAME: &'static str = "one_time_links.make_setup";
    /// `false` where there is an account already; no link was made then.
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        // Not the guard: that is in USE_SETUP. This only spares a link that could do nothing.
        if accounts::any(tx.as_read())? {
            return Ok(false);
        }
        tx.exec(&REPLACE_SETUP, &[])?;
        insert(tx, LinkKind::Setup, &self.digest, "", self.at, self.expires_at)?;
        Ok(true)
    }
}

/// Makes a link that signs `account` in.
#[derive(Debug)]
pub struct MakeSignInLink {
    /// The digest of what stands in the link.
    pub digest: [u8; 32],
    /// Whom it signs in.
    pub account: AccountId,
    /// Now.
    pub at: Timestamp,
    /// Until when it can be used.
    pub expires_at: Timestamp,
}

impl Op for MakeSignInLink {
    const NAME: &'static str = "one_time_links.make_sign_in";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        tx.exec(&FORGET_OLD, &[self.at.into()])?;
        insert(tx, LinkKind::SignIn, &self.digest, &self.account.to_string(), self.at, self.expires_at)
    }
}

fn insert(
    tx: &mut dyn Tx,
    kind: LinkKind,
    digest: &[u8; 32],
    detail: &str,
    at: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    let args = [digest.as_slice().into(), kind.as_str().into(), detail.into(), at.into(), expires_at.into()];
    tx.exec(&INSERT, &args)?;
    Ok(())
}

/// Whether a link can still be used. Using it decides for itself; this is for the page that the link opens.
#[derive(Debug)]
pub struct IsLive {
    /// What it does.
    pub kind: LinkKind,
    /// The digest of what stands in the link.
    pub digest: [u8; 32],
    /// Now.
    pub now: Timestamp,
}

impl Query for IsLive {
    const NAME: &'static str = "one_time_links.is_live";
    type Out = bool;

    fn run(&self, tx: &mut dyn Read) -> Result<bool, StoreError> {
        let args = [self.digest.as_slice().into(), self.kind.as_str().into(), self.now.into()];
        Ok(tx.first(&IS_LIVE, &args, |_| Ok(()))?.is_some())
    }
}

/// Uses up a setup link; `false` where it cannot be used, or an account exists.
pub(super) fn use_up_setup(tx: &mut dyn Tx, digest: &[u8; 32], at: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.exec(&USE_SETUP, &[digest.as_slice().into(), at.into()])? == 1)
}

/// Uses up a sign-in link and begins a session for its account.
#[derive(Debug)]
pub struct SignInByLink {
    /// The digest of what stands in the link.
    pub digest: [u8; 32],
    /// The session.
    pub session: sessions::NewSession,
    /// Now.
    pub at: Timestamp,
}

impl Op for SignInByLink {
    const NAME: &'static str = "one_time_links.sign_in";
    /// Who signed in; `None` where the link is used up or too old.
    type Out = Option<AccountId>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        let args = [self.digest.as_slice().into(), self.at.into()];
        let found = tx.as_read().first(&USE_SIGN_IN, &args, |row| Ok(AccountId::parse(row.text(0)?)))?;
        let Some(detail) = found else { return Ok(None) };
        let account = detail.ok_or(StoreError::Corrupt { what: "account id" })?;
        sessions::insert(tx, account, &self.session, self.at)?;
        Ok(Some(account))
    }
}
