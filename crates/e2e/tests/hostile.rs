//! Words that would break a page that is not careful, put into every field of every form: either refused with a message and
//! the words still there, or kept and shown as the words they are. No script runs, nothing stands on the console, and nothing
//! is wider than a narrow window.

use std::time::Instant;

use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::demo::Demo;
use keybell_e2e::person::{Hand, Person};
use keybell_e2e::places::Places;
use keybell_e2e::role::Role::{Alert, Button, Heading};
use serde_json::{Value, json};

/// Words that can be kept; each runs as a script, opens a template, or turns the line where a page is careless.
const WORDS: [&str; 5] = [
    "<script>window.ran = 1</script>",
    "\"><img src=x onerror=\"window.ran = 1\"> 'or' \\",
    "{{7*7}} ${7*7} <%= 7*7 %> {% raw %}",
    "\u{202e}exe.txt\u{2066} \u{200f}مرحبا",
    "🦊👩\u{200d}👩\u{200d}👧 Z\u{351}\u{36b}\u{343}o",
];
/// Nobody's browser sends it; whoever does is told so.
const ZERO: &str = "a\0b";

/// A form: where it is in the workspace, and what sends it.
const FORMS: [(&str, &str); 9] = [
    ("settings/advanced/developer/api-keys/new", "Generate"),
    ("settings/advanced/developer/api-keys/KEY/edit", "Save"),
    ("settings/advanced/developer/api-keys/KEY/revoke", "Revoke"),
    ("settings/advanced/developer/api-keys", "Filter"),
    ("settings/advanced/developer/webhooks/new", "Create Webhook"),
    ("settings/advanced/developer/webhooks/WEBHOOK/edit", "Save"),
    ("settings/advanced/developer/event-catalogue", "Search"),
    ("settings/advanced/audit-log", "Filter"),
    ("settings", "Save"),
];
/// Where a word may be kept: the form, what sends it, the fields, and how the rest is filled in.
const KEPT: [(&str, &str, &[&str], &str); 5] = [
    ("settings/advanced/developer/api-keys/new", "Generate", &["name", "description"], ""),
    ("settings/advanced/developer/api-keys/KEY/edit", "Save", &["name", "description"], ""),
    ("settings/advanced/developer/webhooks/new", "Create Webhook", &["name", "description"], WEBHOOK),
    ("settings/advanced/developer/webhooks/WEBHOOK/edit", "Save", &["name", "description"], ""),
    ("settings", "Save", &["name"], ""),
];
/// What else a webhook needs.
const WEBHOOK: &str = "document.querySelector('[name=which_events][value=all]').click();
    document.querySelector('[name=url]').value = 'http://127.0.0.1:65000/%3Cscript%3E?q=%22%3E%3Cimg';
    document.querySelector('[name=header_name]').value = 'X-Odd';
    document.querySelector('[name=header_value]').value = '\"><img src=x onerror=window.ran=1>';";

/// The fields that a person can write into. `which` names them; none means all.
const FIELDS: &str = "const fields = [...document.querySelectorAll('main form input, main form textarea')].filter(it =>
    ['text', 'url', 'search', 'email', 'textarea'].includes(it.type) && !it.readOnly && (!which.length || which.includes(it.name)));
    const written = () => fields.filter(it => it.name).map(it => [it.name, it.value]);";

struct Attack {
    person: Person,
    workspace: String,
    key: String,
    webhook: String,
}

impl Attack {
    fn browser(&self) -> &Browser {
        &self.person.browser
    }

    async fn open(&self, form: &str) {
        let path = form.replace("KEY", &self.key).replace("WEBHOOK", &self.webhook);
        self.browser().go(&format!("/w/{}/{path}", self.workspace)).await;
    }

    /// Pastes `word` into the fields, past what the browser would refuse itself, and sends the form. Gives the status of the
    /// answer, and what had been written.
    async fn send(&self, word: &str, which: &[&str], rest: &str, button: &str) -> (u64, Value) {
        let browser = self.browser();
        let (word, which) = (json!(word), json!(which));
        let script = format!(
            "const word = {word}, which = {which}; {FIELDS} {rest}
            for (const it of fields) {{
                it.removeAttribute('maxlength'); it.form.noValidate = true; it.value = word;
                it.dispatchEvent(new Event('input', {{bubbles: true}}));
            }}
            window.before = true; return written();"
        );
        let written = browser.evaluate(&script).await;
        browser.click(Button, button).await;
        let answered = async || {
            let script = "return !window.before && document.readyState === 'complete' &&
                performance.getEntriesByType('navigation')[0].responseStatus";
            browser.evaluate(script).await.as_u64()
        };
        let status = browser.until("an answer to the form", answered).await;
        self.must_be_calm().await;
        (status, written)
    }

