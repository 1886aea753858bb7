//! Editing a webhook, switching it on and off included.

use std::sync::Arc;
use std::time::Duration;

use keybell_core::fields as common;
use keybell_core::grant::ManageWebhooks;
use keybell_core::payload::ContentType;
use keybell_core::{Code, FieldError, Grant, Problem, WebhookId};
use keybell_store::ops::webhooks::{
    Changed, DisabledReason, EditWebhook, StoredHeader, StoredValue, StoredWebhook, WebhookRateLimit,
    WebhookRecord,
};
use serde_json::{Map, Value, json};

use super::fields::{self, NewHeader};
use super::seals::Seals;
use super::shown::{ShownHeader, Webhook};
use super::{CHANGE_TRIES_MAX, changed_meanwhile, not_theirs};
use crate::problems::Errors;
use crate::registry::LiveWebhook;
use crate::{App, audit};

/// What shall be different. `None` stays as it is, `Some(None)` is taken away. It may hold secrets: so it has no `Debug`.
#[derive(Clone, Default)]
pub struct WebhookPatch {
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where its requests go.
    pub url: Option<String>,
    /// The events it wants: the whole list.
    pub events: Option<Vec<String>>,
    /// How it wants them.
    pub content_type: Option<ContentType>,
    /// What is added to its requests: the whole list, in which a secret one without value keeps the one it has.
    pub headers: Option<Vec<NewHeader>>,
    /// Whether it is switched on.
    pub enabled: Option<bool>,
    /// How often it may be called.
    pub rate_limit: Option<Option<WebhookRateLimit>>,
    /// How many requests to it may be under way at once.
    pub max_in_flight: Option<Option<u32>>,
    /// A merge patch of the metadata; `Some(None)` removes all of it.
    pub metadata: Option<Option<Map<String, Value>>>,
}

impl App {
    /// Changes a webhook; what it is after it, which is what it was where the patch says nothing new. Attempts that are
    /// made from then on go by it.
    pub async fn edit_webhook(
        &self,
        grant: Grant<ManageWebhooks>,
        id: WebhookId,
        patch: WebhookPatch,
    ) -> Result<Webhook, Problem> {
        let workspace = grant.workspace();
        // Before anything of it is looked at, so that a stranger's patch cannot make us resolve names.
        self.webhook_for(&grant, id).await?;
        let url = match &patch.url {
            None => None,
            Some(text) => Some(self.check_target(text).await),
        };
        for _ in 0..CHANGE_TRIES_MAX {
            let StoredWebhook { record: before, secrets } = self.webhook_for(&grant, id).await?;
            let after = self.patched_webhook(&before, &patch, url.as_ref())?;
            if after == before {
                return Ok(Webhook::of(before));
            }
            let from = before.updated_at;
            let now = self.now();
            let record = WebhookRecord { updated_at: now.max(from + Duration::from_micros(1)), ..after };
            let stored = StoredWebhook { record: record.clone(), secrets };
            let live = LiveWebhook::open(&stored, &Seals::of(self.sealer(), &record))?;
            let op = EditWebhook {
                begins_anew: begins_anew(&before, &record),
                record: record.clone(),
                from,
                only_made_by: grant.only_made_by().map(str::to_owned),
                by: grant.by().clone(),
                origin: grant.origin().clone(),
                fact: self.audit_fact(now, "webhook.edited", &id, differences(&before, &record)),
            };
            let (registry, engine) = (Arc::clone(self.registry()), self.engine().clone());
            let changed = self.commit(op, move |changed| {
                if *changed == Changed::Done {
                    registry.put(live);
                    engine.webhook_changed(workspace, id);
                }
            });
            match changed.await? {
                Changed::Done => {
                    return Ok(Webhook::of(record));
                }
                Changed::Stale => {}
                Changed::NotTheirs => return Err(not_theirs()),
                Changed::Missing => return Err(Code::NotFound.into()),
            }
        }
        Err(changed_meanwhile())
    }

