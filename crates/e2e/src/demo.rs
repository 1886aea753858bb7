//! `keybell demo` as its visitor meets it: one command, and what it prints.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use keybell_testkit::installation::{Profile, binary, free_address};
use tempfile::TempDir;

use crate::api::Api;

/// What it prints when everything is ready.
const READY: &str = "What happens, as it happens:";
/// The last port that it can begin to look at, so that there are others after it.
const PORT_MAX: u16 = 65_000;

/// A running demo. Ends when dropped.
pub struct Demo {
    child: Child,
    said: Vec<String>,
    /// Kept so that what it says later has somewhere to go.
    _lines: Lines<BufReader<ChildStdout>>,
    /// Where it makes its own folder, which it cannot remove when it is killed.
    _folder: TempDir,
}

impl Demo {
    /// Starts it, and waits until it says what to try.
    pub fn start() -> Demo {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        let port = free_address().expect("there is a free port").port().min(PORT_MAX);
        let mut child = Command::new(binary(Profile::Debug).expect("keybell can be built"))
            .args(["demo", "--port", &port.to_string(), "--month", "1h"])
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let said: Vec<String> =
            lines.by_ref().map_while(Result::ok).take_while(|line| line != READY).collect();
        let demo = Demo { child, said, _lines: lines, _folder: folder };
        assert!(
            demo.said.iter().any(|line| line.contains("http://")),
            "the demo ended; it said {:#?}",
            demo.said
        );
        demo
    }

    /// The first URL that it said which holds `part`.
    pub fn url(&self, part: &str) -> &str {
        let words = self.said.iter().flat_map(|line| line.split_whitespace());
        let mut urls = words.filter(|word| word.starts_with("http://"));
        urls.find(|url| url.contains(part))
            .unwrap_or_else(|| panic!("no URL with {part} in {:#?}", self.said))
    }

    /// The secret key of its curl lines.
    pub fn secret_key(&self) -> String {
        let mut words = self.said.iter().flat_map(|line| line.split([' ', '\'']));
        words.find(|word| word.starts_with("kb_live_")).expect("the demo says a key").to_owned()
    }

    /// The e-mail address and the password of who owns its workspace.
    pub fn credentials(&self) -> (String, String) {
        let told = self.said.iter().find_map(|line| line.split_once("/sign-in with "));
        let (email, password) =
            told.and_then(|(_, rest)| rest.split_once(" and ")).expect("the demo says how to sign in");
        (email.to_owned(), password.to_owned())
    }

    /// Keybell's API, with `secret_key`.
    pub fn keybell_api(&self, secret_key: &str) -> Api {
        Api::new(address(self.keybell()), secret_key)
    }

    /// The platform's API, with `secret_key`.
    pub fn platform_api(&self, secret_key: &str) -> Api {
        Api::new(address(self.platform()), secret_key)
    }

    /// Where Keybell is, without a slash at the end.
    pub fn keybell(&self) -> &str {
        let url = self.url("/sign-in/");
        &url[..url.find("/sign-in/").expect("it was found by this")]
    }

    /// Where the platform is, without a slash at the end.
    pub fn platform(&self) -> &str {
        let url = self.url("/v1/portfolios");
        &url[..url.find("/v1/").expect("it was found by this")]
    }
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().expect("the demo says addresses")
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
