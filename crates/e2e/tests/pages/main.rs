//! What holds for every page, as a person sees it: light and dark, wide and narrow, with the pages' scripts and without them,
//! and in forced colours. axe-core finds nothing, nothing stands on the console, nothing is wider than the window, and no link
//! leads to a page that is not among them.
//!
//! A page is loaded once with scripts and once without; the window's size and its colours change while it stands there, which
//! is how the answer to a form can be looked at in every way.

mod answers;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Instant;

use keybell_e2e::browser::{Browser, Look};
use keybell_e2e::demo::Demo;
use keybell_e2e::person::{Hand, Person};
use keybell_e2e::places::{Place, Places};
use keybell_e2e::role::Role::{Alert, Button, Heading};
use keybell_e2e::steps::set_up_link;
use keybell_testkit::installation::{Installation, Profile};
use serde_json::{Value, json};

/// As narrow as a page has to bear, in CSS pixels.
const NARROW: u32 = 320;
/// Wide and narrow, light and dark.
const LOOKS: [(u32, bool); 4] = [(1280, false), (NARROW, false), (NARROW, true), (1280, true)];

/// Who looks at the pages, and at which.
struct Visitor {
    demo: Demo,
    person: Person,
    workspace: String,
    places: Places,
    look: Look,
    looked_at: RefCell<BTreeSet<String>>,
    links: RefCell<BTreeSet<String>>,
}

impl Visitor {
    async fn come(look: Look) -> Visitor {
        let demo = Demo::start();
        let key = demo.secret_key();
        let api = demo.keybell_api(&key);
        // A key that was used lately is revoked by its name.
        demo.platform_api(&key).must("GET", "/v1/portfolios", &Value::Null);
        for scopes in [json!(["reports:read"]), json!(["portfolios:read", "portfolios:write"])] {
            let new = json!({"name": "Nightly import", "description": "Copies reports", "scopes": scopes});
            api.must("POST", "/v1/workspaces/current/api-keys", &new);
        }
        let browser = Browser::open(demo.keybell(), look).await;
        let person = Person::new(browser, Hand::Pointer);
        let (email, password) = demo.credentials();
        person.sign_in(&email, &password, "Acme Research").await;
        let workspace = person.browser.path().await.trim_start_matches("/w/").to_owned();
        let places = Places::of(&api, "current", &workspace);
        person.browser.forget().await;
        let (looked_at, links) = (RefCell::default(), RefCell::default());
        Visitor { demo, person, workspace, places, look, looked_at, links }
    }

    fn browser(&self) -> &Browser {
        &self.person.browser
    }

    /// Where the Developer page's section is.
    fn section(&self, path: &str) -> String {
        format!("/w/{}/settings/advanced/developer{path}", self.workspace)
    }

    /// Looks at the page that stands there in every way.
    async fn look_at(&self, name: &str) {
        let browser = self.browser();
        assert!(self.looked_at.borrow_mut().insert(name.to_owned()), "{name} is looked at twice");
        for (width, dark) in LOOKS {
            browser.look(Look { width, dark, ..self.look }).await;
            browser.check().await;
            if !self.look.scripts {
                continue;
            }
            let colours = if dark { "dark" } else { "light" };
            browser.picture_of_all(&format!("page-{name}-{colours}-{width}")).await;
        }
        if self.look.scripts {
            browser.look(Look { forced_colors: true, ..self.look }).await;
            browser.check().await;
        }
        browser.look(self.look).await;
        let links = browser.links().await;
        self.links.borrow_mut().extend(links);
    }

    async fn visit(&self, places: &[Place]) {
        for Place { name, path } in places {
            self.browser().go(path).await;
            self.look_at(name).await;
        }
    }

    /// Sends the set-up page that stands there with what a browser lets through and the server does not.
    async fn refuse_to_set_up(&self) {
        let person = &self.person;
        for (field, text) in [
            ("Workspace", " "),
            ("Your name", "Ada Lovelace"),
            ("E-mail", "ada@example.com"),
            ("Password", "too short"),
        ] {
            person.write(field, text).await;
        }
        person.press(Button, "Create the workspace").await;
        self.browser().find(Alert, "").await;
        self.look_at("set-up-refused").await;
    }

    /// The page of each problem that the list of them leads to. They are made of one template, so that one look at each
    /// does, and no pictures: the narrowest, where a long word would stick out.
    async fn glance_at_problems(&self) {
        let browser = self.browser();
        browser.go("/problems").await;
        let mut problems = browser.links().await;
        problems.retain(|path| path.starts_with("/problems/"));
        assert!(problems.len() > 20, "the list leads to {problems:?}");
        browser.look(Look { width: NARROW, ..self.look }).await;
        for path in problems {
            browser.go(&path).await;
            browser.check().await;
        }
        browser.look(self.look).await;
    }

