//! What happens around the help centre's steps (those are `brief.rs`): from the one-time link to a delivery's request and
//! answer, what is looked up at night, and what the pages say while there is nothing, with the pages' scripts and without them.

use keybell_e2e::api::Api;
use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::person::{Hand, Person};
use keybell_e2e::role::Role::{Button, CheckBox, Heading, Link, Switch};
use keybell_e2e::steps::set_up_link;
use keybell_testkit::installation::{Installation, Profile};
use keybell_testkit::receiver::{Receiver, Reply};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a delivery may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the story is told with.
struct Story {
    installation: Installation,
    platform: Api,
    person: Person,
    pictures: &'static str,
}

impl Story {
    /// A new installation whose platform has declared what it has, and a browser.
    async fn begin(look: Look, pictures: &'static str) -> Story {
        let mut installation = Installation::prepare(Profile::Debug, None, "").expect("keybell can be built");
        let key = installation.operator_key("platform").expect("an operator key can be made");
        installation.serve().expect("keybell starts");
        let platform = Api::new(installation.address(), &key);
        platform.must("POST", "/v1/event-types", &published());
        let updated = json!({"name": "portfolio.updated", "description": "It happened."});
        platform.must("POST", "/v1/event-types", &updated);
        platform.must("POST", "/v1/scopes", &json!({"name": "reports:read", "description": "Read reports"}));
        let browser = Browser::open(&installation.url(""), look).await;
        Story { installation, platform, person: Person::new(browser, Hand::Pointer), pictures }
    }

    fn browser(&self) -> &Browser {
        &self.person.browser
    }

    /// Judges the present page and keeps a picture of it.
    async fn look(&self, name: &str) {
        self.browser().check().await;
        self.browser().picture(&format!("{}-{name}", self.pictures)).await;
    }

    /// The first owner comes by the one-time link, names the workspace and chooses a password.
    async fn set_up(&mut self) {
        let link = set_up_link(&mut self.installation);
        self.browser().go(&link).await;
        self.look("set-up").await;
        self.person.set_up(&link, "Acme Research", "correct horse battery staple").await;
        self.look("workspace").await;
    }

    /// A key, and what its page tells of its use.
    async fn use_key(&self) {
        let (browser, person) = (self.browser(), &self.person);
        person.press(Link, "API keys").await;
        browser.find(Heading, "No API keys yet").await;
        self.look("keys-empty").await;
        person.press(Link, "Create API Key").await;
        person.generate_key("Nightly import", "Copies reports into our own system", &["reports:read"]).await;
        let key = person.save_key().await;
        let asked = json!({"secret_key": key.secret_key});
        assert_eq!(self.platform.must("POST", "/v1/api-keys/verify", &asked)["valid"], true);
        browser.click(Link, "Nightly import").await;
        browser.sees("1 of 1 requests in the last 24 hours were let through.").await;
        self.look("key").await;
    }

    async fn create_webhook(&self, url: &str) {
        let (browser, person) = (self.browser(), &self.person);
        person.open_section("Webhooks").await;
        browser.find(Heading, "No webhooks yet").await;
        self.look("webhooks-empty").await;
        person.press(Link, "Create Webhook").await;
        person.describe_webhook("CRM", "Tells the CRM of new reports", url).await;
        person.want_only("research_report.published").await;
        person.choose("Content type", "XML").await;
        person.add_header("X-Team", "research").await;
        person.press(Button, "Create Webhook").await;
        browser.sees("The webhook was created.").await;
        browser.click(Link, "how to verify it").await;
        browser.find(Heading, "Verify the signature").await;
        browser.click(Link, "Python").await;
        browser.find(Heading, "In Python").await;
    }

    /// The platform publishes an event that one webhook wants.
    fn publish(&self) {
        let event = json!({"type": "research_report.published", "data": {"title": "Copper in 2027"}});
        assert_eq!(self.platform.must("POST", &self.events(), &event)["deliveries"], 1);
    }