    /// What is wrong with a patch, for a form that has other faults already: nothing is changed.
    pub async fn wrong_with_webhook_patch(
        &self,
        grant: &Grant<ManageWebhooks>,
        id: WebhookId,
        patch: &WebhookPatch,
    ) -> Result<Vec<FieldError>, Problem> {
        let before = self.webhook_for(grant, id).await?.record;
        let url = match &patch.url {
            None => None,
            Some(text) => Some(self.check_target(text).await),
        };
        let patched = self.patched_webhook(&before, patch, url.as_ref());
        Ok(patched.err().map(|problem| problem.errors).unwrap_or_default())
    }

    /// The record with the patch applied. What the patch does not name is not checked.
    fn patched_webhook(
        &self,
        before: &WebhookRecord,
        patch: &WebhookPatch,
        url: Option<&Result<url::Url, FieldError>>,
    ) -> Result<WebhookRecord, Problem> {
        let mut record = before.clone();
        let mut errors = Errors::default();
        if let Some(name) = &patch.name {
            errors.one(common::name(name));
            record.name.clone_from(name);
        }
        if let Some(description) = &patch.description {
            errors.one(common::description(description));
            record.description.clone_from(description);
        }
        if let Some(url) = url.cloned().and_then(|checked| errors.one(checked)) {
            record.url = url.into();
        }
        if let Some(events) = &patch.events {
            errors.many(fields::events(events, self.catalogue(), &before.events));
            record.events.clone_from(events);
        }
        record.content_type = patch.content_type.unwrap_or(record.content_type);
        if let Some(headers) = &patch.headers {
            let seals = Seals::of(self.sealer(), before);
            let seal = |name: &str, value: &str| seals.seal_header(name, value, self.randomness());
            record.headers = errors.many(fields::headers(headers, &before.headers, seal));
        }
        match patch.enabled {
            None => {}
            Some(true) if before.disabled.is_none() => {}
            Some(true) => record.disabled = None,
            Some(false) => record.disabled = before.disabled.or(Some(DisabledReason::ByMember)),
        }
        if let Some(limit) = patch.rate_limit {
            errors.many(limit.map_or(Ok(()), fields::rate_limit));
            record.rate_limit = limit;
        }
        if let Some(limit) = patch.max_in_flight {
            let most = self.settings().delivery.max_in_flight_per_webhook;
            errors.one(limit.map_or(Ok(()), |limit| fields::max_in_flight(limit, most)));
            record.max_in_flight = limit;
        }
        match &patch.metadata {
            None => {}
            Some(None) => record.metadata.clear(),
            Some(Some(changes)) => common::merge(&mut record.metadata, changes.clone()),
        }
        if patch.metadata.is_some() {
            errors.one(common::metadata(&record.metadata));
        }
        errors.refuse_any()?;
        if begins_anew(before, &record) {
            record.failing_since = None;
        }
        Ok(record)
    }
}

/// Whether what failed before no longer counts against a webhook: somebody switched it on, or points it elsewhere.
fn begins_anew(before: &WebhookRecord, after: &WebhookRecord) -> bool {
    (before.disabled.is_some() && after.disabled.is_none()) || before.url != after.url
}

/// What an edit changed, for the audit log; of a secret header only that it did.
fn differences(before: &WebhookRecord, after: &WebhookRecord) -> Map<String, Value> {
    let shown = |headers: &[StoredHeader]| -> Vec<ShownHeader> {
        headers.iter().cloned().map(ShownHeader::of).collect()
    };
    let editable = |record: &WebhookRecord| {
        [
            ("name", json!(record.name)),
            ("description", json!(record.description)),
            ("url", json!(record.url)),
            ("events", json!(record.events)),
            ("content_type", json!(record.content_type)),
            ("headers", json!(shown(&record.headers))),
            ("enabled", json!(record.disabled.is_none())),
            ("disabled_reason", json!(record.disabled)),
            ("rate_limit", json!(record.rate_limit)),
            ("max_in_flight", json!(record.max_in_flight)),
            ("metadata", Value::Object(record.metadata.clone())),
        ]
    };
    let mut changes = audit::differences(editable(before), editable(after));
    let new_values: Vec<&str> = after
        .headers
        .iter()
        .filter(|header| matches!(header.value, StoredValue::Sealed(_)) && !before.headers.contains(header))
        .map(|header| header.name.as_str())
        .collect();
    if !new_values.is_empty() {
        changes.insert("secret_headers".to_owned(), json!({ "to": new_values }));
    }
    changes
}
