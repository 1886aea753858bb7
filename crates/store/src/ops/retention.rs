//! Retention: where there is something old, and what belongs to workspaces that are gone. What is found goes in bites.

pub mod bite;

use keybell_core::{DeliveryId, EventKey, Timestamp, WorkspaceId};

use super::counts::parts::first_parts;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::statements;
use crate::tx::{Query, Read};

pub use bite::{Bite, CountsOf, DeleteAged, DeleteExpiredAnswers, DeleteOldCounts, Table};

/// The next workspaces that a table has rows of, by id, and whether each of them still is.
///
/// It steps from workspace to workspace along the primary key, however many rows each has.
macro_rules! owners {
    ($table:literal) => {
        concat!(
            "WITH RECURSIVE owners (id, place) AS (SELECT (SELECT workspace_id FROM ",
            $table,
            " WHERE workspace_id > $1 ORDER BY workspace_id LIMIT 1), CAST(1 AS BIGINT) \
             UNION ALL SELECT (SELECT workspace_id FROM ",
            $table,
            " WHERE workspace_id > owners.id ORDER BY workspace_id LIMIT 1), owners.place + 1 \
             FROM owners WHERE owners.id IS NOT NULL AND owners.place < $2) \
             SELECT id, CASE WHEN EXISTS (SELECT 1 FROM workspaces WHERE workspaces.id = owners.id) THEN 1 ELSE 0 END \
             AS is_there FROM owners WHERE id IS NOT NULL ORDER BY id",
        )
    };
}

/// Whether a table of counts has any of that step before an instant.
macro_rules! old_counts {
    ($table:literal, $step:literal, $before:literal) => {
        concat!(
            "OR EXISTS (SELECT 1 FROM ",
            $table,
            " WHERE workspace_id = workspaces.id AND ",
            $step,
            " AND part IN ",
            first_parts!(),
            " AND at < ",
            $before,
            ") "
        )
    };
}

statements! {
    WORKSPACES = "SELECT id FROM workspaces WHERE id > $1 ORDER BY id LIMIT $2";
    WITH_OLD = concat!(
        "SELECT id FROM workspaces WHERE id > $1 AND id <= $2 AND (\
         EXISTS (SELECT 1 FROM attempts WHERE workspace_id = workspaces.id AND delivery_id < $3) \
         OR EXISTS (SELECT 1 FROM events WHERE workspace_id = workspaces.id AND id < $4) \
         OR EXISTS (SELECT 1 FROM finished_deliveries WHERE workspace_id = workspaces.id AND id < $5) \
         OR EXISTS (SELECT 1 FROM pending_deliveries WHERE workspace_id = workspaces.id AND id < $5) ",
        old_counts!("key_usage", "step = 60", "$6"),
        old_counts!("key_usage", "step = 3600", "$7"),
        old_counts!("key_usage", "step = 86400", "$8"),
        old_counts!("delivery_stats", "step = 60", "$6"),
        old_counts!("delivery_stats", "step = 3600", "$7"),
        old_counts!("delivery_stats", "step = 86400", "$8"),
        ") ORDER BY id");
    OWNERS_OF_ATTEMPTS = owners!("attempts");
    OWNERS_OF_PENDING = owners!("pending_deliveries");
    OWNERS_OF_FINISHED = owners!("finished_deliveries");
    OWNERS_OF_EVENTS = owners!("events");
    OWNERS_OF_AUDIT = owners!("audit_entries");
    OWNERS_OF_USAGE = owners!("key_usage");
    OWNERS_OF_STATS = owners!("delivery_stats");
}

/// The next workspaces to look at, by id.
#[derive(Debug)]
pub struct WorkspacesAfter {
    /// Only workspaces after this one; `None` at the beginning.
    pub after: Option<WorkspaceId>,
    /// Most workspaces to give.
    pub rows: i64,
}

impl Query for WorkspacesAfter {
    const NAME: &'static str = "retention.workspaces";
    type Out = Vec<WorkspaceId>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let after = self.after.unwrap_or(NO_WORKSPACE);
        tx.all(&WORKSPACES, &[(&after).into(), self.rows.into()], |row| row.id(0))
    }
}

/// Comes before every workspace, and owns the audit entries that concern none.
const NO_WORKSPACE: WorkspaceId = super::audit::NO_WORKSPACE;

/// Before which instants what is old.
#[derive(Clone, Copy, Debug)]
pub struct Cutoffs {
    /// Events and their deliveries.
    pub events: Timestamp,
    /// Attempts, by the age of their deliveries. Not before that of events.
    pub attempts: Timestamp,
    /// Usage by minute, hour and day.
    pub usage: [Timestamp; 3],
}

