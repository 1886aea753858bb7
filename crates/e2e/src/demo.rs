//! `keybell demo` as its visitor meets it: one command, and what it prints.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use keybell_testkit::installation::{Profile, binary, free_address};

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
}

impl Demo {
    /// Starts it, and waits until it says what to try.
    pub fn start() -> Demo {
        let port = free_address().expect("there is a free port").port().min(PORT_MAX);
        let mut child = Command::new(binary(Profile::Debug).expect("keybell can be built"))
            .args(["demo", "--port", &port.to_string(), "--month", "1h"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let said: Vec<String> =
            lines.by_ref().map_while(Result::ok).take_while(|line| line != READY).collect();
        let demo = Demo { child, said, _lines: lines };
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

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
