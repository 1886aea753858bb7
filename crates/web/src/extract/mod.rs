//! What handlers ask for in their signatures, each refused with a problem of the catalogue.
//!
//! Permission comes first: a handler names [`Granted`] (or [`Operator`]) before everything else, so that a stranger learns
//! nothing from the way a request is wrong.

mod client;
mod credential;
mod granted;
mod json_body;
mod patch;
mod path;
mod query;

pub(crate) use client::is_from_trusted_proxy;
pub use client::{Source, origin};
pub use credential::{Credential, session_cookie_name};
pub(crate) use credential::{presented_in, session_token};
pub use granted::{Granted, Operator};
pub use json_body::{JsonBody, JsonBodyOrDefault, parse};
pub use patch::Patch;
pub(crate) use path::parameter;
pub use path::{OfPath, PathId};
pub use query::{PageQuery, QueryParams};
