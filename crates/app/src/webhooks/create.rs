//! Making a webhook.

use std::sync::Arc;

use keybell_core::fields as common;
use keybell_core::grant::ManageWebhooks;
use keybell_core::payload::ContentType;
use keybell_core::signature::SigningSecret;
use keybell_core::{Code, FieldError, Grant, Problem, WebhookId};
use keybell_store::ops::webhooks::{
    DisabledReason, InsertWebhook, StoredWebhook, WebhookRateLimit, WebhookRecord,
};
use serde_json::{Map, Value, json};

use super::fields::{self, NewHeader};
use super::seals::Seals;
use super::shown::Webhook;
use crate::App;
use crate::registry::LiveWebhook;

/// What a webhook shall be. It may hold secrets: so it has no `Debug`.
pub struct NewWebhook {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Where its requests go.
    pub url: String,
    /// The events it wants: names of types, groups as `portfolio.*`, or `*`.
    pub events: Vec<String>,
    /// How it wants them.
    pub content_type: ContentType,
    /// What is added to its requests.
    pub headers: Vec<NewHeader>,
    /// Whether it is switched on.
    pub enabled: bool,
    /// How often it may be called.
    pub rate_limit: Option<WebhookRateLimit>,
    /// How many requests to it may be under way at once; the installation's default where there is none.
    pub max_in_flight: Option<u32>,
    /// What signs its requests; a new secret where there is none.
    pub signing_secret: Option<String>,
    /// What its maker wants to remember of it.
    pub metadata: Map<String, Value>,
}

impl App {
    /// Makes a webhook; events that are published from then on are delivered to it. The answer has the secret that signs
    /// its requests.
    ///
    /// [`Code::Validation`] names the fields that are not valid; [`Code::Conflict`] where the workspace has as many
    /// webhooks as it may.
    pub async fn create_webhook(
        &self,
        grant: Grant<ManageWebhooks>,
        new: NewWebhook,
    ) -> Result<(Webhook, SigningSecret), Problem> {
        let now = self.now();
        let (workspace, id) = (grant.workspace(), WebhookId::new(now, self.randomness()));
        let seals = Seals::new(self.sealer(), workspace, id);
        let seal = |name: &str, value: &str| seals.seal_header(name, value, self.randomness());

        let mut errors = Vec::new();
        errors.extend(common::name(&new.name).err());
        errors.extend(common::description(&new.description).err());
        errors.extend(common::metadata(&new.metadata).err());
        errors.extend(fields::events(&new.events, self.catalogue(), &[]).err().into_iter().flatten());
        errors.extend(new.rate_limit.and_then(|limit| fields::rate_limit(limit).err()).into_iter().flatten());
        let most = self.settings().delivery.max_in_flight_per_webhook;
        errors.extend(new.max_in_flight.and_then(|limit| fields::max_in_flight(limit, most).err()));
        let headers = fields::headers(&new.headers, &[], seal).unwrap_or_else(|bad| {
            errors.extend(bad);
            Vec::new()
        });
        let secret = match new.signing_secret.as_deref().map(SigningSecret::parse) {
            None => Some(SigningSecret::mint(self.randomness())),
            Some(Ok(secret)) => Some(secret),
            Some(Err(bad)) => {
                errors.push(FieldError::new("signing_secret", "invalid", bad.to_string()));
                None
            }
        };
        let url = self.check_target(&new.url).await.map_err(|bad| errors.push(bad));
        let (Ok(url), Some(secret), true) = (url, secret, errors.is_empty()) else {
            return Err(Problem::invalid(errors));
        };

        let record = WebhookRecord {
            workspace,
            id,
            name: new.name,
            description: new.description,
            url: url.into(),
            events: new.events,
            content_type: new.content_type,
            headers,
            disabled: (!new.enabled).then_some(DisabledReason::ByMember),
            failing_since: None,
            rate_limit: new.rate_limit,
            max_in_flight: new.max_in_flight,
            metadata: new.metadata,
            created_at: now,
            created_by: grant.by().clone(),
            updated_at: now,
            last_delivery_at: None,
        };
        let secrets = vec![seals.seal_secret(&secret, now, self.randomness())];
        let stored = StoredWebhook { record: record.clone(), secrets };
        let live = LiveWebhook::open(&stored, &seals)?;
        let changes = json!({
            "name": { "to": record.name }, "url": { "to": record.url }, "events": { "to": record.events },
        });
        let webhooks_max = self.settings().limits.webhooks_per_workspace;
        let op = InsertWebhook {
            stored,
            webhooks_max,
            origin: grant.origin().clone(),
            fact: self.audit_fact(now, "webhook.created", &id, changes),
        };
        let registry = Arc::clone(self.registry());
        let inserted = self.commit(op, move |inserted| {
            if *inserted {
                registry.put(live);
            }
        });
        if !inserted.await? {
            if !self.directory().has(workspace) {
                return Err(Code::NotFound.into());
            }
            let detail = format!("The workspace has {webhooks_max} webhooks, as many as it may have.");
            return Err(Problem::new(Code::Conflict, detail));
        }
        Ok((Webhook::of(record), secret))
    }
}
