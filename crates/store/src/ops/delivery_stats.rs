//! How deliveries went: counts of attempts by webhook, for each workspace and each minute, hour and day.
//!
//! Kept as [`usage`](super::usage) is: a row holds the counts of all webhooks of a workspace in one value.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::attempt_counts::{AttemptCounts, BUCKETS};
use keybell_core::{Timestamp, WebhookId, WorkspaceId};

use super::numbers::{self, CORRUPT};
use super::usage::Step;
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Isolation, Op, Part, Query, Read, Tx};

macro_rules! between {
    () => {
        "SELECT at, counts FROM delivery_stats WHERE workspace_id = $1 AND step = $2 AND at >= $3 AND at < $4 \
         ORDER BY at"
    };
}

statements! {
    COUNTS = "SELECT counts FROM delivery_stats WHERE workspace_id = $1 AND step = $2 AND at = $3 AND node = $4";
    PUT = "INSERT INTO delivery_stats (workspace_id, step, at, node, counts) \
           SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = $1) \
           ON CONFLICT (workspace_id, step, at, node) DO UPDATE SET counts = excluded.counts";
    BETWEEN = between!();
    OF_WEBHOOK = between!();
    DELETE_OLD = "DELETE FROM delivery_stats WHERE workspace_id = $1 AND step = $2 AND (at, node) IN \
                  (SELECT at, node FROM delivery_stats WHERE workspace_id = $1 AND step = $2 AND at < $3 \
                  ORDER BY at, node LIMIT $4)";
}

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
                let stored = tx.as_read().first(&COUNTS, &key, |row| decode(row.bytes(0)?))?;
                let mut counts = stored.unwrap_or_default();
                for (webhook, added) in &minute.counts {
                    counts.entry(*webhook).or_default().add(added);
                }
                let encoded = encode(&counts);
                let [workspace, step, at, node] = key;
                written += tx.exec(&PUT, &[workspace, step, at, node, (&encoded).into()])?;
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
        let args =
            [(&self.workspace).into(), self.step.seconds().into(), self.from.into(), self.until.into()];
        let part = Part { form: FORM, begins: self.id.as_bytes(), length_max: ENTRY_BYTES_MAX };
        let mut found: Self::Out = BTreeMap::new();
        tx.parts(&OF_WEBHOOK, &args, part, &mut |at, entry| {
            Reader(&entry[ID_BYTES..]).add_to(found.entry(at).or_default())
        })?;
        Ok(found)
    }
}

/// How the attempts of some webhooks of a workspace went, each by step, oldest first: of a page of webhooks in one reading.
/// Webhooks and steps without an attempt are left out, and so is how long attempts took.
#[derive(Debug)]
pub struct StatsOfWebhooks {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The webhooks.
    pub ids: BTreeSet<WebhookId>,
    /// By minute, hour or day.
    pub step: Step,
    /// Of this time or later: the beginning of a step.
    pub from: Timestamp,
    /// Before this time.
    pub until: Timestamp,
}

impl Query for StatsOfWebhooks {
    const NAME: &'static str = "delivery_stats.of_webhooks";
    type Out = BTreeMap<WebhookId, BTreeMap<Timestamp, AttemptCounts>>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let args =
            [(&self.workspace).into(), self.step.seconds().into(), self.from.into(), self.until.into()];
        let mut found: Self::Out = BTreeMap::new();
        tx.rows(&BETWEEN, &args, &mut |row| {
            let (at, mut reader) = (row.at(0)?, Reader::of(row.bytes(1)?)?);
            while let Some(id) = reader.id()? {
                if self.ids.contains(&id) {
                    reader.add_outcomes_to(found.entry(id).or_default().entry(at).or_default())?;
                } else {
                    reader.pass_over()?;
                }
            }
            Ok(())
        })?;
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
            let mut reader = Reader::of(row.bytes(1)?)?;
            while reader.id()?.is_some() {
                reader.add_outcomes_to(sum)?;
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

/// What every value begins with, so that a later form can be told from this one.
const FORM: u8 = 1;
const ID_BYTES: usize = 16;
/// The longest entry of a webhook: its id, two counts, how many buckets follow, and each bucket with a count.
const ENTRY_BYTES_MAX: usize = ID_BYTES + 2 * numbers::BYTES_MAX + 1 + BUCKETS * (1 + numbers::BYTES_MAX);

/// The value: the form byte, then for each webhook, in order of ids, its id (16 bytes), how many of its attempts succeeded
/// and failed (LEB128), how many buckets of durations follow (a byte), and for each its number (a byte) and count (LEB128).
fn encode(counts: &BTreeMap<WebhookId, AttemptCounts>) -> Vec<u8> {
    let mut out = vec![FORM];
    for (webhook, counts) in counts {
        out.extend_from_slice(webhook.as_bytes());
        numbers::push(&mut out, counts.succeeded);
        numbers::push(&mut out, counts.failed);
        let durations = counts.durations();
        out.push(u8::try_from(durations.len()).expect("there are fewer than 256 buckets"));
        for (bucket, count) in durations {
            out.push(*bucket);
            numbers::push(&mut out, *count);
        }
    }
    out
}

fn decode(bytes: &[u8]) -> Result<BTreeMap<WebhookId, AttemptCounts>, StoreError> {
    let (mut reader, mut found) = (Reader::of(bytes)?, BTreeMap::new());
    while let Some(id) = reader.id()? {
        reader.add_to(found.entry(id).or_default())?;
    }
    Ok(found)
}

/// A value, webhook by webhook, in the order of ids.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn of(bytes: &'a [u8]) -> Result<Reader<'a>, StoreError> {
        bytes.strip_prefix(&[FORM]).map(Reader).ok_or(CORRUPT)
    }

