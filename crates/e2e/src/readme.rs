//! What the README shows, as the tests run it: an example that is not run is wrong sooner or later.

use std::path::Path;

/// The first block of the README in `language`, the word after its three backticks.
pub fn block(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(path).expect("there is a README");
    let fence = format!("```{language}\n");
    let start =
        readme.find(&fence).unwrap_or_else(|| panic!("the README has nothing in {language}")) + fence.len();
    let length = readme[start..].find("```").expect("what begins in the README ends there");
    readme[start..start + length].to_owned()
}
