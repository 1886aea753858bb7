//! Event types: declared, edited and archived by the platform, read by everybody.

use std::sync::Arc;

use keybell_core::event::{DATA_BYTES_MAX, TypeName, check_data};
use keybell_core::fields;
use keybell_core::grant::{OperatorGrant, Origin};
use keybell_core::operator_event::is_reserved;
use keybell_core::{ActorRef, Code, FieldError, Problem, Timestamp};
use keybell_store::ops::event_types::{
    ArchiveEventType, EditEventType, EventType as StoredType, InsertEventType, Written,
};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::catalogue::LiveType;
use crate::page::{cursor, read_cursor};
use crate::{App, Listing, Page, audit};

/// Most event types of an installation, archived ones included: all are in memory.
pub const EVENT_TYPES_MAX: i64 = 10_000;
/// Most bytes of an event type's schema: all are in memory, made ready.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;

/// What is said of a name that is Keybell's own.
const RESERVED: &str = "must not be `keybell`, nor begin with `keybell.`: those are Keybell's own event types, which it publishes \
                        itself and nobody changes";

/// An event type, as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct EventType {
    /// Its name, such as `research_report.published`.
    pub name: String,
    /// The group by which it can be subscribed to.
    pub group: String,
    /// What it is about.
    pub description: String,
    /// The JSON schema that data of it must fit.
    pub schema: Option<Box<RawValue>>,
    /// An example of its data.
    pub example: Option<Box<RawValue>>,
    /// When it was declared.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What an event type shall be.
#[derive(Clone, Debug)]
pub struct NewEventType {
    /// Its name.
    pub name: String,
    /// Its group; the part of the name before the first dot where there is none.
    pub group: Option<String>,
    /// What it is about.
    pub description: String,
    /// The JSON schema (2020-12) that data of it must fit.
    pub schema: Option<Box<RawValue>>,
    /// An example of its data.
    pub example: Option<Box<RawValue>>,
}

/// What shall be different. `None` stays as it is, `Some(None)` is taken away.
#[derive(Clone, Debug, Default)]
pub struct EventTypePatch {
    /// Its group; taken away, it is the part of the name before the first dot.
    pub group: Option<Option<String>>,
    /// What it is about.
    pub description: Option<String>,
    /// The JSON schema that data of it must fit.
    pub schema: Option<Option<Box<RawValue>>>,
    /// An example of its data.
    pub example: Option<Option<Box<RawValue>>>,
}

impl App {
    /// Declares an event type; one that was archived comes back as it is declared now.
    ///
    /// [`Code::Conflict`] where the name is in use, or the catalogue is full.
    pub async fn create_event_type(
        &self,
        grant: OperatorGrant,
        new: NewEventType,
    ) -> Result<EventType, Problem> {
        let name = TypeName::parse(&new.name)
            .map_err(|error| Problem::field("name", "invalid", error.to_string()))?;
        refuse_reserved("name", &new.name)?;
        let now = self.now();
        let stored = StoredType {
            group: new.group.unwrap_or_else(|| name.default_group().to_owned()),
            name: new.name,
            description: new.description,
            schema_json: new.schema.map(written),
            example_json: new.example.map(written),
            created_at: now,
            updated_at: now,
        };
        let live = check(stored.clone())?;
        self.insert_event_type(grant.by(), grant.origin(), live).await?;
        shown(stored)
    }

    /// The event types that events can be published of, newest first. From memory.
    pub fn list_event_types(&self, page: &Page) -> Result<Listing<EventType>, Problem> {
        let mut all = self.catalogue().event_types();
        all.sort_unstable_by(|a, b| place(&b.stored).cmp(&place(&a.stored)));
        if let Some((at, name)) = page.after(read_cursor)? {
            all.retain(|live| place(&live.stored) < (at, name.as_str()));
        }
        all.truncate(usize::try_from(page.rows()).unwrap_or(usize::MAX));
        let listed = page.listing(all, |live| cursor(live.stored.created_at, &live.stored.name));
        let data = listed.data.iter().map(|live| shown(live.stored.clone())).collect::<Result<_, _>>()?;
        Ok(Listing { data, next_cursor: listed.next_cursor })
    }

