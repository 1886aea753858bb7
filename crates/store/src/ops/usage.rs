//! How keys were used: counts by key and outcome, for each workspace and each minute, hour and day.
//!
//! A row holds the counts of many keys of a workspace in one value. So what is written grows with time and not with
//! requests, and the database looks inside only for where a key's ID stands.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::key::{Counts, KeyId, Outcome};
use keybell_core::{Timestamp, WorkspaceId};

use super::counts::numbers::{self, CORRUPT};
use super::counts::parts::every_part;
use super::counts::value::{Counted, Entries, FORM};
use super::counts::{self, parts};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Arg, Isolation, Op, Part, Query, Read, Tx};

statements! {
    STORED = concat!(
        "SELECT part, counts FROM key_usage WHERE workspace_id = $1 AND step = $2 AND part IN ", every_part!(),
        " AND at = $3 AND node = $4 ORDER BY part");
    PUT = "INSERT INTO key_usage (workspace_id, step, at, node, part, counts) \
           SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = $1) \
           ON CONFLICT (workspace_id, step, part, at, node) DO UPDATE SET counts = excluded.counts";
    DELETE = concat!(
        "DELETE FROM key_usage WHERE workspace_id = $1 AND step = $2 AND part IN ", every_part!(),
        " AND at = $3 AND node = $4");
    BETWEEN = concat!(
        "SELECT at, counts FROM key_usage WHERE workspace_id = $1 AND step = $2 AND part IN ", every_part!(),
        " AND at >= $3 AND at < $4");
    OF_KEY = "SELECT at, counts FROM key_usage WHERE workspace_id = $1 AND step = $2 \
              AND part IN ($3, $4, $5, $6, $7) AND at >= $8 AND at < $9";
}

/// Where counts are kept.
const TABLE: counts::Table = counts::Table { stored: &STORED, put: &PUT, delete: &DELETE };

/// How long one row's time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl Step {
    /// Every step.
    pub const ALL: [Step; 3] = [Step::Minute, Step::Hour, Step::Day];

    /// Its length in seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Step::Minute => 60,
            Step::Hour => 3_600,
            Step::Day => 86_400,
        }
    }

    /// The beginning of the step that `at` falls into.
    pub fn beginning(self, at: Timestamp) -> Timestamp {
        Timestamp::from_seconds(at.seconds() - at.seconds().rem_euclid(self.seconds()))
    }
}

/// The counts of some keys of a workspace in one minute.
#[derive(Clone, Debug)]
pub struct MinuteUsage {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The beginning of the minute.
    pub at: Timestamp,
    /// What is to be added, by key.
    pub counts: BTreeMap<KeyId, Counts>,
}

/// Adds counts to their minutes, hours and days. What belongs to a workspace that is gone is dropped.
#[derive(Debug)]
pub struct AddUsage {
    /// The name of the node that counted. No two nodes may have the same.
    pub node: String,
    /// What it counted.
    pub minutes: Vec<MinuteUsage>,
}

impl Op for AddUsage {
    const NAME: &'static str = "usage.add";
    const ISOLATION: Isolation = Isolation::Alone;
    /// How many rows were written.
    type Out = u64;

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
                written += counts::add::<Uses>(tx, &TABLE, key, &minute.counts)?;
            }
        }
        Ok(written)
    }
}

/// How one key of a workspace was used, by step, oldest first. Steps without a use are left out.
#[derive(Debug)]
pub struct UsageOfKey {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The key.
    pub id: KeyId,
    /// By minute, hour or day.
    pub step: Step,
    /// Of this time or later: the beginning of a step.
    pub from: Timestamp,
    /// Before this time.
    pub until: Timestamp,
}

impl Query for UsageOfKey {
    const NAME: &'static str = "usage.of_key";
    type Out = BTreeMap<Timestamp, Counts>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let id = Uses::id_bytes(&self.id);
        let mut args = vec![(&self.workspace).into(), self.step.seconds().into()];
        args.extend(parts::that_may_have(id).map(Arg::from));
        args.extend([Arg::from(self.from), self.until.into()]);
        let part = Part { form: FORM, begins: id, length_max: Uses::ENTRY_BYTES_MAX };
        let mut used: Self::Out = BTreeMap::new();
        tx.parts(&OF_KEY, &args, part, &mut |at, entry| {
            Uses::read(&mut &entry[Uses::ID_BYTES..], used.entry(at).or_default())
        })?;
        Ok(used)
    }
}

/// How each key of a workspace was used, by step: as it is stored, for whoever finds out meanwhile which keys are meant.
#[derive(Debug)]
pub struct UsageByKey {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// By minute, hour or day.
    pub step: Step,
    /// Of this time or later: the beginning of a step.
    pub from: Timestamp,
    /// Before this time.
    pub until: Timestamp,
}

impl Query for UsageByKey {
    const NAME: &'static str = "usage.by_key";
    type Out = StoredUsage;

    fn run(&self, tx: &mut dyn Read) -> Result<StoredUsage, StoreError> {
        let args =
            [(&self.workspace).into(), self.step.seconds().into(), self.from.into(), self.until.into()];
        tx.all(&BETWEEN, &args, |row| Ok((row.at(0)?, row.bytes(1)?.to_vec()))).map(StoredUsage)
    }
}

/// What [`UsageByKey`] found: some seventeen bytes for each key and step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredUsage(Vec<(Timestamp, Vec<u8>)>);

