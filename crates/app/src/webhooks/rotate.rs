//! Rotating a webhook's signing secret: a new one signs at once, those before it until the end of an overlap.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::grant::{ManageWebhooks, ReadWebhooks};
use keybell_core::signature::SigningSecret;
use keybell_core::{Code, Grant, Problem, Timestamp, WebhookId};
use keybell_store::ops::signing_secrets::{RotateSecret, Rotated, SealedSecret};
use keybell_store::ops::webhooks::{StoredWebhook, WebhookRecord};
use serde_json::json;

use super::seals::Seals;
use super::shown::Webhook;
use super::{CHANGE_TRIES_MAX, changed_meanwhile, not_theirs};
use crate::App;
use crate::registry::LiveWebhook;

pub use crate::keys::{OVERLAP_DEFAULT, OVERLAP_MAX};

/// Most secrets that sign a webhook's requests at once, the newest included. Each costs the sender a digest of every body,
/// and the receiver 48 bytes of a header; whoever rotates more often than that within an overlap ends the overlap.
pub const SIGNING_SECRETS_MAX: usize = 5;

impl App {
    /// Until when secrets that were rotated out sign a webhook's requests beside the newest one; `None` where that signs
    /// alone. Nothing is unsealed for it, so that nothing is written into the audit log.
    pub async fn signing_overlap_ends(
        &self,
        grant: Grant<ReadWebhooks>,
        id: WebhookId,
    ) -> Result<Option<Timestamp>, Problem> {
        let now = self.now();
        let StoredWebhook { secrets, .. } = self.stored_webhook(grant.workspace(), id).await?;
        Ok(secrets.iter().filter_map(|secret| secret.expires_at).filter(|end| now < *end).max())
    }

    /// Gives a webhook a new signing secret: `chosen`, or a new one. Those it has go on signing beside it for `overlap` (up
    /// to [`OVERLAP_MAX`]), or until the end they had before where that is sooner: so after `overlap` the new one signs
    /// alone. Attempts that begin from now on are signed so.
    ///
    /// [`Code::Conflict`] where [`SIGNING_SECRETS_MAX`] sign already, unless the overlap is nothing.
    pub async fn rotate_signing_secret(
        &self,
        grant: Grant<ManageWebhooks>,
        id: WebhookId,
        overlap: Duration,
        chosen: Option<&str>,
    ) -> Result<(Webhook, SigningSecret), Problem> {
        let chosen = checked(overlap, chosen)?;
        let secret = chosen.unwrap_or_else(|| SigningSecret::mint(self.randomness()));
        for _ in 0..CHANGE_TRIES_MAX {
            let StoredWebhook { record: before, secrets } = self.webhook_for(&grant, id).await?;
            let now = self.now();
            let at = now.max(before.updated_at + Duration::from_micros(1));
            let seals = Seals::of(self.sealer(), &before);
            let sealed = seals.seal_secret(&secret, at, self.randomness());
            let overlap_until = now + overlap;
            let from = before.updated_at;
            let record = WebhookRecord { updated_at: at, ..before };
            let stored =
                StoredWebhook { record: record.clone(), secrets: rotated(&secrets, &sealed, overlap_until) };
            let live = LiveWebhook::open(&stored, &seals)?;
            if live.secrets[1..].iter().any(|known| known.secret.key_bytes() == secret.key_bytes()) {
                let message = "must be another than those that sign already";
                return Err(Problem::field("signing_secret", "not_allowed", message));
            }
            let changes = json!({ "signing_secret": { "overlap_seconds": overlap.as_secs() } });
            let op = RotateSecret {
                workspace: grant.workspace(),
                webhook: id,
                secret: sealed,
                overlap_until,
                secrets_max: i64::try_from(SIGNING_SECRETS_MAX).expect("it is a small number"),
                from,
                only_made_by: grant.only_made_by().map(str::to_owned),
                by: grant.by().clone(),
                origin: grant.origin().clone(),
                fact: self.audit_fact(now, "webhook.signing_secret_rotated", &id, changes),
            };
            let registry = Arc::clone(self.registry());
            let rotated = self.commit(op, move |rotated| {
                if *rotated == Rotated::Done {
                    registry.put(live);
                }
            });
            match rotated.await? {
                Rotated::Done => return Ok((Webhook::of(record), secret)),
                Rotated::Stale => {}
                Rotated::Full => return Err(full()),
                Rotated::NotTheirs => return Err(not_theirs()),
                Rotated::Missing => return Err(Code::NotFound.into()),
            }
        }
        Err(changed_meanwhile())
    }
}

fn checked(overlap: Duration, chosen: Option<&str>) -> Result<Option<SigningSecret>, Problem> {
    if overlap > OVERLAP_MAX {
        let message = format!("must be from 0 to {}", OVERLAP_MAX.as_secs());
        return Err(Problem::field("overlap_seconds", "out_of_range", message));
    }
    let chosen = chosen.map(SigningSecret::parse).transpose();
    chosen.map_err(|bad| Problem::field("signing_secret", "invalid", bad.to_string()))
}

/// The secrets after the rotation as the op leaves them, newest first; ended ones may still be among them, and sign nothing.
fn rotated(before: &[SealedSecret], newest: &SealedSecret, overlap_until: Timestamp) -> Vec<SealedSecret> {
    let older = before.iter().map(|known| SealedSecret {
        expires_at: Some(known.expires_at.map_or(overlap_until, |end| end.min(overlap_until))),
        ..known.clone()
    });
    std::iter::once(newest.clone()).chain(older).collect()
}

fn full() -> Problem {
    let detail = format!(
        "{SIGNING_SECRETS_MAX} secrets sign this webhook's requests, as many as may. Wait until one of them ends, or rotate \
         with overlap_seconds 0, after which the new one signs alone."
    );
    Problem::new(Code::Conflict, detail)
}
