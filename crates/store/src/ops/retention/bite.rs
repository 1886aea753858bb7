//! One bite: some rows at the old end of one table, so few that nobody waits for the writer meanwhile.
//!
//! Rows can hold 256 KiB each, so a number of them bounds no time. A bite is bounded by *weight*: a row weighs 1, and 1 more
//! for each page of 8 KiB that its large columns fill, since each of these is a page to be freed.

use keybell_core::{DeliveryId, EventKey, Timestamp, WorkspaceId};

use crate::error::StoreError;
use crate::ops::counts::parts::each_part;
use crate::ops::enough::{ENOUGH, unless_enough};
use crate::ops::usage::Step;
use crate::sql::Sql;
use crate::tx::{Arg, Isolation, Op, Tx};
use crate::{bulks, statements};

/// The last part of a table of counts that has any before an instant.
macro_rules! part_with_old {
    ($table:literal) => {
        concat!(
            "SELECT part FROM (",
            each_part!(),
            ") AS parts WHERE EXISTS (SELECT 1 FROM ",
            $table,
            " AS old WHERE old.workspace_id = $1 AND old.step = $2 AND old.part = parts.part AND old.at < $3) \
             ORDER BY part DESC LIMIT 1"
        )
    };
}

macro_rules! old_counts {
    ($table:literal) => {
        concat!(
            "SELECT node, at, CAST(OCTET_LENGTH(counts) AS BIGINT) AS octets FROM ",
            $table,
            " WHERE workspace_id = $1 AND step = $2 AND part = $3 AND at < $4 ORDER BY at, node LIMIT $5"
        )
    };
}

statements! {
    OLD_ATTEMPTS = "SELECT delivery_id, number, CAST(COALESCE(OCTET_LENGTH(response_body), 0) \
                    + COALESCE(OCTET_LENGTH(response_headers), 0) + OCTET_LENGTH(request_headers) AS BIGINT) AS octets \
                    FROM attempts WHERE workspace_id = $1 AND delivery_id < $2 ORDER BY delivery_id, number LIMIT $3";
    OLD_PENDING = "SELECT id FROM pending_deliveries WHERE workspace_id = $1 AND id < $2 ORDER BY id LIMIT $3";
    OLD_FINISHED = "SELECT id FROM finished_deliveries WHERE workspace_id = $1 AND id < $2 ORDER BY id LIMIT $3";
    OLD_EVENTS = "SELECT id, CAST(0 AS BIGINT) AS number, CAST(OCTET_LENGTH(data) AS BIGINT) AS octets FROM events \
                  WHERE workspace_id = $1 AND id < $2 ORDER BY id LIMIT $3";
    OLD_AUDIT = "SELECT id, CAST(0 AS BIGINT) AS number, CAST(OCTET_LENGTH(changes) AS BIGINT) AS octets \
                 FROM audit_entries WHERE workspace_id = $1 AND id < $2 ORDER BY id LIMIT $3";
    PART_WITH_OLD_USAGE = part_with_old!("key_usage");
    PART_WITH_OLD_STATS = part_with_old!("delivery_stats");
    OLD_USAGE = old_counts!("key_usage");
    OLD_STATS = old_counts!("delivery_stats");
    EXPIRED_ANSWERS = "SELECT owner, idempotency_key, expires_at, CAST(COALESCE(OCTET_LENGTH(body), 0) AS BIGINT) AS octets \
                       FROM idempotent_answers WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2";
    DELETE_ATTEMPTS = "DELETE FROM attempts WHERE workspace_id = $1 AND (delivery_id, number) <= ($2, $3)";
    DELETE_PENDING = "DELETE FROM pending_deliveries WHERE workspace_id = $1 AND id <= $2";
    DELETE_FINISHED = "DELETE FROM finished_deliveries WHERE workspace_id = $1 AND id <= $2";
    DELETE_EVENTS = "DELETE FROM events WHERE workspace_id = $1 AND id <= $2";
    DELETE_AUDIT = "DELETE FROM audit_entries WHERE workspace_id = $1 AND id <= $2";
    DELETE_USAGE = "DELETE FROM key_usage WHERE workspace_id = $1 AND step = $2 AND part = $3 AND (at, node) <= ($4, $5)";
    DELETE_STATS =
        "DELETE FROM delivery_stats WHERE workspace_id = $1 AND step = $2 AND part = $3 AND (at, node) <= ($4, $5)";
    DELIVERY_LEFT = "SELECT 1 AS one FROM pending_deliveries WHERE workspace_id = $1 AND id < $2 \
                     UNION ALL SELECT 1 AS one FROM finished_deliveries WHERE workspace_id = $1 AND id < $2 LIMIT 1";
}

bulks! {
    DELETE_ANSWERS = Delete "idempotent_answers" [owner: Text, idempotency_key: Text, expires_at: Int];
}