impl StoredUsage {
    /// How those keys were used, each by step, oldest first. Keys and steps without a use are left out.
    pub fn of_keys(
        &self,
        ids: &BTreeSet<KeyId>,
    ) -> Result<BTreeMap<KeyId, BTreeMap<Timestamp, Counts>>, StoreError> {
        let mut used: BTreeMap<KeyId, BTreeMap<Timestamp, Counts>> = BTreeMap::new();
        let ids: Vec<(u128, KeyId)> =
            ids.iter().map(|id| (place_in_order(Uses::id_bytes(id)), *id)).collect();
        for (at, value) in &self.0 {
            let mut entries = Entries::<Uses>::of(value)?;
            // Both are in the order of IDs.
            let mut wanted = ids.iter().peekable();
            while let Some(id) = entries.next_id()? {
                let place = place_in_order(id);
                while wanted.next_if(|(wanted, _)| *wanted < place).is_some() {}
                match wanted.peek() {
                    None => break,
                    Some((known, id)) if *known == place => {
                        entries.add_to(used.entry(*id).or_default().entry(*at).or_default())?;
                    }
                    Some(_) => entries.pass_over()?,
                }
            }
        }
        Ok(used)
    }
}

/// How all keys of a workspace were used together, by step, oldest first, those that were revoked since included. Steps
/// without a use are left out.
#[derive(Debug)]
pub struct UsageOfWorkspace {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// By minute, hour or day.
    pub step: Step,
    /// Of this time or later: the beginning of a step.
    pub from: Timestamp,
    /// Before this time.
    pub until: Timestamp,
}

impl Query for UsageOfWorkspace {
    const NAME: &'static str = "usage.of_workspace";
    type Out = BTreeMap<Timestamp, Counts>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let args =
            [(&self.workspace).into(), self.step.seconds().into(), self.from.into(), self.until.into()];
        let mut used: Self::Out = BTreeMap::new();
        tx.rows(&BETWEEN, &args, &mut |row| {
            let (sum, mut entries) =
                (used.entry(row.at(0)?).or_default(), Entries::<Uses>::of(row.bytes(1)?)?);
            while entries.next_id()?.is_some() {
                entries.add_to(sum)?;
            }
            Ok(())
        })?;
        Ok(used)
    }
}

/// The counts of keys: how many outcomes follow (a byte), and for each its number (a byte) and its count (LEB128).
struct Uses;

impl Counted for Uses {
    type Id = KeyId;
    type Counts = Counts;
    const ID_BYTES: usize = 12;
    const ENTRY_BYTES_MAX: usize = Self::ID_BYTES + 1 + Outcome::ALL.len() * (1 + numbers::BYTES_MAX);
    const ROW_ENTRIES: usize = 64;

    fn id_bytes(id: &KeyId) -> &[u8] {
        id.as_str().as_bytes()
    }

    fn push(out: &mut Vec<u8>, counts: &Counts) {
        out.push(u8::try_from(counts.iter().count()).expect("there are fewer than 256 outcomes"));
        for (outcome, count) in counts.iter() {
            out.push(outcome as u8);
            numbers::push(out, count);
        }
    }

    fn read(rest: &mut &[u8], sum: &mut Counts) -> Result<(), StoreError> {
        for _ in 0..numbers::read_byte(rest)? {
            let outcome = numbers::read_byte(rest)?;
            let Some(outcome) = Outcome::ALL.get(usize::from(outcome)) else { return Err(CORRUPT) };
            sum.add(*outcome, numbers::read(rest)?);
        }
        Ok(())
    }

    fn pass_over(rest: &mut &[u8]) -> Result<(), StoreError> {
        for _ in 0..numbers::read_byte(rest)? {
            if usize::from(numbers::read_byte(rest)?) >= Outcome::ALL.len() {
                return Err(CORRUPT);
            }
            numbers::pass_over(rest)?;
        }
        Ok(())
    }

    fn add(sum: &mut Counts, more: &Counts) {
        *sum += *more;
    }
}

/// Where an ID stands in the order of IDs, as a number: what compares most quickly.
fn place_in_order(id: &[u8]) -> u128 {
    id.iter().fold(0, |place, byte| place << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_back_as_they_were_written() {
        for counts in
            [Counts::default(), Counts::of(Outcome::Valid, 1), every_outcome(300), every_outcome(u64::MAX)]
        {
            let (mut bytes, mut read) = (Vec::new(), Counts::default());
            Uses::push(&mut bytes, &counts);
            assert!(Uses::ID_BYTES + bytes.len() <= Uses::ENTRY_BYTES_MAX);
            let mut rest = &bytes[..];
            Uses::read(&mut rest, &mut read).expect("it was just written");
            assert_eq!((read, rest.len()), (counts, 0));
            let mut rest = &bytes[..];
            Uses::pass_over(&mut rest).expect("it was just written");
            assert!(rest.is_empty());
        }
    }

    fn every_outcome(count: u64) -> Counts {
        let mut counts = Counts::default();
        for outcome in Outcome::ALL {
            counts.add(outcome, count);
        }
        counts
    }

    #[test]
    fn an_outcome_that_is_not_known_is_corrupt_and_no_panic() {
        let unknown = [1, 200, 1];
        assert!(Uses::read(&mut &unknown[..], &mut Counts::default()).is_err());
        assert!(Uses::pass_over(&mut &unknown[..]).is_err());
    }

    #[test]
    fn a_step_begins_where_its_length_divides_the_time() {
        let at = Timestamp::from_micros(1_795_447_916_123_000);
        let beginnings = Step::ALL.map(|step| step.beginning(at).to_string());
        assert_eq!(
            beginnings,
            ["2026-11-23T15:31:00.000Z", "2026-11-23T15:00:00.000Z", "2026-11-23T00:00:00.000Z"]
        );
    }
}
