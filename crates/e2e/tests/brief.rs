//! The help centre's page, done as it is written: every numbered step in its order, beginning at sign-in, by what a person sees.
//!
//! It is done against `keybell demo`: the key that is copied opens the platform's own API and no longer once it is revoked,
//! and what the platform publishes arrives, signed, at the address that was typed.

use std::time::{Duration, Instant};

use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::demo::Demo;
use keybell_e2e::person::{Hand, Person};
use keybell_e2e::role::Role::{Button, Heading, Link};
use keybell_e2e::steps::CopiedKey;
use keybell_testkit::receiver::{Received, Receiver, Reply};
use serde_json::{Value, json};

/// How long a delivery may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the keys of this story may do.
const SCOPES: [&str; 2] = ["reports:read", "reports:write"];
const EVENT: &str = "research_report.published";

/// What the brief is done with.
struct Brief {
    demo: Demo,
    person: Person,
    receiver: Receiver,
}

impl Brief {
    async fn begin(look: Look, hand: Hand) -> Brief {
        let demo = Demo::start();
        let browser = Browser::open(demo.keybell(), look).await;
        Brief { demo, person: Person::new(browser, hand), receiver: Receiver::ok() }
    }

    fn browser(&self) -> &Browser {
        &self.person.browser
    }

    /// What the platform's own API answers to `secret_key`.
    fn opens(&self, secret_key: &str) -> u16 {
        self.demo.platform_api(secret_key).ask("GET", "/v1/research-reports", &Value::Null).0
    }

    /// "Generate a New API Key", and "API Key Details".
    async fn create_key(&self, name: &str, description: &str) -> CopiedKey {
        let browser = self.browser();
        self.person.press(Link, "Create API Key").await;
        browser.find(Heading, "Create API Key").await;
        self.person.generate_key(name, description, &SCOPES).await;
        browser.sees("Copy it and save it securely now").await;
        let key = self.person.save_key().await;
        assert_eq!(self.opens(&key.secret_key), 200, "a new key opens the platform's API");
        browser.row(name).await;
        let page = browser.text().await;
        for told in [name, description, &*key.public_identifier] {
            assert!(page.contains(told), "the list does not tell of “{told}”:\n{page}");
        }
        assert!(!browser.source().await.contains(&key.secret_key), "the list shows the secret key");
        key
    }

    /// "Managing API Keys": all are listed, one is revoked, another is edited.
    async fn manage_keys(&self, old: &CopiedKey) -> CopiedKey {
        let (browser, person) = (self.browser(), &self.person);
        person.ask_to_revoke("Nightly import").await;
        person.confirm_to_revoke("Nightly import").await;
        assert_eq!(self.opens(&old.secret_key), 401, "revoked means refused");

        let key = self.create_key("Import", "Copies reports").await;
        person.edit("Import").await;
        person.write("Name", "Import of reports").await;
        person.write("Description", "Copies reports into the CRM, and publishes ours").await;
        person.press(Button, "Save").await;
        browser.row("Import of reports").await;
        browser.row("Copies reports into the CRM, and publishes ours").await;
        assert_eq!(self.opens(&key.secret_key), 200, "an edit leaves the secret as it is");
        key
    }

    /// "Create a New Webhook" and "Webhook Configuration"; the secret that it signs with.
    async fn create_webhook(&self) -> String {
        let (browser, person) = (self.browser(), &self.person);
        person.open_section("Webhooks").await;
        person.press(Link, "Create Webhook").await;
        browser.find(Heading, "Create Webhook").await;
        person.describe_webhook("CRM", "Tells the CRM of new reports", &self.receiver.url("/hook")).await;
        person.want_only(EVENT).await;
        person.choose("Content type", "JSON").await;
        person.add_header("X-Team", "research").await;
        person.press(Button, "Create Webhook").await;
        browser.find(Heading, "Signing secret").await;
        person.press(Button, "Reveal the signing secret").await;
        browser.find(Link, "Done").await;
        let secret = person.copy("Signing secret").await;
        assert!(secret.starts_with("whsec_"), "{secret}");
        person.open_section("Webhooks").await;
        browser.row("CRM").await;
        secret
    }

