//! `cargo xtask test`: everything that CI runs, in the order in which a mistake costs least to find.
//!
//! The tests come last, so that the runner's closing line is the last thing on the screen.

use std::path::Path;

use crate::command::{output, run, run_with, works};
use crate::{setup, tidy};

/// Runs it all; it stops at the first step that fails.
pub(crate) fn run_all(root: &Path) -> Result<(), String> {
    setup::run(root)?;
    run(root, "cargo", &["fmt", "--all", "--check"])?;
    tidy::run(root)?;
    run(root, "cargo", &["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"])?;
    let strict = [("RUSTDOCFLAGS", "--deny warnings")];
    run_with(
        root,
        "cargo",
        &["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"],
        &strict,
    )?;
    run(root, "cargo", &["build", "--package", "keybell", "--locked"])?;
    simulate(root)?;
    tests(root, &[("KEYBELL_BINARY", &format!("{}/debug/keybell", target_directory(root)?))])
}

/// Thousands of simulated worlds of the delivery engine, some minutes of both cores. A seed that fails is printed with the
/// command that replays it.
fn simulate(root: &Path) -> Result<(), String> {
    let simulation = ["run", "--profile", "sim", "--package", "keybell-sim", "--locked", "--", "10000"];
    run(root, "cargo", &simulation)
}

fn target_directory(root: &Path) -> Result<String, String> {
    let described = output(root, "cargo", &["metadata", "--no-deps", "--format-version", "1"])?;
    let described: serde_json::Value = serde_json::from_str(&described)
        .map_err(|error| format!("`cargo metadata` printed what is not JSON: {error}"))?;
    let directory = described["target_directory"].as_str();
    directory.map(str::to_owned).ok_or_else(|| "`cargo metadata` names no target directory".to_owned())
}

fn tests(root: &Path, variables: &[(&str, &str)]) -> Result<(), String> {
    if !works("cargo", &["nextest", "--version"]) {
        eprintln!("\ncargo-nextest is not installed, so `cargo test` runs the tests.");
        eprintln!("It is quicker with `cargo install cargo-nextest --locked`.");
        let arguments = ["test", "--workspace", "--locked", "--no-fail-fast", "--", "--test-threads=2"];
        return run_with(root, "cargo", &arguments, variables);
    }
    run_with(root, "cargo", &["test", "--workspace", "--doc", "--locked"], variables)?;
    let profile = if std::env::var_os("CI").is_some() { "ci" } else { "default" };
    run_with(root, "cargo", &["nextest", "run", "--workspace", "--locked", "--profile", profile], variables)
}
