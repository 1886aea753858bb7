//! The pages that a form answers with: what is shown once, what went wrong, and what came of it.

use keybell_e2e::role::Role::{Alert, Button, CheckBox, Heading, Link};
use keybell_testkit::installation::free_address;

use crate::Visitor;

impl Visitor {
    pub(crate) async fn refuse_to_sign_in(&self) {
        let (browser, person) = (self.browser(), &self.person);
        browser.go("/sign-in").await;
        person.write("E-mail", "nobody@acme.example").await;
        person.write("Password", "guessed").await;
        person.press(Button, "Sign in").await;
        browser.find(Alert, "").await;
        self.look_at("sign-in-refused").await;
    }

    /// A form with errors, a new key, the same form once more, a rotated key, one that is not revoked and one that is.
    pub(crate) async fn answer_about_keys(&self) {
        let (browser, person) = (self.browser(), &self.person);
        browser.go(&self.section("/api-keys/new")).await;
        person.write("Name", "Import").await;
        person.press(Button, "More: allowed networks, rate limits").await;
        person.write("Allowed networks", "everywhere").await;
        person.write("Name of rate limit 1", "exports").await;
        person.press(Button, "Generate").await;
        browser.find(Alert, "").await;
        self.look_at("key-form-refused").await;

        person.write("Allowed networks", "203.0.113.0/24").await;
        person.write("Requests of rate limit 1", "100").await;
        // As a second press would that the browser let through.
        let sent = "const form = document.querySelector('main form[method=post]');
            return fetch(form.action, {method: 'POST', body: new URLSearchParams(new FormData(form))}).then(it => it.status)";
        assert_eq!(browser.evaluate(sent).await, 200);
        person.press(Button, "Generate").await;
        browser.find(Heading, "This form was sent before").await;
        self.look_at("key-again").await;

        browser.go(&self.section("/api-keys/new")).await;
        person.generate_key("Import of reports", "Shown once", &["reports:read"]).await;
        self.look_at("key-new").await;
        person.save_key().await;
        person.press(Link, "Rotate Import of reports").await;
        person.press(Button, "Rotate").await;
        browser.sees("The secret key is shown once.").await;
        self.look_at("key-rotated").await;
        person.save_key().await;
        self.look_at("keys-of-all-kinds").await;
        person.press(Link, "Rotate Import of reports").await;
        browser.find(Heading, "Rotate Import of reports").await;
        self.look_at("key-rotate-again").await;
        browser.go(&self.section("/api-keys")).await;

        person.ask_to_revoke("Research terminal").await;
        person.write("It was used in the last 24 hours", "Research").await;
        person.press(Button, "Revoke").await;
        browser.find(Alert, "").await;
        self.look_at("key-revoke-refused").await;
        browser.go(&self.section("/api-keys")).await;
        person.ask_to_revoke("Import of reports").await;
        person.confirm_to_revoke("Import of reports").await;
        self.look_at("keys-with-notice").await;
        person.press(Link, "Import of reports").await;
        browser.find(Heading, "Import of reports").await;
        self.look_at("key-revoked").await;
    }

    /// A form with errors, the secret shown, both secrets after a rotation, a test's answer, what stopped and what is resent.
    pub(crate) async fn answer_about_webhooks(&self) {
        let (browser, person) = (self.browser(), &self.person);
        browser.go(&self.section("/webhooks/new")).await;
        person.describe_webhook("Portfolios", "", "http://127.0.0.1:25/").await;
        person.add_header("content-type", "text/plain").await;
        person.press(Button, "Create Webhook").await;
        browser.find(Alert, "").await;
        self.look_at("webhook-form-refused").await;

        let nobody = free_address().expect("there is a free port");
        person.write("URL", &format!("http://{nobody}/hook")).await;
        person.pick("All events, also future ones").await;
        person.add_header("X-Team", "research").await;
        person.press(CheckBox, "Secret").await;
        person.press(Button, "Create Webhook").await;
        browser.find(Heading, "Signing secret").await;
        self.look_at("webhook-new").await;
        person.press(Button, "Reveal the signing secret").await;
        browser.find(Link, "Done").await;
        self.look_at("webhook-secret-shown").await;
        person.press(Link, "Rotate …").await;
        person.press(Button, "Rotate").await;
        browser.find(Link, "Done").await;
        self.look_at("webhook-secret-rotated").await;
        person.press(Link, "Done").await;
        browser.find(Heading, "Portfolios").await;
        self.look_at("webhook-unused").await;
        person.press(Link, "Send test to Portfolios").await;
        person.press(Button, "Send test").await;
        browser.find(Button, "Send another test").await;
        self.look_at("webhook-test-without-answer").await;

        person.open_section("Webhooks").await;
        person.press(Link, "Research desk").await;
        person.press(Link, "Send test to Research desk").await;
        person.press(Button, "Send test").await;
        browser.find(Button, "Send another test").await;
        self.look_at("webhook-test-answered").await;
        person.open_section("Webhooks").await;
        person.switch("Portfolios", false).await;
        self.look_at("webhooks-of-all-kinds").await;
        person.edit("Portfolios").await;
        self.look_at("webhook-edit-with-secret-header").await;

        person.open_section("Deliveries").await;
        person.press(Link, "research_report.published").await;
        person.press(Button, "Resend").await;
        browser.sees("The delivery is made again.").await;
        self.look_at("delivery-resent").await;
    }

    pub(crate) async fn answer_about_settings(&self) {
        let (browser, person) = (self.browser(), &self.person);
        person.press(Link, "General").await;
        browser.find(Heading, "General").await;
        person.write("Name", " ").await;
        person.press(Button, "Save").await;
        browser.find(Alert, "").await;
        self.look_at("general-refused").await;
        person.write("Name", "Acme Research").await;
        person.press(Button, "Save").await;
        browser.find(Heading, "General").await;
        self.look_at("general-saved").await;
    }
}
