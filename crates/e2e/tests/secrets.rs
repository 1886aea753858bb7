//! What is shown once is nowhere afterwards: not on a page that is loaded again or gone back to, not in a second tab, not on
//! any other page, not in the log at its most talkative, and not in the files of the database.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keybell_e2e::api::Api;
use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::person::{Hand, Person};
use keybell_e2e::places::Places;
use keybell_e2e::role::Role::{Button, CheckBox, Heading, Link, TextBox};
use keybell_e2e::steps::set_up_link;
use keybell_testkit::installation::{Installation, Profile};
use keybell_testkit::receiver::Receiver;
use serde_json::{Value, json};

/// How long a delivery may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const PASSWORD: &str = "correct horse battery staple";
/// The value of a header that nobody is to see again.
const HEADER: &str = "Bearer of-the-receiver-4f2a9c";

/// A secret, and what it is called where it is found.
struct Secret {
    what: &'static str,
    bytes: Vec<u8>,
}

fn secret(what: &'static str, bytes: impl Into<Vec<u8>>) -> Secret {
    Secret { what, bytes: bytes.into() }
}

fn must_not_hold(place: &str, bytes: &[u8], secrets: &[Secret]) {
    for Secret { what, bytes: secret } in secrets {
        let found = bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{place} holds {what}");
    }
}

/// The page of a new key: loaded again, gone back from, opened in a second tab. Gives the secret key.
async fn create_key(person: &Person) -> String {
    let browser = &person.browser;
    person.open_section("API keys").await;
    person.press(Link, "Create API Key").await;
    person.generate_key("Nightly import", "Copies reports", &["reports:read"]).await;
    let secret_key = browser.value("Secret key").await;
    let hidden = async |how: &str| {
        assert!(!browser.source().await.contains(&secret_key), "{how} shows the secret key");
    };
    let address = browser.path().await;
    browser
        .in_second_tab(async || {
            browser.go(&address).await;
            hidden("a second tab of the same address").await;
        })
        .await;
    person.press(CheckBox, "I have saved the secret key").await;
    browser.reload().await;
    browser.find(Heading, "This form was sent before").await;
    hidden("loading again").await;
    browser.back().await;
    hidden("going back").await;
    browser.forward().await;
    hidden("going back and forth").await;
    browser.go(&address).await;
    person.open_section("API keys").await;
    hidden("the list").await;
    browser.back().await;
    hidden("going back from the list").await;
    browser.go(&address).await;
    secret_key
}

/// A webhook with a secret header; its signing secret is revealed, and hidden again. Gives the signing secret.
async fn create_webhook(person: &Person, url: &str) -> String {
    let browser = &person.browser;
    person.open_section("Webhooks").await;
    person.press(Link, "Create Webhook").await;
    person.describe_webhook("CRM", "Tells the CRM of new reports", url).await;
    person.pick("All events, also future ones").await;
    person.add_header("Authorization", HEADER).await;
    person.press(CheckBox, "Secret").await;
    person.press(Button, "Create Webhook").await;
    browser.find(Heading, "Signing secret").await;
    assert!(!browser.has(TextBox, "Signing secret").await, "it is shown before anybody asks");
    person.press(Button, "Reveal the signing secret").await;
    browser.find(Link, "Done").await;
    let signing_secret = browser.value("Signing secret").await;
    let hidden = async |how: &str| {
        let page = browser.source().await;
        assert!(!page.contains(&signing_secret), "{how} shows the signing secret");
        assert!(!page.contains(HEADER), "{how} shows the secret value of a header");
    };
    let address = browser.path().await;
    browser
        .in_second_tab(async || {
            browser.go(&address).await;
            hidden("a second tab of the same address").await;
        })
        .await;
    browser.reload().await;
    hidden("loading again").await;
    browser.back().await;
    hidden("going back").await;
    browser.forward().await;
    hidden("going back and forth").await;
    browser.go(&address).await;
    person.open_section("Webhooks").await;
    browser.back().await;
    hidden("going back from the list").await;
    person.open_section("Webhooks").await;
    person.edit("CRM").await;
    hidden("the form").await;
    signing_secret
}