/// Bytes of a large column that weigh 1: a page of SQLite's.
const PAGE_BYTES: i64 = 8_192;

/// What one bite took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bite {
    /// Rows that went.
    pub rows: u64,
    /// What they weighed.
    pub weight: i64,
    /// Whether there may be more of the same.
    pub more: bool,
}

/// A table whose rows go in bites, in the order in which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Attempts, by the age of their deliveries.
    Attempts,
    /// Deliveries that are not over.
    PendingDeliveries,
    /// Deliveries that came to an end.
    FinishedDeliveries,
    /// Events. None goes while a delivery of the same time is there.
    Events,
    /// Audit entries. They go with their workspace only, and not by age.
    AuditEntries,
}

impl Table {
    /// What goes by age, in the order in which it goes: no attempt is without its delivery, no delivery without its event.
    pub const BY_AGE: [Table; 4] =
        [Table::Attempts, Table::PendingDeliveries, Table::FinishedDeliveries, Table::Events];

    fn find(self) -> &'static Sql {
        match self {
            Table::Attempts => &OLD_ATTEMPTS,
            Table::PendingDeliveries => &OLD_PENDING,
            Table::FinishedDeliveries => &OLD_FINISHED,
            Table::Events => &OLD_EVENTS,
            Table::AuditEntries => &OLD_AUDIT,
        }
    }

    fn delete(self) -> &'static Sql {
        match self {
            Table::Attempts => &DELETE_ATTEMPTS,
            Table::PendingDeliveries => &DELETE_PENDING,
            Table::FinishedDeliveries => &DELETE_FINISHED,
            Table::Events => &DELETE_EVENTS,
            Table::AuditEntries => &DELETE_AUDIT,
        }
    }

    /// Whether its rows have large columns.
    fn is_heavy(self) -> bool {
        !matches!(self, Table::PendingDeliveries | Table::FinishedDeliveries)
    }
}

/// Deletes one bite of a workspace's rows from one table, oldest first.
///
/// A delivery that is still pending when its time is over goes like any other: it waited as long as anything is kept.
#[derive(Debug)]
pub struct DeleteAged {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Of which table.
    pub table: Table,
    /// Rows made before this instant go; `None`: all.
    pub before: Option<Timestamp>,
    /// Most that the rows weigh together, one row aside. At least 1.
    pub weight_max: i64,
}

impl Op for DeleteAged {
    const NAME: &'static str = "retention.delete_aged";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = Bite;

    /// What a power failure takes back is deleted again.
    fn must_last(&self) -> bool {
        false
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Bite, StoreError> {
        let bound = self.before.map_or(DeliveryId::from_bytes([0xff; 16]), DeliveryId::first_of);
        let workspace = Arg::from(&self.workspace);
        if self.table == Table::Events {
            // One may have come to life again since deliveries of that time were deleted: its event goes another time.
            let left = tx.as_read().first(&DELIVERY_LEFT, &[workspace, (&bound).into()], |_| Ok(()))?;
            if left.is_some() {
                return Ok(Bite::default());
            }
        }
        let mut bite = Taking::new(self.weight_max);
        let (mut last, mut number) = (EventKey::from_bytes([0; 16]), 0);
        let args = [workspace, (&bound).into(), self.weight_max.into()];
        unless_enough(tx.rows(self.table.find(), &args, &mut |row| {
            bite.take(if self.table.is_heavy() { row.int(2)? } else { 0 })?;
            last = row.id(0)?;
            number = if self.table == Table::Attempts { row.int(1)? } else { 0 };
            Ok(())
        }))?;
        bite.finish(|| match self.table {
            Table::Attempts => tx.exec(&DELETE_ATTEMPTS, &[workspace, (&last).into(), number.into()]),
            table => tx.exec(table.delete(), &[workspace, (&last).into()]),
        })
    }
}

/// A table of counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountsOf {
    /// How keys were used.
    Keys,
    /// How deliveries to webhooks went.
    Webhooks,
}

impl CountsOf {
    /// Both of them.
    pub const ALL: [CountsOf; 2] = [CountsOf::Keys, CountsOf::Webhooks];

    /// What finds the part, what finds its rows, and what deletes them.
    fn statements(self) -> [&'static Sql; 3] {
        match self {
            CountsOf::Keys => [&PART_WITH_OLD_USAGE, &OLD_USAGE, &DELETE_USAGE],
            CountsOf::Webhooks => [&PART_WITH_OLD_STATS, &OLD_STATS, &DELETE_STATS],
        }
    }
}

/// Deletes one bite of the counts of a workspace: of one part, oldest first. The first part of a level goes last, since by it
/// the others are found.
#[derive(Debug)]
pub struct DeleteOldCounts {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Of which table.
    pub of: CountsOf,
    /// Of this step.
    pub step: Step,
    /// Steps that began before this instant go; `None`: all.
    pub before: Option<Timestamp>,
    /// Most that the rows weigh together, one row aside. At least 1.
    pub weight_max: i64,
}

