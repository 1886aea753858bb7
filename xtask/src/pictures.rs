//! `cargo xtask pictures`: the pictures of the README, taken of the running demo.

use std::path::Path;

use crate::command::run_with;
use crate::setup;

/// Takes them, by the browser test that signs in to `keybell demo` and walks through its pages.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    setup::run(root)?;
    let folder = root.join("docs/pictures").display().to_string();
    run_with(
        root,
        "cargo",
        &["run", "--locked", "--package", "keybell-e2e", "--bin", "pictures"],
        &[("KEYBELL_PICTURES", &folder)],
    )
}
