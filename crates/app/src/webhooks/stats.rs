//! Reading how deliveries to a webhook went.

use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::grant::ReadWebhooks;
use keybell_core::{Grant, Problem, Timestamp, WebhookId};
use keybell_store::ops::delivery_stats::StatsOfWebhook;

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
        let look = |waiting: &mut _| tallies.look(waiting, workspace, id);
        let (mut found, waiting) = stored_and_waiting(&tallies.waiting, look, read).await?;
        for (minute, counts) in waiting {
            found.entry(step.beginning(minute)).or_default().add(&counts);
        }
        Ok(steps(from, until, step).map(|at| (at, found.remove(&at).unwrap_or_default())).collect())
    }
}
