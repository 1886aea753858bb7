//! Making a webhook.

use std::sync::Arc;

use keybell_core::fields as common;
use keybell_core::grant::ManageWebhooks;
use keybell_core::payload::ContentType;
use keybell_core::signature::SigningSecret;
use keybell_core::{Code, FieldError, Grant, Problem, Timestamp, WebhookId};
use keybell_store::ops::webhooks::{
    DisabledReason, InsertWebhook, StoredWebhook, WebhookRateLimit, WebhookRecord,
};
use serde_json::{Map, Value, json};

use super::fields::{self, NewHeader};
use super::seals::Seals;
use super::shown::Webhook;
use crate::App;
use crate::problems::Errors;
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
        let (record, secret) = self.new_record(&grant, id, now, &seals, new).await?;
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

    /// What is wrong with the fields of a new webhook, for a form that has other faults already: nothing is made.
    pub async fn wrong_with_new_webhook(
        &self,
        grant: &Grant<ManageWebhooks>,
        new: NewWebhook,
    ) -> Vec<FieldError> {
        let now = self.now();
        let id = WebhookId::new(now, self.randomness());
        let seals = Seals::new(self.sealer(), grant.workspace(), id);
        let made = self.new_record(grant, id, now, &seals, new).await;
        made.err().map(|problem| problem.errors).unwrap_or_default()
    }

    /// The record of a webhook to be made, once all of its fields are valid, and what signs its requests.
    async fn new_record(
        &self,
        grant: &Grant<ManageWebhooks>,
        id: WebhookId,
        now: Timestamp,
        seals: &Seals<'_>,
        new: NewWebhook,
    ) -> Result<(WebhookRecord, SigningSecret), Problem> {
        let seal = |name: &str, value: &str| seals.seal_header(name, value, self.randomness());
        let in_flight_max = self.settings().delivery.max_in_flight_per_webhook;
        let mut errors = Errors::default();
        errors.one(common::name(&new.name));
        errors.one(common::description(&new.description));
        errors.one(common::metadata(&new.metadata));
        errors.many(fields::events(&new.events, self.catalogue(), &[]));
        errors.many(new.rate_limit.map_or(Ok(()), fields::rate_limit));
        errors.one(new.max_in_flight.map_or(Ok(()), |limit| fields::max_in_flight(limit, in_flight_max)));
        let headers = errors.many(fields::headers(&new.headers, &[], seal));
        let secret = new.signing_secret.as_deref().map_or_else(
            || Ok(SigningSecret::mint(self.randomness())),
            |text| {
                SigningSecret::parse(text)
                    .map_err(|bad| FieldError::new("signing_secret", "invalid", bad.to_string()))
            },
        );
        let (secret, url) = (errors.one(secret), errors.one(self.check_target(&new.url).await));
        errors.refuse_any()?;
        let (Some(secret), Some(url)) = (secret, url) else { unreachable!("what is not there was refused") };
        let record = WebhookRecord {
            workspace: grant.workspace(),
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
        Ok((record, secret))
    }
}
