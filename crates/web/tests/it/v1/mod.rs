//! Mirrors `src/api/v1`.

mod audit_log;
mod event_types;
mod scopes;
mod webhooks;
mod workspaces;
