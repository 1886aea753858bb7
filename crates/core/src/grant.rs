//! Permission as evidence. A use case asks for a `Grant<ManageKeys>`; only [`Actor`](crate::Actor) makes one.
//!
//! A workspace id reaches the store only out of a grant, so an endpoint that forgot its permission check does not
//! compile.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

use crate::actor::ActorRef;
use crate::id::WorkspaceId;

/// What an action needs. Roles and scopes are tables over this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// See the workspace's name and id.
    ReadWorkspace,
    /// Change the workspace's name.
    ManageWorkspace,
    /// Remove the workspace and everything in it.
    DeleteWorkspace,
    /// Invite, change and remove members.
    ManageMembers,
    /// List API keys and read one; never a secret.
    ReadKeys,
    /// Create, edit, rotate and revoke API keys.
    ManageKeys,
    /// List webhooks and read one; never a secret.
    ReadWebhooks,
    /// Create, edit, switch and delete webhooks, read and rotate their signing secrets.
    ManageWebhooks,
    /// List deliveries and events without what they carried.
    ReadDeliveries,
    /// Read an event's data, a delivery's request and its answer.
    ReadPayloads,
    /// Publish events.
    PublishEvents,
    /// Read the audit log.
    ReadAudit,
}

impl Permission {
    /// The scope by which an API key has this permission; `None` where no key can have it.
    pub const fn scope(self) -> Option<&'static str> {
        match self {
            Permission::ReadKeys => Some("keybell:keys.read"),
            Permission::ManageKeys => Some("keybell:keys.write"),
            Permission::ReadWebhooks => Some("keybell:webhooks.read"),
            Permission::ManageWebhooks => Some("keybell:webhooks.write"),
            Permission::ReadDeliveries | Permission::ReadPayloads => Some("keybell:events.read"),
            Permission::PublishEvents => Some("keybell:events.publish"),
            _ => None,
        }
    }

    /// Whether a member of role `member` is confined to what they made themselves.
    pub const fn manages(self) -> bool {
        matches!(self, Permission::ManageKeys | Permission::ManageWebhooks)
    }
}

/// An action as a type, so that a grant for one cannot be used for another.
pub trait Action: Send + Sync + 'static {
    /// What it needs.
    const PERMISSION: Permission;
}

macro_rules! actions {
    ($($name:ident)*) => {$(
        #[doc = concat!("See [`Permission::", stringify!($name), "`].")]
        #[derive(Debug)]
        pub enum $name {}
        impl Action for $name {
            const PERMISSION: Permission = Permission::$name;
        }
    )*};
}
actions! {
    ReadWorkspace ManageWorkspace DeleteWorkspace ManageMembers ReadKeys ManageKeys ReadWebhooks ManageWebhooks
    ReadDeliveries ReadPayloads PublishEvents ReadAudit
}

/// What the holder of a key may do to this key alone, whatever it may do besides: revoke it. Made by
/// [`Actor::grant_own_key`](crate::Actor::grant_own_key).
#[derive(Debug)]
pub enum RevokeOwnKey {}

/// Where a request came from, for audit entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, where one is known.
    pub source_address: Option<IpAddr>,
    /// The request's id, as the answer bears it in `x-request-id`.
    pub request_id: Arc<str>,
}

/// Evidence that somebody may do `A` in one workspace.
#[derive(Debug)]
pub struct Grant<A> {
    workspace: WorkspaceId,
    by: Arc<ActorRef>,
    only_made_by: Option<Arc<str>>,
    gives: Gives,
    origin: Origin,
    action: PhantomData<fn() -> A>,
}

impl<A> Clone for Grant<A> {
    fn clone(&self) -> Self {
        Grant {
            workspace: self.workspace,
            by: Arc::clone(&self.by),
            only_made_by: self.only_made_by.clone(),
            gives: self.gives.clone(),
            origin: self.origin.clone(),
            action: PhantomData,
        }
    }
}

impl<A> Grant<A> {
    pub(crate) fn made(
        workspace: WorkspaceId,
        by: ActorRef,
        only_made_by: Option<String>,
        gives: Gives,
        origin: Origin,
    ) -> Self {
        let only_made_by = only_made_by.map(Arc::from);
        Grant { workspace, by: Arc::new(by), only_made_by, gives, origin, action: PhantomData }
    }

    /// The workspace it is for.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// Whether an operator has it, for the little that a workspace's own people may not do in it.
    pub fn is_operators(&self) -> bool {
        self.by.kind == "operator"
    }

    /// Who has it.
    pub fn by(&self) -> &ActorRef {
        &self.by
    }

    /// The member id whose own things alone may be managed, where the role confines it; a statement's WHERE holds it
    /// against the column `created_by_id`.
    pub fn only_made_by(&self) -> Option<&str> {
        self.only_made_by.as_deref()
    }

    /// Whether a key with this scope may be made, or shown its new secret, by whoever has the grant: nobody hands out more
    /// than they may do themselves.
    pub fn may_give(&self, scope: &str) -> bool {
        match &self.gives {
            Gives::Everything => true,
            Gives::AllButManagingOthers => !crate::scope::manages_all(scope),
            Gives::Only(own) => own.iter().any(|own| own == scope),
        }
    }

    /// Where the request came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Which scopes whoever has a grant may put into a key.
#[derive(Clone, Debug)]
pub(crate) enum Gives {
    /// Every scope.
    Everything,
    /// Every scope but those that reach what others made.
    AllButManagingOthers,
    /// These alone: a key's own.
    Only(Arc<[String]>),
}

/// Evidence that an operator acts, for what belongs to no workspace: the catalogue, the list of workspaces.
#[derive(Clone, Debug)]
pub struct OperatorGrant {
    by: Arc<ActorRef>,
    origin: Origin,
}

impl OperatorGrant {
    pub(crate) fn made(by: ActorRef, origin: Origin) -> Self {
        OperatorGrant { by: Arc::new(by), origin }
    }

    /// Who has it.
    pub fn by(&self) -> &ActorRef {
        &self.by
    }

    /// Where the request came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Why no grant was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The workspace is none of the actor's: for them it does not exist (404).
    #[error("no such workspace for this credential")]
    Stranger,
    /// The actor belongs there, but may not do this (403).
    #[error("this credential may not do that")]
    NotAllowed {
        /// The scope that would have sufficed, where the actor is an API key.
        missing_scope: Option<&'static str>,
    },
}
