//! Reading how many keys were used, for the pages that show them together.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::grant::ReadKeys;
use keybell_core::key::{Counts, KeyId};
use keybell_core::{Grant, Problem, Timestamp, WorkspaceId};
use keybell_store::ops::usage::{Span, Step, StoredUsage, UsageByKey, UsageOfKeys, UsageOfWorkspace};

use super::{Tally, UsageQuestion, Waiting, stored_and_waiting};
use crate::App;
use crate::problems::of_store;

/// How the keys of a workspace were used in some time, read before it is known which of them are meant.
pub struct KeysUse {
    stored: StoredUsage,
    waiting: Vec<Tally>,
    span: Span,
}

impl KeysUse {
    /// How each of those keys was used, as [`App::key_usage`] tells it of one. Keys without a use in all that time are left
    /// out, and so is what belongs to another workspace.
    pub fn of_keys(&self, ids: &BTreeSet<KeyId>) -> Result<UseByKey, Problem> {
        let stored = self.stored.of_keys(ids).map_err(of_store)?;
        Ok(whole(self.span, stored, self.waiting.iter().filter(|tally| ids.contains(&tally.key))))
    }
}

/// How keys were used, each step by step, oldest first, those without a use included.
pub type UseByKey = BTreeMap<KeyId, Vec<(Timestamp, Counts)>>;

fn whole<'t>(
    span: Span,
    mut used: BTreeMap<KeyId, BTreeMap<Timestamp, Counts>>,
    waiting: impl Iterator<Item = &'t Tally>,
) -> UseByKey {
    for tally in waiting {
        if let Some(at) = span.step_of(tally.at()) {
            let counts = used.entry(tally.key).or_default().entry(at).or_default();
            counts.add(tally.outcome, tally.count.into());
        }
    }
    used.into_iter().map(|(id, used)| (id, span.by_step(used))).collect()
}

impl App {
    /// How the keys of the workspace were used, in one reading. `None` where they are too many to hold that at once:
    /// [`App::usage_of_keys`] is for them.
    pub async fn usage_by_key(
        &self,
        grant: Grant<ReadKeys>,
        question: UsageQuestion,
    ) -> Result<Option<KeysUse>, Problem> {
        let span = self.asked_time(grant.workspace(), question)?;
        let look = |waiting: &mut Waiting| self.waiting_of(span.workspace, waiting);
        let read = || self.store().read(UsageByKey { span });
        let (stored, waiting) = stored_and_waiting(&self.usage().waiting, look, read).await?;
        Ok(stored.map(|stored| KeysUse { stored, waiting, span }))
    }

    /// What [`KeysUse::of_keys`] gives, however many keys the workspace has.
    pub async fn usage_of_keys(
        &self,
        grant: Grant<ReadKeys>,
        ids: BTreeSet<KeyId>,
        question: UsageQuestion,
    ) -> Result<UseByKey, Problem> {
        let span = self.asked_time(grant.workspace(), question)?;
        let look = |waiting: &mut Waiting| self.waiting_of(span.workspace, waiting);
        let read = || self.store().read(UsageOfKeys { span, ids: ids.clone() });
        let (used, waiting) = stored_and_waiting(&self.usage().waiting, look, read).await?;
        Ok(whole(span, used, waiting.iter().filter(|tally| ids.contains(&tally.key))))
    }

    /// How all keys of the workspace were used together, as [`App::key_usage`] tells it of one.
    pub async fn usage_of_workspace(
        &self,
        grant: Grant<ReadKeys>,
        question: UsageQuestion,
    ) -> Result<Vec<(Timestamp, Counts)>, Problem> {
        let span = self.asked_time(grant.workspace(), question)?;
        let look = |waiting: &mut Waiting| self.waiting_of(span.workspace, waiting);
        let read = || self.store().read(UsageOfWorkspace { span });
        let (mut used, waiting) = stored_and_waiting(&self.usage().waiting, look, read).await?;
        for tally in waiting {
            if let Some(at) = span.step_of(tally.at()) {
                used.entry(at).or_default().add(tally.outcome, tally.count.into());
            }
        }
        Ok(span.by_step(used))
    }

    /// What waits to be written of the keys of a workspace.
    fn waiting_of(&self, workspace: WorkspaceId, waiting: &mut Waiting) -> Vec<Tally> {
        self.gather_usage(waiting);
        waiting.tallies.iter().filter(|tally| tally.workspace == workspace).copied().collect()
    }
}

impl Tally {
    /// The beginning of its minute.
    pub(super) fn at(&self) -> Timestamp {
        Timestamp::from_seconds(i64::from(self.minute) * Step::Minute.seconds())
    }
}
