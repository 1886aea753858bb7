//! How deliveries went: counts of attempts by webhook, for each workspace and each minute, hour and day.
//!
//! Kept as [`usage`](super::usage) is: a row holds the counts of many webhooks of a workspace in one value.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::attempt_counts::{AttemptCounts, BUCKETS};
use keybell_core::{Timestamp, WebhookId, WorkspaceId};

use super::counts::numbers::{self, CORRUPT};
use super::counts::read::{self, Stored};
use super::counts::value::Counted;
use super::counts::{add_minute, counts_statements};
use super::usage::Span;
use crate::error::StoreError;
use crate::tx::{Isolation, Op, Query, Read, Tx};

counts_statements!("delivery_stats");

/// The counts of some webhooks of a workspace in one minute.
#[derive(Clone, Debug)]
pub struct MinuteStats {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The beginning of the minute.
    pub at: Timestamp,
    /// What is to be added, by webhook.
    pub counts: BTreeMap<WebhookId, AttemptCounts>,
}

/// Adds counts to their minutes, hours and days. What belongs to a workspace that is gone is dropped.
#[derive(Debug)]
pub struct AddDeliveryStats {
    /// The name of the node that counted. No two nodes may have the same.
    pub node: String,
    /// What it counted.
    pub minutes: Vec<MinuteStats>,
}

impl Op for AddDeliveryStats {
    const NAME: &'static str = "delivery_stats.add";
    const ISOLATION: Isolation = Isolation::Alone;
    /// How many rows were written.
    type Out = u64;

    /// A power failure may take some seconds of counts.
    fn must_last(&self) -> bool {
        false
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        let mut written = 0;
        for MinuteStats { workspace, at, counts } in &self.minutes {
            written += add_minute::<Attempts>(tx, &TABLE, &self.node, (workspace, *at), counts)?;
        }
        Ok(written)
    }
}

/// How the attempts of one webhook went, by step, oldest first. Steps without one are left out.
#[derive(Debug)]
pub struct StatsOfWebhook {
    /// The time, and whose.
    pub span: Span,
    /// The webhook.
    pub id: WebhookId,
}

impl Query for StatsOfWebhook {
    const NAME: &'static str = "delivery_stats.of_webhook";
    type Out = BTreeMap<Timestamp, AttemptCounts>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        read::of_one::<Attempts>(tx, &TABLE, &self.span, &self.id)
    }
}

/// How the attempts of some webhooks of a workspace went, each by step, oldest first. Webhooks and steps without an attempt
/// are left out, and so is how long attempts took.
#[derive(Debug)]
pub struct StatsOfWebhooks {
    /// The time, and whose.
    pub span: Span,
    /// The webhooks.
    pub ids: BTreeSet<WebhookId>,
}

impl Query for StatsOfWebhooks {
    const NAME: &'static str = "delivery_stats.of_webhooks";
    type Out = BTreeMap<WebhookId, BTreeMap<Timestamp, AttemptCounts>>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        read::of_some::<Attempts>(tx, &TABLE, &self.span, &self.ids)
    }
}

/// How the attempts of each webhook of a workspace went, by step: as it is stored, for whoever finds out meanwhile which
/// webhooks are meant.
#[derive(Debug)]
pub struct StatsByWebhook {
    /// The time, and whose.
    pub span: Span,
}

impl Query for StatsByWebhook {
    const NAME: &'static str = "delivery_stats.by_webhook";
    /// `None` where it is more than should be held at once: [`StatsOfWebhooks`] is for that.
    type Out = Option<StoredStats>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        Ok(read::as_stored(tx, &TABLE, &self.span)?.map(StoredStats))
    }
}

/// What [`StatsByWebhook`] found: some sixty bytes for each webhook and step.
#[derive(Clone, Debug)]
pub struct StoredStats(Stored);

impl StoredStats {
    /// What [`StatsOfWebhooks`] gives.
    pub fn of_webhooks(
        &self,
        ids: &BTreeSet<WebhookId>,
    ) -> Result<BTreeMap<WebhookId, BTreeMap<Timestamp, AttemptCounts>>, StoreError> {
        self.0.of_some::<Attempts>(ids)
    }
}

/// How the attempts of all webhooks of a workspace went together, by step, oldest first, those that were deleted since
/// included. Steps without an attempt are left out, and so is how long attempts took.
#[derive(Debug)]
pub struct StatsOfWorkspace {
    /// The time, and whose.
    pub span: Span,
}

