//! The operations, a file per resource.

pub mod accounts;
pub mod api_keys;
pub mod attempts;
pub mod audit;
pub mod deliveries;
pub mod delivery_log;
pub mod event_types;
pub mod events;
pub mod health;
pub mod idempotency;
pub mod installation;
pub mod members;
pub mod one_time_links;
pub mod operator_keys;
pub mod retention;
pub mod scopes;
pub mod sessions;
pub mod signing_secrets;
pub mod webhooks;
pub mod workspaces;