    /// One event type. From memory.
    pub fn event_type(&self, name: &str) -> Result<EventType, Problem> {
        let live = self.catalogue().event_type(name).ok_or_else(|| Problem::from(Code::NotFound))?;
        shown(live.stored.clone())
    }

    /// Changes an event type; what it is after it. Its name stays.
    pub async fn edit_event_type(
        &self,
        grant: OperatorGrant,
        name: &str,
        patch: EventTypePatch,
    ) -> Result<EventType, Problem> {
        refuse_reserved("name", name)?;
        let _changing = self.catalogue().changing.lock().await;
        let live = self.catalogue().event_type(name).ok_or_else(|| Problem::from(Code::NotFound))?;
        let before = &live.stored;
        let mut after = before.clone();
        if let Some(group) = patch.group {
            let of_name = || TypeName::parse(name).map(|name| name.default_group().to_owned());
            after.group = group.map_or_else(of_name, Ok).map_err(Problem::internal)?;
        }
        after.description = patch.description.unwrap_or(after.description);
        after.schema_json = patch.schema.map_or(after.schema_json, |schema| schema.map(written));
        after.example_json = patch.example.map_or(after.example_json, |example| example.map(written));
        if after == *before {
            return shown(after);
        }
        let now = self.now();
        after.updated_at = now.max(before.updated_at + std::time::Duration::from_micros(1));
        let edited = check(after.clone())?;
        let op = EditEventType {
            event_type: after.clone(),
            from: before.updated_at,
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(now, "event_type.edited", name, differences(before, &after)),
        };
        let catalogue = Arc::clone(self.catalogue());
        let written = self.commit(op, move |written| {
            if *written == Written::Done {
                catalogue.put_type(edited);
            }
        });
        match written.await? {
            Written::Done => shown(after),
            Written::Missing => Err(Code::NotFound.into()),
            Written::Stale | Written::Taken | Written::Full => Err(Problem::new(
                Code::Conflict,
                "Somebody else changed the event type meanwhile. Try again.",
            )),
        }
    }

    /// Archives an event type: events of it are refused from then on. What was delivered stays as it is.
    pub async fn archive_event_type(&self, grant: OperatorGrant, name: &str) -> Result<(), Problem> {
        refuse_reserved("name", name)?;
        let _changing = self.catalogue().changing.lock().await;
        let at = self.now();
        let op = ArchiveEventType {
            name: name.to_owned(),
            at,
            by: grant.by().clone(),
            origin: grant.origin().clone(),
            fact: self.audit_fact(at, "event_type.archived", name, json!({})),
        };
        let (catalogue, archived) = (Arc::clone(self.catalogue()), name.to_owned());
        let done = self.commit(op, move |done| {
            if *done {
                catalogue.remove_type(&archived);
            }
        });
        if done.await? { Ok(()) } else { Err(Code::NotFound.into()) }
    }

    /// Declares an event type because an event of it was published, where the settings allow that. That it is there
    /// already is no error.
    pub(crate) async fn declare_on_the_fly(
        &self,
        by: &ActorRef,
        origin: &Origin,
        name: &TypeName,
    ) -> Result<(), Problem> {
        if self.catalogue().event_type(name.as_str()).is_some() {
            return Ok(());
        }
        let now = self.now();
        let stored = StoredType {
            name: name.as_str().to_owned(),
            group: name.default_group().to_owned(),
            description: String::new(),
            schema_json: None,
            example_json: None,
            created_at: now,
            updated_at: now,
        };
        let declared = self.insert_event_type(by, origin, check(stored)?).await;
        match declared {
            Err(problem) if self.catalogue().event_type(name.as_str()).is_none() => Err(problem),
            _ => Ok(()),
        }
    }

