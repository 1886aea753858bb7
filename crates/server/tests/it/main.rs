//! The binary as its operators meet it: command lines, files, signals, crashes, and the demo.

mod commands;
mod crash;
mod demo;
mod first_start;
mod kills;
mod metrics;
mod observing;
mod receiver;
mod shutdown;
mod support;
