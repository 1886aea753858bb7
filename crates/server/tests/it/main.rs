//! The binary as its operators meet it: command lines, files, signals, crashes, and the demo.

mod commands;
mod crash;
mod demo;
mod first_start;
mod metrics;
mod kills;
mod observing;
mod receiver;
mod shutdown;
mod support;
