//! Reading how deliveries to webhooks went: to one, to each of a page of them, or to all together.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::grant::ReadWebhooks;
use keybell_core::{Grant, Problem, Timestamp, WebhookId};
use keybell_store::ops::delivery_stats::{StatsOfWebhook, StatsOfWebhooks, StatsOfWorkspace};

use crate::App;
use crate::usage::{UsageQuestion, steps, stored_and_waiting};

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

    /// The same of each webhook of a page, in one reading. Webhooks without an attempt in all that time are left out, and
    /// so is what belongs to another workspace.
    pub async fn stats_of_webhooks(
        &self,
        grant: Grant<ReadWebhooks>,
        ids: BTreeSet<WebhookId>,
        question: UsageQuestion,
    ) -> Result<BTreeMap<WebhookId, Vec<(Timestamp, AttemptCounts)>>, Problem> {
        let workspace = grant.workspace();
        let (from, until) = self.asked_time(question)?;
        let step = question.step;
        let tallies = self.engine().tallies();
        let read = || self.store().read(StatsOfWebhooks { workspace, ids: ids.clone(), step, from, until });
        let look = |waiting: &mut _| tallies.look(waiting, workspace, |known| ids.contains(&known));
        let (mut found, waiting) = stored_and_waiting(&tallies.waiting, look, read).await?;
        for (webhook, minute, counts) in waiting {
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
