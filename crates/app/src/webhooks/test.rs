//! Testing a webhook: a real request to it, and what came back.
//!
//! It is sent as a delivery is, by the engine's own client, so that what is refused to a delivery is refused to a test. It
//! changes nothing: neither the webhook's health nor statistics nor the delivery log know of it; the audit log does.

use std::sync::Arc;

use keybell_core::grant::ManageWebhooks;
use keybell_core::selection::{Pattern, Selection};
use keybell_core::{Code, EventKey, Grant, Problem, WebhookId};
use keybell_store::ops::events::EventRecord;
use keybell_store::ops::webhooks::{AuditWebhook, Changed};
use serde_json::json;

use super::{changed_meanwhile, not_theirs};
use crate::App;
use crate::catalogue::{Catalogue, LiveType};
use crate::deliveries::{Attempt, attempt};
use crate::problems::of_store;

/// What a test carries where the event type has no example.
const TEST_DATA: &str = r#"{"test":true}"#;
/// The type of a test where neither the webhook nor the catalogue names one.
const TEST_TYPE: &str = "webhook.test";
/// What the ids of tests begin with, by which a receiver can tell them.
const TEST_ID_PREFIX: &str = "test_";

impl App {
    /// Sends a test of a webhook, whether it is switched on or not, and gives the attempt when it is over.
    ///
    /// It carries the example of `event_type`, which any type of the catalogue may be, or `{"test":true}`. Where no type is
    /// named it is one that the webhook wants: the first that it names, else the first of the first group that it names,
    /// else the first of the catalogue.
    ///
    /// [`Code::RateLimited`] while another test of the webhook is under way, or too many of others.
    pub async fn test_webhook(
        &self,
        grant: Grant<ManageWebhooks>,
        id: WebhookId,
        event_type: Option<&str>,
    ) -> Result<Attempt, Problem> {
        let workspace = grant.workspace();
        self.webhook_for(&grant, id).await?;
        let webhook = self.registry().get(workspace, id).ok_or(Code::NotFound)?;
        let (event_type, known) = match event_type {
            Some(name) => {
                let known = self.catalogue().event_type(name).ok_or_else(|| {
                    Problem::new(Code::UnknownEventType, "The catalogue has no event type of that name.")
                })?;
                (name.to_owned(), Some(known))
            }
            None => default_type(&webhook.selection, self.catalogue()),
        };
        let data =
            known.and_then(|known| known.stored.example_json.clone()).unwrap_or_else(|| TEST_DATA.into());
        let test = self.engine().begin_test(webhook)?;
        let now = self.now();
        let op = AuditWebhook {
            workspace,
            id,
            only_made_by: grant.only_made_by().map(str::to_owned),
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(now, "webhook.tested", &id, json!({ "event_type": event_type })),
        };
        match self.store().write(op).await.map_err(of_store)? {
            Changed::Done => {}
            Changed::NotTheirs => return Err(not_theirs()),
            Changed::Missing => return Err(Code::NotFound.into()),
            Changed::Stale => return Err(changed_meanwhile()),
        }
        let key = EventKey::new(now, self.randomness());
        let plain = key.to_string();
        let plain = plain.rsplit('_').next().unwrap_or_default();
        let event = Arc::new(EventRecord {
            workspace,
            key,
            supplied_id: Some(format!("{TEST_ID_PREFIX}{plain}")),
            event_type,
            occurred_at: now,
            data: data.into_bytes(),
        });
        let record = test.run(Arc::clone(&event)).await?;
        attempt(record, Some(&event), self.settings().public_url.as_str())
    }
}

/// The type of a test where none is named.
fn default_type(selection: &Selection, catalogue: &Catalogue) -> (String, Option<Arc<LiveType>>) {
    let named = selection.patterns().iter().filter_map(|pattern| match pattern {
        Pattern::Type(name) => Some(name.as_str()),
        Pattern::All | Pattern::Group(_) => None,
    });
    let named: Vec<&str> = named.collect();
    if let Some(known) = named.iter().find_map(|name| catalogue.event_type(name)) {
        return (known.name().to_owned(), Some(known));
    }
    let mut all = catalogue.event_types();
    all.sort_unstable_by(|a, b| a.name().cmp(b.name()));
    for pattern in selection.patterns() {
        if let Some(known) = all.iter().find(|known| pattern.wants(known.name(), known.group())) {
            return (known.name().to_owned(), Some(Arc::clone(known)));
        }
    }
    // Every type that it wants was archived meanwhile.
    (named.first().copied().unwrap_or(TEST_TYPE).to_owned(), None)
}

#[cfg(test)]
mod tests {
    use keybell_core::Timestamp;
    use keybell_core::event::TypeName;
    use keybell_store::ops::event_types::EventType;

    use super::*;

    fn catalogue(names: &[&str]) -> Catalogue {
        let catalogue = Catalogue::default();
        for name in names {
            let group = TypeName::parse(name).expect("a name").default_group().to_owned();
            let stored = EventType {
                name: (*name).to_owned(),
                group,
                description: String::new(),
                schema_json: None,
                example_json: None,
                created_at: Timestamp::EPOCH,
                updated_at: Timestamp::EPOCH,
            };
            catalogue.put_type(LiveType::of(stored).expect("it has no schema"));
        }
        catalogue
    }

    #[test]
    fn a_test_is_of_a_type_that_the_webhook_wants() {
        let declared = catalogue(&["portfolio.updated", "portfolio.created", "alert.raised"]);
        for (events, expected) in [
            (vec!["portfolio.*", "portfolio.updated"], "portfolio.updated"),
            (vec!["portfolio.*", "alert.*"], "portfolio.created"),
            (vec!["archived.type", "alert.*"], "alert.raised"),
            (vec!["archived.type"], "archived.type"),
            (vec!["*"], "alert.raised"),
        ] {
            let events: Vec<String> = events.into_iter().map(str::to_owned).collect();
            let selection = Selection::parse(&events).expect("it is a selection");
            assert_eq!(default_type(&selection, &declared).0, expected, "{events:?}");
        }
        let all = Selection::parse(&["*".to_owned()]).expect("it is a selection");
        assert_eq!(default_type(&all, &catalogue(&[])).0, TEST_TYPE);
        assert!(TypeName::parse(TEST_TYPE).is_ok());
    }
}
