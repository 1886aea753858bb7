//! Reading how many keys were used, for the pages that show them together.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::grant::ReadKeys;
use keybell_core::key::{Counts, KeyId};
use keybell_core::{Grant, Problem, Timestamp, WorkspaceId};
use keybell_store::ops::usage::{self as ops, Step, StoredUsage, UsageOfWorkspace};

use super::{Tally, UsageQuestion, Waiting, steps, stored_and_waiting};
use crate::App;
use crate::problems::of_store;

/// How the keys of a workspace were used in some time, read before it is known which of them are meant.
pub struct UsageByKey {
    stored: StoredUsage,
    waiting: Vec<Tally>,
    step: Step,
    from: Timestamp,
    until: Timestamp,
}

impl UsageByKey {
    /// How each of those keys was used, as [`App::key_usage`] tells it of one. Keys without a use in all that time are left
    /// out, and so is what belongs to another workspace.
    pub fn of_keys(
        &self,
        ids: &BTreeSet<KeyId>,
    ) -> Result<BTreeMap<KeyId, Vec<(Timestamp, Counts)>>, Problem> {
        let UsageByKey { stored, waiting, step, from, until } = self;
        let mut used = stored.of_keys(ids).map_err(of_store)?;
        for tally in waiting.iter().filter(|tally| ids.contains(&tally.key)) {
            let at = step.beginning(tally.at());
            if (*from..*until).contains(&at) {
                let counts = used.entry(tally.key).or_default().entry(at).or_default();
                counts.add(tally.outcome, tally.count.into());
            }
        }
        let whole =
            |used: &BTreeMap<_, _>| steps(*from, *until, *step).map(|at| (at, at_step(used, at))).collect();
        Ok(used.iter().map(|(id, used)| (*id, whole(used))).collect())
    }
}

impl App {
    /// How the keys of the workspace were used: one reading, however many there are.
    pub async fn usage_by_key(
        &self,
        grant: Grant<ReadKeys>,
        question: UsageQuestion,
    ) -> Result<UsageByKey, Problem> {
        let workspace = grant.workspace();
        let (from, until) = self.asked_time(question)?;
        let step = question.step;
        let look = |waiting: &mut Waiting| {
            self.gather_usage(waiting);
            (waiting.of_workspace(workspace), waiting.written)
        };
        let read = || self.store().read(ops::UsageByKey { workspace, step, from, until });
        let (stored, waiting) = stored_and_waiting(&self.usage().waiting, look, read).await?;
        Ok(UsageByKey { stored, waiting, step, from, until })
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
            (waiting.of_workspace(workspace), waiting.written)
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
    /// The counts of the keys of a workspace.
    fn of_workspace(&self, workspace: WorkspaceId) -> Vec<Tally> {
        self.tallies.iter().filter(|tally| tally.workspace == workspace).copied().collect()
    }
}

impl Tally {
    /// The beginning of its minute.
    fn at(&self) -> Timestamp {
        Timestamp::from_seconds(i64::from(self.minute) * Step::Minute.seconds())
    }
}
