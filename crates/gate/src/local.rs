//! Keys checked in the same process: for a platform that embeds Keybell.

use keybell_app::App;
use keybell_app::verify::Decision;
use keybell_core::key::{Asked, RequestKind};

use crate::verifier::{Question, Refused};
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
        match self.app.verify(secret_key, &asked) {
            Decision::Valid(key) => Ok(Verified::held(key)),
            Decision::Refused(refused) => Err(Denied::Refused(Refused {
                code: refused.code,
                rate_limits: refused.rate_limits,
                retry_after_seconds: refused.retry_after_seconds,
            })),
        }
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
