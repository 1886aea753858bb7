//! Mirrors `src/api/v1`.

mod api_keys;
mod audit_log;
mod deliveries;
mod event_types;
mod events;
mod forward_auth;
mod scopes;
mod verify;
mod webhooks;
mod workspaces;
