//! The samples of the Verify page, run in their languages just as the page shows them, on a delivery that the real binary
//! sent: each accepts it, and refuses whatever is not as it was sent.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keybell_e2e::api::Api;
use keybell_testkit::installation::{Installation, Profile};
use keybell_testkit::receiver::{Received, Receiver};
use serde_json::json;
use sha2::Sha256;
use tempfile::TempDir;

/// How long a delivery may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// How far clocks may be apart for the samples, in seconds.
const TOLERANCE: i64 = 300;
/// How long one sample may take for all its cases, in seconds: so far from the tolerance are timestamps.
const ROOM: i64 = 60;

/// What a sample is given.
#[derive(Clone)]
struct Request {
    secret: String,
    id: String,
    timestamp: String,
    signature: String,
    body: Vec<u8>,
}

/// A sample in its language.
struct Sample {
    language: &'static str,
    command: Vec<String>,
}

impl Request {
    fn of(delivery: &Received, secret: &str) -> Request {
        let header = |name| delivery.header(name).expect("a delivery is signed").to_owned();
        Request {
            secret: secret.to_owned(),
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
            body: delivery.body.to_vec(),
        }
    }

    /// Signed as Keybell signs, for what it never sends.
    fn signed(key: &[u8], timestamp: &str, body: &[u8]) -> Request {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(format!("evt_1.{timestamp}.").as_bytes());
        mac.update(body);
        Request {
            secret: format!("whsec_{}", STANDARD.encode(key)),
            id: "evt_1".to_owned(),
            timestamp: timestamp.to_owned(),
            signature: format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())),
            body: body.to_vec(),
        }
    }
}

impl Sample {
    /// Runs it: it accepts with 0, and refuses with 1 and a reason. It may do nothing else.
    fn accepts(&self, request: &Request) -> Result<(), String> {
        let mut child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .env("WEBHOOK_SECRET", &request.secret)
            .env("WEBHOOK_ID", &request.id)
            .env("WEBHOOK_TIMESTAMP", &request.timestamp)
            .env("WEBHOOK_SIGNATURE", &request.signature)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| needed(&self.command[0], &error));
        // One that refuses by the headers alone has ended before it is given a body.
        let _ = child.stdin.take().expect("it is piped").write_all(&request.body);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        match output.status.code() {
            Some(0) => Ok(()),
            Some(1) if said.starts_with("refused: ") => Err(said),
            code => panic!("the sample in {} ended with {code:?}: {said}", self.language),
        }
    }
}

