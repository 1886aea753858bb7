//! Counts of many keys, or webhooks, of a workspace in one minute, hour or day: how they are written, in which rows they are,
//! and how those are added to and read. What is counted, and what the tables are called, is for the operations to say.

pub(super) mod numbers;
pub(super) mod parts;
pub(super) mod read;
pub(super) mod span;
pub(super) mod step;
pub(super) mod value;

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::{Timestamp, WorkspaceId};

use crate::error::StoreError;
use crate::sql::Sql;
use crate::tx::{Arg, Tx};
use step::Step;
use value::{Added, Counted};

/// The statements of a table of counts; [`counts_statements!`] declares them.
pub(super) struct Table {
    /// Gives the number and the value of the first part, by workspace, step, time and node.
    pub first: &'static Sql,
    /// Gives those of every part.
    pub stored: &'static Sql,
    /// Puts a value, by the same four; the part and its value come last.
    pub put: &'static Sql,
    /// Deletes every part.
    pub delete: &'static Sql,
    /// Gives times and values, by workspace, step, and the beginning and end of a time.
    pub between: &'static Sql,
    /// The same of those parts only that come after the step.
    pub of_parts: &'static Sql,
}

/// Declares the statements of a table of counts, and `TABLE` with all of them.
macro_rules! counts_statements {
    ($table:literal) => {
        $crate::statements! {
            FIRST = concat!(
                "SELECT part, counts FROM ", $table, " WHERE workspace_id = $1 AND step = $2 AND part IN ",
                $crate::ops::counts::parts::first_parts!(), " AND at = $3 AND node = $4 ORDER BY part LIMIT 1");
            STORED = concat!(
                "SELECT part, counts FROM ", $table, " WHERE workspace_id = $1 AND step = $2 AND part IN ",
                $crate::ops::counts::parts::every_part!(), " AND at = $3 AND node = $4");
            PUT = concat!(
                "INSERT INTO ", $table, " (workspace_id, step, at, node, part, counts) \
                 SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = $1) \
                 ON CONFLICT (workspace_id, step, part, at, node) DO UPDATE SET counts = excluded.counts");
            DELETE = concat!(
                "DELETE FROM ", $table, " WHERE workspace_id = $1 AND step = $2 AND part IN ",
                $crate::ops::counts::parts::every_part!(), " AND at = $3 AND node = $4");
            BETWEEN = concat!(
                "SELECT at, counts FROM ", $table, " WHERE workspace_id = $1 AND step = $2 AND part IN ",
                $crate::ops::counts::parts::every_part!(), " AND at >= $3 AND at < $4");
            OF_PARTS = concat!(
                "SELECT at, counts FROM ", $table, " WHERE workspace_id = $1 AND step = $2 \
                 AND part IN ($3, $4, $5, $6, $7) AND at >= $8 AND at < $9");
        }

        const TABLE: $crate::ops::counts::Table = $crate::ops::counts::Table {
            first: &FIRST,
            stored: &STORED,
            put: &PUT,
            delete: &DELETE,
            between: &BETWEEN,
            of_parts: &OF_PARTS,
        };
    };
}
pub(super) use counts_statements;

/// Adds what a node counted in one minute of a workspace to the minute, its hour and its day. Gives how many rows were written.
pub(super) fn add_minute<C: Counted>(
    tx: &mut dyn Tx,
    table: &Table,
    node: &String,
    (workspace, at): (&WorkspaceId, Timestamp),
    added: &BTreeMap<C::Id, C::Counts>,
) -> Result<u64, StoreError> {
    let mut written = 0;
    for step in Step::ALL {
        let key = [workspace.into(), step.seconds().into(), step.beginning(at).into(), node.into()];
        written += add::<C>(tx, table, key, added)?;
    }
    Ok(written)
}

fn add<C: Counted>(
    tx: &mut dyn Tx,
    table: &Table,
    key: [Arg<'_>; 4],
    added: &BTreeMap<C::Id, C::Counts>,
) -> Result<u64, StoreError> {
    let mut stored = stored(tx, table, key)?;
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

/// The parts that are stored. Most are the whole, and to look for all that there might be takes four times as long.
fn stored(tx: &mut dyn Tx, table: &Table, key: [Arg<'_>; 4]) -> Result<BTreeMap<i64, Vec<u8>>, StoreError> {
    let read = |row: &dyn crate::tx::Row| Ok((row.int(0)?, row.bytes(1)?.to_vec()));
    let first = tx.as_read().first(table.first, &key, read)?;
    if first.as_ref().is_none_or(|(part, _)| parts::level_of(*part) == 0) {
        return Ok(first.into_iter().collect());
    }
    Ok(tx.as_read().all(table.stored, &key, read)?.into_iter().collect())
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
