//! Words that would break a page that is not careful, put into every field of every form: either refused with a message and
//! the words still there, or kept and shown as the words they are. No script runs, nothing stands on the console, and nothing
//! is wider than a narrow window.

use std::time::Instant;

use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::demo::Demo;
use keybell_e2e::person::{Hand, Person};
use keybell_e2e::places::Places;
use keybell_e2e::role::Role::{Alert, Button, Heading};
use keybell_e2e::steps::set_up_link;
use keybell_testkit::installation::{Installation, Profile};
use serde_json::{Value, json};

/// Words that can be kept; each runs as a script, opens a template, or turns the line where a page is careless.
const WORDS: [&str; 5] = [
    "<script>window.ran = 1</script>",
    "\"><img src=x onerror=\"window.ran = 1\"> 'or' \\",
    "{{7*7}} ${7*7} <%= 7*7 %> {% raw %}",
    "\u{202e}exe.txt\u{2066} \u{200f}مرحبا",
    "🦊👩\u{200d}👩\u{200d}👧 Z\u{351}\u{36b}\u{343}o",
];
/// No keyboard has it, and no database of ours can hold it.
const ZERO: &str = "a\0b";

/// Characters of a text that is longer than any field may be.
const LONG: usize = 10_000;
/// Where something may stick out.
const NARROW: Look = Look { scripts: true, width: 320, dark: false, forced_colors: false };

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
/// Where no word is right, which a browser does not even let anybody write: the form, what sends it, the field, and how the
/// rest is filled in.
const WRONG: [(&str, &str, &str, &str); 10] = [
    ("settings/advanced/developer/api-keys/new", "Generate", "expires_on", KEY),
    ("settings/advanced/developer/api-keys/new", "Generate", "limit_count", KEY),
    ("settings/advanced/developer/api-keys/KEY/edit", "Save", "expires_on", KEY),
    ("settings/advanced/developer/api-keys/KEY/edit", "Save", "limit_count", ""),
    ("settings/advanced/developer/webhooks/new", "Create Webhook", "rate_limit.limit", WEBHOOK),
    ("settings/advanced/developer/webhooks/new", "Create Webhook", "rate_limit.window_seconds", WEBHOOK),
    ("settings/advanced/developer/webhooks/new", "Create Webhook", "max_in_flight", WEBHOOK),
    ("settings/advanced/developer/webhooks/WEBHOOK/edit", "Save", "rate_limit.limit", ""),
    ("settings/advanced/developer/webhooks/WEBHOOK/edit", "Save", "rate_limit.window_seconds", ""),
    ("settings/advanced/developer/webhooks/WEBHOOK/edit", "Save", "max_in_flight", ""),
];
/// Lists that are filtered by times and by what is chosen, which is in their address for everybody to write.
const FILTERED: [(&str, &[&str]); 4] = [
    ("settings/advanced/developer/events", &["type", "from", "to"]),
    ("settings/advanced/developer/deliveries", &["status", "answer", "event_type", "from", "to"]),
    ("settings/advanced/developer/api-keys", &["q", "status", "environment", "sort"]),
    ("settings/advanced/audit-log", &["action", "actor", "target", "from", "to"]),
];
/// What else a key needs that ends on a day of one's own.
const KEY: &str = "document.querySelector('[name=name]').value = 'Import';
    document.querySelector('[name=expires]').value = which.includes('expires_on') ? 'custom' : 'never';";
/// What else a webhook needs.
const WEBHOOK: &str = "document.querySelector('[name=name]').value = 'Archive';
    document.querySelector('[name=which_events][value=all]').click();
    document.querySelector('[name=url]').value = 'http://127.0.0.1:65000/%3Cscript%3E?q=%22%3E%3Cimg';
    document.querySelector('[name=header_name]').value = 'X-Odd';
    document.querySelector('[name=header_value]').value = '\"><img src=x onerror=window.ran=1>';";