/// Which workspaces of a range have anything old. A few steps along indexes for each, and no write: most have nothing.
#[derive(Debug)]
pub struct WithSomethingOld {
    /// Only workspaces after this one; `None` at the beginning.
    pub after: Option<WorkspaceId>,
    /// Up to this one.
    pub until: WorkspaceId,
    /// What is old.
    pub cutoffs: Cutoffs,
}

impl Query for WithSomethingOld {
    const NAME: &'static str = "retention.with_something_old";
    type Out = Vec<WorkspaceId>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let Cutoffs { events, attempts, usage: [minutes, hours, days] } = self.cutoffs;
        let after = self.after.unwrap_or(NO_WORKSPACE);
        let attempts = DeliveryId::first_of(attempts);
        let (event, delivery) = (EventKey::first_of(events), DeliveryId::first_of(events));
        let args = [
            (&after).into(),
            (&self.until).into(),
            (&attempts).into(),
            (&event).into(),
            (&delivery).into(),
            minutes.into(),
            hours.into(),
            days.into(),
        ];
        tx.all(&WITH_OLD, &args, |row| row.id(0))
    }
}

/// A table whose rows of a workspace may be too many to go with it at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Large {
    /// One whose rows have an order of their making.
    Of(Table),
    /// Counts of keys or of webhooks.
    Counts(CountsOf),
}

impl Large {
    /// Every one of them, in the order in which they are cleared.
    pub const ALL: [Large; 7] = [
        Large::Of(Table::Attempts),
        Large::Of(Table::PendingDeliveries),
        Large::Of(Table::FinishedDeliveries),
        Large::Of(Table::Events),
        Large::Of(Table::AuditEntries),
        Large::Counts(CountsOf::Keys),
        Large::Counts(CountsOf::Webhooks),
    ];

    fn owners(self) -> &'static Sql {
        match self {
            Large::Of(Table::Attempts) => &OWNERS_OF_ATTEMPTS,
            Large::Of(Table::PendingDeliveries) => &OWNERS_OF_PENDING,
            Large::Of(Table::FinishedDeliveries) => &OWNERS_OF_FINISHED,
            Large::Of(Table::Events) => &OWNERS_OF_EVENTS,
            Large::Of(Table::AuditEntries) => &OWNERS_OF_AUDIT,
            Large::Counts(CountsOf::Keys) => &OWNERS_OF_USAGE,
            Large::Counts(CountsOf::Webhooks) => &OWNERS_OF_STATS,
        }
    }
}

/// Which of the next workspaces that a table has rows of are gone: what a deletion left to be cleared, and what came into
/// a workspace while it was deleted.
#[derive(Debug)]
pub struct StrayWorkspaces {
    /// The table.
    pub table: Large,
    /// Only workspaces after this one; `None` at the beginning.
    pub after: Option<WorkspaceId>,
    /// Most workspaces to look at.
    pub rows: i64,
}

/// What [`StrayWorkspaces`] found.
#[derive(Debug, PartialEq, Eq)]
pub struct Strays {
    /// Workspaces that are gone and have rows in the table.
    pub gone: Vec<WorkspaceId>,
    /// The last workspace that was looked at, where there may be more.
    pub last: Option<WorkspaceId>,
}

impl Query for StrayWorkspaces {
    const NAME: &'static str = "retention.strays";
    type Out = Strays;

    fn run(&self, tx: &mut dyn Read) -> Result<Strays, StoreError> {
        let after = self.after.unwrap_or(NO_WORKSPACE);
        let args = [(&after).into(), self.rows.into()];
        let owners = tx.all(self.table.owners(), &args, |row| Ok((row.id(0)?, row.bool(1)?)))?;
        let all = i64::try_from(owners.len()).is_ok_and(|found| found < self.rows);
        let last = owners.last().map(|(id, _)| *id).filter(|_| !all);
        let gone = owners.into_iter().filter(|(_, is_there)| !is_there).map(|(id, _)| id);
        Ok(Strays { gone: gone.collect(), last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::usage::Step;

    #[test]
    fn what_is_old_is_looked_for_by_the_steps_that_usage_has() {
        for step in Step::ALL {
            assert!(WITH_OLD.text.contains(&format!("step = {} AND", step.seconds())), "{step:?}");
        }
    }

    #[test]
    fn every_table_that_goes_by_age_goes_with_its_workspace() {
        for table in Table::BY_AGE {
            assert!(Large::ALL.contains(&Large::Of(table)), "{table:?}");
        }
    }
}
