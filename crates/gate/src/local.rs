//! Keys checked in the same process: for a platform that embeds Keybell.

use std::net::IpAddr;

use keybell_app::App;
use keybell_app::verify::Decision;
use keybell_core::key::Asked;

use crate::{Denied, Needs, Unreachable, Verified, Verifier};

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
}

impl Verifier for LocalVerifier {
    async fn verify(
        &self,
        secret_key: &str,
        needs: &Needs,
        source: Option<IpAddr>,
    ) -> Result<Verified, Denied> {
        let asked =
            Asked { required_scopes: &needs.scopes, environment: needs.environment, source_address: source };
        let key = match self.app.verify(secret_key, &asked) {
            Decision::Valid(key) => key,
            Decision::Refused(code) => return Err(Denied::Refused(code)),
        };
        let metadata = serde_json::from_str(key.metadata().get());
        Ok(Verified {
            key_id: key.public_identifier().to_string(),
            name: key.name().to_owned(),
            workspace_id: key.workspace().to_string(),
            workspace_external_id: key.workspace_external_id().map(str::to_owned),
            environment: key.environment(),
            scopes: key.scopes().iter().map(ToString::to_string).collect(),
            metadata: metadata
                .map_err(|error| Denied::Unreachable(Unreachable::because("reading metadata", error)))?,
        })
    }

    fn base_url(&self) -> &str {
        self.app.settings().public_url.as_str().trim_end_matches('/')
    }
}
