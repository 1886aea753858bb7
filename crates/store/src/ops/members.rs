//! Members: an account's place in a workspace.

use keybell_core::actor::Membership;
use keybell_core::grant::Origin;
use keybell_core::{AccountId, ActorRef, MemberId, Role, Timestamp, WorkspaceId};

use super::audit::{self, AuditFact};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Query, Read, Tx};

statements! {
    INSERT = "INSERT INTO members (workspace_id, id, account_id, role, created_at) VALUES ($1, $2, $3, $4, $5) \
              ON CONFLICT (account_id, workspace_id) DO NOTHING";
    OF_ACCOUNT = "SELECT m.id, m.workspace_id, m.role, w.name FROM members m \
                  JOIN workspaces w ON w.id = m.workspace_id WHERE m.account_id = $1 ORDER BY w.name, w.id";
    LIST = "SELECT m.id, m.role, m.created_at, a.name, a.email FROM members m JOIN accounts a ON a.id = m.account_id \
            WHERE m.workspace_id = $1 AND m.id < $2 ORDER BY m.id DESC LIMIT $3";
}

/// A place to be given to an account.
#[derive(Clone, Copy, Debug)]
pub struct NewMember {
    /// In which workspace.
    pub workspace: WorkspaceId,
    /// The new member's id.
    pub member: MemberId,
    /// What they may do.
    pub role: Role,
}

/// A place as the person who has it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The place.
    pub membership: Membership,
    /// The workspace's name.
    pub workspace_name: String,
}

/// Gives an account a place in a workspace.
#[derive(Debug)]
pub struct AddMember {
    /// The place.
    pub place: NewMember,
    /// Whose.
    pub account: AccountId,
    /// Who gives it.
    pub by: ActorRef,
    /// Where the request came from.
    pub origin: Origin,
    /// What the audit log says.
    pub fact: AuditFact,
}

impl Op for AddMember {
    const NAME: &'static str = "members.add";
    /// `false` where the account has a place there already, which stays as it is.
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let NewMember { workspace, member, role } = self.place;
        if !insert(tx, workspace, member, self.account, role, self.fact.at)? {
            return Ok(false);
        }
        audit::entry(tx, workspace, &self.by, &self.origin, &self.fact)?;
        Ok(true)
    }
}

pub(super) fn insert(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    member: MemberId,
    account: AccountId,
    role: Role,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let args = [(&workspace).into(), (&member).into(), (&account).into(), role.as_str().into(), at.into()];
    Ok(tx.exec(&INSERT, &args)? == 1)
}

/// The places of an account, by the workspaces' names.
#[derive(Debug)]
pub struct PlacesOf {
    /// Whose.
    pub account: AccountId,
}

impl Query for PlacesOf {
    const NAME: &'static str = "members.places_of";
    type Out = Vec<Place>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        places_of(tx, self.account)
    }
}

pub(super) fn places_of(tx: &mut dyn Read, account: AccountId) -> Result<Vec<Place>, StoreError> {
    tx.all(&OF_ACCOUNT, &[(&account).into()], |row| {
        let role = read_role(row.text(2)?)?;
        let membership = Membership { member: row.id(0)?, workspace: row.id(1)?, role };
        Ok(Place { membership, workspace_name: row.text(3)?.to_owned() })
    })
}

/// A member as a list shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMember {
    /// The member's id.
    pub id: MemberId,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
    /// What they are called.
    pub name: String,
    /// What they sign in with.
    pub email: String,
}

/// The members of a workspace, newest first.
#[derive(Debug)]
pub struct ListMembers {
    /// Which workspace.
    pub workspace: WorkspaceId,
    /// Only members before this one.
    pub before: Option<MemberId>,
    /// Most members to give.
    pub rows: i64,
}

impl Query for ListMembers {
    const NAME: &'static str = "members.list";
    type Out = Vec<ListedMember>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let before = self.before.unwrap_or(MemberId::from_bytes([0xff; 16]));
        tx.all(&LIST, &[(&self.workspace).into(), (&before).into(), self.rows.into()], |row| {
            Ok(ListedMember {
                id: row.id(0)?,
                role: read_role(row.text(1)?)?,
                created_at: row.at(2)?,
                name: row.text(3)?.to_owned(),
                email: row.text(4)?.to_owned(),
            })
        })
    }
}

fn read_role(word: &str) -> Result<Role, StoreError> {
    Role::parse(word).ok_or(StoreError::Corrupt { what: "role" })
}
