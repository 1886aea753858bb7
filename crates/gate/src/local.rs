//! Keys checked in the same process: for a platform that embeds Keybell.

use std::sync::Arc;

use keybell_app::App;
use keybell_app::verify::VerifiedKey;
use keybell_core::WorkspaceId;
use keybell_core::key::{Asked, Environment, LimitState, PublicIdentifier, RequestKind, Scopes};

use crate::verifier::Question;
use crate::{Denied, Verified, Verifier};

/// Asks an installation in the same process. It never waits.
#[derive(Clone)]
pub struct LocalVerifier {
    app: App,
}

impl LocalVerifier {
    /// Asks `app`.
    pub fn new(app: App) -> LocalVerifier {
        LocalVerifier { app }
    }

    /// The same answer for whoever cannot wait.
    pub fn verify_now(&self, question: Question<'_>) -> Result<Verified, Denied> {
        let Question { secret_key, needs, source, method } = question;
        let asked = Asked {
            required_scopes: &needs.scopes,
            environment: needs.environment,
            source_address: source,
            request: RequestKind::of_method(method),
            ..Asked::default()
        };
        let held = self.app.verify(secret_key, &asked, |key| Held::of(key, &self.app));
        held.map(Verified::held).map_err(Denied::Refused)
    }
}

impl Verifier for LocalVerifier {
    async fn verify(&self, question: Question<'_>) -> Result<Verified, Denied> {
        self.verify_now(question)
    }

    fn base_url(&self) -> &str {
        self.app.settings().public_url.as_str().trim_end_matches('/')
    }
}

/// What is known of a key in this process. Its name and metadata are looked up when somebody asks for them.
pub(crate) struct Held {
    app: App,
    pub(crate) id: PublicIdentifier,
    pub(crate) workspace: WorkspaceId,
    pub(crate) workspace_external_id: Option<Arc<str>>,
    pub(crate) environment: Environment,
    pub(crate) scopes: Scopes,
    pub(crate) rate_limits: Vec<LimitState>,
}

impl Held {
    fn of(key: &VerifiedKey<'_>, app: &App) -> Held {
        Held {
            app: app.clone(),
            id: key.public_identifier(),
            workspace: key.workspace(),
            workspace_external_id: key.workspace_external_id().cloned(),
            environment: key.environment(),
            scopes: key.scopes().clone(),
            rate_limits: key.rate_limits().to_vec(),
        }
    }

    pub(crate) fn name(&self) -> String {
        self.app.described(&self.id).map(|(name, _)| name).unwrap_or_default()
    }

    pub(crate) fn metadata(&self) -> String {
        self.app.described(&self.id).map(|(_, metadata)| metadata).unwrap_or_default()
    }
}
