//! How deliveries went: counts of attempts by webhook, for each workspace and each minute, hour and day.
//!
//! Kept as [`usage`](super::usage) is: a row holds the counts of many webhooks of a workspace in one value.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::attempt_counts::{AttemptCounts, BUCKETS};
use keybell_core::{Timestamp, WebhookId, WorkspaceId};

use super::counts::numbers::{self, CORRUPT};
use super::counts::parts::every_part;
use super::counts::value::{Counted, Entries, FORM};
use super::counts::{self, parts};
use super::usage::Step;
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Arg, Isolation, Op, Part, Query, Read, Tx};

statements! {
    STORED = concat!(
        "SELECT part, counts FROM delivery_stats WHERE workspace_id = $1 AND step = $2 AND part IN ", every_part!(),
        " AND at = $3 AND node = $4 ORDER BY part");
    PUT = "INSERT INTO delivery_stats (workspace_id, step, at, node, part, counts) \
           SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = $1) \
           ON CONFLICT (workspace_id, step, part, at, node) DO UPDATE SET counts = excluded.counts";
    DELETE = concat!(
        "DELETE FROM delivery_stats WHERE workspace_id = $1 AND step = $2 AND part IN ", every_part!(),
        " AND at = $3 AND node = $4");
    BETWEEN = concat!(
        "SELECT at, counts FROM delivery_stats WHERE workspace_id = $1 AND step = $2 AND part IN ", every_part!(),
        " AND at >= $3 AND at < $4");
    OF_WEBHOOK = "SELECT at, counts FROM delivery_stats WHERE workspace_id = $1 AND step = $2 \
                  AND part IN ($3, $4, $5, $6, $7) AND at >= $8 AND at < $9";
    DELETE_OLD = concat!(
        "DELETE FROM delivery_stats WHERE workspace_id = $1 AND step = $2 AND (part, at, node) IN \
         (SELECT part, at, node FROM delivery_stats WHERE workspace_id = $1 AND step = $2 AND part IN ", every_part!(),
        " AND at < $3 ORDER BY at, part DESC, node LIMIT $4)");
}

/// Where counts are kept.
const TABLE: counts::Table = counts::Table { stored: &STORED, put: &PUT, delete: &DELETE };

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
        for minute in &self.minutes {
            for step in Step::ALL {
                let key = [
                    (&minute.workspace).into(),
                    step.seconds().into(),
                    step.beginning(minute.at).into(),
                    (&self.node).into(),
                ];
                written += counts::add::<Attempts>(tx, &TABLE, key, &minute.counts)?;
            }
        }
        Ok(written)
    }
}

/// How the attempts of one webhook went, by step, oldest first. Steps without one are left out.
#[derive(Debug)]
pub struct StatsOfWebhook {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The webhook.
    pub id: WebhookId,
    /// By minute, hour or day.
    pub step: Step,
    /// Of this time or later: the beginning of a step.
    pub from: Timestamp,
    /// Before this time.
    pub until: Timestamp,
}

impl Query for StatsOfWebhook {
    const NAME: &'static str = "delivery_stats.of_webhook";
    type Out = BTreeMap<Timestamp, AttemptCounts>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let id = Attempts::id_bytes(&self.id);
        let mut args = vec![(&self.workspace).into(), self.step.seconds().into()];
        args.extend(parts::that_may_have(id).map(Arg::from));
        args.extend([Arg::from(self.from), self.until.into()]);
        let part = Part { form: FORM, begins: id, length_max: Attempts::ENTRY_BYTES_MAX };
        let mut found: Self::Out = BTreeMap::new();
        tx.parts(&OF_WEBHOOK, &args, part, &mut |at, entry| {
            Attempts::read(&mut &entry[Attempts::ID_BYTES..], found.entry(at).or_default())
        })?;
        Ok(found)
    }
}

/// How the attempts of each webhook of a workspace went, by step: as it is stored, for whoever finds out meanwhile which
/// webhooks are meant.
#[derive(Debug)]
pub struct StatsByWebhook {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// By minute, hour or day.
    pub step: Step,
    /// Of this time or later: the beginning of a step.
    pub from: Timestamp,
    /// Before this time.
    pub until: Timestamp,
}

