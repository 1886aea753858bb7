//! How attempts went, by webhook and minute: counted in memory where they end, written down every ten seconds together with
//! the [usage](crate::usage) of keys.
//!
//! No attempt writes anything for it. A crash loses at most the last [`USAGE_EVERY`](crate::usage::USAGE_EVERY) of it, an
//! orderly end nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::{Timestamp, WebhookId, WorkspaceId};
use keybell_store::StoreError;
use keybell_store::ops::delivery_stats::{AddDeliveryStats, MinuteStats};
use keybell_store::ops::usage::Step;
use metrics::counter;

use crate::App;
use crate::usage::Written;

/// Parts that webhooks are spread over, so that those who count different ones seldom meet.
const SHARDS: usize = 16;
/// Minutes of webhooks that may wait to be written while the database does not answer: some forty megabytes. Past it, they
/// are dropped and the metric `keybell_delivery_stats_dropped_total` says so.
const WAITING_MAX: usize = 200_000;
/// Minutes of webhooks of one transaction: three rows each where every one is of another workspace, some thirty
/// milliseconds of the writer.
const AT_ONCE: usize = 500;

/// What is counted and not yet written.
pub(crate) struct Tallies {
    counted: [Mutex<Counted>; SHARDS],
    /// Held while it is written and while it is read, so that nothing is seen twice or not at all.
    pub(crate) waiting: tokio::sync::Mutex<Waiting>,
}

/// Counts by minute since the Unix epoch, and webhook.
type Counted = HashMap<(WebhookId, u32), (WorkspaceId, AttemptCounts)>;

/// Whose counts, of which minute. What is next to each other in this order is stored together.
type Key = (WorkspaceId, u32, WebhookId);

/// What was gathered and waits to be written.
#[derive(Default)]
pub(crate) struct Waiting {
    counts: BTreeMap<Key, AttemptCounts>,
    dropped: u64,
    /// How many writings were begun.
    written: u64,
}

impl Tallies {
    pub(super) fn new() -> Tallies {
        Tallies { counted: std::array::from_fn(|_| Mutex::default()), waiting: tokio::sync::Mutex::default() }
    }

    /// Counts an attempt that began at `at` and took `micros` microseconds.
    pub(super) fn count(
        &self,
        workspace: WorkspaceId,
        webhook: WebhookId,
        at: Timestamp,
        succeeded: bool,
        micros: u64,
    ) {
        let minute = u32::try_from(at.seconds() / Step::Minute.seconds()).unwrap_or(0);
        // The last byte of an id is random.
        let shard = usize::from(webhook.as_bytes()[15]) % SHARDS;
        let mut counted = lock(&self.counted[shard]);
        let (_, counts) =
            counted.entry((webhook, minute)).or_insert_with(|| (workspace, AttemptCounts::default()));
        counts.count(succeeded, micros);
    }

    /// Moves what was counted into what waits.
    fn gather(&self, waiting: &mut Waiting) {
        for counted in &self.counted {
            for ((webhook, minute), (workspace, counts)) in std::mem::take(&mut *lock(counted)) {
                waiting.push((workspace, minute, webhook), &counts);
            }
        }
    }

    /// What waits of the webhooks of a workspace that are `wanted`, by minute.
    pub(crate) fn look(
        &self,
        waiting: &mut Waiting,
        workspace: WorkspaceId,
        wanted: impl Fn(WebhookId) -> bool,
    ) -> Vec<(WebhookId, Timestamp, AttemptCounts)> {
        self.gather(waiting);
        let first = (workspace, 0, WebhookId::from_bytes([0; 16]));
        let last = (workspace, u32::MAX, WebhookId::from_bytes([0xff; 16]));
        let of_workspace = waiting.counts.range(first..=last);
        let found = of_workspace.filter(|((_, _, webhook), _)| wanted(*webhook));
        let found = found.map(|((_, minute, webhook), counts)| (*webhook, instant(*minute), counts.clone()));
        found.collect()
    }
}

impl Written for Waiting {
    fn written(&self) -> u64 {
        self.written
    }
}

impl Waiting {
    fn push(&mut self, key: Key, counts: &AttemptCounts) {
        if self.counts.len() >= WAITING_MAX && !self.counts.contains_key(&key) {
            self.dropped += counts.succeeded + counts.failed;
            return;
        }
        self.counts.entry(key).or_default().add(counts);
    }

