//! What each page shows, as plain values with a template each. Nothing here calls the app: the handlers beside this module
//! fill these in, and tests fill them with whatever they like.

pub mod access;
pub mod audit_log;
pub mod catalogue;
pub mod deliveries;
pub mod events;
pub mod filter;
pub mod form;
pub mod frame;
pub mod keys;
pub mod parts;
pub mod reference;
pub mod verify;
pub mod webhooks;
pub mod workspace;