    async fn sign_in(&self, email: &str, password: &str) {
        self.person.sign_in(email, password, "Acme Research").await;
    }

    async fn sign_out(&self) {
        let browser = self.browser();
        browser.go("/").await;
        browser.click(Button, "Ada Acton").await;
        self.look_at("account-menu").await;
        browser.click(Button, "Sign out").await;
        browser.find(Heading, "Sign in").await;
    }

    /// A guest may see less, and is told so.
    async fn visit_as_guest(&self, password: &str) {
        self.sign_in("guido@acme.example", password).await;
        for (name, path) in [
            ("guest-forbidden", "/api-keys/new"),
            ("guest-overview", ""),
            ("guest-keys", "/api-keys"),
            ("guest-webhooks", "/webhooks"),
            ("guest-deliveries", "/deliveries"),
            ("guest-events", "/events"),
        ] {
            self.browser().go(&self.section(path)).await;
            self.look_at(name).await;
        }
    }

    async fn end(self, started: Instant) {
        let places = self.places;
        let unknown: Vec<_> = self.links.take().into_iter().filter(|path| !places.lead_to(path)).collect();
        eprintln!("{} pages in {:?}", self.looked_at.borrow().len(), started.elapsed());
        self.person.browser.close().await;
        assert!(unknown.is_empty(), "links lead to pages that nobody looked at: {unknown:#?}");
    }
}

const WITH_SCRIPTS: Look = Look { scripts: true, width: 1280, dark: false, forced_colors: false };
const WITHOUT_SCRIPTS: Look = Look { scripts: false, ..WITH_SCRIPTS };

async fn visit_outside(look: Look) {
    let started = Instant::now();
    let visitor = Visitor::come(look).await;
    // The demo is set up; one that nobody has come to yet prints a link to where that is done.
    let mut untouched = Installation::prepare(Profile::Debug, None, "").expect("keybell can be built");
    untouched.serve().expect("keybell starts");
    let set_up = set_up_link(&mut untouched);
    visitor.visit(&Places::by_link(&set_up, visitor.demo.url("/sign-in/"))).await;
    visitor.browser().go(&set_up).await;
    visitor.refuse_to_set_up().await;
    for (name, path) in
        [("sign-in-link-gone", "/sign-in/no-such-link"), ("set-up-link-gone", "/setup/no-such-link")]
    {
        visitor.browser().go(path).await;
        visitor.look_at(name).await;
    }
    visitor.visit(&visitor.places.outside).await;
    if look.scripts {
        visitor.glance_at_problems().await;
    }
    visitor.end(started).await;
}

async fn visit_inside(look: Look) {
    let started = Instant::now();
    let visitor = Visitor::come(look).await;
    let (email, password) = visitor.demo.credentials();
    visitor.sign_in(&email, &password).await;
    visitor.visit(&visitor.places.inside).await;
    visitor.sign_out().await;
    visitor.visit_as_guest(&password).await;
    visitor.end(started).await;
}

async fn visit_answers(look: Look) {
    let started = Instant::now();
    let visitor = Visitor::come(look).await;
    let (email, password) = visitor.demo.credentials();
    visitor.refuse_to_sign_in().await;
    visitor.sign_in(&email, &password).await;
    visitor.person.open_developer().await;
    visitor.answer_about_keys().await;
    visitor.answer_about_webhooks().await;
    visitor.answer_about_settings().await;
    visitor.end(started).await;
}

#[tokio::test]
async fn every_page_outside_holds() {
    visit_outside(WITH_SCRIPTS).await;
}

#[tokio::test]
async fn every_page_outside_holds_without_scripts() {
    visit_outside(WITHOUT_SCRIPTS).await;
}

#[tokio::test]
async fn every_page_inside_holds() {
    visit_inside(WITH_SCRIPTS).await;
}

#[tokio::test]
async fn every_page_inside_holds_without_scripts() {
    visit_inside(WITHOUT_SCRIPTS).await;
}

#[tokio::test]
async fn every_answer_to_a_form_holds() {
    visit_answers(WITH_SCRIPTS).await;
}

#[tokio::test]
async fn every_answer_to_a_form_holds_without_scripts() {
    visit_answers(WITHOUT_SCRIPTS).await;
}
