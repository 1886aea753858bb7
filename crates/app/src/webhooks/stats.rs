//! Reading how deliveries to webhooks went: to one, to each of a page of them, or to all together.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::grant::ReadWebhooks;
use keybell_core::{Grant, Problem, Timestamp, WebhookId};
use keybell_store::ops::delivery_stats::{self as ops, StatsOfWebhook, StatsOfWorkspace, StoredStats};
use keybell_store::ops::usage::Step;

use crate::App;
use crate::problems::of_store;
use crate::usage::{UsageQuestion, steps, stored_and_waiting};

/// How the attempts of the webhooks of a workspace went in some time, read before it is known which of them are meant.
pub struct StatsByWebhook {
    stored: StoredStats,
    waiting: Vec<(WebhookId, Timestamp, AttemptCounts)>,
    step: Step,
    from: Timestamp,
    until: Timestamp,
}

impl StatsByWebhook {
    /// How the attempts of those webhooks went, as [`App::webhook_stats`] tells it of one, but for how long they took.
    /// Webhooks without an attempt in all that time are left out, and so is what belongs to another workspace.
    pub fn of_webhooks(
        self,
        ids: &BTreeSet<WebhookId>,
    ) -> Result<BTreeMap<WebhookId, Vec<(Timestamp, AttemptCounts)>>, Problem> {
        let StatsByWebhook { stored, waiting, step, from, until } = self;
        let mut found = stored.of_webhooks(ids).map_err(of_store)?;
        for (webhook, minute, counts) in waiting.into_iter().filter(|(webhook, ..)| ids.contains(webhook)) {
            let at = step.beginning(minute);
            if (from..until).contains(&at) {
                found.entry(webhook).or_default().entry(at).or_default().add(&counts);
            }
        }
        let whole = |mut found: BTreeMap<_, _>| {
            steps(from, until, step).map(|at| (at, found.remove(&at).unwrap_or_default())).collect()
        };
        Ok(found.into_iter().map(|(webhook, found)| (webhook, whole(found))).collect())
    }
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
        let workspace = grant.workspace();
        self.stored_webhook(workspace, id).await?;
        let (from, until) = self.asked_time(question)?;
        let step = question.step;
        let tallies = self.engine().tallies();
        let read = || self.store().read(StatsOfWebhook { workspace, id, step, from, until });
        let look = |waiting: &mut _| tallies.look(waiting, workspace, |known| known == id);
        let (mut found, waiting) = stored_and_waiting(&tallies.waiting, look, read).await?;
        for (_, minute, counts) in waiting {
            found.entry(step.beginning(minute)).or_default().add(&counts);
        }
        Ok(steps(from, until, step).map(|at| (at, found.remove(&at).unwrap_or_default())).collect())
    }

    /// How the attempts of each webhook of the workspace went, in one reading.
    pub async fn stats_by_webhook(
        &self,
        grant: Grant<ReadWebhooks>,
        question: UsageQuestion,
    ) -> Result<StatsByWebhook, Problem> {
        let workspace = grant.workspace();
        let (from, until) = self.asked_time(question)?;
        let step = question.step;
        let tallies = self.engine().tallies();
        let read = || self.store().read(ops::StatsByWebhook { workspace, step, from, until });
        let look = |waiting: &mut _| tallies.look(waiting, workspace, |_| true);
        let (stored, waiting) = stored_and_waiting(&tallies.waiting, look, read).await?;
        Ok(StatsByWebhook { stored, waiting, step, from, until })
    }

    /// The same of all webhooks of the workspace together, those that were deleted since included.
    pub async fn stats_of_workspace(
        &self,
        grant: Grant<ReadWebhooks>,
        question: UsageQuestion,
    ) -> Result<Vec<(Timestamp, AttemptCounts)>, Problem> {
        let workspace = grant.workspace();
        let (from, until) = self.asked_time(question)?;
        let step = question.step;
        let tallies = self.engine().tallies();
        let read = || self.store().read(StatsOfWorkspace { workspace, step, from, until });
        let look = |waiting: &mut _| tallies.look(waiting, workspace, |_| true);
        let (mut found, waiting) = stored_and_waiting(&tallies.waiting, look, read).await?;
        for (_, minute, counts) in waiting {
            found.entry(step.beginning(minute)).or_default().add(&counts);
        }
        Ok(steps(from, until, step).map(|at| (at, found.remove(&at).unwrap_or_default())).collect())
    }
}