fn needed(program: &str, error: &std::io::Error) -> ! {
    panic!("{program} is needed; `cargo xtask setup` installs it: {error}")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn file(name: &str) -> String {
    root().join("crates/web/samples/verify").join(name).display().to_string()
}

fn compile(command: &mut Command) {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|error| needed(&program, &error));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Every sample, with those compiled into `folder` that have to be.
fn samples(folder: &Path) -> Vec<Sample> {
    let (folder, go) = (folder.display().to_string(), folder.join("verify").display().to_string());
    // What Go keeps of its own library lies below `target`, so that the second time takes no time.
    let cache = root().join("target/tools/go");
    std::fs::create_dir_all(&cache).expect("a folder can be made");
    let cache = cache.canonicalize().expect("it was just made");
    let build = ["build", "-o", &go, &file("verify.go")];
    compile(
        Command::new("go").args(build).env("GOCACHE", cache).env("GOPROXY", "off").env("CGO_ENABLED", "0"),
    );
    let compiler = ["--module", "jdk.compiler/com.sun.tools.javac.Main", "-d", &folder, &file("Verify.java")];
    compile(Command::new("java").args(compiler));
    let sample = |language, command: &[&str]| Sample {
        language,
        command: command.iter().map(|&word| word.to_owned()).collect(),
    };
    vec![
        sample("JavaScript", &["node", &file("verify.mjs")]),
        sample("Python", &["python3", &file("verify.py")]),
        sample("Ruby", &["ruby", &file("verify.rb")]),
        sample("PHP", &["php", &file("verify.php")]),
        sample("Go", &[&go]),
        sample("Java", &["java", "-XX:TieredStopAtLevel=1", "-cp", &folder, "Verify"]),
        sample("Rust", &[env!("CARGO_BIN_EXE_verify-sample")]),
        sample("shell", &["sh", &file("verify.sh")]),
    ]
}

/// What a webhook received before its secret was rotated, and in the overlap.
struct Captured {
    before: Request,
    overlap: Request,
    new_secret: String,
}

fn capture() -> Captured {
    let mut installation = Installation::prepare(Profile::Debug, None, "").expect("keybell can be built");
    let key = installation.operator_key("platform").expect("an operator key can be made");
    installation.serve().expect("keybell starts");
    let api = Api::new(installation.address(), &key);
    let receiver = Receiver::ok();
    api.must("POST", "/v1/workspaces", &json!({"name": "Acme", "external_id": "acme"}));
    api.must("POST", "/v1/event-types", &json!({"name": "research_report.published"}));
    let webhook = json!({"name": "CRM", "url": receiver.url("/"), "events": ["*"]});
    let webhook = api.must("POST", "/v1/workspaces/acme/webhooks", &webhook);
    let (id, secret) = (webhook["id"].as_str(), webhook["signing_secret"].as_str());
    let (id, secret) = (id.expect("it has an id"), secret.expect("it is shown once"));
    let event = json!({"type": "research_report.published", "data": {"title": "Copper in 2027 – “up”", "pages": 1.50}});
    api.must("POST", "/v1/workspaces/acme/events", &event);
    receiver.wait_for_blocking(1, PATIENCE);
    let rotated = format!("/v1/workspaces/acme/webhooks/{id}/signing-secret/rotate");
    let rotated = api.must("POST", &rotated, &json!({}));
    api.must("POST", "/v1/workspaces/acme/events", &event);
    let both = receiver.wait_for_blocking(2, PATIENCE);
    Captured {
        before: Request::of(&both[0], secret),
        overlap: Request::of(&both[1], secret),
        new_secret: rotated["signing_secret"].as_str().expect("it is shown once").to_owned(),
    }
}

/// Each case with whether it is to be accepted. Made anew for each sample, since time goes on.
fn cases(captured: &Captured) -> Vec<(&'static str, bool, Request)> {
    let (sent, overlap) = (&captured.before, &captured.overlap);
    let now = UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs();
    let now = i64::try_from(now).expect("it is before the end of time");
    let key = [7; 32];
    let at = |seconds: i64| Request::signed(&key, &(now + seconds).to_string(), b"{}");
    let bytes = Request::signed(&key, &now.to_string(), b"\x00\xff \xc3\xa4\r\n\r\n\n");
    let with_body = |end: &[u8]| Request { body: [&sent.body[..], end].concat(), ..sent.clone() };
    let later = sent.timestamp.parse::<i64>().expect("seconds") + 1;
    let signature = |signature: &str| Request { signature: signature.to_owned(), ..sent.clone() };
    let other_kind = sent.signature.replace("v1,", "v1a,");
    vec![
        ("a delivery", true, sent.clone()),
        ("with a longer body", false, with_body(b" ")),
        ("with a line feed after the body", false, with_body(b"\n")),
        ("with no body", false, Request { body: Vec::new(), ..sent.clone() }),
        ("with another timestamp", false, Request { timestamp: later.to_string(), ..sent.clone() }),
        ("with another id", false, Request { id: "evt_1".to_owned(), ..sent.clone() }),
        ("with a wrong secret", false, Request { secret: captured.new_secret.clone(), ..sent.clone() }),
        ("without a signature", false, signature("")),
        ("with an empty signature", false, signature("v1,")),
        ("with a signature of another kind", false, signature(&other_kind)),
        ("with half a signature", false, signature(&sent.signature[..24])),
        ("in the overlap, by the old secret", true, overlap.clone()),
        (
            "in the overlap, by the new secret",
            true,
            Request { secret: captured.new_secret.clone(), ..overlap.clone() },
        ),
        (
            "in the overlap, by another secret",
            false,
            Request { secret: bytes.secret.clone(), ..overlap.clone() },
        ),
        ("with bytes that are no text", true, bytes),
        ("nearly too old", true, at(ROOM - TOLERANCE)),
        ("too old", false, at(-TOLERANCE - 1)),
        ("nearly too far ahead", true, at(TOLERANCE - 1)),
        ("too far ahead", false, at(TOLERANCE + ROOM)),
        ("with a timestamp that is no number", false, Request::signed(&key, "now", b"{}")),
        (
            "where nobody set the secret",
            false,
            Request { secret: String::new(), ..Request::signed(&[], &now.to_string(), b"{}") },
        ),
    ]
}

#[test]
fn every_sample_accepts_what_was_sent_and_nothing_else() {
    let captured = capture();
    assert_eq!(captured.overlap.signature.split(' ').count(), 2, "both secrets sign in the overlap");
    let folder = TempDir::with_prefix("keybell-samples-").expect("a throw-away folder can be made");
    let samples = samples(folder.path());
    let files = std::fs::read_dir(root().join("crates/web/samples/verify")).expect("the samples are there");
    assert_eq!(files.count(), samples.len(), "a sample is not run");
    let mut wrong = Vec::new();
    for sample in &samples {
        for (what, good, request) in cases(&captured) {
            let answer = sample.accepts(&request);
            if answer.is_ok() != good {
                wrong.push(format!("{}: {what}: {answer:?}", sample.language));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases went wrong:\n{}", wrong.len(), wrong.join("\n"));
}
