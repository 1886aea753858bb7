//! What the tests of the binary share.

use std::process::{Command, Output, Stdio};

use keybell_testkit::installation::Installation;

/// The binary, as cargo built it for these tests.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_keybell");

/// An installation of this binary; `database` and `settings` as [`Installation::prepare`] takes them.
pub(crate) fn installation(database: Option<&str>, settings: &str) -> Installation {
    Installation::of_binary(BINARY.into(), database, settings).expect("a folder and a port are free")
}

/// Runs the binary to its end in `folder`, with nothing of ours in the environment but `variables`.
pub(crate) fn keybell(folder: &std::path::Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KEYBELL__"));
    let mut command = Command::new(BINARY);
    for (name, _) in ours {
        command.env_remove(name);
    }
    let command = command.current_dir(folder).args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::null()).output().expect("the binary runs")
}

/// What it said on standard output.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("it writes UTF-8")
}

/// What it said on standard error.
pub(crate) fn complained(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("it writes UTF-8")
}

/// Runs curl; the status of the answer and its body.
pub(crate) fn curl(arguments: &[&str]) -> (u16, String) {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("curl is needed; `cargo xtask setup` installs it");
    let text = said(&output);
    let (body, status) = text.rsplit_once('\n').expect("curl writes the status last");
    (status.parse().expect("the status is a number"), body.to_owned())
}
