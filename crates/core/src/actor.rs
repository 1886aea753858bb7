//! Who acts: an operator, an API key, or a signed-in member; and what their kind and role may do.

use serde::Serialize;

use crate::grant::{Action, Forbidden, Gives, Grant, OperatorGrant, Origin, Permission, RevokeOwnKey};
use crate::id::{AccountId, MemberId, WorkspaceId};

/// Somebody whose credential was checked. The only source of a [`Grant`].
#[derive(Clone, Debug)]
pub enum Actor {
    /// The platform's backend or an operator's command, by an operator key.
    Operator {
        /// The public identifier of the operator key.
        key: String,
        /// The name it was given.
        name: String,
    },
    /// An API key, acting in its own workspace by its `keybell:*` scopes.
    ApiKey {
        /// The public identifier of the key.
        key: String,
        /// The name it was given.
        name: String,
        /// The workspace it belongs to.
        workspace: WorkspaceId,
        /// Every scope it carries, the platform's as well.
        scopes: Vec<String>,
    },
    /// A signed-in person, with their place in each of their workspaces.
    Person {
        /// Who signed in.
        account: AccountId,
        /// What they are called.
        name: String,
        /// Their places.
        memberships: Vec<Membership>,
    },
}

/// A person's place in one workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The member's id.
    pub member: MemberId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What they may do there.
    pub role: Role,
}

/// What a member may do. Each role may do all that the ones after it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, members and deletion of the workspace included.
    Owner,
    /// Everything but members and deletion.
    Admin,
    /// Sees everything, manages what they made themselves.
    Member,
    /// Sees lists; no secrets, no payloads.
    Guest,
}

/// Who did something, as an audit entry and `created_by` show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct ActorRef {
    /// `operator`, `api_key`, `member`, or `system` for what Keybell did by itself.
    pub kind: String,
    /// The public identifier of a key, the id of a member, or `keybell`.
    pub id: String,
    /// The name at that time.
    pub name: String,
}

impl Role {
    /// The role's word in the API and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Member => "member",
            Role::Guest => "guest",
        }
    }

    /// The role of that word.
    pub fn parse(word: &str) -> Option<Role> {
        [Role::Owner, Role::Admin, Role::Member, Role::Guest].into_iter().find(|role| role.as_str() == word)
    }
}

impl Actor {
    /// Evidence that this actor may do `A` in `workspace`, to hand to a use case.
    ///
    /// [`Forbidden::Stranger`] where the workspace is none of theirs (it does not exist for them: 404), and
    /// [`Forbidden::NotAllowed`] where it is, but they may not do this (403).
    pub fn grant<A: Action>(&self, workspace: WorkspaceId, origin: &Origin) -> Result<Grant<A>, Forbidden> {
        let (by, only_made_by, gives) = match self {
            Actor::Operator { key, name } => (actor_ref("operator", key, name), None, Gives::Everything),
            Actor::ApiKey { key, name, workspace: own, scopes } => {
                if *own != workspace {
                    return Err(Forbidden::Stranger);
                }
                let needed = A::PERMISSION.scope().ok_or(Forbidden::NotAllowed { missing_scope: None })?;
                if !scopes.iter().any(|scope| scope == needed) {
                    return Err(Forbidden::NotAllowed { missing_scope: Some(needed) });
                }
                (actor_ref("api_key", key, name), None, Gives::Only(scopes.as_slice().into()))
            }
            Actor::Person { name, memberships, .. } => {
                let place = memberships.iter().find(|place| place.workspace == workspace);
                let place = place.ok_or(Forbidden::Stranger)?;
                if !role_allows(place.role, A::PERMISSION) {
                    return Err(Forbidden::NotAllowed { missing_scope: None });
                }
                let member = place.member.to_string();
                let own_only = place.role == Role::Member && A::PERMISSION.manages();
                let gives = if own_only { Gives::AllButManagingOthers } else { Gives::Everything };
                (actor_ref("member", &member, name), own_only.then_some(member), gives)
            }
        };
        Ok(Grant::made(workspace, by, only_made_by, gives, origin.clone()))
    }

    /// Evidence that this actor is the key of the public identifier `id`, which is what it takes to revoke it. Every other key does not exist
    /// for it.
    pub fn grant_own_key(&self, id: &str, origin: &Origin) -> Result<Grant<RevokeOwnKey>, Forbidden> {
        match self {
            Actor::ApiKey { key, name, workspace, .. } if key == id => {
                let by = actor_ref("api_key", key, name);
                Ok(Grant::made(*workspace, by, None, Gives::Only([].into()), origin.clone()))
            }
            _ => Err(Forbidden::Stranger),
        }
    }

    /// Evidence that this actor is an operator, for what belongs to no workspace.
    pub fn grant_operator(&self, origin: &Origin) -> Result<OperatorGrant, Forbidden> {
        match self {
            Actor::Operator { key, name } => {
                Ok(OperatorGrant::made(actor_ref("operator", key, name), origin.clone()))
            }
            _ => Err(Forbidden::NotAllowed { missing_scope: None }),
        }
    }

    /// The workspace that `current` names: an API key's own, or a person's only one.
    pub fn current_workspace(&self) -> Option<WorkspaceId> {
        match self {
            Actor::Operator { .. } => None,
            Actor::ApiKey { workspace, .. } => Some(*workspace),
            Actor::Person { memberships, .. } => match memberships.as_slice() {
                [only] => Some(only.workspace),
                _ => None,
            },
        }
    }
}

fn actor_ref(kind: &str, id: &str, name: &str) -> ActorRef {
    ActorRef { kind: kind.to_owned(), id: id.to_owned(), name: name.to_owned() }
}

/// The table of roles: what [`Role`] says in words.
fn role_allows(role: Role, permission: Permission) -> bool {
    use Permission as P;
    match role {
        Role::Owner => true,
        Role::Admin => permission != P::ManageMembers && permission != P::DeleteWorkspace,
        Role::Member => matches!(
            permission,
            P::ReadWorkspace
                | P::ReadKeys
                | P::ManageKeys
                | P::ReadWebhooks
                | P::ManageWebhooks
                | P::ReadDeliveries
                | P::ReadPayloads
                | P::PublishEvents
        ),
        Role::Guest => {
            matches!(permission, P::ReadWorkspace | P::ReadKeys | P::ReadWebhooks | P::ReadDeliveries)
        }
    }
}
