//! Webhooks: made, listed, edited, switched, deleted, and their signing secrets shown.
//!
//! Every change is applied to the [registry](crate::registry) on the thread that committed it, before whoever asked is
//! answered and whether or not they still wait, and the engine is told right after it.

mod create;
mod edit;
mod fields;
mod rotate;
pub(crate) mod seals;
mod shown;
mod stats;
mod target;
mod test;

use std::sync::Arc;

use keybell_core::grant::{ManageWebhooks, ReadWebhooks};
use keybell_core::signature::SigningSecret;
use keybell_core::{Code, Grant, Problem, Timestamp, WebhookId, WorkspaceId};
use keybell_store::ops::signing_secrets::{ShowSecrets, Shown};
use keybell_store::ops::webhooks::{
    Changed, CountWebhooks, DeleteWebhook, GetWebhook, ListWebhooks, StoredWebhook,
};
use serde_json::json;

pub use create::NewWebhook;
pub use edit::WebhookPatch;
pub use fields::{NewHeader, RATE_LIMIT_MAX, RATE_LIMIT_WINDOW_SECONDS_MAX};
pub use keybell_store::ops::webhooks::{DisabledReason, WebhookRateLimit};
pub use rotate::{OVERLAP_DEFAULT, OVERLAP_MAX, SIGNING_SECRETS_MAX};
pub use shown::{ShownHeader, Webhook, WebhookStatus};
pub use stats::{StatsByWebhook, WebhooksStats};

pub use crate::registry::NamedWebhook;

use crate::page::{COUNTED_MAX, Counted};
use crate::problems::of_store;
use crate::{App, Listing, Page};
use seals::Seals;

/// How often a change is made again from a newer version, when others change the same webhook meanwhile.
const CHANGE_TRIES_MAX: u32 = 5;

/// A signing secret, shown to whoever may manage its webhook.
pub struct ShownSecret {
    /// The secret.
    pub secret: SigningSecret,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it signs, where it was rotated out.
    pub expires_at: Option<Timestamp>,
}

impl App {
    /// The webhooks of a workspace, newest first.
    pub async fn list_webhooks(
        &self,
        grant: Grant<ReadWebhooks>,
        page: Page,
    ) -> Result<Listing<Webhook>, Problem> {
        let (workspace, before) = (grant.workspace(), page.after(WebhookId::parse)?);
        let list = ListWebhooks { workspace, before, rows: page.rows() };
        let found = self.store().read(list).await.map_err(of_store)?;
        let found = found.into_iter().map(Webhook::of).collect();
        Ok(page.listing(found, |webhook: &Webhook| webhook.id.to_string()))
    }

    /// What the webhooks of the workspace are called, from memory.
    pub fn webhook_names(&self, grant: &Grant<ReadWebhooks>) -> Vec<NamedWebhook> {
        self.registry().names(grant.workspace())
    }

    /// What one webhook of the workspace is called, from memory; `None` where it has been deleted.
    pub fn webhook_name(&self, grant: &Grant<ReadWebhooks>, id: WebhookId) -> Option<NamedWebhook> {
        self.registry().name_of(grant.workspace(), id)
    }

    /// How many webhooks the workspace has.
    pub async fn count_webhooks(&self, grant: Grant<ReadWebhooks>) -> Result<Counted, Problem> {
        let count = CountWebhooks { workspace: grant.workspace(), rows: COUNTED_MAX + 1 };
        Ok(Counted::of(self.store().read(count).await.map_err(of_store)?))
    }

    /// One webhook of a workspace.
    pub async fn webhook(&self, grant: Grant<ReadWebhooks>, id: WebhookId) -> Result<Webhook, Problem> {
        Ok(Webhook::of(self.stored_webhook(grant.workspace(), id).await?.record))
    }

    /// Removes a webhook. Nothing is sent to it from then on; what was delivered stays in the log.
    pub async fn delete_webhook(&self, grant: Grant<ManageWebhooks>, id: WebhookId) -> Result<(), Problem> {
        let workspace = grant.workspace();
        let op = DeleteWebhook {
            workspace,
            id,
            only_made_by: grant.only_made_by().map(str::to_owned),
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(self.now(), "webhook.deleted", &id, json!({})),
        };
        let (registry, engine) = (Arc::clone(self.registry()), self.engine().clone());
        let changed = self.commit(op, move |changed| {
            // It is also taken from memory where an earlier deletion was done and its answer lost on the way.
            let is_gone = *changed == Changed::Done
                || (*changed == Changed::Missing && registry.get(workspace, id).is_some());
            if is_gone {
                registry.remove(workspace, id);
                engine.webhook_changed(workspace, id);
            }
        });
        match changed.await? {
            Changed::Done => Ok(()),
            Changed::Stale => Err(changed_meanwhile()),
            Changed::NotTheirs => Err(not_theirs()),
            Changed::Missing => Err(Code::NotFound.into()),
        }
    }

    /// The secrets that sign a webhook's requests, newest first. That they were read is in the audit log.
    pub async fn signing_secrets(
        &self,
        grant: Grant<ManageWebhooks>,
        id: WebhookId,
    ) -> Result<Vec<ShownSecret>, Problem> {
        let now = self.now();
        let op = ShowSecrets {
            workspace: grant.workspace(),
            webhook: id,
            only_made_by: grant.only_made_by().map(str::to_owned),
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(now, "webhook.signing_secret_shown", &id, json!({})),
        };
        let secrets = match self.store().write(op).await.map_err(of_store)? {
            Shown::Secrets(secrets) => secrets,
            Shown::NotTheirs => return Err(not_theirs()),
            Shown::Missing => return Err(Code::NotFound.into()),
        };
        let seals = Seals::new(self.sealer(), grant.workspace(), id);
        let live = secrets.iter().filter(|sealed| sealed.expires_at.is_none_or(|end| now < end));
        live.map(|sealed| {
            let opened = seals.open_secret(sealed).map_err(Problem::internal)?;
            let (created_at, expires_at) = (sealed.created_at, sealed.expires_at);
            Ok(ShownSecret { secret: opened.secret, created_at, expires_at })
        })
        .collect()
    }

    async fn stored_webhook(&self, workspace: WorkspaceId, id: WebhookId) -> Result<StoredWebhook, Problem> {
        let found = self.store().read(GetWebhook { workspace, id }).await.map_err(of_store)?;
        found.ok_or_else(|| Code::NotFound.into())
    }

    /// The webhook, where whoever asks may change it.
    pub(crate) async fn webhook_for(
        &self,
        grant: &Grant<ManageWebhooks>,
        id: WebhookId,
    ) -> Result<StoredWebhook, Problem> {
        let stored = self.stored_webhook(grant.workspace(), id).await?;
        if grant.only_made_by().is_some_and(|member| member != stored.record.created_by.id) {
            return Err(not_theirs());
        }
        Ok(stored)
    }
}

fn not_theirs() -> Problem {
    Problem::new(Code::Forbidden, "Members may change only the webhooks they made. Ask an owner or admin.")
}

fn changed_meanwhile() -> Problem {
    Problem::new(Code::Conflict, "Somebody else changed the webhook at the same time. Try again.")
}
