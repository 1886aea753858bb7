//! Ids out of paths. What cannot be an id names nothing: 404, like any id that nothing has.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use keybell_app::App;
use keybell_core::Code;
use keybell_core::event::EventId;
use keybell_core::id::{Id, Kind};

use crate::problem::Failed;

/// What can stand in a path.
pub trait OfPath: Sized {
    /// Reads the percent-decoded text; `None` for what can be none.
    fn of_path(text: &str) -> Option<Self>;
}

impl<K: Kind> OfPath for Id<K> {
    fn of_path(text: &str) -> Option<Self> {
        Id::parse(text)
    }
}

impl OfPath for EventId {
    fn of_path(text: &str) -> Option<Self> {
        EventId::parse(text).ok()
    }
}

impl OfPath for String {
    fn of_path(text: &str) -> Option<Self> {
        // PostgreSQL cannot hold a zero byte, so that no name has one.
        (!text.contains('\0')).then(|| text.to_owned())
    }
}

/// The last parameter of the path, read as a `T`.
pub struct PathId<T>(pub T);

impl<T: OfPath> FromRequestParts<App> for PathId<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failed> {
        let text = parameter(parts, None).await;
        Ok(PathId(T::of_path(&text).ok_or(Code::NotFound)?))
    }
}

/// The parameter `name` of the path, or the last one; empty where the route has none, which no id is.
pub(crate) async fn parameter(parts: &mut Parts, name: Option<&str>) -> String {
    let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else {
        // Only where the path is not UTF-8 once decoded: such a name nothing has.
        return String::new();
    };
    let wanted = parameters.iter().filter(|(known, _)| name.is_none_or(|name| *known == name)).last();
    wanted.map(|(_, value)| value.to_owned()).unwrap_or_default()
}
