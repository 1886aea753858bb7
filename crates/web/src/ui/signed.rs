//! Who looks at a page, and in which workspace they are.

use axum::extract::FromRequestParts;
use http::request::Parts;
use keybell_app::App;
use keybell_app::sessions::SignedIn;
use keybell_core::actor::Membership;
use keybell_core::grant::{Action, Origin, ReadAudit};
use keybell_core::{AccountId, Actor, Code, Grant, Problem, WorkspaceId};

use super::around::KnownFrame;
use super::assets;
use super::back::Back;
use super::fields::Fields;
use super::view::frame::{Frame, Here, Section};
use crate::extract;
use crate::problem::Failed;

/// Somebody who is signed in.
pub(super) struct Signed {
    actor: Actor,
    /// Who.
    pub(super) account: AccountId,
    /// From where.
    pub(super) origin: Origin,
    /// Their session's token, to end it with.
    pub(super) token: String,
    /// Their places, with the workspaces' names.
    pub(super) places: Vec<(Membership, String)>,
    frame: Frame,
    query: Fields,
}

/// Somebody who is signed in and looks at a workspace of theirs.
pub(super) struct Inside {
    signed: Signed,
    /// Their place in it.
    pub(super) place: Membership,
    /// Its name.
    pub(super) name: String,
}

impl Signed {
    /// The surroundings of a page that is in no workspace.
    pub(super) fn frame(&self) -> Frame {
        self.frame.clone()
    }
}

impl Inside {
    /// Evidence that the person may do `A` here.
    pub(super) fn grant<A: Action>(&self) -> Result<Grant<A>, Problem> {
        Ok(self.signed.actor.grant(self.place.workspace, &self.signed.origin)?)
    }

    /// Whether the person may do `A` here, to something that `made_by` made. A page has no button for what is refused.
    pub(super) fn may<A: Action>(&self, made_by: &str) -> bool {
        self.grant::<A>().is_ok_and(|grant| grant.only_made_by().is_none_or(|own| own == made_by))
    }

    /// Looks again who it is and what they may, for what goes on longer than a request. [`Code::NotFound`] where they are
    /// no longer in the workspace.
    pub(super) async fn check_again(&mut self, app: &App) -> Result<(), Problem> {
        let SignedIn { actor, .. } = app.signed_in(&self.signed.token).await?;
        let Actor::Person { memberships, .. } = &actor else { return Err(Code::NotFound.into()) };
        let place = memberships.iter().find(|place| place.workspace == self.place.workspace);
        self.place = *place.ok_or(Code::NotFound)?;
        self.signed.actor = actor;
        Ok(())
    }

    /// The surroundings of a page in `section`.
    pub(super) fn frame(&self, section: Section) -> Frame {
        let id = self.place.workspace.to_string();
        let may_audit = self.grant::<ReadAudit>().is_ok();
        let workspace = Some(Here { id, name: self.name.clone(), section, may_audit });
        Frame { workspace, ..self.signed.frame.clone() }
    }

    /// Where the Developer page is.
    pub(super) fn developer(&self) -> String {
        format!("/w/{}/settings/advanced/developer", self.place.workspace)
    }

    /// Where in the list at `list`, whose filter has the parameters `filters`, the person is while they look at it.
    pub(super) fn place_in(&self, list: String, filters: &[&'static str]) -> Back {
        Back::at(list, filters, &self.signed.query)
    }

    /// What a repeatable form belongs to.
    pub(super) fn owner(&self) -> String {
        format!("account {} form", self.signed.account)
    }
}

impl FromRequestParts<App> for Signed {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let token = extract::session_token(parts, app).ok_or(Code::MissingCredential)?.to_owned();
        let SignedIn { actor, account, name, email, workspace_names } = app.signed_in(&token).await?;
        let memberships = match &actor {
            Actor::Person { memberships, .. } => memberships.as_slice(),
            _ => &[],
        };
        let places: Vec<_> = memberships.iter().copied().zip(workspace_names).collect();
        let Ok(query) = Fields::from_request_parts(parts, app).await;
        let frame = Frame {
            brand: app.settings().brand_name.clone(),
            assets: assets::links(),
            person: name,
            email,
            workspace: None,
            has_others: places.len() > 1,
            notice: notice(query.one("done")),
        };
        if let Some(known) = parts.extensions.get::<KnownFrame>() {
            known.get_or_init(|| Frame { notice: None, ..frame.clone() });
        }
        Ok(Signed { actor, account, origin: extract::origin(parts, app), token, places, frame, query })
    }
}

impl FromRequestParts<App> for Inside {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let signed = Signed::from_request_parts(parts, app).await?;
        let named = extract::parameter(parts, Some("workspace")).await;
        let workspace = WorkspaceId::parse(&named).ok_or(Code::NotFound)?;
        let found = signed.places.iter().find(|(place, _)| place.workspace == workspace);
        let (place, name) = found.cloned().ok_or(Code::NotFound)?;
        Ok(Inside { signed, place, name })
    }
}

/// What was just done, by its word in the address. A word that is not ours says nothing, so that nobody can put words into
/// our mouth by a link.
fn notice(word: &str) -> Option<&'static str> {
    Some(match word {
        "key-saved" => "The key was saved.",
        "key-revoked" => "The key was revoked. It is refused from now on.",
        "old-secret-ended" => "The old secret has ended. It is refused from now on.",
        "old-secret-another" => {
            "The key was rotated again since that page was shown, so nothing was ended. What is below is as it is now."
        }
        "webhook-created" => "The webhook was created. Its signing secret can be revealed below.",
        "webhook-saved" => "The webhook was saved.",
        "webhook-enabled" => "The webhook is on. Events are sent to it again, and so are any that waited.",
        "webhook-disabled" => "The webhook is off. What happens from now on is not sent.",
        "delivery-resent" => "The delivery is made again. Its status says what came of it.",
        "webhook-deleted" => "The webhook was deleted.",
        "deliveries-resent" => {
            "These deliveries are made again. They are pending until their endpoints have answered."
        }
        "deliveries-resent-some" => {
            "Some of these deliveries are made again. The others are pending already, or cannot be: their webhook is off, deleted or not yours, or their event is no longer kept."
        }
        "deliveries-not-resent" => {
            "None of these deliveries can be made again: they are pending already, their webhook is off, deleted or not yours, or their event is no longer kept."
        }
        "deliveries-none" => "No delivery was ticked, so none is made again.",
        "deliveries-none-fit" => "No delivery fits any more, so none is made again.",
        "workspace-saved" => "The workspace was saved.",
        "session-ended" => "The session was ended.",
        "again" => "This form was sent before: it was done once.",
        _ => return None,
    })
}

/// A token for a form, so that sending it twice does it once.
pub(super) fn form_token(app: &App) -> String {
    let bytes: [u8; 16] = app.randomness().bytes();
    bytes.iter().fold(String::with_capacity(32), |text, byte| text + &format!("{byte:02x}"))
}