    async fn insert_event_type(&self, by: &ActorRef, origin: &Origin, live: LiveType) -> Result<(), Problem> {
        let _changing = self.catalogue().changing.lock().await;
        let stored = live.stored.clone();
        let changes = json!({ "group": { "to": stored.group } });
        let op = InsertEventType {
            types_max: EVENT_TYPES_MAX,
            by: by.clone(),
            origin: origin.clone(),
            fact: self.audit_fact(stored.created_at, "event_type.created", &stored.name, changes),
            event_type: stored,
        };
        let catalogue = Arc::clone(self.catalogue());
        let written = self.commit(op, move |written| {
            if *written == Written::Done {
                catalogue.put_type(live);
            }
        });
        match written.await? {
            Written::Done => Ok(()),
            Written::Full => {
                let detail =
                    format!("The catalogue has {EVENT_TYPES_MAX} event types, as many as it may have.");
                Err(Problem::new(Code::Conflict, detail))
            }
            Written::Taken | Written::Stale | Written::Missing => {
                Err(Problem::new(Code::Conflict, "There is an event type of that name already."))
            }
        }
    }
}

/// The event type made ready, once all of its fields are valid.
fn check(stored: StoredType) -> Result<LiveType, Problem> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, code, message: String| {
        errors.push(FieldError::new(field, code, message));
    };
    if let Err(error) = TypeName::parse(&stored.group) {
        wrong("group", "invalid", error.to_string());
    } else if is_reserved(&stored.group) {
        wrong("group", "reserved", RESERVED.to_owned());
    }
    if let Some(schema) = &stored.schema_json
        && schema.len() > SCHEMA_BYTES_MAX
    {
        wrong("schema", "too_long", format!("must have at most {SCHEMA_BYTES_MAX} bytes"));
    }
    if let Some(example) = &stored.example_json
        && let Err(error) = check_data(example.as_bytes())
    {
        let code = if example.len() > DATA_BYTES_MAX { "too_long" } else { "invalid" };
        wrong("example", code, error.to_string());
    }
    errors.extend(fields::description(&stored.description).err());
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let example = stored.example_json.clone();
    let live = LiveType::of(stored).map_err(|error| {
        Problem::field(
            "schema",
            "invalid",
            format!("is not a JSON schema (2020-12) that stands alone: {error}"),
        )
    })?;
    if let Some(Err(problem)) = example.map(|example| live.check_data(&example)) {
        let first = problem.errors.into_iter().next().map(|error| error.message).unwrap_or_default();
        return Err(Problem::field("example", "schema", format!("does not fit the schema: {first}")));
    }
    Ok(live)
}

/// Refuses a name that is Keybell's own, in the field that has it.
pub(crate) fn refuse_reserved(field: impl Into<String>, name: &str) -> Result<(), Problem> {
    if is_reserved(name) { Err(Problem::field(field, "reserved", RESERVED)) } else { Ok(()) }
}

fn shown(stored: StoredType) -> Result<EventType, Problem> {
    let read = |json: Option<String>| json.map(RawValue::from_string).transpose().map_err(Problem::internal);
    Ok(EventType {
        name: stored.name,
        group: stored.group,
        description: stored.description,
        schema: read(stored.schema_json)?,
        example: read(stored.example_json)?,
        created_at: stored.created_at,
        updated_at: stored.updated_at,
    })
}

fn written(json: Box<RawValue>) -> String {
    Box::<str>::from(json).into_string()
}

/// Where an event type stands in the list.
fn place(stored: &StoredType) -> (Timestamp, &str) {
    (stored.created_at, &stored.name)
}

fn differences(before: &StoredType, after: &StoredType) -> Map<String, Value> {
    let editable = |stored: &StoredType| {
        [
            ("group", json!(stored.group)),
            ("description", json!(stored.description)),
            // They can be long: that they changed is enough to find out.
            ("schema", json!(stored.schema_json.as_ref().map(String::len))),
            ("example", json!(stored.example_json.as_ref().map(String::len))),
        ]
    };
    audit::differences(editable(before), editable(after))
}
