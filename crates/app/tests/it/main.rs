//! The tests of the use cases, on a store of each engine.

mod catalogue;
mod delivery;
mod house;
mod keys;
mod promptly;
mod used;
mod webhooks;
mod workspaces;
