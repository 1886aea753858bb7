//! Writing down how keys were used, and in the same turn how deliveries went.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::sync::atomic::Ordering::SeqCst;
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

/// Counts of one transaction. Those of a workspace and a minute are stored together, some milliseconds of the writer.
const TALLIES_AT_ONCE: usize = 5_000;
/// Workspaces and minutes of one transaction: each has three rows at least, some thirty milliseconds of the writer.
const MINUTES_AT_ONCE: usize = 500;
/// Keys of one transaction that says when they were last used; each is a row of its own.
const LAST_USES_AT_ONCE: usize = 500;
/// Keys whose last use is written in one go. Where more than that were used, the rest follows ten seconds later: each is a
/// row of its own, some 20 µs of the writer, and so many are 4 % of a core.
const LAST_USES_AT_A_TIME: usize = 20_000;

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
        let counts = app.write_counts().await.and(app.write_delivery_stats().await);
        // Whatever became of the counts.
        let mut last_uses = Ok(());
        if Instant::now() >= last_uses_at {
            last_uses = app.write_last_uses().await.map(|all| {
                if all {
                    last_uses_at = Instant::now() + LAST_USES_EVERY;
                }
            });
        }
        let wrote = counts.and(last_uses);
        if let Err(error) = &wrote
            && !failing
        {
            let error: &(dyn std::error::Error + 'static) = error;
            tracing::warn!(
                error,
                "how keys were used and deliveries went could not be written down; it is kept, and tried again"
            );
        }
        failing = wrote.is_err();
    }
}

impl App {
    /// Writes down everything that was counted so far, and when keys were last used: the last thing before an orderly end.
    pub async fn write_usage(&self) -> Result<(), StoreError> {
        self.write_counts().await?;
        self.write_delivery_stats().await?;
        while !self.write_last_uses().await? {}
        Ok(())
    }

    async fn write_counts(&self) -> Result<(), StoreError> {
        let mut waiting = self.usage().waiting.lock().await;
        self.gather_usage(&mut waiting);
        waiting.tallies.sort_unstable();
        while !waiting.tallies.is_empty() {
            let begin = begin_of_last_bite(&waiting.tallies);
            let minutes = minutes(&waiting.tallies[begin..]);
            waiting.written += 1;
            let op = AddUsage { node: self.settings().node.clone(), minutes };
            match self.store().write(op).await {
                Ok(_) => {}
                // Trying again mends neither, and the counts of others wait behind these.
                Err(error @ (StoreError::Corrupt { .. } | StoreError::Failed { .. })) => {
                    let lost: u64 = waiting.tallies[begin..].iter().map(|tally| u64::from(tally.count)).sum();
                    waiting.dropped += lost;
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::error!(
                        error,
                        usage.lost = lost,
                        "counts of how keys were used could not be added"
                    );
                }
                Err(error) => return Err(error),
            }
            // From the end, so that what is written can be cut off without moving the rest.
            waiting.tallies.truncate(begin);
        }
        waiting.tallies.shrink_to(TALLIES_AT_ONCE);
        let dropped = std::mem::take(&mut waiting.dropped);
        counter!("keybell_key_usage_dropped_total").increment(dropped);
        Ok(())
    }

    /// Whether all of them are written.
    async fn write_last_uses(&self) -> Result<bool, StoreError> {
        let mut waiting = self.usage().waiting.lock().await;
        self.gather_usage(&mut waiting);
        let mut left = LAST_USES_AT_A_TIME.min(waiting.last_uses.len());
        while left > 0 {
            let ids: Vec<KeyId> = waiting.last_uses.drain(..LAST_USES_AT_ONCE.min(left)).collect();
            left -= ids.len();
            let uses = ids.iter().filter_map(|id| self.last_use_of(*id)).collect();
            if let Err(error) = self.store().write(RecordLastUses { uses }).await {
                // At the end of the queue; one that was used meanwhile stands there twice, which does no harm.
                waiting.last_uses.extend(ids);
                return Err(error);
            }
        }
        Ok(waiting.last_uses.is_empty())
    }

    /// When a key was last used, as the store takes it; a use after this queues the key again.
    fn last_use_of(&self, id: KeyId) -> Option<StoredUse> {
        let used = self.keyring().with(id, |key| {
            key.activity.is_use_queued.store(false, SeqCst);
            let last_use = self.keyring().last_use(key);
            Some(StoredUse {
                workspace: key.workspace,
                id,
                at: last_use.at?,
                from: last_use.from.map(|address| address.to_string()),
                previous: key.previous_digest().zip(last_use.previous_at),
            })
        });
        used.flatten()
    }

    pub(super) fn gather_usage(&self, waiting: &mut Waiting) {
        self.usage().gather(waiting, self.keyring());
    }
}

/// Where the last bite of sorted tallies begins. What belongs to one minute of a workspace is stored together and is never
/// cut: else it would be read and written anew for each part.
fn begin_of_last_bite(tallies: &[Tally]) -> usize {
    let minutes = tallies.chunk_by(Tally::is_stored_with).rev().take(MINUTES_AT_ONCE);
    let mut begin = tallies.len();
    for minute in minutes {
        if tallies.len() - begin >= TALLIES_AT_ONCE {
            break;
        }
        begin -= minute.len();
    }
    begin
}

/// The tallies, in order of workspace, minute and key, as the store takes them.
fn minutes(tallies: &[Tally]) -> Vec<MinuteUsage> {
    let of_one_minute = tallies.chunk_by(Tally::is_stored_with);
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

#[cfg(test)]
mod tests {
    use keybell_core::WorkspaceId;
    use keybell_core::key::Outcome;

    use super::*;

    /// Tallies of so many minutes, with so many keys in each.
    fn tallies(minutes: u32, keys: usize) -> Vec<Tally> {
        let of_minute = |minute| {
            let key = |number| KeyId::parse(&format!("{number:012}")).expect("twelve characters of base62");
            let workspace = WorkspaceId::from_bytes([1; 16]);
            (0..keys).map(move |number| Tally {
                workspace,
                minute,
                key: key(number),
                outcome: Outcome::Valid,
                count: 1,
            })
        };
        (0..minutes).flat_map(of_minute).collect()
    }

    #[test]
    fn a_bite_has_no_more_minutes_than_one_transaction_may_and_cuts_none() {
        let of_last_bite = |tallies: &[Tally]| tallies.len() - begin_of_last_bite(tallies);
        assert_eq!([499, 500, 501].map(|minutes| of_last_bite(&tallies(minutes, 1))), [499, 500, 500]);
        assert_eq!(of_last_bite(&tallies(1, TALLIES_AT_ONCE * 2)), TALLIES_AT_ONCE * 2);
        assert_eq!(of_last_bite(&tallies(3, TALLIES_AT_ONCE)), TALLIES_AT_ONCE, "as many as are wanted");
        assert_eq!(
            of_last_bite(&tallies(3, TALLIES_AT_ONCE - 1)),
            2 * TALLIES_AT_ONCE - 2,
            "one was missing"
        );
    }
}
