//! `GET /v1/workspaces/{workspace}/webhooks/{id}/signing-secret`

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::webhooks::ShownSecret;
use keybell_core::WebhookId;
use keybell_core::grant::ManageWebhooks;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::v1::shapes::At;
use crate::extract::{Granted, PathId};
use crate::problem::Answer;

/// The secrets that sign a webhook's deliveries, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct SigningSecrets {
    secrets: Vec<OneSigningSecret>,
}

/// One of them.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningSecret)]
pub(super) struct OneSigningSecret {
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
    created_at: At,
    /// Until when it signs, where it was rotated out.
    #[schema(required)]
    expires_at: Option<At>,
}

/// Read a webhook's signing secrets
///
/// That they were read is in the audit log.
#[utoipa::path(get, path = "/v1/workspaces/{workspace}/webhooks/{id}/signing-secret", tag = "Webhooks",
    operation_id = "get_signing_secrets", responses((status = 200, body = SigningSecrets)))]
pub(super) async fn signing_secret(
    Granted(grant): Granted<ManageWebhooks>,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
) -> Answer<Json<SigningSecrets>> {
    let secrets = app.signing_secrets(grant, id).await?;
    Ok(Json(SigningSecrets { secrets: secrets.iter().map(shown).collect() }))
}

fn shown(shown: &ShownSecret) -> OneSigningSecret {
    OneSigningSecret {
        secret: shown.secret.reveal().to_string(),
        created_at: shown.created_at.into(),
        expires_at: shown.expires_at.map(Into::into),
    }
}
