//! The operations, a file per resource.

pub mod attempts;
pub mod audit;
pub mod deliveries;
pub mod delivery_log;
pub mod events;
pub mod retention;
