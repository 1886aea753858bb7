//! The first owner, and links that sign somebody in. A link opens a page; only the button on it uses the link up, since
//! mail scanners and previews follow links.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keybell_core::fields;
use keybell_core::grant::Origin;
use keybell_core::key::{Kind, SecretKey};
use keybell_core::{AccountId, Code, MemberId, Problem, WorkspaceId};
use keybell_store::ops::accounts::SetUp;
use keybell_store::ops::one_time_links::{IsLive, LinkKind, MakeSetupLink, MakeSignInLink, SignInByLink};
use serde_json::json;

use crate::App;
use crate::accounts::{check_email, normal_email};
use crate::passwords::check_new_password;
use crate::problems::{of_store, refuse_any};
use crate::sessions::{SessionToken, digest_of};

/// How long the setup link can be used; each start makes a new one.
pub const SETUP_LINK_LIFE: Duration = Duration::from_hours(7 * 24);
/// How long a link that signs somebody in can be used.
pub const SIGN_IN_LINK_LIFE: Duration = Duration::from_hours(1);

/// What the first owner tells.
pub struct FirstOwner {
    /// The workspace's name.
    pub workspace_name: String,
    /// What they are called.
    pub name: String,
    /// What they will sign in with.
    pub email: String,
    /// Their password.
    pub password: String,
}

/// What stands in a link that signs somebody in. It has no `Debug` and no `Clone`.
pub struct LinkToken(String);

impl LinkToken {
    /// The text for the link.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl App {
    /// A new setup link's secret, in place of any from before, while nobody has an account; `None` once somebody has.
    ///
    /// It belongs after `/setup/` in the address.
    pub async fn setup_link_if_needed(&self) -> Result<Option<SecretKey>, Problem> {
        let link = SecretKey::mint(self.brand(), Kind::Setup, self.randomness());
        let at = self.now();
        let make = MakeSetupLink { digest: digest_of(link.reveal()), at, expires_at: at + SETUP_LINK_LIFE };
        let is_needed = self.store().write(make).await.map_err(of_store)?;
        Ok(is_needed.then_some(link))
    }

    /// Whether a setup link can still be used.
    pub async fn setup_link_is_live(&self, link: &str) -> Result<bool, Problem> {
        let query = IsLive { kind: LinkKind::Setup, digest: digest_of(link), now: self.now() };
        self.store().read(query).await.map_err(of_store)
    }

    /// Uses up the setup link: names the first workspace, makes its owner, and signs them in.
    ///
    /// [`Code::NotFound`] where the link is used up, replaced, or too old.
    pub async fn set_up(
        &self,
        link: &str,
        owner: FirstOwner,
        origin: &Origin,
        user_agent: Option<&str>,
    ) -> Result<SessionToken, Problem> {
        let email = normal_email(&owner.email);
        let checks = [
            fields::name_in("workspace_name", owner.workspace_name.trim()),
            fields::name(owner.name.trim()),
            check_email("email", &email),
            check_new_password("password", &owner.password),
        ];
        refuse_any(checks)?;
        // Before the password is hashed, so that guessing links costs the guesser and not us.
        if !self.setup_link_is_live(link).await? {
            return Err(link_gone());
        }
        let password_hash = self.passwords().hash(&owner.password, self.randomness()).await?;
        let now = self.now();
        let (token, session) = self.new_session(origin, user_agent);
        let workspace = WorkspaceId::new(now, self.randomness());
        let set_up = SetUp {
            link_digest: digest_of(link),
            account: AccountId::new(now, self.randomness()),
            email,
            name: owner.name.trim().to_owned(),
            password_hash,
            workspace,
            workspace_name: owner.workspace_name.trim().to_owned(),
            member: MemberId::new(now, self.randomness()),
            session,
            origin: origin.clone(),
            fact: self.audit_fact(now, "workspace.created", &workspace, json!({})),
        };
        if !self.store().write(set_up).await.map_err(of_store)? {
            return Err(link_gone());
        }
        self.workspace_was_made(workspace).await?;
        Ok(token)
    }

    /// A link that signs `account` in, once. It belongs after `/sign-in/` in the address.
    pub async fn sign_in_link(&self, account: AccountId) -> Result<LinkToken, Problem> {
        let token = BASE64_URL_SAFE_NO_PAD.encode(self.randomness().bytes::<32>());
        let at = self.now();
        let digest = digest_of(&token);
        let make = MakeSignInLink { digest, account, at, expires_at: at + SIGN_IN_LINK_LIFE };
        self.store().write(make).await.map_err(of_store)?;
        Ok(LinkToken(token))
    }

    /// Whether a sign-in link can still be used.
    pub async fn sign_in_link_is_live(&self, link: &str) -> Result<bool, Problem> {
        let query = IsLive { kind: LinkKind::SignIn, digest: digest_of(link), now: self.now() };
        self.store().read(query).await.map_err(of_store)
    }

    /// Uses up a sign-in link. [`Code::NotFound`] where it is used up or too old.
    pub async fn sign_in_by_link(
        &self,
        link: &str,
        origin: &Origin,
        user_agent: Option<&str>,
    ) -> Result<SessionToken, Problem> {
        let (token, session) = self.new_session(origin, user_agent);
        let sign_in = SignInByLink { digest: digest_of(link), session, at: self.now() };
        let account = self.store().write(sign_in).await.map_err(of_store)?;
        account.map(|_| token).ok_or_else(link_gone)
    }
}

fn link_gone() -> Problem {
    Problem::new(Code::NotFound, "This link was used already, or is too old.")
}
