//! The pages, as somebody without scripts uses them.

mod access;
mod browser;
mod charts;
mod deliveries;
mod everywhere;
mod keys;
mod reference;
mod resend;
mod verify;
mod webhooks;
