//! Secrets of one webhook, sealed for the database and opened for memory.
//!
//! A seal is bound to the workspace, the webhook and what it is there: copied to another row, it does not open.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keybell_core::header::CustomHeader;
use keybell_core::seal::{Sealer, Unsealable};
use keybell_core::signature::SigningSecret;
use keybell_core::{Randomness, Timestamp, WebhookId, WorkspaceId};
use keybell_store::ops::signing_secrets::SealedSecret;
use keybell_store::ops::webhooks::{StoredHeader, StoredValue, WebhookRecord};
use zeroize::Zeroizing;

use crate::registry::LiveSecret;

/// The seals of one webhook.
pub(crate) struct Seals<'a> {
    sealer: &'a Sealer,
    workspace: WorkspaceId,
    webhook: WebhookId,
}

impl<'a> Seals<'a> {
    pub(crate) fn new(sealer: &'a Sealer, workspace: WorkspaceId, webhook: WebhookId) -> Self {
        Seals { sealer, workspace, webhook }
    }

    pub(crate) fn of(sealer: &'a Sealer, record: &WebhookRecord) -> Self {
        Seals::new(sealer, record.workspace, record.id)
    }

    /// A secret header's value, for the database.
    pub(crate) fn seal_header(&self, name: &str, value: &str, randomness: &dyn Randomness) -> StoredValue {
        let sealed = self.sealer.seal(&self.header_context(name), value.as_bytes(), randomness);
        StoredValue::Sealed(BASE64_STANDARD.encode(sealed))
    }

    /// A header, for memory.
    pub(crate) fn open_header(&self, stored: &StoredHeader) -> Result<CustomHeader, Unsealable> {
        let name = stored.name.clone();
        match &stored.value {
            StoredValue::Plain(value) => {
                Ok(CustomHeader { name, value: Zeroizing::new(value.clone()), secret: false })
            }
            StoredValue::Sealed(sealed) => {
                let sealed = BASE64_STANDARD.decode(sealed).map_err(|_| Unsealable)?;
                let opened = self.sealer.open(&self.header_context(&name), &sealed)?;
                let value = std::str::from_utf8(&opened).map_err(|_| Unsealable)?;
                Ok(CustomHeader { value: Zeroizing::new(value.to_owned()), name, secret: true })
            }
        }
    }

    /// A signing secret made at `created_at`, for the database.
    pub(crate) fn seal_secret(
        &self,
        secret: &SigningSecret,
        created_at: Timestamp,
        randomness: &dyn Randomness,
    ) -> SealedSecret {
        let sealed = self.sealer.seal(&self.secret_context(created_at), secret.key_bytes(), randomness);
        SealedSecret { created_at, sealed, expires_at: None }
    }

    /// A signing secret, for memory.
    pub(crate) fn open_secret(&self, stored: &SealedSecret) -> Result<LiveSecret, Unsealable> {
        let key = self.sealer.open(&self.secret_context(stored.created_at), &stored.sealed)?;
        let secret = SigningSecret::from_key_bytes(key).map_err(|_| Unsealable)?;
        Ok(LiveSecret { secret, expires_at: stored.expires_at })
    }

    fn header_context(&self, name: &str) -> Vec<u8> {
        format!("webhook-header:{}:{}:{}", self.workspace, self.webhook, name.to_ascii_lowercase())
            .into_bytes()
    }

    fn secret_context(&self, created_at: Timestamp) -> Vec<u8> {
        format!("signing-secret:{}:{}:{}", self.workspace, self.webhook, created_at.micros()).into_bytes()
    }
}
