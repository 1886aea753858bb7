//! What Keybell's tests share: a throw-away PostgreSQL, a simulated clock, seeded randomness, a receiver, and a real
//! installation as a child process.

#[cfg(feature = "app")]
pub mod app;
pub mod clock;
pub mod crashes;
pub mod installation;
pub mod postgres;
pub mod random;
pub mod receiver;
