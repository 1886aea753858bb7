//! How keys were used: counts by key and outcome, for each workspace and each minute, hour and day.
//!
//! A row holds the counts of all keys of a workspace in one value. So what is written grows with time and not with
//! requests, a chart of all keys reads as many rows as it has points, and the database looks inside only for where a key's ID stands.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::key::{Counts, KeyId, Outcome};
use keybell_core::{Timestamp, WorkspaceId};

use super::numbers::{self, CORRUPT};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Isolation, Op, Part, Query, Read, Tx};

macro_rules! between {
    () => {
        "SELECT at, counts FROM key_usage WHERE workspace_id = $1 AND step = $2 AND at >= $3 AND at < $4 ORDER BY at"
    };
}

statements! {
    COUNTS = "SELECT counts FROM key_usage WHERE workspace_id = $1 AND step = $2 AND at = $3 AND node = $4";
    PUT = "INSERT INTO key_usage (workspace_id, step, at, node, counts) \
           SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = $1) \
           ON CONFLICT (workspace_id, step, at, node) DO UPDATE SET counts = excluded.counts";
    BETWEEN = between!();
    OF_KEY = between!();
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
                let stored = tx.as_read().first(&COUNTS, &key, |row| add(row.bytes(0)?, &minute.counts))?;
                let encoded = stored.map_or_else(|| add(NOTHING, &minute.counts), Ok)?;
                let [workspace, step, at, node] = key;
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
        let part = Part { form: FORM, begins: self.id.as_str().as_bytes(), length_max: ENTRY_BYTES_MAX };
        let mut used: Self::Out = BTreeMap::new();
        tx.parts(&OF_KEY, &args, part, &mut |at, entry| {
            *used.entry(at).or_default() += Reader(&entry[ID_BYTES..]).counts()?;
            Ok(())
        })?;
        Ok(used)
    }
}

/// How some keys of a workspace were used, each by step, oldest first: of a page of keys in one reading. Keys and steps
/// without a use are left out.
#[derive(Debug)]
pub struct UsageOfKeys {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The keys.
    pub ids: BTreeSet<KeyId>,
    /// By minute, hour or day.
    pub step: Step,
    /// Of this time or later: the beginning of a step.
    pub from: Timestamp,
    /// Before this time.
    pub until: Timestamp,
}

impl Query for UsageOfKeys {
    const NAME: &'static str = "usage.of_keys";
    type Out = BTreeMap<KeyId, BTreeMap<Timestamp, Counts>>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let args =
            [(&self.workspace).into(), self.step.seconds().into(), self.from.into(), self.until.into()];
        let mut used: Self::Out = BTreeMap::new();
        if self.ids.is_empty() {
            return Ok(used);
        }
        let ids: Vec<(u128, KeyId)> = self.ids.iter().map(|id| (place_of(*id), *id)).collect();
        tx.rows(&BETWEEN, &args, &mut |row| {
            let (at, mut reader) = (row.at(0)?, Reader::of(row.bytes(1)?)?);
            // Both are in the order of IDs.
            let mut wanted = ids.iter().peekable();
            while let Some(chars) = reader.chars()? {
                let place = place_in_order(chars);
                while wanted.next_if(|(wanted, _)| *wanted < place).is_some() {}
                match wanted.peek() {
                    None => break,
                    Some((known, id)) if *known == place => {
                        *used.entry(*id).or_default().entry(at).or_default() += reader.counts()?;
                    }
                    Some(_) => reader.pass_over()?,
                }
            }
            Ok(())
        })?;
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
            let (sum, mut reader) = (used.entry(row.at(0)?).or_default(), Reader::of(row.bytes(1)?)?);
            while reader.chars()?.is_some() {
                reader.each(|outcome, count| sum.add(outcome, count))?;
            }
            Ok(())
        })?;
        Ok(used)
    }
}

