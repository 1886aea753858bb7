//! Reading how many keys were used, for the pages that show them together.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::grant::ReadKeys;
use keybell_core::key::{Counts, KeyId};
use keybell_core::{Grant, Problem, Timestamp, WorkspaceId};
use keybell_store::ops::usage::{Step, StoredUsage, UsageByKey, UsageOfKeys, UsageOfWorkspace};

use super::{Tally, Time, UsageQuestion, Waiting, stored_and_waiting};
use crate::App;
use crate::problems::of_store;

/// How the keys of a workspace were used in some time, read before it is known which of them are meant.
pub struct KeysUse {
    stored: StoredUsage,
    waiting: Vec<Tally>,
    time: Time,
}

impl KeysUse {
    /// How each of those keys was used, as [`App::key_usage`] tells it of one. Keys without a use in all that time are left
    /// out, and so is what belongs to another workspace.
    pub fn of_keys(&self, ids: &BTreeSet<KeyId>) -> Result<UseByKey, Problem> {
        let stored = self.stored.of_keys(ids).map_err(of_store)?;
        Ok(whole(self.time, stored, self.waiting.iter().filter(|tally| ids.contains(&tally.key))))
    }
}

/// How keys were used, each step by step, oldest first, those without a use included.
pub type UseByKey = BTreeMap<KeyId, Vec<(Timestamp, Counts)>>;

fn whole<'t>(
    time: Time,
    mut used: BTreeMap<KeyId, BTreeMap<Timestamp, Counts>>,
    waiting: impl Iterator<Item = &'t Tally>,
) -> UseByKey {
    for tally in waiting {
        if let Some(at) = time.step_of(tally.at()) {
            let counts = used.entry(tally.key).or_default().entry(at).or_default();
            counts.add(tally.outcome, tally.count.into());
        }
    }
    used.into_iter().map(|(id, used)| (id, time.by_step(used))).collect()
}

impl App {
    /// How the keys of the workspace were used, in one reading. `None` where they are too many to hold that at once:
    /// [`App::usage_of_keys`] is for them.
    pub async fn usage_by_key(
        &self,
        grant: Grant<ReadKeys>,
        question: UsageQuestion,
    ) -> Result<Option<KeysUse>, Problem> {
        let workspace = grant.workspace();
        let time = self.asked_time(question)?;
        let Time { step, from, until } = time;
        let look = |waiting: &mut Waiting| {
            self.gather_usage(waiting);
            waiting.of_workspace(workspace)
        };
        let read = || self.store().read(UsageByKey { workspace, step, from, until });
        let (stored, waiting) = stored_and_waiting(&self.usage().waiting, look, read).await?;
        Ok(stored.map(|stored| KeysUse { stored, waiting, time }))
    }

    /// What [`KeysUse::of_keys`] gives, however many keys the workspace has.
    pub async fn usage_of_keys(
        &self,
        grant: Grant<ReadKeys>,
        ids: BTreeSet<KeyId>,
        question: UsageQuestion,
    ) -> Result<UseByKey, Problem> {
        let workspace = grant.workspace();
        let time = self.asked_time(question)?;
        let Time { step, from, until } = time;
        let look = |waiting: &mut Waiting| {
            self.gather_usage(waiting);
            waiting.of_workspace(workspace)
        };
        let read = || self.store().read(UsageOfKeys { workspace, ids: ids.clone(), step, from, until });
        let (used, waiting) = stored_and_waiting(&self.usage().waiting, look, read).await?;
        Ok(whole(time, used, waiting.iter().filter(|tally| ids.contains(&tally.key))))
    }

    /// How all keys of the workspace were used together, as [`App::key_usage`] tells it of one.
    pub async fn usage_of_workspace(
        &self,
        grant: Grant<ReadKeys>,
        question: UsageQuestion,
    ) -> Result<Vec<(Timestamp, Counts)>, Problem> {
        let workspace = grant.workspace();
        let time = self.asked_time(question)?;
        let Time { step, from, until } = time;
        let look = |waiting: &mut Waiting| {
            self.gather_usage(waiting);
            waiting.of_workspace(workspace)
        };
        let read = || self.store().read(UsageOfWorkspace { workspace, step, from, until });
        let (mut used, waiting) = stored_and_waiting(&self.usage().waiting, look, read).await?;
        for tally in waiting {
            if let Some(at) = time.step_of(tally.at()) {
                used.entry(at).or_default().add(tally.outcome, tally.count.into());
            }
        }
        Ok(time.by_step(used))
    }
}

impl Waiting {
    /// The counts of the keys of a workspace.
    fn of_workspace(&self, workspace: WorkspaceId) -> Vec<Tally> {
        self.tallies.iter().filter(|tally| tally.workspace == workspace).copied().collect()
    }
}

impl Tally {
    /// The beginning of its minute.
    pub(super) fn at(&self) -> Timestamp {
        Timestamp::from_seconds(i64::from(self.minute) * Step::Minute.seconds())
    }
}
