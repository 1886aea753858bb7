//! `chromedriver` as a child process on a free port, in a process group of its own with the browser it starts.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// What it prints once it listens, before its port.
const READY: &str = "started successfully on port ";

/// Ends, with its browser, when dropped.
pub(crate) struct ChromeDriver {
    child: Child,
    port: u16,
}

impl ChromeDriver {
    /// Starts it and waits until it says its port. A machine without it fails the test, and is told what to run.
    pub(crate) fn start() -> ChromeDriver {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("chromedriver is needed for the browser tests; `cargo xtask setup` installs it");
        let stdout = child.stdout.take().expect("its standard output is piped");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let rest = &line[line.find(READY)? + READY.len()..];
            rest.trim_end_matches('.').parse().ok()
        });
        let driver = ChromeDriver { child, port: port.unwrap_or_default() };
        assert!(
            driver.port != 0,
            "chromedriver did not say its port; is `chromium` installed? `cargo xtask setup`"
        );
        driver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for ChromeDriver {
    fn drop(&mut self) {
        // The group is the driver's own, so this ends the browser too, also where a test panicked before closing it.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}
