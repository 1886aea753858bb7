//! The catalogue in memory: event types with their schemas, and scopes. Asked on every publish and for every new key.

use std::sync::Arc;

use jsonschema::Validator;
use keybell_core::operator_event::{self, BuiltIn};
use keybell_core::{Code, FieldError, Problem, Timestamp};
use keybell_store::ops::event_types::{EventType as StoredType, LoadEventTypes};
use keybell_store::ops::scopes::{LoadScopes, Scope};
use keybell_store::{Store, StoreError};
use tokio::sync::Mutex;

/// Most places in an event's data that are told not to fit.
const SCHEMA_ERRORS_MAX: usize = 20;
/// Most characters of what is told of one place; it may quote the data.
const SCHEMA_MESSAGE_CHARS_MAX: usize = 300;

/// What an installation knows of event types and scopes.
#[derive(Default)]
pub struct Catalogue {
    types: papaya::HashMap<String, Arc<LiveType>>,
    scopes: papaya::HashMap<String, Scope>,
    /// Held from a change's transaction until it is in memory, so that memory sees changes in the order of the database.
    pub(crate) changing: Mutex<()>,
}

/// An event type that events can be published of.
pub struct LiveType {
    /// What is stored of it.
    pub(crate) stored: StoredType,
    validator: Option<Validator>,
}

impl Catalogue {
    /// Reads the whole catalogue, and adds the event types that are Keybell's own.
    pub(crate) async fn load(&self, store: &Store) -> Result<(), StoreError> {
        for stored in store.read(LoadEventTypes).await? {
            let live =
                LiveType::of(stored).map_err(|_| StoreError::Corrupt { what: "event type's schema" })?;
            self.put_type(live);
        }
        // Last, so that one of their names that was declared before it was reserved is ours now.
        for built_in in &operator_event::ALL {
            let live = LiveType::of(of_built_in(built_in)).expect("a test makes each of them ready");
            self.put_type(live);
        }
        let scopes = self.scopes.pin();
        for scope in store.read(LoadScopes).await? {
            scopes.insert(scope.name.clone(), scope);
        }
        Ok(())
    }

    /// The event type of that name; `None` where there is none, or it is archived.
    pub fn event_type(&self, name: &str) -> Option<Arc<LiveType>> {
        self.types.pin().get(name).cloned()
    }

    /// Whether an event type belongs to that group.
    pub fn has_group(&self, group: &str) -> bool {
        self.types.pin().values().any(|live| live.stored.group == group)
    }

    /// Whether the platform declared that scope. Keybell's own are not among them.
    pub fn has_scope(&self, name: &str) -> bool {
        self.scopes.pin().contains_key(name)
    }

    pub(crate) fn event_types(&self) -> Vec<Arc<LiveType>> {
        self.types.pin().values().cloned().collect()
    }

    pub(crate) fn scopes(&self) -> Vec<Scope> {
        self.scopes.pin().values().cloned().collect()
    }

    pub(crate) fn put_type(&self, live: LiveType) {
        self.types.pin().insert(live.stored.name.clone(), Arc::new(live));
    }

    pub(crate) fn remove_type(&self, name: &str) {
        self.types.pin().remove(name);
    }

    pub(crate) fn put_scope(&self, scope: Scope) {
        self.scopes.pin().insert(scope.name.clone(), scope);
    }

    pub(crate) fn remove_scope(&self, name: &str) {
        self.scopes.pin().remove(name);
    }
}

impl LiveType {
    /// The event type with its schema made ready. The error says what is wrong with the schema.
    pub(crate) fn of(stored: StoredType) -> Result<LiveType, String> {
        let validator = stored.schema_json.as_deref().map(compile).transpose()?;
        Ok(LiveType { stored, validator })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.stored.name
    }

    /// The group by which it can be subscribed to.
    pub fn group(&self) -> &str {
        &self.stored.group
    }

    /// Whether `data`, which is JSON, fits the schema. [`Code::SchemaMismatch`] names the places that do not.
    pub fn check_data(&self, data: &str) -> Result<(), Problem> {
        let Some(validator) = &self.validator else { return Ok(()) };
        let mismatch = |errors| {
            let mut problem = Problem::from(Code::SchemaMismatch);
            problem.errors = errors;
            problem
        };
        let value = serde_json::from_str(data).map_err(|error| {
            // JSON it is; what a schema cannot judge is a number that no float holds.
            let message = error.to_string();
            mismatch(vec![FieldError::new("data", "schema", message)])
        })?;
        let place = |error: jsonschema::ValidationError<'_>| FieldError {
            field: format!("data{}", error.instance_path().as_str().replace('/', ".")),
            code: "schema",
            message: error.to_string().chars().take(SCHEMA_MESSAGE_CHARS_MAX).collect(),
        };
        let errors: Vec<FieldError> =
            validator.iter_errors(&value).take(SCHEMA_ERRORS_MAX).map(place).collect();
        if errors.is_empty() { Ok(()) } else { Err(mismatch(errors)) }
    }
}

/// A built-in event type. It was always there.
fn of_built_in(built_in: &BuiltIn) -> StoredType {
    StoredType {
        name: built_in.name.to_owned(),
        group: operator_event::GROUP.to_owned(),
        description: built_in.description.to_owned(),
        schema_json: Some(built_in.schema.to_owned()),
        example_json: Some(built_in.example.to_owned()),
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

/// Makes a schema ready. It is JSON Schema 2020-12 and refers to nothing outside itself: nothing is fetched.
fn compile(schema_json: &str) -> Result<Validator, String> {
    let schema = serde_json::from_str(schema_json).map_err(|error| error.to_string())?;
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).offline();
    options.build(&schema).map_err(|error| error.to_string())
}