    /// What comes next to be written. What belongs to one minute of a workspace is stored together and is never cut: else it
    /// would be read and written anew for each part.
    fn next(&self) -> Vec<MinuteStats> {
        let mut minutes: Vec<MinuteStats> = Vec::new();
        for (place, ((workspace, minute, webhook), counts)) in self.counts.iter().enumerate() {
            let at = instant(*minute);
            let together = |last: &&mut MinuteStats| last.workspace == *workspace && last.at == at;
            if let Some(last) = minutes.last_mut().filter(together) {
                last.counts.insert(*webhook, counts.clone());
                continue;
            }
            if place >= AT_ONCE {
                break;
            }
            let counts = BTreeMap::from([(*webhook, counts.clone())]);
            minutes.push(MinuteStats { workspace: *workspace, at, counts });
        }
        minutes
    }

    /// Takes out what [`Waiting::next`] gave; how many attempts it were.
    fn remove(&mut self, minutes: &[(WorkspaceId, u32, Vec<WebhookId>)]) -> u64 {
        let mut attempts = 0;
        for (workspace, minute, webhooks) in minutes {
            for webhook in webhooks {
                let counts = self.counts.remove(&(*workspace, *minute, *webhook)).unwrap_or_default();
                attempts += counts.succeeded + counts.failed;
            }
        }
        attempts
    }
}

impl App {
    /// Writes down everything that was counted of deliveries so far.
    pub(crate) async fn write_delivery_stats(&self) -> Result<(), StoreError> {
        let tallies = self.engine().tallies();
        let mut waiting = tallies.waiting.lock().await;
        tallies.gather(&mut waiting);
        while !waiting.counts.is_empty() {
            let minutes = waiting.next();
            let keys: Vec<_> = minutes.iter().map(keys).collect();
            waiting.written += 1;
            let op = AddDeliveryStats { node: self.settings().node.clone(), minutes };
            match self.store().write(op).await {
                Ok(_) => drop(waiting.remove(&keys)),
                // Trying again mends neither, and the counts of others wait behind these.
                Err(error @ (StoreError::Corrupt { .. } | StoreError::Failed { .. })) => {
                    let lost = waiting.remove(&keys);
                    waiting.dropped += lost;
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::error!(error, attempts.lost = lost, "counts of deliveries could not be added");
                }
                Err(error) => return Err(error),
            }
        }
        let dropped = std::mem::take(&mut waiting.dropped);
        counter!("keybell_delivery_stats_dropped_total").increment(dropped);
        Ok(())
    }
}

fn keys(minute: &MinuteStats) -> (WorkspaceId, u32, Vec<WebhookId>) {
    let number = u32::try_from(minute.at.seconds() / Step::Minute.seconds()).unwrap_or(0);
    (minute.workspace, number, minute.counts.keys().copied().collect())
}

fn instant(minute: u32) -> Timestamp {
    Timestamp::from_seconds(i64::from(minute) * Step::Minute.seconds())
}

fn lock(counted: &Mutex<Counted>) -> MutexGuard<'_, Counted> {
    counted.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKSPACE: WorkspaceId = WorkspaceId::from_bytes([1; 16]);

    fn webhook(number: usize) -> WebhookId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        WebhookId::from_bytes(bytes)
    }

    fn one() -> AttemptCounts {
        let mut counts = AttemptCounts::default();
        counts.count(true, 1_000);
        counts
    }

    #[test]
    fn counts_wait_up_to_their_limit_and_those_past_it_are_counted_as_dropped() {
        let mut waiting = Waiting::default();
        for number in 0..WAITING_MAX {
            waiting.push((WORKSPACE, 1, webhook(number)), &one());
        }
        waiting.push((WORKSPACE, 1, webhook(0)), &one());
        assert_eq!(
            (waiting.counts.len(), waiting.dropped),
            (WAITING_MAX, 0),
            "what waits already is added to"
        );
        waiting.push((WORKSPACE, 1, webhook(WAITING_MAX)), &one());
        assert_eq!((waiting.counts.len(), waiting.dropped), (WAITING_MAX, 1));
    }

    #[test]
    fn one_minute_of_a_workspace_is_never_cut() {
        let mut waiting = Waiting::default();
        for number in 0..AT_ONCE + 7 {
            waiting.push((WORKSPACE, 1, webhook(number)), &one());
        }
        waiting.push((WORKSPACE, 2, webhook(0)), &one());
        let next = waiting.next();
        assert_eq!((next.len(), next[0].counts.len()), (1, AT_ONCE + 7));
        assert_eq!(waiting.remove(&next.iter().map(keys).collect::<Vec<_>>()), 507);
        assert_eq!((waiting.next().len(), waiting.counts.len()), (1, 1), "the next minute comes next");
    }
}
