//! What receivers do with a delivery: the samples of the README, run by the packages that receivers use, on a delivery
//! that the real binary sent.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use keybell_e2e::api::Api;
use keybell_e2e::readme;
use keybell_testkit::installation::{Installation, Profile};
use keybell_testkit::receiver::{Received, Receiver};
use serde_json::{Value, json};

/// How long a delivery may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A delivery that was captured, and the secret that it was signed with.
struct Captured {
    secret: String,
    delivery: Received,
}

fn capture(content_type: &str) -> Captured {
    let mut installation = Installation::prepare(Profile::Debug, None, "").expect("keybell can be built");
    let key = installation.operator_key("platform").expect("an operator key can be made");
    installation.serve().expect("keybell starts");
    let api = Api::new(installation.address(), &key);
    let receiver = Receiver::ok();
    api.must("POST", "/v1/workspaces", &json!({"name": "Acme", "external_id": "acme"}));
    api.must("POST", "/v1/event-types", &json!({"name": "research_report.published"}));
    let webhook =
        json!({"name": "CRM", "url": receiver.url("/"), "events": ["*"], "content_type": content_type});
    let webhook = api.must("POST", "/v1/workspaces/acme/webhooks", &webhook);
    let event = json!({"type": "research_report.published", "data": {"title": "Copper in 2027 – “up”", "pages": 1.50}});
    api.must("POST", "/v1/workspaces/acme/events", &event);
    let secret = webhook["signing_secret"].as_str().expect("it is shown once").to_owned();
    Captured { secret, delivery: receiver.wait_for_blocking(1, PATIENCE).remove(0) }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

/// Runs `program` with the captured delivery on its standard input as JSON, and gives what it printed.
fn run(program: &Path, arguments: &[&str], directory: &Path, captured: &Captured) -> Result<String, String> {
    let headers: serde_json::Map<String, Value> =
        captured.delivery.headers.iter().map(|(name, value)| (name.clone(), json!(text(value)))).collect();
    let given = json!({"secret": captured.secret, "headers": headers, "body": text(&captured.delivery.body)})
        .to_string();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{} is needed; `cargo xtask setup` installs it: {error}", program.display())
        });
    child.stdin.take().expect("it is piped").write_all(given.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
}

fn python(captured: &Captured) -> Result<String, String> {
    let driver = "import json, sys\ngiven = json.load(sys.stdin)\n\
                  receive(given['secret'], given['headers'], given['body'].encode())\nprint('verified')\n";
    let program = format!("{}\n{driver}", readme::block("python"));
    run(&root().join("target/tools/python/bin/python"), &["-c", &program], &root(), captured)
}

fn javascript(captured: &Captured) -> Result<String, String> {
    let driver = "import { readFileSync } from 'node:fs';\nconst given = JSON.parse(readFileSync(0, 'utf8'));\n\
                  receive(given.secret, given.headers, given.body);\nconsole.log('verified');\n";
    let program = format!("{}\n{driver}", readme::block("javascript"));
    run(
        Path::new("node"),
        &["--input-type=module", "--eval", &program],
        Path::new(env!("CARGO_MANIFEST_DIR")),
        captured,
    )
}

#[test]
fn a_receiver_in_python_verifies_a_delivery_and_no_other() {
    let mut captured = capture("application/json");
    assert_eq!(python(&captured).as_deref(), Ok("verified"));
    captured.delivery.body = [&captured.delivery.body[..], b" "].concat().into();
    assert!(python(&captured).expect_err("the body was changed").contains("WebhookVerificationError"));
}

#[test]
fn a_receiver_in_javascript_verifies_a_delivery_and_no_other() {
    let mut captured = capture("application/json");
    assert_eq!(javascript(&captured).as_deref(), Ok("verified"));
    captured.delivery.body = [&captured.delivery.body[..], b" "].concat().into();
    assert!(javascript(&captured).expect_err("the body was changed").contains("WebhookVerificationError"));
}

#[test]
fn a_delivery_in_xml_is_signed_as_well() {
    let Captured { secret, delivery } = capture("application/xml");
    assert_eq!(delivery.header("content-type"), Some("application/xml; charset=utf-8"));
    assert!(delivery.body.starts_with(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<event><id>evt_"));
    assert_eq!(delivery.verify(&secret), Ok(()));
}
