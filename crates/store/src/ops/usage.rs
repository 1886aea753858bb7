//! How keys were used: counts by key and outcome, for each workspace and each minute, hour and day.
//!
//! A row holds the counts of many keys of a workspace in one value. So what is written grows with time and not with
//! requests, and the database looks inside only for where a key's ID stands.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::key::{Counts, KeyId, Outcome};
use keybell_core::{Timestamp, WorkspaceId};

use super::counts::numbers::{self, CORRUPT};
use super::counts::read::{self, Stored};
use super::counts::value::Counted;
use super::counts::{add_minute, counts_statements};
use crate::error::StoreError;
use crate::tx::{Isolation, Op, Query, Read, Tx};

pub use super::counts::span::Span;
pub use super::counts::step::Step;

counts_statements!("key_usage");

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
        for MinuteUsage { workspace, at, counts } in &self.minutes {
            written += add_minute::<Uses>(tx, &TABLE, &self.node, (workspace, *at), counts)?;
        }
        Ok(written)
    }
}

/// How one key of a workspace was used, by step, oldest first. Steps without a use are left out.
#[derive(Debug)]
pub struct UsageOfKey {
    /// The time, and whose.
    pub span: Span,
    /// The key.
    pub id: KeyId,
}

impl Query for UsageOfKey {
    const NAME: &'static str = "usage.of_key";
    type Out = BTreeMap<Timestamp, Counts>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        read::of_one::<Uses>(tx, &TABLE, &self.span, &self.id)
    }
}

/// How some keys of a workspace were used, each by step, oldest first. Keys and steps without a use are left out.
#[derive(Debug)]
pub struct UsageOfKeys {
    /// The time, and whose.
    pub span: Span,
    /// The keys.
    pub ids: BTreeSet<KeyId>,
}

impl Query for UsageOfKeys {
    const NAME: &'static str = "usage.of_keys";
    type Out = BTreeMap<KeyId, BTreeMap<Timestamp, Counts>>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        read::of_some::<Uses>(tx, &TABLE, &self.span, &self.ids)
    }
}

/// How each key of a workspace was used, by step: as it is stored, for whoever finds out meanwhile which keys are meant.
#[derive(Debug)]
pub struct UsageByKey {
    /// The time, and whose.
    pub span: Span,
}

impl Query for UsageByKey {
    const NAME: &'static str = "usage.by_key";
    /// `None` where it is more than should be held at once: [`UsageOfKeys`] is for that.
    type Out = Option<StoredUsage>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        Ok(read::as_stored(tx, &TABLE, &self.span)?.map(StoredUsage))
    }
}

/// What [`UsageByKey`] found: some seventeen bytes for each key and step.
#[derive(Clone, Debug)]
pub struct StoredUsage(Stored);

impl StoredUsage {
    /// What [`UsageOfKeys`] gives.
    pub fn of_keys(
        &self,
        ids: &BTreeSet<KeyId>,
    ) -> Result<BTreeMap<KeyId, BTreeMap<Timestamp, Counts>>, StoreError> {
        self.0.of_some::<Uses>(ids)
    }
}

/// How all keys of a workspace were used together, by step, oldest first, those that were revoked since included. Steps
/// without a use are left out.
#[derive(Debug)]
pub struct UsageOfWorkspace {
    /// The time, and whose.
    pub span: Span,
}

impl Query for UsageOfWorkspace {
    const NAME: &'static str = "usage.of_workspace";
    type Out = BTreeMap<Timestamp, Counts>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        read::of_all::<Uses>(tx, &TABLE, &self.span)
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

    fn read_outcomes(rest: &mut &[u8], sum: &mut Counts) -> Result<(), StoreError> {
        Self::read(rest, sum)
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
}
