//! Deliveries made again: one, those that a filter means, or what a webhook missed.
//!
//! A delivery that is made again is the same delivery: it is pending once more, its attempts go on counting, and the next
//! one is `manual`. Many are written down as one request and done by the [engine](crate::delivery) bit by bit.

use keybell_core::grant::ManageWebhooks;
use keybell_core::{Code, DeliveryId, Grant, Problem, ResendId, Timestamp, WebhookId};
use keybell_store::ops::delivery_log::ReadDelivery;
use keybell_store::ops::resend::{ResendDelivery, Resent};
use keybell_store::ops::resends::{CountMeant, CountedBite, InsertResend, Meant};
use serde_json::{Value, json};

use super::{DeliveryFilter, DeliveryStatus, DeliverySummary, ResponseClass, summary};
use crate::App;
use crate::delivery::RESEND_ROWS;
use crate::problems::of_store;

/// Most requests of a workspace to make many deliveries again that are not done: each is looked at in turn, so that more of
/// them would only be slower.
pub const RESENDS_MAX: i64 = 10;

/// Whether deliveries are made again or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resending {
    /// They are made again.
    Do,
    /// Only say how many it would be.
    Count,
}

/// Deliveries that are looked at where a person waits for their number: a page is not to take longer because there are more.
pub const COUNTED_FOR_PAGE_MAX: i64 = 200;

/// How many deliveries would be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AboutToResend {
    /// Those that were counted.
    pub deliveries: u64,
    /// Whether there was more to be looked at.
    pub or_more: bool,
}

impl App {
    /// Makes a delivery that came to an end pending again, due at once; its summary afterwards.
    ///
    /// [`Code::DeliveryPending`] where it is pending already, and [`Code::Conflict`] where it cannot be made: its event is no
    /// longer kept, or its webhook is disabled or deleted.
    pub async fn resend_delivery(
        &self,
        grant: Grant<ManageWebhooks>,
        id: DeliveryId,
    ) -> Result<DeliverySummary, Problem> {
        let (workspace, now) = (grant.workspace(), self.now());
        let op = ResendDelivery {
            workspace,
            id,
            now,
            only_made_by: grant.only_made_by().map(str::to_owned),
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(now, "delivery.resent", &id, json!({})),
        };
        let engine = self.engine().clone();
        let resent = self.commit(op, move |resent| {
            if *resent == Resent::Done {
                engine.look_again();
            }
        });
        refusal(resent.await?)?;
        let found = self.store().read(ReadDelivery { workspace, id }).await.map_err(of_store)?;
        summary(found.ok_or(Code::NotFound)?.delivery)
    }

    /// Makes again, or counts, the deliveries that the filter means; how many. Where it names no status, failed ones are
    /// meant. They are looked at as they are now: one that fails again is not made again by the same request.
    ///
    /// Left out are those that cannot be made: where the event is no longer kept, or the webhook is disabled or deleted.
    /// [`Code::Conflict`] where the workspace has [`RESENDS_MAX`] requests that are not done.
    pub async fn resend_deliveries(
        &self,
        grant: Grant<ManageWebhooks>,
        filter: DeliveryFilter,
        resending: Resending,
    ) -> Result<u64, Problem> {
        check(&filter)?;
        let said = described(&filter);
        let Some(meant) = self.meant(&grant, filter).await? else { return Ok(0) };
        let workspace = grant.workspace();
        let deliveries = self.count_meant(meant.clone()).await?;
        if resending == Resending::Do && deliveries > 0 {
            let changes = json!({ "filter": said, "deliveries": deliveries });
            self.keep_resend(&grant, meant, "workspace.deliveries_resent", &workspace.to_string(), changes)
                .await?;
        }
        Ok(deliveries)
    }

    /// How many deliveries [`App::resend_deliveries`] would make again, for a person who is about to ask for it: exactly where
    /// they are few, and some of them where they are many.
    pub async fn about_to_resend(
        &self,
        grant: Grant<ManageWebhooks>,
        filter: DeliveryFilter,
    ) -> Result<AboutToResend, Problem> {
        check(&filter)?;
        match self.meant(&grant, filter).await? {
            None => Ok(AboutToResend { deliveries: 0, or_more: false }),
            Some(meant) => {
                let CountedBite { meant: deliveries, end } =
                    self.count_bite(&meant, COUNTED_FOR_PAGE_MAX).await?;
                // A full bite may have been all there is.
                let or_more = match end {
                    Some(after) => self.count_bite(&Meant { after, ..meant }, 1).await?.end.is_some(),
                    None => false,
                };
                Ok(AboutToResend { deliveries, or_more })
            }
        }
    }

