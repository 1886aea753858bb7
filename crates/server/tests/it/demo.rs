//! `keybell demo`: what it prints works as it stands.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::support::{BINARY, curl};

struct Demo {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Demo {
    fn start() -> Demo {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let port = port.expect("a free port").port().min(65_000).to_string();
        let mut child = Command::new(BINARY)
            .args(["demo", "--port", &port, "--month", "500ms"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut demo = Demo { child, lines, said: Vec::new() };
        demo.wait_for("What happens, as it happens:");
        demo
    }

    /// Reads on until a line has `text`, and gives that line.
    fn wait_for(&mut self, text: &str) -> String {
        for line in self.lines.by_ref() {
            let line = line.expect("it writes UTF-8");
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!("the demo ended without `{text}`; it said: {:#?}", self.said);
    }

    fn said_with(&self, text: &str) -> Vec<String> {
        self.said
            .iter()
            .map(|line| line.trim())
            .filter(|line| line.contains(text))
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a line as a visitor would, by copying it into a shell.
fn paste(line: &str) -> Value {
    let output =
        Command::new("sh").args(["-c", line]).stdin(Stdio::null()).output().expect("there is a shell");
    let text = String::from_utf8(output.stdout).expect("it writes UTF-8");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{line} answered {text}"))
}

#[test]
fn its_curl_lines_work_as_they_stand_and_what_they_do_arrives() {
    let mut demo = Demo::start();
    let lines: Vec<String> =
        demo.said_with("curl ").into_iter().filter(|line| line.starts_with("curl ")).collect();
    let [portfolios, publish, rebalance, deliveries, keys] = lines.as_slice() else { panic!("{lines:#?}") };

    let portfolios = paste(portfolios);
    assert_eq!(portfolios["data"][0]["id"], "pf_acme_1");
    assert!(portfolios["data"][0]["value_usd"].as_f64().is_some_and(|value| value > 0.0), "{portfolios}");

    let report = paste(publish);
    assert_eq!((&report["symbol"], &report["version"]), (&"GOOG".into(), &1.into()));
    let id = report["id"].as_str().expect("a report has an id");
    demo.wait_for(&format!("receiver  got {id}_v1; its signature is right"));

    let rebalanced = paste(rebalance);
    assert_eq!(rebalanced["holdings"][1]["symbol"], "GOOG");
    let event_id = format!("pf_acme_1_v{}", rebalanced["version"]);
    demo.wait_for(&format!("receiver  got {event_id}; its signature is right"));

    let delivered = paste(deliveries);
    let types: Vec<&str> = delivered["data"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["event_type"].as_str())
        .collect();
    for event_type in ["research_report.published", "research_report.updated", "portfolio.rebalanced"] {
        assert!(types.contains(&event_type), "{event_type} is not among {types:?}");
    }
    assert_eq!(paste(keys)["data"][0]["name"], "Research terminal");
    demo.wait_for("portfolio.updated");
}

#[test]
fn its_link_signs_in_its_pages_are_alive_and_it_leaves_nothing_behind() {
    let mut demo = Demo::start();
    let link = demo.said_with("/sign-in/").remove(0);
    let jar = tempfile::NamedTempFile::new().expect("a temporary file");
    let jar = jar.path().to_str().expect("its name is text");
    let (status, _) = curl(&["--cookie-jar", jar, "--request", "POST", &link]);
    assert_eq!(status, 303);
    let origin = link.split("/sign-in/").next().expect("it has an origin").to_owned();
    let (status, page) = curl(&["--cookie", jar, "--location", &origin]);
    assert_eq!(status, 200);
    assert!(page.contains("Acme Research"), "{page}");
    assert_eq!(curl(&["--request", "POST", &link]).0, 404, "the link works once");

    let receiver =
        demo.said.iter().position(|line| line.contains("receiver of its webhook")).expect("it says where");
    let (status, shown) = curl(&[demo.said[receiver + 1].trim()]);
    assert_eq!(status, 200);
    assert!(shown.contains("research_report.published") && shown.contains("signature verified"), "{shown}");

    let process = demo.child.id();
    let folders = || {
        let open = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        let targets = open.filter_map(|file| std::fs::read_link(file.path()).ok());
        targets.filter(|target| target.to_string_lossy().contains("keybell-demo-")).collect::<Vec<_>>()
    };
    let kept = folders();
    assert!(!kept.is_empty() && kept.iter().any(|path| path.exists()));
    let asked = Command::new("kill").args(["-INT", &process.to_string()]).status().expect("kill runs");
    assert!(asked.success());
    demo.wait_for("The demo ends; its data is removed.");
    assert_eq!(demo.child.wait().expect("it ends").code(), Some(0));
    assert!(kept.iter().all(|path| !path.exists()), "{kept:?}");
}

#[test]
fn its_key_is_there_for_the_lines_of_the_readme() {
    let demo = Demo::start();
    let line = demo.said_with("/v1/portfolios").remove(0);
    let (platform, rest) =
        line.strip_prefix("curl -sS ").and_then(|line| line.split_once("/v1/")).expect("a URL");
    let (status, key) = curl(&[&format!("{platform}/demo/api-key")]);
    assert_eq!(status, 200);
    assert!(rest.contains(key.trim()) && key.starts_with("kb_live_"));
    let forbidden = curl(&[&format!("{platform}/v1/portfolios")]);
    assert_eq!(forbidden.0, 401, "{}", forbidden.1);
}