    /// The platform publishes a report by its own API, with the key that was made for that; the event's id.
    fn publish(&self, key: &CopiedKey, title: &str) -> String {
        let report =
            json!({"symbol": "GOOG", "title": title, "rating": "buy", "summary": "Readers & <advertisers>"});
        let made = self.demo.platform_api(&key.secret_key).must("POST", "/v1/research-reports", &report);
        format!("{}_v1", made["id"].as_str().expect("a report has an id"))
    }

    /// The request of number `count` that arrived, with what each of them must have.
    async fn arrives(&self, count: usize, secret: &str, team: &str) -> Received {
        let request = self.receiver.wait_for(count, PATIENCE).await.remove(count - 1);
        request.verify(secret).expect("the signature in the headers is right");
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hook"));
        assert_eq!(request.header("x-team"), Some(team));
        request
    }

    /// A real event, as JSON; after an edit, as XML. Each with the header and the signature.
    async fn receive(&self, key: &CopiedKey, secret: &str) {
        let (browser, person) = (self.browser(), &self.person);
        let id = self.publish(key, "Search pays");
        let request = self.arrives(1, secret, "research").await;
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("webhook-id"), Some(&*id));
        let event = request.json();
        assert_eq!((&event["type"], &event["id"]), (&json!(EVENT), &json!(id)));
        let report = &event["data"]["report"];
        assert_eq!(
            (&report["title"], &report["summary"]),
            (&json!("Search pays"), &json!("Readers & <advertisers>"))
        );