    /// The next webhook; `None` at the end.
    fn id(&mut self) -> Result<Option<WebhookId>, StoreError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let Some((id, rest)) = self.0.split_first_chunk::<ID_BYTES>() else { return Err(CORRUPT) };
        self.0 = rest;
        Ok(Some(WebhookId::from_bytes(*id)))
    }

    /// Adds what is counted of the webhook whose id was read.
    fn add_to(&mut self, sum: &mut AttemptCounts) -> Result<(), StoreError> {
        sum.succeeded = sum.succeeded.saturating_add(numbers::read(&mut self.0)?);
        sum.failed = sum.failed.saturating_add(numbers::read(&mut self.0)?);
        for _ in 0..numbers::read_byte(&mut self.0)? {
            let bucket = numbers::read_byte(&mut self.0)?;
            if usize::from(bucket) >= BUCKETS {
                return Err(CORRUPT);
            }
            sum.add_durations(bucket, numbers::read(&mut self.0)?);
        }
        Ok(())
    }

    /// The same without how long they took.
    fn add_outcomes_to(&mut self, sum: &mut AttemptCounts) -> Result<(), StoreError> {
        sum.succeeded = sum.succeeded.saturating_add(numbers::read(&mut self.0)?);
        sum.failed = sum.failed.saturating_add(numbers::read(&mut self.0)?);
        self.pass_over_durations()
    }

    fn pass_over(&mut self) -> Result<(), StoreError> {
        numbers::pass_over(&mut self.0)?;
        numbers::pass_over(&mut self.0)?;
        self.pass_over_durations()
    }

    fn pass_over_durations(&mut self) -> Result<(), StoreError> {
        for _ in 0..numbers::read_byte(&mut self.0)? {
            numbers::read_byte(&mut self.0)?;
            numbers::pass_over(&mut self.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> BTreeMap<WebhookId, AttemptCounts> {
        let mut counts = AttemptCounts::default();
        for micros in [0, 7, 8, 1_500, 1_500, 20_000_000, u64::MAX] {
            counts.count(micros < 2_000, micros);
        }
        let mut many = AttemptCounts::default();
        (many.succeeded, many.failed) = (u64::MAX, 128);
        BTreeMap::from([(WebhookId::from_bytes([1; 16]), counts), (WebhookId::from_bytes([2; 16]), many)])
    }

    #[test]
    fn counts_read_back_as_they_were_written() {
        for counts in [BTreeMap::new(), some()] {
            assert_eq!(decode(&encode(&counts)).expect("it was just written"), counts);
        }
    }

    #[test]
    fn what_is_cut_off_or_of_another_form_is_corrupt_and_no_panic() {
        let one: BTreeMap<_, _> = some().into_iter().take(1).collect();
        let whole = encode(&one);
        for cut in (0..whole.len()).filter(|cut| *cut != 1) {
            assert!(decode(&whole[..cut]).is_err(), "{cut}");
        }
        let mut other = whole.clone();
        other[0] = 2;
        assert!(decode(&other).is_err());
        let mut unknown = whole;
        let first_bucket = 1 + ID_BYTES + 3;
        unknown[first_bucket] = u8::try_from(BUCKETS).expect("fewer than 256");
        assert!(decode(&unknown).is_err());
    }
}
