//! The operations, a file per resource.

pub mod audit;
