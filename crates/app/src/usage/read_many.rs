//! Reading how many keys were used, for the pages that show them together: one reading, however many there are.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::grant::ReadKeys;
use keybell_core::key::{Counts, KeyId};
use keybell_core::{Grant, Problem, Timestamp, WorkspaceId};
use keybell_store::ops::usage::{Step, UsageOfKeys, UsageOfWorkspace};

use super::{Tally, UsageQuestion, Waiting, steps, stored_and_waiting};
use crate::App;

impl App {
    /// How each key of a page was used, as [`App::key_usage`] tells it of one. Keys without a use in all that time are left
    /// out, and so is what belongs to another workspace.
    pub async fn usage_of_keys(
        &self,
        grant: Grant<ReadKeys>,
        ids: BTreeSet<KeyId>,
        question: UsageQuestion,
    ) -> Result<BTreeMap<KeyId, Vec<(Timestamp, Counts)>>, Problem> {
        let workspace = grant.workspace();
        let (from, until) = self.asked_time(question)?;
        let step = question.step;
        let look = |waiting: &mut Waiting| {
            self.gather_usage(waiting);
            (waiting.of_workspace(workspace, |key| ids.contains(&key)), waiting.written)
        };
        let read = || self.store().read(UsageOfKeys { workspace, ids: ids.clone(), step, from, until });
        let (mut used, waiting) = stored_and_waiting(&self.usage().waiting, look, read).await?;
        for tally in waiting {
            let at = step.beginning(tally.at());
            if (from..until).contains(&at) {
                let counts = used.entry(tally.key).or_default().entry(at).or_default();
                counts.add(tally.outcome, tally.count.into());
            }
        }
        let whole =
            |used: &BTreeMap<_, _>| steps(from, until, step).map(|at| (at, at_step(used, at))).collect();
        Ok(used.iter().map(|(id, used)| (*id, whole(used))).collect())
    }

    /// How all keys of the workspace were used together, as [`App::key_usage`] tells it of one.
    pub async fn usage_of_workspace(
        &self,
        grant: Grant<ReadKeys>,
        question: UsageQuestion,
    ) -> Result<Vec<(Timestamp, Counts)>, Problem> {
        let workspace = grant.workspace();
        let (from, until) = self.asked_time(question)?;
        let step = question.step;
        let look = |waiting: &mut Waiting| {
            self.gather_usage(waiting);
            (waiting.of_workspace(workspace, |_| true), waiting.written)
        };
        let read = || self.store().read(UsageOfWorkspace { workspace, step, from, until });
        let (mut used, waiting) = stored_and_waiting(&self.usage().waiting, look, read).await?;
        for tally in waiting {
            used.entry(step.beginning(tally.at())).or_default().add(tally.outcome, tally.count.into());
        }
        Ok(steps(from, until, step).map(|at| (at, at_step(&used, at))).collect())
    }
}

fn at_step(used: &BTreeMap<Timestamp, Counts>, at: Timestamp) -> Counts {
    used.get(&at).copied().unwrap_or_default()
}

impl Waiting {
    /// The counts of those keys of a workspace.
    fn of_workspace(&self, workspace: WorkspaceId, wanted: impl Fn(KeyId) -> bool) -> Vec<Tally> {
        let wanted = |tally: &&Tally| tally.workspace == workspace && wanted(tally.key);
        self.tallies.iter().filter(wanted).copied().collect()
    }
}

impl Tally {
    /// The beginning of its minute.
    fn at(&self) -> Timestamp {
        Timestamp::from_seconds(i64::from(self.minute) * Step::Minute.seconds())
    }
}