    /// Where events are published.
    fn events(&self) -> String {
        let workspace = self.platform.must("GET", "/v1/workspaces", &Value::Null);
        let workspace = workspace["data"][0]["id"].as_str().expect("there is a workspace").to_owned();
        format!("/v1/workspaces/{workspace}/events")
    }

    /// The platform publishes, the receiver gets it, and the page tells what was sent and what came back.
    async fn deliver(&self, receiver: &Receiver) {
        self.publish();
        let delivery = receiver.wait_for(1, PATIENCE).await.remove(0);
        assert_eq!(delivery.header("x-team"), Some("research"));

        let browser = self.browser();
        let recorded = async || {
            self.person.open_section("Deliveries").await;
            browser.text().await.contains("Succeeded").then_some(())
        };
        browser.until("a delivery that succeeded", recorded).await;
        self.look("deliveries").await;
        browser.click(Link, "research_report.published").await;
        browser.find(Heading, "research_report.published").await;
        let page = browser.text().await;
        for told in ["webhook-signature", "Copper in 2027", "Thank you.", "200"] {
            assert!(page.contains(told), "the delivery's page does not tell of “{told}”:\n{page}");
        }
        self.look("delivery").await;
    }

    /// From the delivery's page: once more. Then a test from the webhook's page, whose answer is told at once.
    async fn resend_and_test(&self, receiver: &Receiver) {
        let browser = self.browser();
        browser.click(Button, "Resend").await;
        browser.sees("The delivery is made again.").await;
        receiver.wait_for(2, PATIENCE).await;
        self.person.open_section("Webhooks").await;
        browser.click(Link, "CRM").await;
        browser.find(Heading, "CRM").await;
        self.look("webhook").await;
        browser.click(Link, "Send test to CRM").await;
        browser.find(Heading, "Send test").await;
        browser.click(Button, "Send test").await;
        browser.sees("The endpoint answered 200 OK").await;
        browser.find(Button, "Send another test").await;
        self.look("webhook-test").await;
        // The same with the page's scripts and without them.
        browser.click(Button, "As a command for the terminal").await;
        browser.sees("curl --globoff -X POST").await;
        browser.sees("· test · took").await;
        for what in ["command", "body of the request", "body of the answer"] {
            let copies = format!("Copy the {what} of attempt 1");
            assert_eq!(browser.has(Button, &copies).await, browser.runs_scripts(), "{copies}");
        }
    }

    /// The list is told what happens while somebody looks; off at first, and off again.
    async fn watch_live(&self) {
        let browser = self.browser();
        self.person.open_section("Deliveries").await;
        browser.click(Switch, "Live").await;
        browser.sees("Waiting for deliveries").await;
        self.publish();
        browser.sees("1 new").await;
        let answered = async || (browser.text().await.matches("200").count() >= 2).then_some(());
        browser.until("the row that is told how it ended", answered).await;
        self.look("deliveries-live").await;
        browser.click(Switch, "Live").await;
        browser.sees("Paused").await;
    }

    /// What happened and what can happen, one of each opened; and words that would break a page that is not careful.
    async fn look_at_events(&self) {
        let browser = self.browser();
        let odd = "</code><script>alert(1)</script>\u{202e}🦊 مرحبا";
        let data = json!({"title": odd, "long": "x".repeat(10_000), "lines": "one\ntwo"});
        let event = json!({"type": "portfolio.updated", "data": data});
        self.platform.must("POST", &self.events(), &event);

        self.person.open_section("Events").await;
        self.look("events").await;
        browser.click(Link, "portfolio.updated").await;
        browser.find(Heading, "portfolio.updated").await;
        browser.sees("No webhook wanted this event").await;
        self.look("event-odd").await;
        self.person.open_section("Events").await;
        browser.click(Link, "research_report.published").await;
        browser.find(Heading, "research_report.published").await;
        browser.sees("Copper in 2027").await;
        self.look("event").await;
        browser.click(Button, "Resend").await;
        browser.sees("The delivery is made again.").await;

        self.person.open_section("Event catalogue").await;
        self.look("catalogue").await;
        browser.fill("Search", "report published").await;
        browser.click(Button, "Search").await;
        browser.sees("1 event type found").await;
        browser.click(Link, "research_report.published").await;
        browser.find(Heading, "research_report.published").await;
        self.look("event-type").await;
        browser.click(Link, "Create a webhook for this event").await;
        let event = browser.find(CheckBox, "research_report.published").await;
        assert!(event.is_selected().await.expect("a box says whether it is ticked"));
    }