/// Uses everything, so that whatever is written on the way is written: good keys and bad ones, deliveries, a test.
async fn use_it_all(installation: &Installation, operator: &Api, secret_key: &str, receiver: &Receiver) {
    for asked in [secret_key, &format!("{secret_key}x"), &secret_key.replace("live", "test")] {
        operator.must("POST", "/v1/api-keys/verify", &json!({"secret_key": asked}));
    }
    let key = Api::new(installation.address(), secret_key);
    key.ask("GET", "/v1/forward-auth", &Value::Null);
    key.ask("GET", "/v1/workspaces/current/api-keys", &Value::Null);
    key.ask("POST", "/v1/workspaces/current/events", &json!({"type": "no.such", "data": secret_key.len()}));
    let workspace = operator.must("GET", "/v1/workspaces", &Value::Null)["data"][0]["id"].clone();
    let workspace = workspace.as_str().expect("there is a workspace");
    let event = json!({"type": "research_report.published", "data": {"title": "Copper in 2027"}});
    operator.must("POST", &format!("/v1/workspaces/{workspace}/events"), &event);
    let request = receiver.wait_for(1, PATIENCE).await.remove(0);
    assert_eq!(request.header("authorization"), Some(HEADER), "the receiver gets what nobody sees");
}

/// What the process printed, and every file that it keeps but the master key, which is kept apart from them.
fn must_not_be_on_disk(installation: &Installation, secrets: &[Secret]) {
    fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the folder can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                files(&path, found);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    files(installation.folder(), &mut found);
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<_> = found.iter().map(|path| name(path)).collect();
    for needed in ["keybell.db", "keybell.db-wal", "keybell.log"] {
        assert!(names.iter().any(|each| each == needed), "there is no {needed} among {names:?}");
    }
    let mut all = Vec::new();
    for path in found {
        let bytes = std::fs::read(&path).expect("a file can be read");
        must_not_hold(&name(&path), &bytes, secrets);
        all.extend(bytes);
    }
    // Were it not for this, files that nothing was written to would do as well.
    for written in ["Copper in 2027", " WARN ", "Nightly import"] {
        assert!(
            all.windows(written.len()).any(|window| window == written.as_bytes()),
            "{written:?} is nowhere"
        );
    }
}

#[tokio::test]
async fn what_is_shown_once_is_nowhere_afterwards() {
    let settings = "[log]\nlevel = \"trace\"\n";
    let mut installation =
        Installation::prepare(Profile::Debug, None, settings).expect("keybell can be built");
    let operator_key = installation.operator_key("platform").expect("an operator key can be made");
    installation.serve().expect("keybell starts");
    let operator = Api::new(installation.address(), &operator_key);
    let published = json!({"name": "research_report.published", "description": "It can be read."});
    operator.must("POST", "/v1/event-types", &published);
    operator.must("POST", "/v1/scopes", &json!({"name": "reports:read", "description": "Read reports"}));
    let receiver = Receiver::ok();
    let link = set_up_link(&mut installation);
    let person = Person::new(Browser::open(&installation.url(""), Look::default()).await, Hand::Pointer);
    person.set_up(&link, "Acme Research", PASSWORD).await;
    let workspace = person.browser.path().await.trim_start_matches("/w/").to_owned();
    person.open_developer().await;

    let secret_key = create_key(&person).await;
    let signing_secret = create_webhook(&person, &receiver.url("/hook")).await;
    use_it_all(&installation, &operator, &secret_key, &receiver).await;

    let (_, only_secret) = secret_key.rsplit_once('_').expect("a secret key has parts");
    let encoded = signing_secret.trim_start_matches("whsec_");
    let decoded = STANDARD.decode(encoded).expect("a signing secret is base64");
    let shown_once = [
        secret("the secret key", &*secret_key),
        secret("the secret part of the secret key", only_secret),
        secret("the signing secret", encoded),
        secret("the signing secret's bytes", decoded),
        secret("the secret value of a header", HEADER),
        secret("the operator's key", &*operator_key),
        secret("the password", PASSWORD),
    ];
    let places = Places::of(&operator, &workspace, &workspace);
    for place in places.inside.iter().chain(&places.outside) {
        person.browser.go(&place.path).await;
        must_not_hold(&place.path, person.browser.source().await.as_bytes(), &shown_once);
    }
    let sessions = person.browser.cookies().await;
    assert!(!sessions.is_empty(), "somebody is signed in");
    let mut kept_by_nobody: Vec<_> = shown_once.into_iter().collect();
    kept_by_nobody.extend(sessions.iter().map(|session| secret("the session", session.as_str())));
    let link = link.rsplit('/').next().expect("a link has an end");
    kept_by_nobody.push(secret("the one-time link", link));
    must_not_be_on_disk(&installation, &kept_by_nobody);
    person.browser.close().await;
}
