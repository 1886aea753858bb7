//! How keys were used: counts by key and outcome, for each workspace and each minute, hour and day.
//!
//! A row holds the counts of all keys of a workspace in one value. So what is written grows with time and not with
//! requests, a chart of all keys reads as many rows as it has points, and the database never looks inside.

use std::collections::BTreeMap;

use keybell_core::key::{Counts, KeyId, Outcome};
use keybell_core::{Timestamp, WorkspaceId};

use crate::error::StoreError;
use crate::statements;
use crate::tx::{Isolation, Op, Query, Read, Tx};

statements! {
    COUNTS = "SELECT counts FROM key_usage WHERE workspace_id = $1 AND step = $2 AND at = $3 AND node = $4";
    PUT = "INSERT INTO key_usage (workspace_id, step, at, node, counts) \
           SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = $1) \
           ON CONFLICT (workspace_id, step, at, node) DO UPDATE SET counts = excluded.counts";
    BETWEEN = "SELECT at, counts FROM key_usage WHERE workspace_id = $1 AND step = $2 AND at >= $3 AND at < $4 \
               ORDER BY at";
    DELETE_OLD = "DELETE FROM key_usage WHERE workspace_id = $1 AND step = $2 AND (at, node) IN \
                  (SELECT at, node FROM key_usage WHERE workspace_id = $1 AND step = $2 AND at < $3 \
                  ORDER BY at, node LIMIT $4)";
}

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
                let stored = tx.as_read().first(&COUNTS, &key, |row| decode(row.bytes(0)?))?;
                let mut counts = stored.unwrap_or_default();
                for (id, added) in &minute.counts {
                    *counts.entry(*id).or_default() += *added;
                }
                let [workspace, step, at, node] = key;
                let encoded = encode(&counts);
                written += tx.exec(&PUT, &[workspace, step, at, node, (&encoded).into()])?;
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
        let args =
            [(&self.workspace).into(), self.step.seconds().into(), self.from.into(), self.until.into()];
        let mut used = BTreeMap::new();
        tx.rows(&BETWEEN, &args, &mut |row| {
            if let Some(counts) = decode_one(row.bytes(1)?, self.id)? {
                *used.entry(row.at(0)?).or_insert_with(Counts::default) += counts;
            }
            Ok(())
        })?;
        Ok(used)
    }
}

/// Deletes one bite of what is older than it is kept. Gives how many rows went; 0 when there is nothing left to delete.
#[derive(Debug)]
pub struct DeleteOldUsage {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Of this step.
    pub step: Step,
    /// Steps that began before this instant go.
    pub before: Timestamp,
    /// Most rows.
    pub rows: i64,
}

impl Op for DeleteOldUsage {
    const NAME: &'static str = "usage.delete_old";
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
const ID_BYTES: usize = 12;

/// The form byte, then for each key, in order of IDs: its ID (12 bytes), how many outcomes follow (a byte), and for each its
/// number (a byte) and its count (LEB128).
fn encode(counts: &BTreeMap<KeyId, Counts>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + counts.len() * (ID_BYTES + 5));
    out.push(FORM);
    for (id, counts) in counts {
        out.extend_from_slice(id.as_str().as_bytes());
        let outcomes = u8::try_from(counts.iter().count()).expect("there are fewer than 256 outcomes");
        out.push(outcomes);
        for (outcome, count) in counts.iter() {
            out.push(outcome as u8);
            push_number(&mut out, count);
        }
    }
    out
}

fn decode(bytes: &[u8]) -> Result<BTreeMap<KeyId, Counts>, StoreError> {
    let mut found = BTreeMap::new();
    let mut reader = Reader::of(bytes)?;
    while let Some(id) = reader.id()? {
        found.insert(id, reader.counts()?);
    }
    Ok(found)
}

/// The counts of one key alone, without making a map of the others.
fn decode_one(bytes: &[u8], wanted: KeyId) -> Result<Option<Counts>, StoreError> {
    let mut reader = Reader::of(bytes)?;
    while let Some(id) = reader.id()? {
        let counts = reader.counts()?;
        if id >= wanted {
            return Ok((id == wanted).then_some(counts));
        }
    }
    Ok(None)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn of(bytes: &'a [u8]) -> Result<Reader<'a>, StoreError> {
        bytes.strip_prefix(&[FORM]).map(Reader).ok_or(CORRUPT)
    }

    /// The next key; `None` at the end.
    fn id(&mut self) -> Result<Option<KeyId>, StoreError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (id, rest) = self.0.split_at_checked(ID_BYTES).ok_or(CORRUPT)?;
        self.0 = rest;
        let id = std::str::from_utf8(id).ok().and_then(KeyId::parse);
        id.map(Some).ok_or(CORRUPT)
    }

    fn counts(&mut self) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        for _ in 0..self.byte()? {
            let outcome = Outcome::ALL.get(usize::from(self.byte()?)).ok_or(CORRUPT)?;
            counts.add(*outcome, self.number()?);
        }
        Ok(counts)
    }

    fn byte(&mut self) -> Result<u8, StoreError> {
        let (first, rest) = self.0.split_first().ok_or(CORRUPT)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, StoreError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(CORRUPT)
    }
}

const CORRUPT: StoreError = StoreError::Corrupt { what: "counts of a minute, hour or day" };

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).expect("seven bits fit a byte") | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).expect("seven bits fit a byte"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> KeyId {
        KeyId::parse(text).expect("twelve characters of base62")
    }

    #[test]
    fn counts_read_back_as_they_were_written_whole_and_one_by_one() {
        let mut counts = BTreeMap::new();
        for (name, count) in
            [("000000000000", 1), ("AAAAAAAAAAAA", 127), ("aaaaaaaaaaaa", 128), ("zzzzzzzzzzzz", u64::MAX)]
        {
            let mut of_key = Counts::of(Outcome::Valid, count);
            of_key.add(Outcome::InsufficientScope, 300);
            counts.insert(id(name), of_key);
        }
        let bytes = encode(&counts);
        assert_eq!(decode(&bytes).expect("it was just written"), counts);
        for (key, of_key) in &counts {
            assert_eq!(decode_one(&bytes, *key).expect("it was just written"), Some(*of_key));
        }
        assert_eq!(decode_one(&bytes, id("BBBBBBBBBBBB")).expect("it was just written"), None);
        assert_eq!(decode(&encode(&BTreeMap::new())).expect("it was just written"), BTreeMap::new());
    }

    #[test]
    fn what_is_cut_off_or_of_another_form_is_corrupt_and_no_panic() {
        let whole = encode(&BTreeMap::from([(id("zzzzzzzzzzzz"), Counts::of(Outcome::Valid, 300))]));
        for cut in (0..whole.len()).filter(|cut| *cut != 1) {
            assert!(decode(&whole[..cut]).is_err(), "{cut}");
        }
        let mut other = whole.clone();
        other[0] = 2;
        assert!(decode(&other).is_err());
        let mut unknown = whole;
        unknown[1 + ID_BYTES + 1] = 200;
        assert!(decode(&unknown).is_err());
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
