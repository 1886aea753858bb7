//! Event types: the catalogue of what can happen. They belong to the installation, not to a workspace.

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, Timestamp};

use super::audit::{self, AuditFact, NO_WORKSPACE};
use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Query, Read, Row, Tx};

macro_rules! columns {
    () => {
        "name, event_group, description, schema_json, example_json, created_at, updated_at, archived_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO event_types (", columns!(), ") SELECT $1, $2, $3, $4, $5, $6, $6, NULL \
              WHERE (SELECT COUNT(*) FROM event_types) < $7 OR EXISTS (SELECT 1 FROM event_types WHERE name = $1) \
              ON CONFLICT (name) DO UPDATE SET event_group = excluded.event_group, description = excluded.description, \
              schema_json = excluded.schema_json, example_json = excluded.example_json, \
              created_at = excluded.created_at, updated_at = excluded.updated_at, archived_at = NULL \
              WHERE event_types.archived_at IS NOT NULL");
    EXISTS = "SELECT name FROM event_types WHERE name = $1";
    LOAD = concat!("SELECT ", columns!(), " FROM event_types WHERE archived_at IS NULL");
    EDIT = "UPDATE event_types SET event_group = $2, description = $3, schema_json = $4, example_json = $5, \
            updated_at = $6 WHERE name = $1 AND archived_at IS NULL AND updated_at = $7";
    ARCHIVE = "UPDATE event_types SET archived_at = $2, \
               updated_at = CASE WHEN updated_at >= $2 THEN updated_at + 1 ELSE $2 END \
               WHERE name = $1 AND archived_at IS NULL";
}

/// An event type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType {
    /// Its name, such as `research_report.published`.
    pub name: String,
    /// The group by which it can be subscribed to.
    pub group: String,
    /// What it is about.
    pub description: String,
    /// The JSON schema that data of it must fit, as JSON.
    pub schema_json: Option<String>,
    /// An example of its data, as JSON.
    pub example_json: Option<String>,
    /// When it was declared.
    pub created_at: Timestamp,
    /// When it was last changed; later with each change.
    pub updated_at: Timestamp,
}

/// What came of declaring or editing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is done.
    Done,
    /// The name is in use already.
    Taken,
    /// The catalogue is full.
    Full,
    /// Somebody changed it since the version that the edit was made from.
    Stale,
    /// There is no such event type, or it is archived.
    Missing,
}

/// Declares an event type. One that was archived comes back as it is declared now.
#[derive(Debug)]
pub struct InsertEventType {
    /// The event type.
    pub event_type: EventType,
    /// Most event types of an installation, archived ones included.
    pub types_max: i64,
    /// Who declares it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for InsertEventType {
    const NAME: &'static str = "event_types.insert";
    type Out = Written;

    fn run(&self, tx: &mut dyn Tx) -> Result<Written, StoreError> {
        let EventType { name, group, description, schema_json, example_json, created_at, .. } =
            &self.event_type;
        let args = [
            name.into(),
            group.into(),
            description.into(),
            schema_json.as_ref().into(),
            example_json.as_ref().into(),
            (*created_at).into(),
            self.types_max.into(),
        ];
        if tx.exec(&INSERT, &args)? == 0 {
            let taken = tx.as_read().first(&EXISTS, &[name.into()], |_| Ok(()))?;
            return Ok(if taken.is_some() { Written::Taken } else { Written::Full });
        }
        audit::entry(tx, NO_WORKSPACE, &self.by, &self.origin, &self.fact)?;
        Ok(Written::Done)
    }
}

/// Every event type that is not archived: what is read into memory at the start.
#[derive(Debug)]
pub struct LoadEventTypes;

impl Query for LoadEventTypes {
    const NAME: &'static str = "event_types.load";
    type Out = Vec<EventType>;

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        tx.all(&LOAD, &[], read_event_type)
    }
}

/// Writes what may be edited of an event type, made from the version `from`.
#[derive(Debug)]
pub struct EditEventType {
    /// The event type as it shall be; its `updated_at` is greater than `from`.
    pub event_type: EventType,
    /// The `updated_at` of what the edit was made from.
    pub from: Timestamp,
    /// Who edits it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for EditEventType {
    const NAME: &'static str = "event_types.edit";
    type Out = Written;

    fn run(&self, tx: &mut dyn Tx) -> Result<Written, StoreError> {
        let EventType { name, group, description, schema_json, example_json, updated_at, .. } =
            &self.event_type;
        let args = [
            name.into(),
            group.into(),
            description.into(),
            schema_json.as_ref().into(),
            example_json.as_ref().into(),
            (*updated_at).into(),
            self.from.into(),
        ];
        if tx.exec(&EDIT, &args)? == 0 {
            let found = tx.as_read().first(&EXISTS, &[name.into()], |_| Ok(()))?;
            return Ok(if found.is_some() { Written::Stale } else { Written::Missing });
        }
        audit::entry(tx, NO_WORKSPACE, &self.by, &self.origin, &self.fact)?;
        Ok(Written::Done)
    }
}

/// Archives an event type: events of it are no longer accepted, and what was delivered stays as it is.
#[derive(Debug)]
pub struct ArchiveEventType {
    /// Its name.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Who archives it.
    pub by: ActorRef,
    /// From where.
    pub origin: Origin,
    /// For the audit log.
    pub fact: AuditFact,
}

impl Op for ArchiveEventType {
    const NAME: &'static str = "event_types.archive";
    /// `false` where there is no such event type, or it is archived already.
    type Out = bool;

    fn run(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        if tx.exec(&ARCHIVE, &[(&self.name).into(), self.at.into()])? == 0 {
            return Ok(false);
        }
        audit::entry(tx, NO_WORKSPACE, &self.by, &self.origin, &self.fact)?;
        Ok(true)
    }
}

fn read_event_type(row: &dyn Row) -> Result<EventType, StoreError> {
    Ok(EventType {
        name: row.text(0)?.to_owned(),
        group: row.text(1)?.to_owned(),
        description: row.text(2)?.to_owned(),
        schema_json: row.opt_text(3)?.map(str::to_owned),
        example_json: row.opt_text(4)?.map(str::to_owned),
        created_at: row.at(5)?,
        updated_at: row.at(6)?,
    })
}
