//! Serving: threads that each have a runtime of their own, listeners on them, and how it all comes to an end.
//!
//! A runtime per core on one thread each, rather than one runtime over all: measured, that one costs more than half as much
//! again for work as small as a delivery. The kernel spreads connections over the listeners (`SO_REUSEPORT`).

mod connections;
mod listen;
mod workers;

pub(crate) use connections::{ConnectionLimits, Connections};
pub(crate) use listen::{Listeners, listen};
pub(crate) use workers::Workers;
