//! The operations, a file per resource.

pub mod accounts;
pub mod api_keys;
pub mod attempts;
pub mod audit;
mod counts;
pub mod deliveries;
pub mod delivery_log;
pub mod delivery_stats;
mod enough;
pub mod event_types;
pub mod events;
pub mod health;
pub mod idempotency;
pub mod installation;
mod json;
pub mod look;
pub mod members;
pub mod one_time_links;
pub mod operator_keys;
pub mod resend;
pub mod resends;
pub mod retention;
pub mod scopes;
pub mod sessions;
pub mod signing_secrets;
pub mod usage;
pub mod waiting;
pub mod webhook_health;
pub mod webhooks;
pub mod workspaces;

use crate::sql::{Bulk, Sql};

/// Every statement of every operation, for the test that prepares them all. A file that declares statements and is not
/// named here fails another test.
pub(crate) fn all_statements() -> Vec<&'static Sql> {
    [
        accounts::STATEMENTS,
        api_keys::STATEMENTS,
        api_keys::change::STATEMENTS,
        api_keys::import::STATEMENTS,
        api_keys::last_use::STATEMENTS,
        api_keys::list::STATEMENTS,
        api_keys::load::STATEMENTS,
        attempts::STATEMENTS,
        audit::STATEMENTS,
        deliveries::STATEMENTS,
        delivery_log::STATEMENTS,
        delivery_stats::STATEMENTS,
        event_types::STATEMENTS,
        events::STATEMENTS,
        health::STATEMENTS,
        idempotency::STATEMENTS,
        installation::STATEMENTS,
        members::STATEMENTS,
        one_time_links::STATEMENTS,
        operator_keys::STATEMENTS,
        resend::STATEMENTS,
        resends::STATEMENTS,
        retention::STATEMENTS,
        retention::bite::STATEMENTS,
        scopes::STATEMENTS,
        sessions::STATEMENTS,
        signing_secrets::STATEMENTS,
        usage::STATEMENTS,
        waiting::STATEMENTS,
        webhook_health::STATEMENTS,
        webhooks::STATEMENTS,
        workspaces::STATEMENTS,
    ]
    .concat()
}

/// Every bulk statement of every operation.
pub(crate) fn all_bulks() -> Vec<&'static Bulk> {
    [attempts::BULKS, deliveries::BULKS, events::BULKS, retention::bite::BULKS].concat()
}
