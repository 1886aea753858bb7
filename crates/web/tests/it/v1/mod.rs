//! Mirrors `src/api/v1`.

mod api_keys;
mod audit_log;
mod browsers;
mod deliveries;
mod end_overlap;
mod event_types;
mod events;
mod forward_auth;
mod gateway_limits;
mod import;
mod import_refused;
mod last_uses;
mod rate_limits;
mod recover;
mod resend;
mod resend_many;
mod revoke_many;
mod revoke_own;
mod scopes;
mod signing_secret_rotation;
mod usage;
mod verify;
mod webhook_stats;
mod webhook_test;
mod webhooks;
mod workspaces;
