//! The reference platform: what an engineer looks at who puts Keybell beside an application.
//!
//! It is an investment-research platform in small. Its workspaces have research reports and portfolios; its API is guarded
//! by keybell-gate (`api`), it declares event types and scopes at start (`catalogue`), and it publishes an event for each
//! change (`book` and `courier`). A `receiver`, as a customer would write one, gets what the webhooks deliver.
//! `keybell demo` runs all of it.

pub mod api;
pub mod book;
pub mod catalogue;
pub mod courier;
pub mod keybell;
pub mod market;
pub mod onboarding;
pub mod platform;
pub mod receiver;
pub mod things;
pub mod world;

pub use keybell_gate::RemoteVerifier;