/// What every value begins with, so that a later form can be told from this one.
const FORM: u8 = 1;
const ID_BYTES: usize = 12;
/// The longest entry of a key: its ID, how many outcomes follow, and each outcome with a count.
const ENTRY_BYTES_MAX: usize = ID_BYTES + 1 + Outcome::ALL.len() * (1 + numbers::BYTES_MAX);

/// A value that has no counts.
const NOTHING: &[u8] = &[FORM];

/// The value with `added` to what is in it: the form byte, then for each key, in order of IDs, its ID (12 bytes), how many
/// outcomes follow (a byte), and for each its number (a byte) and its count (LEB128).
///
/// Keys that nothing is added to are copied as they are.
fn add(stored: &[u8], added: &BTreeMap<KeyId, Counts>) -> Result<Vec<u8>, StoreError> {
    let mut out = Vec::with_capacity(stored.len() + added.len() * (ID_BYTES + 5));
    out.push(FORM);
    let mut reader = Reader::of(stored)?;
    let mut next = reader.entry()?;
    for (id, counts) in added {
        let mut sum = *counts;
        while let Some((known, entry)) = next.filter(|(known, _)| known <= id) {
            if known == *id {
                sum += Reader(&entry[ID_BYTES..]).counts()?;
            } else {
                out.extend_from_slice(entry);
            }
            next = reader.entry()?;
        }
        push_entry(&mut out, id, &sum);
    }
    while let Some((_, entry)) = next {
        out.extend_from_slice(entry);
        next = reader.entry()?;
    }
    Ok(out)
}

fn push_entry(out: &mut Vec<u8>, id: &KeyId, counts: &Counts) {
    out.extend_from_slice(id.as_str().as_bytes());
    out.push(u8::try_from(counts.iter().count()).expect("there are fewer than 256 outcomes"));
    for (outcome, count) in counts.iter() {
        out.push(outcome as u8);
        numbers::push(out, count);
    }
}

/// Where an ID stands in the order of IDs, as a number: what compares most quickly.
fn place_in_order(chars: &[u8; ID_BYTES]) -> u128 {
    let mut bytes = [0; 16];
    bytes[16 - ID_BYTES..].copy_from_slice(chars);
    u128::from_be_bytes(bytes)
}