impl Query for StatsOfWorkspace {
    const NAME: &'static str = "delivery_stats.of_workspace";
    type Out = BTreeMap<Timestamp, AttemptCounts>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        read::of_all::<Attempts>(tx, &TABLE, &self.span)
    }
}

/// The counts of webhooks: how many attempts succeeded and failed (LEB128), how many buckets of durations follow (a byte),
/// and for each its number (a byte) and count (LEB128).
struct Attempts;

impl Counted for Attempts {
    type Id = WebhookId;
    type Counts = AttemptCounts;
    const ID_BYTES: usize = 16;
    const ENTRY_BYTES_MAX: usize =
        Self::ID_BYTES + 2 * numbers::BYTES_MAX + 1 + BUCKETS * (1 + numbers::BYTES_MAX);
    const ROW_ENTRIES: usize = 16;

    fn id_bytes(id: &WebhookId) -> &[u8] {
        id.as_bytes()
    }

    fn push(out: &mut Vec<u8>, counts: &AttemptCounts) {
        numbers::push(out, counts.succeeded);
        numbers::push(out, counts.failed);
        let durations = counts.durations();
        out.push(u8::try_from(durations.len()).expect("there are fewer than 256 buckets"));
        for (bucket, count) in durations {
            out.push(*bucket);
            numbers::push(out, *count);
        }
    }

    fn read(rest: &mut &[u8], sum: &mut AttemptCounts) -> Result<(), StoreError> {
        sum.succeeded = sum.succeeded.saturating_add(numbers::read(rest)?);
        sum.failed = sum.failed.saturating_add(numbers::read(rest)?);
        for _ in 0..numbers::read_byte(rest)? {
            let bucket = numbers::read_byte(rest)?;
            if usize::from(bucket) >= BUCKETS {
                return Err(CORRUPT);
            }
            sum.add_durations(bucket, numbers::read(rest)?);
        }
        Ok(())
    }

    fn read_outcomes(rest: &mut &[u8], sum: &mut AttemptCounts) -> Result<(), StoreError> {
        sum.succeeded = sum.succeeded.saturating_add(numbers::read(rest)?);
        sum.failed = sum.failed.saturating_add(numbers::read(rest)?);
        pass_over_durations(rest)
    }

    fn pass_over(rest: &mut &[u8]) -> Result<(), StoreError> {
        numbers::pass_over(rest)?;
        numbers::pass_over(rest)?;
        pass_over_durations(rest)
    }

    fn add(sum: &mut AttemptCounts, more: &AttemptCounts) {
        sum.add(more);
    }
}

fn pass_over_durations(rest: &mut &[u8]) -> Result<(), StoreError> {
    for _ in 0..numbers::read_byte(rest)? {
        numbers::read_byte(rest)?;
        numbers::pass_over(rest)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> [AttemptCounts; 3] {
        let mut counts = AttemptCounts::default();
        for micros in [0, 7, 8, 1_500, 1_500, 20_000_000, u64::MAX] {
            counts.count(micros < 2_000, micros);
        }
        let mut many = AttemptCounts::default();
        (many.succeeded, many.failed) = (u64::MAX, 128);
        [AttemptCounts::default(), counts, many]
    }

    #[test]
    fn counts_read_back_as_they_were_written_and_are_passed_over_whole() {
        for counts in some() {
            let (mut bytes, mut read, mut outcomes) =
                (Vec::new(), AttemptCounts::default(), AttemptCounts::default());
            Attempts::push(&mut bytes, &counts);
            let mut rest = [&bytes[..]; 3];
            Attempts::read(&mut rest[0], &mut read).expect("it was just written");
            Attempts::pass_over(&mut rest[1]).expect("it was just written");
            Attempts::read_outcomes(&mut rest[2], &mut outcomes).expect("it was just written");
            assert!(rest.iter().all(|rest| rest.is_empty()));
            assert_eq!((outcomes.succeeded, outcomes.failed), (counts.succeeded, counts.failed));
            assert_eq!(read, counts);
        }
    }

    #[test]
    fn what_is_cut_off_or_of_an_unknown_bucket_is_corrupt_and_no_panic() {
        let [_, counts, _] = some();
        let mut whole = Vec::new();
        Attempts::push(&mut whole, &counts);
        let is_corrupt =
            |mut bytes: &[u8]| Attempts::read(&mut bytes, &mut AttemptCounts::default()).is_err();
        for cut in 0..whole.len() {
            assert!(is_corrupt(&whole[..cut]), "{cut}");
        }
        whole[3] = u8::try_from(BUCKETS).expect("fewer than 256");
        assert!(is_corrupt(&whole));
    }
}
