//! The tests of the gate, before a small platform and with a whole Keybell behind.

mod gate;
mod limits;
mod platform;
mod unreachable;