    /// Nothing ran, nothing was reported, nothing sticks out.
    async fn must_be_calm(&self) {
        let browser = self.browser();
        if browser.evaluate("return window.ran === undefined").await != true {
            browser.note(vec!["a script ran".to_owned()]).await;
        }
        browser.check_calm().await;
    }

    /// A form that comes back says why, and has everything that was written into it.
    async fn must_be_told(&self, written: &Value, which: &[&str]) {
        let browser = self.browser();
        if !browser.has(Alert, "").await {
            browser.note(vec![format!("refused without a message: {:?}", browser.text().await)]).await;
            return;
        }
        let script = format!("const which = {}; {FIELDS} return written();", json!(which));
        let now = browser.evaluate(&script).await;
        let pairs = |list: &Value| list.as_array().cloned().unwrap_or_default();
        let mut left = pairs(&now);
        for pair in pairs(written) {
            if let Some(at) = left.iter().position(|other| *other == pair) {
                left.remove(at);
            } else {
                let (name, value) = (&pair[0], pair[1].as_str().unwrap_or_default());
                let begins: String = value.chars().take(40).collect();
                browser.note(vec![format!("{name} is lost after a refusal: {begins:?}")]).await;
            }
        }
    }

    /// `word` in all fields at once.
    async fn flood(&self, word: &str) {
        for (form, button) in FORMS {
            self.open(form).await;
            let (status, written) = self.send(word, &[], "", button).await;
            match status {
                200..400 => {}
                400 if word == ZERO => assert!(self.browser().text().await.contains("U+0000"), "{form}"),
                _ => self.must_be_told(&written, &[]).await,
            }
        }
    }

    /// `word` where it may be kept.
    async fn plant(&self, word: &str) {
        for (form, button, which, rest) in KEPT {
            self.open(form).await;
            let (status, written) = self.send(word, which, rest, button).await;
            if status >= 400 {
                self.must_be_told(&written, which).await;
                let begins: String = word.chars().take(40).collect();
                eprintln!("{form} refuses {begins:?}");
            }
        }
    }

    /// Every page that shows what was kept.
    async fn look_around(&self, places: &Places) {
        for place in &places.inside {
            self.browser().go(&place.path).await;
            self.must_be_calm().await;
        }
        // As the page has it: the driver leaves out what turns the line.
        let text = "return document.body.innerText";
        self.open("settings/advanced/developer/api-keys").await;
        let keys = self.browser().evaluate(text).await;
        self.open("settings/advanced/developer/webhooks").await;
        let webhooks = self.browser().evaluate(text).await;
        let shown = format!("{}{}", keys.as_str().unwrap_or_default(), webhooks.as_str().unwrap_or_default());
        for word in WORDS {
            let times = shown.matches(word).count();
            if times < 2 {
                self.browser().note(vec![format!("{word:?} is shown {times} times in the lists")]).await;
            }
        }
    }
}

#[tokio::test]
async fn hostile_words_stay_words() {
    let started = Instant::now();
    let demo = Demo::start();
    let api = demo.keybell_api(&demo.secret_key());
    let browser = Browser::open(demo.keybell(), Look { width: 320, ..Look::default() }).await;
    let person = Person::new(browser, Hand::Pointer);
    let newest = |what: &str| {
        let list = api.must("GET", &format!("/v1/workspaces/current/{what}"), &Value::Null);
        list["data"][0]["id"].as_str().expect("the demo has one").to_owned()
    };
    let (key, webhook) = (newest("api-keys"), newest("webhooks"));
    let mut attack = Attack { person, workspace: String::new(), key, webhook };

    let long = "x".repeat(10_000);
    for word in WORDS.into_iter().chain([&*long, ZERO]) {
        attack.browser().go("/sign-in").await;
        let (status, written) = attack.send(word, &["email"], "", "Sign in").await;
        if word == ZERO {
            assert_eq!(status, 400);
        } else {
            attack.must_be_told(&written, &["email"]).await;
        }
    }
    let (email, password) = demo.credentials();
    attack.person.sign_in(&email, &password, "Acme Research").await;
    attack.workspace = attack.browser().path().await.trim_start_matches("/w/").to_owned();
    for word in WORDS.into_iter().chain([&*long, ZERO]) {
        attack.flood(word).await;
    }
    for word in WORDS.into_iter().chain([&*long]) {
        attack.plant(word).await;
    }
    let places = Places::of(&api, "current", &attack.workspace);
    attack.look_around(&places).await;
    attack.browser().find(Heading, "Webhooks").await;
    attack.person.browser.close().await;
    eprintln!("done in {:?}", started.elapsed());
}