/// The fields that a person can write into, and what is `written` in those of words. `which` names the fields that are meant,
/// also of numbers, times and choices; none means all those of words.
const FIELDS: &str = "const all = [...document.querySelectorAll('main form input, main form textarea, main form select')];
    const words = all.filter(it => ['text', 'url', 'search', 'email', 'textarea'].includes(it.type) && !it.readOnly);
    const fields = which.length ? all.filter(it => which.includes(it.name)) : words;
    const written = () => words.filter(it => it.name).map(it => [it.name, it.value]);";

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
                if (it.options) it.add(new Option(word, word));
                else if (!words.includes(it)) it.type = 'text';
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
    async fn must_be_told(&self, written: &Value) {
        let browser = self.browser();
        if !browser.has(Alert, "").await {
            browser.note(vec![format!("refused without a message: {:?}", browser.text().await)]).await;
            return;
        }
        let now = browser.evaluate(&format!("const which = []; {FIELDS} return written();")).await;
        let pairs = |list: &Value| list.as_array().cloned().unwrap_or_default();
        let mut left = pairs(&now);
        let seen =
            |pair: Value| json!([pair[0], pair[1].as_str().unwrap_or_default().replace('\0', "\u{fffd}")]);
        for pair in pairs(written).into_iter().map(seen) {
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
                _ => self.must_be_told(&written).await,
            }
        }
    }

    /// `word` where it may be kept.
    async fn plant(&self, word: &str) {
        for (form, button, which, rest) in KEPT {
            self.open(form).await;
            let (status, written) = self.send(word, which, rest, button).await;
            if status >= 400 {
                self.must_be_told(&written).await;
                let begins: String = word.chars().take(40).collect();
                eprintln!("{form} refuses {begins:?}");
            }
        }
    }

    /// `word` in fields that can hold no word: their own error, and everything as it was written.
    async fn mistake(&self, word: &str) {
        for (form, button, field, rest) in WRONG {
            self.open(form).await;
            let (status, written) = self.send(word, &[field], rest, button).await;
            assert_eq!(status, 422, "{form} with {word:.40} in {field}");
            self.must_be_told(&written).await;
            let marked = "return document.querySelectorAll('main [aria-invalid=true]').length";
            if self.browser().evaluate(marked).await == 0 {
                self.browser().note(vec![format!("{field} is not marked")]).await;
            }
        }
    }

    /// `word` in the filters of lists: the page stays whole, and a time that is none is said to be none.
    async fn filter(&self, word: &str) {
        // Of several such words an address would be longer than a server reads.
        let word: &str = &word.chars().take(LONG / 4).collect::<String>();
        for (list, fields) in FILTERED {
            self.open(list).await;
            let (status, _) = self.send(word, fields, "", "Filter").await;
            assert_eq!(status, 200, "{list} filtered by {word:.40}");
            let text = self.browser().evaluate("return document.body.innerText").await;
            let times = text.as_str().unwrap_or_default().matches("is no time").count();
            if times != fields.iter().filter(|field| ["from", "to"].contains(field)).count() {
                self.browser().note(vec![format!("{times} times are said to be none")]).await;
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

/// Every word that a form is sent.
fn every_word(long: &str) -> impl Iterator<Item = &str> {
    WORDS.into_iter().chain([long, ZERO])
}

#[tokio::test]
async fn hostile_words_stay_words() {
    let started = Instant::now();
    let demo = Demo::start();
    let api = demo.keybell_api(&demo.secret_key());
    let browser = Browser::open(demo.keybell(), NARROW).await;
    let person = Person::new(browser, Hand::Pointer);
    let newest = |what: &str| {
        let list = api.must("GET", &format!("/v1/workspaces/current/{what}"), &Value::Null);
        list["data"][0]["id"].as_str().expect("the demo has one").to_owned()
    };
    let (key, webhook) = (newest("api-keys"), newest("webhooks"));
    let mut attack = Attack { person, workspace: String::new(), key, webhook };

    let long = "x".repeat(LONG);
    for word in every_word(&long) {
        attack.browser().go("/sign-in").await;
        let (status, written) = attack.send(word, &["email", "password"], "", "Sign in").await;
        assert_eq!(status, 403, "{word:.40}");
        attack.must_be_told(&written).await;
    }
    let (email, password) = demo.credentials();
    attack.person.sign_in(&email, &password, "Acme Research").await;
    attack.workspace = attack.browser().path().await.trim_start_matches("/w/").to_owned();
    for word in every_word(&long) {
        attack.flood(word).await;
        attack.mistake(word).await;
        attack.filter(word).await;
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

#[tokio::test]
async fn hostile_words_stay_words_where_a_workspace_is_set_up() {
    let mut installation = Installation::prepare(Profile::Debug, None, "").expect("keybell can be built");
    installation.serve().expect("keybell starts");
    let link = set_up_link(&mut installation);
    let person = Person::new(Browser::open(&installation.url(""), NARROW).await, Hand::Pointer);
    let none = String::new;
    let attack = Attack { person, workspace: none(), key: none(), webhook: none() };
    let fields = ["workspace_name", "name", "email", "password"];
    let long = "x".repeat(LONG);
    for word in every_word(&long) {
        attack.browser().go(&link).await;
        let (status, written) = attack.send(word, &fields, "", "Create the workspace").await;
        // None of them is an e-mail address.
        assert_eq!(status, 422, "{word:.40}");
        attack.must_be_told(&written).await;
    }
    let right = "document.querySelector('[name=email]').value = 'ada@example.com';
        document.querySelector('[name=password]').value = 'correct horse battery';";
    attack.browser().go(&link).await;
    let [word, ..] = WORDS;
    let (status, _) = attack.send(word, &["workspace_name", "name"], right, "Create the workspace").await;
    assert_eq!(status, 200);
    attack.browser().find(Heading, word).await;
    let workspace = attack.browser().path().await;
    for page in ["", "/settings", "/settings/members", "/settings/advanced/audit-log"] {
        attack.browser().go(&format!("{workspace}{page}")).await;
        attack.must_be_calm().await;
        let text = attack.browser().text().await;
        assert!(text.contains(word), "{page} says {text}");
    }
    attack.person.browser.close().await;
}
