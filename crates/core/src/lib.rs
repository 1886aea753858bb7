//! The pure part of Keybell: formats, rules and decisions.
//!
//! Everything here is a function of its arguments. Nothing waits, reads a clock, draws randomness of its own, opens a
//! socket or knows SQL: time comes in as a [`Timestamp`], randomness as a [`Randomness`]. Every other crate calls it.

pub mod actor;
pub mod attempt_counts;
pub mod challenge;
pub mod circuit;
pub mod credential;
pub mod delivery;
pub mod event;
pub mod failing;
pub mod fields;
pub mod forwarded;
pub mod grant;
pub mod header;
pub mod id;
pub mod key;
pub mod operator_event;
pub mod pace;
pub mod payload;
pub mod problem;
pub mod random;
pub mod scope;
pub mod seal;
pub mod selection;
pub mod signature;
pub mod target;
pub mod time;

pub use actor::{Actor, ActorRef, Role};
pub use grant::{Forbidden, Grant};
pub use id::{AccountId, AuditId, DeliveryId, EventKey, Id, MemberId, ResendId, WebhookId, WorkspaceId};
pub use problem::{Code, FieldError, Problem};
pub use random::Randomness;
pub use time::{Clock, Timestamp};
