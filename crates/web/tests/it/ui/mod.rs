//! The pages, as somebody without scripts uses them.

mod access;
mod audit_log;
pub(crate) mod browser;
mod catalogue;
mod charts;
mod deliveries;
mod downloads;
mod events;
mod everywhere;
mod keys;
mod looks_back;
mod members;
mod packed;
mod reference;
mod resend;
mod verify;
mod webhooks;
