//! The tests of the use cases, on a store of each engine.

mod house;
mod keys;