        person.edit("CRM").await;
        person.write("Name", "CRM of the sales team").await;
        person.choose("Content type", "XML").await;
        person.add_header("X-Team", "sales").await;
        person.press(Button, "Save").await;
        browser.sees("The webhook was saved.").await;
        person.open_section("Webhooks").await;
        browser.row("CRM of the sales team").await;
        let id = self.publish(key, "Search still pays");
        let request = self.arrives(2, secret, "sales").await;
        assert_eq!(request.header("content-type"), Some("application/xml; charset=utf-8"));
        let body = String::from_utf8_lossy(&request.body);
        let begins = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<event><id>{id}</id><type>{EVENT}</type><timestamp>"
        );
        assert!(body.starts_with(&begins) && body.ends_with("</data></event>"), "{body}");
        for told in
            ["<title>Search still pays</title>", "<summary>Readers &amp; &lt;advertisers&gt;</summary>"]
        {
            assert!(body.contains(told), "{told} is not in {body}");
        }
    }

    /// The deliveries of an event, as the API tells them: to which webhook, how it stands, and when it is tried next.
    fn deliveries(&self, event: &str) -> Vec<Value> {
        let path = format!("/v1/workspaces/current/deliveries?event_id={event}");
        let list = self.demo.keybell_api(&self.demo.secret_key()).must("GET", &path, &Value::Null);
        list["data"].as_array().expect("it is a list").clone()
    }

    /// Waits until the deliveries of `event` are such that `fits`.
    async fn deliveries_until(&self, event: &str, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deliveries = async || {
            let told = self.deliveries(event);
            fits(&told).then_some(told)
        };
        self.browser().until(&format!("how the deliveries of {event} stand"), deliveries).await
    }

    /// The switch: off, nothing is sent and what was to be sent waits; on, that is due again, and what happened meanwhile is
    /// not sent.
    async fn switch_off_and_on(&self, key: &CopiedKey, secret: &str) {
        let webhook = "CRM of the sales team";
        self.receiver.answer_with(|_| Reply::status(503).header("retry-after", "600"));
        let waiting = self.publish(key, "Waits");
        self.arrives(3, secret, "sales").await;
        let told = self
            .deliveries_until(&waiting, |told| told.iter().any(|one| one["last_response_status"] == 503))
            .await;
        let ours = told.iter().find(|one| one["last_response_status"] == 503).expect("it was waited for");
        let webhook_id = ours["webhook_id"].clone();

        self.person.switch(webhook, false).await;
        self.receiver.answer_with(|_| Reply::status(204));
        let missed = self.publish(key, "Nobody is told");
        // The platform's own receiver gets it: whatever would be sent has been by then.
        let told =
            self.deliveries_until(&missed, |told| told.iter().any(|one| one["status"] == "succeeded")).await;
        assert!(told.iter().all(|one| one["webhook_id"] != webhook_id), "{told:#?}");
        let parked = |told: &[Value]| {
            told.iter().any(|one| one["status"] == "pending" && one["next_attempt_at"].is_null())
        };
        self.deliveries_until(&waiting, parked).await;
        assert_eq!(self.receiver.received().len(), 3, "a webhook that is off is not called");

        self.person.switch(webhook, true).await;
        let due = |told: &[Value]| told.iter().any(|one| one["next_attempt_at"].is_string());
        self.deliveries_until(&waiting, due).await;
        let next = self.publish(key, "Told again");
        let request = self.arrives(4, secret, "sales").await;
        assert_eq!(request.header("webhook-id"), Some(&*next), "what was missed stays so");
    }

    /// "Delete a webhook if it's no longer needed."
    async fn delete_webhook(&self, key: &CopiedKey) {
        let browser = self.browser();
        self.person.ask_to_delete("CRM of the sales team").await;
        self.person.confirm_to_delete().await;
        assert!(!browser.text().await.contains("CRM of the sales team"), "it is still listed");
        let event = self.publish(key, "The CRM is gone");
        self.deliveries_until(&event, |told| told.iter().any(|one| one["status"] == "succeeded")).await;
        assert_eq!((self.deliveries(&event).len(), self.receiver.received().len()), (1, 4));
    }

    /// "Rotate API keys regularly": a new secret under the same identifier, and the old one ends.
    async fn rotate_key(&self, old: &CopiedKey) {
        let browser = self.browser();
        self.person.open_section("API keys").await;
        self.person.press(Link, "Rotate Import of reports").await;
        browser.find(Heading, "Rotate Import of reports").await;
        self.person.pick("Now").await;
        self.person.press(Button, "Rotate").await;
        browser.sees("The secret key is shown once.").await;
        let new = self.person.save_key().await;
        assert_eq!(new.public_identifier, old.public_identifier);
        assert_eq!([self.opens(&new.secret_key), self.opens(&old.secret_key)], [200, 401]);
    }

    async fn end(self) {
        assert_eq!(self.browser().console().await, [""; 0]);
        self.person.browser.close().await;
    }
}

async fn do_it(look: Look, hand: Hand) {
    let started = Instant::now();
    let brief = Brief::begin(look, hand).await;
    let (email, password) = brief.demo.credentials();
    brief.person.sign_in(&email, &password, "Acme Research").await;
    brief.person.open_developer().await;
    brief.person.open_section("API keys").await;
    let first = brief.create_key("Nightly import", "Copies reports into our own system").await;
    let key = brief.manage_keys(&first).await;
    let secret = brief.create_webhook().await;
    brief.receive(&key, &secret).await;
    brief.switch_off_and_on(&key, &secret).await;
    brief.delete_webhook(&key).await;
    brief.rotate_key(&key).await;
    brief.end().await;
    eprintln!("done in {:?}", started.elapsed());
}

#[tokio::test]
async fn everything_the_brief_says_can_be_done() {
    do_it(Look::default(), Hand::Pointer).await;
}

#[tokio::test]
async fn everything_the_brief_says_can_be_done_without_scripts() {
    do_it(Look { scripts: false, ..Look::default() }, Hand::Pointer).await;
}

#[tokio::test]
async fn everything_the_brief_says_can_be_done_by_keyboard_alone() {
    do_it(Look::default(), Hand::Keyboard).await;
}

#[tokio::test]
async fn everything_the_brief_says_can_be_done_by_keyboard_without_scripts() {
    do_it(Look { scripts: false, width: 320, ..Look::default() }, Hand::Keyboard).await;
}
