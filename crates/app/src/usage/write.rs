//! Writing down how keys were used.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

use keybell_core::Timestamp;
use keybell_core::key::{Counts, KeyId};
use keybell_store::StoreError;
use keybell_store::ops::api_keys::{LastUse as StoredUse, RecordLastUses};
use keybell_store::ops::usage::{AddUsage, MinuteUsage, Step};
use metrics::counter;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Tally, Waiting};
use crate::{App, Inner};

/// How often counts are written: what a crash can lose of them.
pub const USAGE_EVERY: Duration = Duration::from_secs(10);
/// How often it is written when keys were last used: what a crash can lose of it.
pub const LAST_USES_EVERY: Duration = Duration::from_mins(1);

/// Counts of one transaction. They are stored together for each workspace, so this is some milliseconds of the writer.
const TALLIES_AT_ONCE: usize = 5_000;
/// Keys of one transaction that says when they were last used; each is a row of its own.
const LAST_USES_AT_ONCE: usize = 500;
/// Keys whose last use is written in one go. Where more than that were used, the rest follows ten seconds later: the row
/// of a key is no place for every use of a million of them.
const LAST_USES_AT_A_TIME: usize = 50_000;

/// Writes for as long as the installation is there.
pub(crate) async fn follow(app: Weak<Inner>) {
    let mut every = tokio::time::interval(USAGE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every.tick().await;
    let mut last_uses_at = Instant::now() + LAST_USES_EVERY;
    let mut failing = false;
    loop {
        every.tick().await;
        let Some(inner) = app.upgrade() else { return };
        let app = App { inner };
        let mut wrote = app.write_counts().await;
        if wrote.is_ok() && Instant::now() >= last_uses_at {
            wrote = app.write_last_uses().await.map(|all| {
                if all {
                    last_uses_at += LAST_USES_EVERY;
                }
            });
        }
        if let Err(error) = &wrote
            && !failing
        {
            let error: &(dyn std::error::Error + 'static) = error;
            tracing::warn!(
                error,
                "how keys were used could not be written down; it is kept, and tried again"
            );
        }
        failing = wrote.is_err();
    }
}

impl App {
    /// Writes down everything that was counted so far, and when keys were last used: the last thing before an orderly end.
    pub async fn write_usage(&self) -> Result<(), StoreError> {
        self.write_counts().await?;
        while !self.write_last_uses().await? {}
        Ok(())
    }

    async fn write_counts(&self) -> Result<(), StoreError> {
        let mut waiting = self.usage().waiting.lock().await;
        self.gather_usage(&mut waiting);
        let dropped = std::mem::take(&mut waiting.dropped);
        counter!("keybell_key_usage_dropped_total").increment(dropped);
        waiting.tallies.sort_unstable();
        while !waiting.tallies.is_empty() {
            // From the end, so that what is written can be cut off without moving the rest.
            let begin = waiting.tallies.len().saturating_sub(TALLIES_AT_ONCE);
            let minutes = minutes(&waiting.tallies[begin..]);
            let op = AddUsage { node: self.settings().node.clone(), minutes };
            self.store().write(op).await?;
            waiting.tallies.truncate(begin);
        }
        waiting.tallies.shrink_to(TALLIES_AT_ONCE);
        Ok(())
    }

    /// Whether all of them are written.
    async fn write_last_uses(&self) -> Result<bool, StoreError> {
        let mut waiting = self.usage().waiting.lock().await;
        self.gather_usage(&mut waiting);
        let ids: Vec<_> = waiting.last_uses.keys().copied().take(LAST_USES_AT_A_TIME).collect();
        for ids in ids.chunks(LAST_USES_AT_ONCE) {
            let uses = ids.iter().filter_map(|id| stored_use(&waiting, *id)).collect();
            self.store().write(RecordLastUses { uses }).await?;
            for id in ids {
                waiting.last_uses.remove(id);
            }
        }
        Ok(waiting.last_uses.is_empty())
    }

    pub(super) fn gather_usage(&self, waiting: &mut Waiting) {
        self.usage().gather(waiting, self.keyring());
    }
}

fn stored_use(waiting: &Waiting, id: KeyId) -> Option<StoredUse> {
    let used = waiting.last_uses.get(&id)?;
    Some(StoredUse {
        workspace: used.workspace,
        id,
        at: used.last_use.at?,
        from: used.last_use.from.map(|address| address.to_string()),
        previous: used.previous_digest.zip(used.last_use.previous_at),
    })
}

/// The tallies, in order of workspace, minute and key, as the store takes them.
fn minutes(tallies: &[Tally]) -> Vec<MinuteUsage> {
    let of_one_minute =
        tallies.chunk_by(|one, next| (one.workspace, one.minute) == (next.workspace, next.minute));
    let minute = |tallies: &[Tally]| {
        let mut counts: BTreeMap<_, Counts> = BTreeMap::new();
        for tally in tallies {
            counts.entry(tally.key).or_default().add(tally.outcome, tally.count.into());
        }
        let seconds = i64::from(tallies[0].minute) * Step::Minute.seconds();
        MinuteUsage { workspace: tallies[0].workspace, at: Timestamp::from_seconds(seconds), counts }
    };
    of_one_minute.map(minute).collect()
}