fn place_of(id: KeyId) -> u128 {
    place_in_order(id.as_str().as_bytes().try_into().expect("an ID has twelve characters"))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn of(bytes: &'a [u8]) -> Result<Reader<'a>, StoreError> {
        bytes.strip_prefix(&[FORM]).map(Reader).ok_or(CORRUPT)
    }

    /// The characters of the next key's ID; `None` at the end. Most keys are passed over, so what they are is not looked at.
    fn chars(&mut self) -> Result<Option<&'a [u8; ID_BYTES]>, StoreError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let Some((chars, rest)) = self.0.split_first_chunk() else { return Err(CORRUPT) };
        self.0 = rest;
        Ok(Some(chars))
    }

    /// The next key; `None` at the end.
    fn id(&mut self) -> Result<Option<KeyId>, StoreError> {
        let Some(chars) = self.chars()? else { return Ok(None) };
        let id = std::str::from_utf8(chars).ok().and_then(KeyId::parse);
        id.map(Some).ok_or(CORRUPT)
    }

    /// The next key and its whole entry; `None` at the end.
    fn entry(&mut self) -> Result<Option<(KeyId, &'a [u8])>, StoreError> {
        let begin = self.0;
        let Some(id) = self.id()? else { return Ok(None) };
        self.counts()?;
        Ok(Some((id, &begin[..begin.len() - self.0.len()])))
    }

    /// What is counted of the key whose ID was read.
    fn counts(&mut self) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        self.each(|outcome, count| counts.add(outcome, count))?;
        Ok(counts)
    }

    fn pass_over(&mut self) -> Result<(), StoreError> {
        for _ in 0..numbers::read_byte(&mut self.0)? {
            if usize::from(numbers::read_byte(&mut self.0)?) >= Outcome::ALL.len() {
                return Err(CORRUPT);
            }
            numbers::pass_over(&mut self.0)?;
        }
        Ok(())
    }

    fn each(&mut self, mut told: impl FnMut(Outcome, u64)) -> Result<(), StoreError> {
        for _ in 0..numbers::read_byte(&mut self.0)? {
            let outcome = numbers::read_byte(&mut self.0)?;
            let Some(outcome) = Outcome::ALL.get(usize::from(outcome)) else { return Err(CORRUPT) };
            told(*outcome, numbers::read(&mut self.0)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> KeyId {
        KeyId::parse(text).expect("twelve characters of base62")
    }

    fn decoded(bytes: &[u8]) -> BTreeMap<KeyId, Counts> {
        let mut reader = Reader::of(bytes).expect("it was just written");
        let mut found = BTreeMap::new();
        while let Some(id) = reader.id().expect("it was just written") {
            assert!(found.insert(id, reader.counts().expect("it was just written")).is_none(), "once each");
        }
        found
    }

    #[test]
    fn counts_read_back_as_they_were_written() {
        let mut counts = BTreeMap::new();
        for (name, count) in
            [("000000000000", 1), ("AAAAAAAAAAAA", 127), ("aaaaaaaaaaaa", 128), ("zzzzzzzzzzzz", u64::MAX)]
        {
            let mut of_key = Counts::of(Outcome::Valid, count);
            of_key.add(Outcome::InsufficientScope, 300);
            counts.insert(id(name), of_key);
        }
        let bytes = add(NOTHING, &counts).expect("nothing is well formed");
        assert_eq!(decoded(&bytes), counts);
        assert_eq!(add(NOTHING, &BTreeMap::new()).expect("nothing is well formed"), NOTHING);
    }

    #[test]
    fn what_is_added_comes_in_order_between_what_is_there_and_on_top_of_it() {
        let of = |keys: &[(&str, u64)]| -> BTreeMap<KeyId, Counts> {
            keys.iter().map(|(key, count)| (id(key), Counts::of(Outcome::Valid, *count))).collect()
        };
        let (b, d, f) = ("BBBBBBBBBBBB", "DDDDDDDDDDDD", "FFFFFFFFFFFF");
        let there = add(NOTHING, &of(&[(b, 1), (d, 2), (f, 3)])).expect("nothing is well formed");
        for (added, sum) in [
            (of(&[]), of(&[(b, 1), (d, 2), (f, 3)])),
            (of(&[(d, 10)]), of(&[(b, 1), (d, 12), (f, 3)])),
            (
                of(&[("AAAAAAAAAAAA", 7), (b, 10), ("EEEEEEEEEEEE", 8), ("GGGGGGGGGGGG", 9)]),
                of(&[("AAAAAAAAAAAA", 7), (b, 11), (d, 2), ("EEEEEEEEEEEE", 8), (f, 3), ("GGGGGGGGGGGG", 9)]),
            ),
        ] {
            assert_eq!(decoded(&add(&there, &added).expect("both are well formed")), sum);
        }
    }

    #[test]
    fn what_is_cut_off_or_of_another_form_is_corrupt_and_no_panic() {
        let counts = BTreeMap::from([(id("zzzzzzzzzzzz"), Counts::of(Outcome::Valid, 300))]);
        let is_corrupt = |bytes: &[u8]| add(bytes, &BTreeMap::new()).is_err();
        let whole = add(NOTHING, &counts).expect("nothing is well formed");
        for cut in (0..whole.len()).filter(|cut| *cut != 1) {
            assert!(is_corrupt(&whole[..cut]), "{cut}");
        }
        let mut other = whole.clone();
        other[0] = 2;
        assert!(is_corrupt(&other));
        let mut unknown = whole;
        unknown[1 + ID_BYTES + 1] = 200;
        assert!(is_corrupt(&unknown));
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