    /// Who is here, and who changed what.
    async fn look_at_settings(&self) {
        let browser = self.browser();
        browser.click(Link, "Members").await;
        browser.find(Heading, "Members").await;
        browser.row("Ada Lovelace").await;
        self.look("members").await;
        browser.click(Button, "Advanced Settings").await;
        browser.click(Link, "Audit log").await;
        browser.find(Heading, "Audit log").await;
        browser.click(Button, "What changed").await;
        self.look("audit-log").await;
        browser.choose("What", "Webhook deleted").await;
        browser.click(Button, "Filter").await;
        browser.arrives("action=webhook.deleted&actor=&target=&from=&to=").await;
        browser.row("Webhook deleted").await;
    }

    /// A webhook's own page, with its numbers; then it is deleted, and there is none.
    async fn look_at_webhook_and_delete_it(&self) {
        let (browser, person) = (self.browser(), &self.person);
        person.open_section("Webhooks").await;
        browser.click(Link, "CRM").await;
        browser.sees("attempts in the last 24 hours succeeded.").await;
        browser.click(Button, "The numbers as a table").await;
        self.look("webhook").await;
        browser.click(Link, "30 days").await;
        browser.sees("Days are days of UTC.").await;
        person.open_section("Webhooks").await;
        person.ask_to_delete("CRM").await;
        person.confirm_to_delete().await;
        browser.find(Heading, "No webhooks yet").await;
    }

    /// The API reference, for the workspace that its reader came from, and back.
    async fn read_reference(&self) {
        let browser = self.browser();
        browser.click(Link, "API reference").await;
        browser.find(Heading, "API reference").await;
        self.look("reference").await;
        browser.click(Link, "Webhooks").await;
        browser.find(Heading, "Create a webhook").await;
        browser.sees("/v1/workspaces/ws_").await;
        self.look("reference-webhooks").await;
        browser.back().await;
        browser.back().await;
        browser.find(Heading, "Overview").await;
    }

    async fn end(self) {
        assert_eq!(self.browser().console().await, [""; 0]);
        self.person.browser.close().await;
    }
}

/// The event type that the story is about, as a platform declares it.
fn published() -> Value {
    json!({
        "name": "research_report.published",
        "description": "A research report can be read by its readers.",
        "schema": {
            "type": "object",
            "required": ["title"],
            "properties": {
                "title": {"type": "string", "description": "What it is called"},
                "authors": {"type": "array", "items": {"type": "string"}},
            },
        },
        "example": {"title": "Copper in 2027", "authors": ["Grace Hopper"]},
    })
}

async fn tell(look: Look, pictures: &'static str) {
    let receiver = Receiver::start(|_| Reply::status(200).body("Thank you."));
    let mut story = Story::begin(look, pictures).await;
    story.set_up().await;
    story.person.open_developer().await;
    story.look("overview-empty").await;
    story.read_reference().await;
    story.use_key().await;
    story.create_webhook(&receiver.url("/webhooks")).await;
    story.deliver(&receiver).await;
    story.resend_and_test(&receiver).await;
    if look.scripts {
        story.watch_live().await;
    }
    story.look_at_events().await;
    story.look_at_webhook_and_delete_it().await;
    story.look_at_settings().await;
    story.end().await;
}

#[tokio::test]
async fn the_story_around_the_help_centre() {
    tell(Look::default(), "light").await;
}

#[tokio::test]
async fn the_story_without_scripts() {
    tell(Look { scripts: false, ..Look::default() }, "without-scripts").await;
}

#[tokio::test]
async fn the_story_in_the_dark_on_a_narrow_window() {
    tell(Look { width: 320, dark: true, ..Look::default() }, "dark-narrow").await;
}
