//! Tasks of the project, run as `cargo xtask <task>`: set-up, the whole test suite, tidiness, pictures.
//!
//! Nothing of the product depends on it, and it starts nothing that outlives it.

mod command;
mod pictures;
mod setup;
mod suite;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <task>

  setup     install what the tests need and is missing: PostgreSQL, Chromium, nginx, Caddy, Python, Node
  test      everything that CI runs: setup, formatting, clippy, tidy, documentation, all tests
  tidy      the rules of the house that no compiler knows
  pictures  the pictures of the README, taken of `keybell demo` into docs/pictures
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["setup"] => setup::run(&root()),
        ["test"] => suite::run_all(&root()),
        ["tidy"] => tidy::run(&root()),
        ["pictures"] => pictures::run(&root()),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository: this crate lies directly in it.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the crate lies in a directory of the repository").to_owned()
}
