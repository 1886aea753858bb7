//! Reading counts: of one, of some, or of all together, by time.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::Timestamp;

use super::Table;
use super::parts;
use super::span::Span;
use super::value::{Counted, Entries, FORM};
use crate::error::StoreError;
use crate::ops::enough::{ENOUGH, unless_enough};
use crate::tx::{Arg, Part, Read};

/// Most bytes that [`as_stored`] gives: a month of some three thousand keys, so that a hundred who ask at once hold 200 MB.
const STORED_BYTES_MAX: usize = 2_000_000;

/// What is counted of one, by time.
pub(in crate::ops) fn of_one<C: Counted>(
    tx: &mut dyn Read,
    table: &Table,
    span: &Span,
    id: &C::Id,
) -> Result<BTreeMap<Timestamp, C::Counts>, StoreError> {
    let id = C::id_bytes(id);
    let [workspace, step, from, until] = span.args();
    let mut args = vec![workspace, step];
    args.extend(parts::that_may_have(id).map(Arg::from));
    args.extend([from, until]);
    let part = Part { form: FORM, begins: id, length_max: C::ENTRY_BYTES_MAX };
    let mut found: BTreeMap<Timestamp, C::Counts> = BTreeMap::new();
    tx.parts(table.of_parts, &args, part, &mut |at, entry| {
        C::read(&mut &entry[C::ID_BYTES..], found.entry(at).or_default())
    })?;
    Ok(found)
}

/// The outcomes of all together, by time.
pub(in crate::ops) fn of_all<C: Counted>(
    tx: &mut dyn Read,
    table: &Table,
    span: &Span,
) -> Result<BTreeMap<Timestamp, C::Counts>, StoreError> {
    let mut found: BTreeMap<Timestamp, C::Counts> = BTreeMap::new();
    tx.rows(table.between, &span.args(), &mut |row| {
        let sum = found.entry(row.at(0)?).or_default();
        let mut entries = Entries::<C>::of(row.bytes(1)?)?;
        while entries.next_id()?.is_some() {
            entries.add_outcomes_to(sum)?;
        }
        Ok(())
    })?;
    Ok(found)
}

/// The outcomes of some, each by time. Those of whom nothing is counted are left out.
pub(in crate::ops) fn of_some<C: Counted>(
    tx: &mut dyn Read,
    table: &Table,
    span: &Span,
    ids: &BTreeSet<C::Id>,
) -> Result<Found<C>, StoreError> {
    let mut picking = Picking::<C>::of(ids);
    if !ids.is_empty() {
        tx.rows(table.between, &span.args(), &mut |row| picking.pick(row.at(0)?, row.bytes(1)?))?;
    }
    Ok(picking.found)
}

/// What is stored of a time, as it is: for whoever finds out meanwhile of whom the counts are wanted. `None` where it is more
/// than [`STORED_BYTES_MAX`].
pub(in crate::ops) fn as_stored(
    tx: &mut dyn Read,
    table: &Table,
    span: &Span,
) -> Result<Option<Stored>, StoreError> {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    unless_enough(tx.rows(table.between, &span.args(), &mut |row| {
        let value = row.bytes(1)?;
        bytes += value.len();
        if bytes > STORED_BYTES_MAX {
            return Err(ENOUGH);
        }
        rows.push((row.at(0)?, value.to_vec()));
        Ok(())
    }))?;
    Ok((bytes <= STORED_BYTES_MAX).then_some(Stored(rows)))
}

/// Values as they are stored, with their times.
#[derive(Clone, Debug)]
pub(in crate::ops) struct Stored(Vec<(Timestamp, Vec<u8>)>);

impl Stored {
    /// What [`of_some`] gives, of these.
    pub(in crate::ops) fn of_some<C: Counted>(&self, ids: &BTreeSet<C::Id>) -> Result<Found<C>, StoreError> {
        let mut picking = Picking::<C>::of(ids);
        for (at, value) in &self.0 {
            picking.pick(*at, value)?;
        }
        Ok(picking.found)
    }
}

/// The outcomes of each, by time.
pub(in crate::ops) type Found<C> = BTreeMap<<C as Counted>::Id, BTreeMap<Timestamp, <C as Counted>::Counts>>;

/// Picks the entries of some out of values.
struct Picking<C: Counted> {
    /// In the order of IDs.
    wanted: Vec<(u128, C::Id)>,
    found: Found<C>,
}

impl<C: Counted> Picking<C> {
    fn of(ids: &BTreeSet<C::Id>) -> Picking<C> {
        let wanted = ids.iter().map(|id| (place_in_order(C::id_bytes(id)), *id)).collect();
        Picking { wanted, found: BTreeMap::new() }
    }

    fn pick(&mut self, at: Timestamp, value: &[u8]) -> Result<(), StoreError> {
        let mut entries = Entries::<C>::of(value)?;
        // Both are in the order of IDs.
        let mut wanted = self.wanted.iter().peekable();
        while let Some(id) = entries.next_id()? {
            let place = place_in_order(id);
            while wanted.next_if(|(wanted, _)| *wanted < place).is_some() {}
            match wanted.peek() {
                None => break,
                Some((known, id)) if *known == place => {
                    let sum = self.found.entry(*id).or_default().entry(at).or_default();
                    entries.add_outcomes_to(sum)?;
                }
                Some(_) => entries.pass_over()?,
            }
        }
        Ok(())
    }
}

/// Where an ID of sixteen bytes or fewer stands in the order of IDs, as a number: what compares most quickly.
fn place_in_order(id: &[u8]) -> u128 {
    id.iter().fold(0, |place, byte| place << 8 | u128::from(*byte))
}
