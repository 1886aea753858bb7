//! Mirrors `src/api/v1`.

mod api_keys;
mod audit_log;
mod deliveries;
mod end_overlap;
mod event_types;
mod events;
mod forward_auth;
mod import;
mod import_refused;
mod revoke_many;
mod revoke_own;
mod scopes;
mod verify;
mod webhooks;
mod workspaces;
