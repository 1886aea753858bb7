//! Accounts: signing in with a password, and giving people a place in a workspace.

use keybell_core::fields;
use keybell_core::grant::{ManageMembers, Origin, ReadWorkspace};
use keybell_core::{AccountId, Code, FieldError, Grant, MemberId, Problem, Role, Timestamp};
use keybell_store::ops::accounts::{CreateAccount, FindAccount, FindCredentials};
use keybell_store::ops::audit::AuditFact;
use keybell_store::ops::members::{AddMember, ListMembers, ListedMember, NewMember};
use serde_json::json;

pub use keybell_store::ops::accounts::Account;

use crate::passwords::check_new_password;
use crate::problems::{of_store, refuse_any};
use crate::sessions::SessionToken;
use crate::{App, Listing, Page};

/// Most characters of an e-mail address (RFC 5321 allows a path of 256 with its brackets).
pub const EMAIL_CHARS_MAX: usize = 254;

/// Somebody to be given an account.
pub struct NewAccount {
    /// What they are called, 1 to [`NAME_CHARS_MAX`](fields::NAME_CHARS_MAX) characters.
    pub name: String,
    /// What they sign in with.
    pub email: String,
    /// Their password.
    pub password: String,
    /// What they may do in the grant's workspace.
    pub role: Role,
}

/// Somebody who has a place in a workspace, as the others there see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member's id.
    pub id: MemberId,
    /// What they are called.
    pub name: String,
    /// What they sign in with; only for whoever manages members.
    pub email: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Since when they are here.
    pub since: Timestamp,
}

impl App {
    /// Signs somebody in. One answer for an unknown address and a wrong password, after the same time.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &str,
        origin: &Origin,
        user_agent: Option<&str>,
    ) -> Result<SessionToken, Problem> {
        let email = normal_email(email);
        self.throttle().attempt(&email, origin.source_address, self.now())?;
        let found = if email.contains('\0') {
            // It is nobody's: PostgreSQL cannot hold it, and fails where it is asked for it.
            None
        } else {
            let find = FindCredentials { email: email.clone() };
            self.store().read(find).await.map_err(of_store)?
        };
        let (account, known) = found.map(|found| (found.account, found.password_hash)).unzip();
        let same = self.passwords().verify(password, known).await?;
        let address = origin.source_address.map(tracing::field::display);
        let Some(account) = account.filter(|_| same) else {
            tracing::warn!(
                request.id = &*origin.request_id,
                source.address = address,
                "a sign-in was refused"
            );
            return Err(Problem::new(Code::Forbidden, "The e-mail address or the password is not right."));
        };
        self.throttle().succeeded(&email);
        let account_id = tracing::field::display(account);
        tracing::info!(account.id = account_id, source.address = address, "somebody signed in");
        self.begin_session(account, origin, user_agent).await
    }

    /// One account.
    pub async fn account(&self, account: AccountId) -> Result<Account, Problem> {
        let found = self.store().read(FindAccount { account }).await.map_err(of_store)?;
        found.ok_or_else(|| Code::NotFound.into())
    }

    /// Makes an account with a place in the grant's workspace. [`Code::Conflict`] where the e-mail address has one.
    pub async fn create_account(
        &self,
        grant: Grant<ManageMembers>,
        new: NewAccount,
    ) -> Result<AccountId, Problem> {
        let email = normal_email(&new.email);
        let checks = [
            fields::name(new.name.trim()),
            check_email("email", &email),
            check_new_password("password", &new.password),
        ];
        refuse_any(checks)?;
        let password_hash = self.passwords().hash(&new.password, self.randomness()).await?;
        let (now, account) = (self.now(), AccountId::new(self.now(), self.randomness()));
        let member = self.new_member(&grant, new.role);
        let create = CreateAccount {
            account,
            email,
            name: new.name.trim().to_owned(),
            password_hash,
            member,
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.member_added(now, member),
        };
        if self.store().write(create).await.map_err(of_store)? {
            return Ok(account);
        }
        Err(Problem::new(Code::Conflict, "Somebody has an account with that e-mail address already."))
    }

    /// The members of a workspace, newest first; with their e-mail addresses for whoever manages them.
    pub async fn list_members(
        &self,
        grant: Grant<ReadWorkspace>,
        manages: Option<Grant<ManageMembers>>,
        page: Page,
    ) -> Result<Listing<Member>, Problem> {
        let workspace = grant.workspace();
        let shows_email = manages.is_some_and(|manages| manages.workspace() == workspace);
        let list = ListMembers { workspace, before: page.after(MemberId::parse)?, rows: page.rows() };
        let found = self.store().read(list).await.map_err(of_store)?;
        let shown = |member: ListedMember| Member {
            id: member.id,
            name: member.name,
            email: Some(member.email).filter(|_| shows_email),
            role: member.role,
            since: member.created_at,
        };
        let found = found.into_iter().map(shown).collect();
        Ok(page.listing(found, |member: &Member| member.id.to_string()))
    }

    /// Gives an account a place in the grant's workspace; `false` where it has one, which stays as it is.
    pub async fn add_member(
        &self,
        grant: Grant<ManageMembers>,
        account: AccountId,
        role: Role,
    ) -> Result<bool, Problem> {
        let place = self.new_member(&grant, role);
        let now = self.now();
        let fact = self.member_added(now, place);
        let (by, origin) = (grant.by().clone(), grant.origin().clone());
        self.store().write(AddMember { place, account, by, origin, fact }).await.map_err(of_store)
    }

    fn new_member(&self, grant: &Grant<ManageMembers>, role: Role) -> NewMember {
        let member = MemberId::new(self.now(), self.randomness());
        NewMember { workspace: grant.workspace(), member, role }
    }

    fn member_added(&self, at: Timestamp, place: NewMember) -> AuditFact {
        let changes = json!({ "role": { "from": null, "to": place.role } });
        self.audit_fact(at, "member.added", &place.member, changes)
    }
}

/// The spelling by which an e-mail address is kept and found.
pub(crate) fn normal_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Only what no address can be is refused: whether it is somebody's, a mail would have to find out.
pub(crate) fn check_email(field: &'static str, email: &str) -> Result<(), FieldError> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    let well_formed =
        email.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if !well_formed || email.contains(odd) {
        let message = "must be an e-mail address such as ada@example.com".to_owned();
        return Err(FieldError::new(field, "invalid", message));
    }
    if email.chars().count() > EMAIL_CHARS_MAX {
        let message = format!("must have at most {EMAIL_CHARS_MAX} characters");
        return Err(FieldError::new(field, "too_long", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_at_its_end() {
        let email = |chars: usize| check_email("email", &format!("{}@e.de", "a".repeat(chars - 5))).is_ok();
        assert_eq!([EMAIL_CHARS_MAX, EMAIL_CHARS_MAX + 1].map(email), [true, false]);
    }

    #[test]
    fn refuses_what_cannot_be_an_address() {
        for not_one in ["", "ada", "@example.com", "ada@", "a da@example.com", "ada@exa\nmple.com"] {
            assert!(check_email("email", not_one).is_err(), "{not_one:?}");
        }
        assert_eq!(normal_email("  Ada@Example.COM "), "ada@example.com");
    }
}