impl Query for StatsByWebhook {
    const NAME: &'static str = "delivery_stats.by_webhook";
    type Out = StoredStats;

    fn run(&self, tx: &mut dyn Read) -> Result<StoredStats, StoreError> {
        let args =
            [(&self.workspace).into(), self.step.seconds().into(), self.from.into(), self.until.into()];
        tx.all(&BETWEEN, &args, |row| Ok((row.at(0)?, row.bytes(1)?.to_vec()))).map(StoredStats)
    }
}

/// What [`StatsByWebhook`] found: some sixty bytes for each webhook and step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredStats(Vec<(Timestamp, Vec<u8>)>);

impl StoredStats {
    /// How the attempts of those webhooks went, each by step, oldest first. Webhooks and steps without an attempt are left
    /// out, and so is how long attempts took.
    pub fn of_webhooks(
        &self,
        ids: &BTreeSet<WebhookId>,
    ) -> Result<BTreeMap<WebhookId, BTreeMap<Timestamp, AttemptCounts>>, StoreError> {
        let ids: BTreeMap<&[u8], WebhookId> = ids.iter().map(|id| (Attempts::id_bytes(id), *id)).collect();
        let mut found: BTreeMap<WebhookId, BTreeMap<Timestamp, AttemptCounts>> = BTreeMap::new();
        for (at, value) in &self.0 {
            let mut entries = Entries::<Attempts>::of(value)?;
            while let Some(id) = entries.next_id()? {
                match ids.get(id) {
                    Some(id) => {
                        let sum = found.entry(*id).or_default().entry(*at).or_default();
                        add_outcomes(entries.rest(), sum)?;
                    }
                    None => entries.pass_over()?,
                }
            }
        }
        Ok(found)
    }
}

/// How the attempts of all webhooks of a workspace went together, by step, oldest first, those that were deleted since
/// included. Steps without an attempt are left out, and so is how long attempts took.
#[derive(Debug)]
pub struct StatsOfWorkspace {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// By minute, hour or day.
    pub step: Step,
    /// Of this time or later: the beginning of a step.
    pub from: Timestamp,
    /// Before this time.
    pub until: Timestamp,
}

impl Query for StatsOfWorkspace {
    const NAME: &'static str = "delivery_stats.of_workspace";
    type Out = BTreeMap<Timestamp, AttemptCounts>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let args =
            [(&self.workspace).into(), self.step.seconds().into(), self.from.into(), self.until.into()];
        let mut found: Self::Out = BTreeMap::new();
        tx.rows(&BETWEEN, &args, &mut |row| {
            let sum = found.entry(row.at(0)?).or_default();
            let mut entries = Entries::<Attempts>::of(row.bytes(1)?)?;
            while entries.next_id()?.is_some() {
                add_outcomes(entries.rest(), sum)?;
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Deletes one bite of what is older than it is kept. Gives how many rows went; 0 when there is nothing left to delete.
#[derive(Debug)]
pub struct DeleteOldStats {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Of this step.
    pub step: Step,
    /// Steps that began before this instant go.
    pub before: Timestamp,
    /// Most rows.
    pub rows: i64,
}

impl Op for DeleteOldStats {
    const NAME: &'static str = "delivery_stats.delete_old";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        let args =
            [(&self.workspace).into(), self.step.seconds().into(), self.before.into(), self.rows.into()];
        tx.exec(&DELETE_OLD, &args)
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

    fn pass_over(rest: &mut &[u8]) -> Result<(), StoreError> {
        numbers::pass_over(rest)?;
        numbers::pass_over(rest)?;
        pass_over_durations(rest)
    }

    fn add(sum: &mut AttemptCounts, more: &AttemptCounts) {
        sum.add(more);
    }
}

/// Adds what is at the beginning of `rest` without how long attempts took.
fn add_outcomes(rest: &mut &[u8], sum: &mut AttemptCounts) -> Result<(), StoreError> {
    sum.succeeded = sum.succeeded.saturating_add(numbers::read(rest)?);
    sum.failed = sum.failed.saturating_add(numbers::read(rest)?);
    pass_over_durations(rest)
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
            add_outcomes(&mut rest[2], &mut outcomes).expect("it was just written");
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