    /// Makes again every failed delivery to a webhook that was made at `since` or later, and before `until`; how many.
    ///
    /// [`Code::Conflict`] while the webhook is disabled.
    pub async fn recover_webhook(
        &self,
        grant: Grant<ManageWebhooks>,
        id: WebhookId,
        since: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<u64, Problem> {
        let webhook = self.webhook_for(&grant, id).await?.record;
        let until = until.unwrap_or_else(|| self.now());
        if since >= until {
            let message = "must be before `until`, which is now where it is left out";
            return Err(Problem::field("since", "out_of_range", message));
        }
        if webhook.disabled.is_some() {
            return Err(disabled());
        }
        let filter = DeliveryFilter {
            webhook: Some(id),
            status: Some(DeliveryStatus::Failed),
            from: Some(since),
            until: Some(until),
            ..DeliveryFilter::default()
        };
        let Some(meant) = self.meant(&grant, filter).await? else { return Ok(0) };
        let deliveries = self.count_meant(meant.clone()).await?;
        if deliveries > 0 {
            let changes = json!({ "since": since, "until": until, "deliveries": deliveries });
            self.keep_resend(&grant, meant, "webhook.recovered", &id.to_string(), changes).await?;
        }
        Ok(deliveries)
    }

    /// What a filter means among the deliveries that there are now; `None` where its event is not there.
    async fn meant(
        &self,
        grant: &Grant<ManageWebhooks>,
        filter: DeliveryFilter,
    ) -> Result<Option<Meant>, Problem> {
        let workspace = grant.workspace();
        let Some(range) = self.delivery_range(workspace, &filter).await? else { return Ok(None) };
        Ok(Some(Meant {
            workspace,
            webhook: filter.webhook,
            event: range.event,
            event_type: filter.event_type,
            status: filter.status.unwrap_or(DeliveryStatus::Failed).as_str().to_owned(),
            last_answer: filter.response_class.map(ResponseClass::stored),
            only_made_by: grant.only_made_by().map(str::to_owned),
            after: range.from,
            last: range.below,
        }))
    }

    /// Counted by readers, and in bites, so that nobody waits for it.
    async fn count_meant(&self, mut meant: Meant) -> Result<u64, Problem> {
        let mut deliveries = 0;
        loop {
            let CountedBite { meant: counted, end } = self.count_bite(&meant, RESEND_ROWS).await?;
            deliveries += counted;
            let Some(end) = end else { return Ok(deliveries) };
            meant.after = end;
        }
    }

    async fn count_bite(&self, meant: &Meant, rows: i64) -> Result<CountedBite, Problem> {
        let past_successes = meant.status != DeliveryStatus::Succeeded.as_str();
        self.store().read(CountMeant { meant: meant.clone(), rows, past_successes }).await.map_err(of_store)
    }

    async fn keep_resend(
        &self,
        grant: &Grant<ManageWebhooks>,
        meant: Meant,
        action: &'static str,
        target: &str,
        changes: Value,
    ) -> Result<(), Problem> {
        let now = self.now();
        let op = InsertResend {
            id: ResendId::new(now, self.randomness()),
            meant,
            resends_max: RESENDS_MAX,
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(now, action, target, changes),
        };
        let engine = self.engine().clone();
        let kept = self.commit(op, move |kept| {
            if *kept {
                engine.resend();
            }
        });
        if kept.await? {
            return Ok(());
        }
        if !self.directory().has(grant.workspace()) {
            return Err(Code::NotFound.into());
        }
        let detail = format!(
            "{RESENDS_MAX} requests of this workspace to make deliveries again are not done yet. Wait until one of them is."
        );
        Err(Problem::new(Code::Conflict, detail))
    }
}

/// A filter that leaves nothing out was most likely sent by mistake, and what is pending is due anyway.
fn check(filter: &DeliveryFilter) -> Result<(), Problem> {
    let DeliveryFilter { webhook, event, event_type, status, response_class, from, until } = filter;
    let names_what = webhook.is_some() || event.is_some() || event_type.is_some() || status.is_some();
    if !names_what && response_class.is_none() && from.is_none() && until.is_none() {
        let message = "must name something; {\"status\": \"failed\"} means all that failed";
        return Err(Problem::field("filter", "required", message));
    }
    if *status == Some(DeliveryStatus::Pending) {
        let message = "must be succeeded, failed or canceled: what is pending is sent anyway";
        return Err(Problem::field("filter.status", "not_allowed", message));
    }
    Ok(())
}

/// The filter, for the audit log.
fn described(filter: &DeliveryFilter) -> Value {
    let status = filter.status.unwrap_or(DeliveryStatus::Failed);
    let mut said = json!({ "status": status.as_str() });
    let mut say = |member: &str, value: Option<String>| {
        if let Some(value) = value {
            said[member] = value.into();
        }
    };
    say("webhook_id", filter.webhook.map(|id| id.to_string()));
    say("event_id", filter.event.as_ref().map(ToString::to_string));
    say("event_type", filter.event_type.clone());
    say("response_class", filter.response_class.map(ResponseClass::word));
    say("from", filter.from.map(|at| at.to_string()));
    say("to", filter.until.map(|at| at.to_string()));
    said
}

fn refusal(resent: Resent) -> Result<(), Problem> {
    Err(match resent {
        Resent::Done => return Ok(()),
        Resent::Pending { parked: false } => Code::DeliveryPending.into(),
        Resent::Pending { parked: true } => Problem::new(
            Code::DeliveryPending,
            "The delivery waits at its webhook: for room there, or for the webhook to be enabled.",
        ),
        Resent::EventGone => Problem::new(
            Code::Conflict,
            "The event of this delivery is no longer kept, so there is nothing to send. Publish it again.",
        ),
        Resent::WebhookGone => {
            Problem::new(Code::Conflict, "The webhook of this delivery was deleted, so it goes nowhere.")
        }
        Resent::WebhookDisabled => disabled(),
        Resent::NotTheirs => Problem::new(
            Code::Forbidden,
            "Members may resend only to webhooks they made. Ask an owner or admin.",
        ),
        Resent::Missing => Code::NotFound.into(),
    })
}

fn disabled() -> Problem {
    Problem::new(Code::Conflict, "The webhook is disabled. Enable it first, then resend.")
}
