//! The harness of the browser tests: Debian's Chromium over the real binary, as a person would meet it.
//!
//! Things are found by role and name, which is how a person who cannot see the page finds them too. Every page that a test
//! visits is looked at by axe-core, and nothing may stand on the console; a breach of the Content-Security-Policy would.

pub mod api;
pub mod browser;
mod chromedriver;
pub mod demo;
mod keyboard;
pub mod page;
pub mod person;
pub mod places;
pub mod readme;
pub mod role;
pub mod steps;
