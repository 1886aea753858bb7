//! Reading how deliveries to webhooks went: to one, to each of a page of them, or to all together.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::grant::ReadWebhooks;
use keybell_core::{Grant, Problem, Timestamp, WebhookId};
use keybell_store::ops::delivery_stats::{
    self as ops, StatsOfWebhook, StatsOfWebhooks, StatsOfWorkspace, StoredStats,
};
use keybell_store::ops::usage::Span;

use crate::App;
use crate::problems::of_store;
use crate::usage::{UsageQuestion, stored_and_waiting};

/// How the attempts of the webhooks of a workspace went in some time, read before it is known which of them are meant.
pub struct WebhooksStats {
    stored: StoredStats,
    waiting: Vec<Waiting>,
    span: Span,
}

/// What is counted of a webhook in a minute and not written yet.
type Waiting = (WebhookId, Timestamp, AttemptCounts);

impl WebhooksStats {
    /// How the attempts of those webhooks went, as [`App::webhook_stats`] tells it of one, but for how long they took.
    /// Webhooks without an attempt in all that time are left out, and so is what belongs to another workspace.
    pub fn of_webhooks(&self, ids: &BTreeSet<WebhookId>) -> Result<StatsByWebhook, Problem> {
        let stored = self.stored.of_webhooks(ids).map_err(of_store)?;
        Ok(whole(self.span, stored, self.waiting.iter().filter(|(webhook, ..)| ids.contains(webhook))))
    }
}

/// How attempts went by webhook, each step by step, oldest first, those without one included.
pub type StatsByWebhook = BTreeMap<WebhookId, Vec<(Timestamp, AttemptCounts)>>;

fn whole<'w>(
    span: Span,
    mut found: BTreeMap<WebhookId, BTreeMap<Timestamp, AttemptCounts>>,
    waiting: impl Iterator<Item = &'w Waiting>,
) -> StatsByWebhook {
    for (webhook, minute, counts) in waiting {
        if let Some(at) = span.step_of(*minute) {
            found.entry(*webhook).or_default().entry(at).or_default().add(counts);
        }
    }
    found.into_iter().map(|(webhook, found)| (webhook, span.by_step(found))).collect()
}

impl App {
    /// How the attempts of deliveries to a webhook went, step by step, oldest first, those without one included. What was
    /// counted and is not written yet is in it; tests are not.
    ///
    /// [`Code::Validation`](keybell_core::Code::Validation) where the time has no length, or more than
    /// [`POINTS_MAX`](crate::usage::POINTS_MAX) steps.
    pub async fn webhook_stats(
        &self,
        grant: Grant<ReadWebhooks>,
        id: WebhookId,
        question: UsageQuestion,
    ) -> Result<Vec<(Timestamp, AttemptCounts)>, Problem> {
        self.stored_webhook(grant.workspace(), id).await?;
        let span = self.asked_time(grant.workspace(), question)?;
        let tallies = self.engine().tallies();
        let read = || self.store().read(StatsOfWebhook { span, id });
        let look = |waiting: &mut _| tallies.look(waiting, span.workspace, |known| known == id);
        let (mut found, waiting) = stored_and_waiting(&tallies.waiting, look, read).await?;
        for (_, minute, counts) in waiting {
            if let Some(at) = span.step_of(minute) {
                found.entry(at).or_default().add(&counts);
            }
        }
        Ok(span.by_step(found))
    }

    /// How the attempts of each webhook of the workspace went, in one reading. `None` where they are too many to hold that at
    /// once: [`App::stats_of_webhooks`] is for them.
    pub async fn stats_by_webhook(
        &self,
        grant: Grant<ReadWebhooks>,
        question: UsageQuestion,
    ) -> Result<Option<WebhooksStats>, Problem> {
        let span = self.asked_time(grant.workspace(), question)?;
        let tallies = self.engine().tallies();
        let read = || self.store().read(ops::StatsByWebhook { span });
        let look = |waiting: &mut _| tallies.look(waiting, span.workspace, |_| true);
        let (stored, waiting) = stored_and_waiting(&tallies.waiting, look, read).await?;
        Ok(stored.map(|stored| WebhooksStats { stored, waiting, span }))
    }

    /// What [`WebhooksStats::of_webhooks`] gives, however many webhooks the workspace has.
    pub async fn stats_of_webhooks(
        &self,
        grant: Grant<ReadWebhooks>,
        ids: BTreeSet<WebhookId>,
        question: UsageQuestion,
    ) -> Result<StatsByWebhook, Problem> {
        let span = self.asked_time(grant.workspace(), question)?;
        let tallies = self.engine().tallies();
        let read = || self.store().read(StatsOfWebhooks { span, ids: ids.clone() });
        let look = |waiting: &mut _| tallies.look(waiting, span.workspace, |known| ids.contains(&known));
        let (found, waiting) = stored_and_waiting(&tallies.waiting, look, read).await?;
        Ok(whole(span, found, waiting.iter()))
    }

    /// The same of all webhooks of the workspace together, those that were deleted since included.
    pub async fn stats_of_workspace(
        &self,
        grant: Grant<ReadWebhooks>,
        question: UsageQuestion,
    ) -> Result<Vec<(Timestamp, AttemptCounts)>, Problem> {
        let span = self.asked_time(grant.workspace(), question)?;
        let tallies = self.engine().tallies();
        let read = || self.store().read(StatsOfWorkspace { span });
        let look = |waiting: &mut _| tallies.look(waiting, span.workspace, |_| true);
        let (mut found, waiting) = stored_and_waiting(&tallies.waiting, look, read).await?;
        for (_, minute, counts) in waiting {
            if let Some(at) = span.step_of(minute) {
                found.entry(at).or_default().add(&counts);
            }
        }
        Ok(span.by_step(found))
    }
}
