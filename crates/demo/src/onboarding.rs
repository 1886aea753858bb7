//! How a workspace of the platform comes to Keybell: it is made known by the platform's own name for it, and its people
//! make their webhooks and keys on the Developer page. Here the platform does that for them, so that the demo has some.

use serde_json::{Value, json};

use crate::catalogue::SCOPES;
use crate::keybell::{CallError, Keybell};
use crate::world::WORKSPACES;

/// What was made for the first workspace. It has no `Debug`, since both are secrets.
pub struct Onboarded {
    /// The secret key of an API key with every scope.
    pub secret_key: String,
    /// The signing secret of the webhook.
    pub signing_secret: String,
}

/// The scopes of Keybell's own API that the demo's key has besides the platform's.
const KEYBELL_SCOPES: [&str; 6] = [
    "keybell:keys.read",
    "keybell:keys.write",
    "keybell:webhooks.read",
    "keybell:webhooks.write",
    "keybell:events.read",
    "keybell:events.publish",
];

/// Makes the workspaces known, and gives the first one a webhook to `receiver_url` and an API key.
pub async fn onboard(keybell: &Keybell, receiver_url: &str) -> Result<Onboarded, CallError> {
    for (external_id, name) in WORKSPACES {
        keybell.post("/v1/workspaces", &json!({ "external_id": external_id, "name": name })).await?;
    }
    let (workspace, _) = WORKSPACES[0];
    let webhook = json!({
        "name": "Research desk",
        "description": "Everything that happens, to the demo's receiver",
        "url": receiver_url,
        "events": ["*"],
    });
    let webhook = keybell.post(&format!("/v1/workspaces/{workspace}/webhooks"), &webhook).await?;
    let scopes: Vec<&str> = SCOPES.iter().map(|(name, _)| *name).chain(KEYBELL_SCOPES).collect();
    let key = json!({ "name": "Research terminal", "description": "The key of the demo's curl lines", "scopes": scopes });
    let key = keybell.post(&format!("/v1/workspaces/{workspace}/api-keys"), &key).await?;
    Ok(Onboarded {
        secret_key: text_of(&key.body, "secret_key"),
        signing_secret: text_of(&webhook.body, "signing_secret"),
    })
}

fn text_of(body: &Value, member: &str) -> String {
    body[member].as_str().unwrap_or_default().to_owned()
}