impl Op for DeleteOldCounts {
    const NAME: &'static str = "retention.delete_counts";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = Bite;

    /// What a power failure takes back is deleted again.
    fn must_last(&self) -> bool {
        false
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Bite, StoreError> {
        let (workspace, step) = (Arg::from(&self.workspace), Arg::from(self.step.seconds()));
        let before = Arg::from(self.before.map_or(i64::MAX, Timestamp::micros));
        let [find_part, find, delete] = self.of.statements();
        let part = tx.as_read().first(find_part, &[workspace, step, before], |row| row.int(0))?;
        let Some(part) = part else { return Ok(Bite::default()) };
        let mut bite = Taking::new(self.weight_max);
        let (mut at, mut node) = (0, String::new());
        let args = [workspace, step, part.into(), before, self.weight_max.into()];
        unless_enough(tx.rows(find, &args, &mut |row| {
            bite.take(row.int(2)?)?;
            (at, node) = (row.int(1)?, row.text(0)?.to_owned());
            Ok(())
        }))?;
        let taken =
            bite.finish(|| tx.exec(delete, &[workspace, step, part.into(), at.into(), (&node).into()]))?;
        // There may be as old ones in other parts.
        Ok(Bite { more: true, ..taken })
    }
}

/// Deletes one bite of stored answers whose time is over.
#[derive(Debug)]
pub struct DeleteExpiredAnswers {
    /// The present instant.
    pub now: Timestamp,
    /// Most that the rows weigh together, one row aside. At least 1.
    pub weight_max: i64,
}

impl Op for DeleteExpiredAnswers {
    const NAME: &'static str = "retention.delete_answers";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = Bite;

    /// What a power failure takes back is deleted again.
    fn must_last(&self) -> bool {
        false
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<Bite, StoreError> {
        let mut bite = Taking::new(self.weight_max);
        let mut taken = Vec::new();
        unless_enough(tx.rows(&EXPIRED_ANSWERS, &[self.now.into(), self.weight_max.into()], &mut |row| {
            bite.take(row.int(3)?)?;
            taken.push((row.text(0)?.to_owned(), row.text(1)?.to_owned(), row.int(2)?));
            Ok(())
        }))?;
        let rows: Vec<Arg<'_>> = taken
            .iter()
            .flat_map(|(owner, key, expires_at)| [owner.into(), key.into(), (*expires_at).into()])
            .collect();
        bite.finish(|| tx.bulk(&DELETE_ANSWERS, &rows))
    }
}

/// Takes rows, one after the other, while they are light enough.
struct Taking {
    weight_max: i64,
    weight: i64,
    looked_at: i64,
    full: bool,
}

impl Taking {
    fn new(weight_max: i64) -> Taking {
        Taking { weight_max, weight: 0, looked_at: 0, full: false }
    }

    /// Takes a row with so many bytes in its large columns, or ends the reading with [`ENOUGH`]. The first one is always taken.
    ///
    /// To end it matters: where a table is its own index, SQLite reads all of a row to see whether it is still in range.
    fn take(&mut self, octets: i64) -> Result<(), StoreError> {
        self.looked_at += 1;
        let weight = 1 + octets / PAGE_BYTES;
        if self.weight > 0 && self.weight + weight > self.weight_max {
            self.full = true;
            return Err(ENOUGH);
        }
        self.weight += weight;
        Ok(())
    }

    /// Deletes what was taken, where anything was.
    fn finish(self, delete: impl FnOnce() -> Result<u64, StoreError>) -> Result<Bite, StoreError> {
        let rows = if self.weight > 0 { delete()? } else { 0 };
        Ok(Bite { rows, weight: self.weight, more: self.full || self.looked_at >= self.weight_max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many rows of `octets` each a bite of `weight_max` takes of a hundred, and what they weigh.
    fn taken(weight_max: i64, octets: i64) -> (usize, i64) {
        let mut bite = Taking::new(weight_max);
        let rows = (0..100).take_while(|_| bite.take(octets).is_ok()).count();
        (rows, bite.weight)
    }

    #[test]
    fn a_bite_is_bounded_by_what_its_rows_hold() {
        assert_eq!(taken(50, 0), (50, 50), "at its limit, and not one more");
        assert_eq!(taken(50, PAGE_BYTES - 1), (50, 50));
        assert_eq!(taken(50, PAGE_BYTES), (25, 50));
        assert_eq!(taken(99, 256 * 1024), (3, 99));
        assert_eq!(taken(98, 256 * 1024), (2, 66));
        assert_eq!(taken(1, 256 * 1024), (1, 33), "one row always goes, else nothing ever would");
    }
}
