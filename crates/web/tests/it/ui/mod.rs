//! The pages, as somebody without scripts uses them.

mod access;
mod audit_log;
mod browser;
mod catalogue;
mod deliveries;
mod events;
mod everywhere;
mod keys;
mod members;
mod webhooks;
