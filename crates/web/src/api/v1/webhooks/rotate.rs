//! `POST /v1/workspaces/{workspace}/webhooks/{id}/signing-secret/rotate`

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use keybell_app::App;
use keybell_app::webhooks::OVERLAP_DEFAULT;
use keybell_core::WebhookId;
use keybell_core::grant::ManageWebhooks;
use serde::Deserialize;
use utoipa::ToSchema;

use super::shape::WebhookWithSecret;
use crate::extract::{Granted, JsonBodyOrDefault, PathId};
use crate::problem::Answer;

/// How a signing secret is rotated.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SigningSecretRotation {
    /// For how long those before it sign beside the new one; a day where it is left out.
    #[schema(minimum = 0, maximum = 2_592_000, default = 86_400)]
    overlap_seconds: Option<u64>,
    /// A Standard Webhooks secret to sign with (`whsec_…`); a new one is made where it is left out.
    signing_secret: Option<String>,
}

/// Rotate a webhook's signing secret
///
/// The answer has the new secret. In the overlap every secret signs, the newest first, so that a receiver which knows one of
/// them verifies; after it the new one signs alone. At most five sign at once.
#[utoipa::path(post, path = "/v1/workspaces/{workspace}/webhooks/{id}/signing-secret/rotate", tag = "Webhooks",
    operation_id = "rotate_signing_secret",
    request_body(content = Option<SigningSecretRotation>, description = "May be left out."),
    responses((status = 200, body = WebhookWithSecret)))]
pub(super) async fn rotate(
    Granted(grant): Granted<ManageWebhooks>,
    State(app): State<App>,
    PathId(id): PathId<WebhookId>,
    JsonBodyOrDefault(rotation): JsonBodyOrDefault<SigningSecretRotation>,
) -> Answer<Json<WebhookWithSecret>> {
    let SigningSecretRotation { overlap_seconds, signing_secret } = rotation;
    let overlap = overlap_seconds.map_or(OVERLAP_DEFAULT, Duration::from_secs);
    let rotated = app.rotate_signing_secret(grant, id, overlap, signing_secret.as_deref()).await?;
    Ok(Json(WebhookWithSecret::shown(rotated)))
}
