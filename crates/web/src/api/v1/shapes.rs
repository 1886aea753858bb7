//! Shapes that several resources share: lists, instants, who did something.

use std::borrow::Cow;

use keybell_app::Listing;
use keybell_core::{ActorRef, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{KnownFormat, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A page of a list, newest first.
#[derive(Serialize, ToSchema)]
pub struct List<T> {
    /// The entries.
    pub data: Vec<T>,
    /// Send it as `cursor` for the entries after these; null where there are none.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// The reply of a listing, each entry made by `show`.
    pub fn of<E>(listing: Listing<E>, show: impl FnMut(E) -> T) -> Self {
        List { data: listing.data.into_iter().map(show).collect(), next_cursor: listing.next_cursor }
    }
}

/// An instant: RFC 3339 in UTC with milliseconds; read with any offset.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct At(pub Timestamp);

impl From<Timestamp> for At {
    fn from(at: Timestamp) -> Self {
        At(at)
    }
}

impl PartialSchema for At {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).build().into()
    }
}

impl ToSchema for At {
    fn name() -> Cow<'static, str> {
        "Timestamp".into()
    }
}

/// Who did something.
#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
pub struct Doer {
    /// `operator`, `api_key`, `member`, or `system` for what Keybell did by itself.
    #[schema(example = "member")]
    kind: String,
    /// The public identifier of a key, the id of a member, or `keybell`.
    id: String,
    /// The name at that time.
    name: String,
}

impl From<ActorRef> for Doer {
    fn from(ActorRef { kind, id, name }: ActorRef) -> Self {
        Doer { kind, id, name }
    }
}

/// JSON that was checked when it was stored, to be shown as it is.
pub fn json(text: String) -> Box<RawValue> {
    RawValue::from_string(text).unwrap_or_default()
}
