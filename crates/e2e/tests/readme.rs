//! The lines of the README, copied into a shell as they stand, do against the demo what the README says.

use std::process::{Command, Stdio};

use keybell_e2e::demo::Demo;
use keybell_e2e::readme;

#[test]
fn the_curl_lines_work_against_the_demo() {
    let demo = Demo::start();
    // The demo of a test takes other ports than a visitor's, which may be running beside it.
    let lines = readme::block("sh")
        .replace("http://127.0.0.1:8080", demo.keybell())
        .replace("http://127.0.0.1:8081", demo.platform());
    let output =
        Command::new("sh").args(["-euxc", &lines]).stdin(Stdio::null()).output().expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    let asked = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{asked}\n{said}");
    for told in ["pf_acme_1", "Search pays", "research_report.published", "\"succeeded\""] {
        assert!(said.contains(told), "“{told}” is not in what the lines printed:\n{asked}\n{said}");
    }
}
