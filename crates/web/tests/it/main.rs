//! The tests of the HTTP API and the pages, over a whole installation in this process.

mod answers;
mod connection;
mod credentials;
mod documented;
mod guards;
mod idempotency;
mod newsroom;
mod northwind;
mod openapi;
mod routes;
mod site;
mod ui;
mod v1;
