//! Counts of many, of a workspace and a minute, hour or day: how they are written, and which rows they are in.

pub(super) mod numbers;
pub(super) mod parts;
pub(super) mod value;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::StoreError;
use crate::sql::Sql;
use crate::tx::{Arg, Tx};
use value::{Added, Counted};

/// The statements of a table of counts. Each asks first for the workspace, the step, the time and the node.
pub(super) struct Table {
    /// Gives the number and the value of each part.
    pub stored: &'static Sql,
    /// Puts the value of a part, which come last.
    pub put: &'static Sql,
    /// Deletes every part.
    pub delete: &'static Sql,
}

/// Adds to what a node counted in one time. Gives how many rows were written.
pub(super) fn add<C: Counted>(
    tx: &mut dyn Tx,
    table: &Table,
    key: [Arg<'_>; 4],
    added: &BTreeMap<C::Id, C::Counts>,
) -> Result<u64, StoreError> {
    let found = tx.as_read().all(table.stored, &key, |row| Ok((row.int(0)?, row.bytes(1)?.to_vec())))?;
    let mut stored: BTreeMap<i64, Vec<u8>> = found.into_iter().collect();
    let level = stored.keys().next().map_or(0, |part| parts::level_of(*part));
    let mut changed = add_to_parts::<C>(&mut stored, level, added)?;
    let mut entries = 0;
    for value in stored.values() {
        entries += value::count::<C>(value)?;
    }
    let wanted = parts::level_for(entries, C::ROW_ENTRIES);
    if wanted > level {
        tx.exec(table.delete, &key)?;
        stored = halved::<C>(&stored, wanted)?;
        changed = stored.keys().copied().collect();
    }
    let mut written = 0;
    for part in changed {
        let [workspace, step, at, node] = key;
        written += tx.exec(table.put, &[workspace, step, at, node, part.into(), (&stored[&part]).into()])?;
    }
    Ok(written)
}

/// Adds to each part what belongs to it; gives those that are different now.
fn add_to_parts<C: Counted>(
    stored: &mut BTreeMap<i64, Vec<u8>>,
    level: u32,
    added: &BTreeMap<C::Id, C::Counts>,
) -> Result<BTreeSet<i64>, StoreError> {
    let mut by_part: BTreeMap<i64, Added<'_, C>> = BTreeMap::new();
    for (id, counts) in added {
        by_part.entry(parts::at_level(level, C::id_bytes(id))).or_default().push((id, counts));
    }
    for (part, added) in &by_part {
        let value = stored.entry(*part).or_insert_with(|| value::NOTHING.to_vec());
        *value = value::add::<C>(value, added)?;
    }
    Ok(by_part.into_keys().collect())
}

/// The same in the parts of a higher level, the first of which is always there. A part is made of one part only, so that its
/// entries keep their order.
fn halved<C: Counted>(
    stored: &BTreeMap<i64, Vec<u8>>,
    level: u32,
) -> Result<BTreeMap<i64, Vec<u8>>, StoreError> {
    let mut halved = BTreeMap::from([(parts::first_of(level), value::NOTHING.to_vec())]);
    for value in stored.values() {
        value::each::<C>(value, |id, entry| {
            let part = halved.entry(parts::at_level(level, id)).or_insert_with(|| value::NOTHING.to_vec());
            part.extend_from_slice(entry);
        })?;
    }
    Ok(halved)
}
