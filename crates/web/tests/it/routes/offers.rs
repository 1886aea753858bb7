//! What the pages offer to each role: every link leads somewhere and every form is taken, and what is not allowed is not there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use axum::body::Body;
use axum::http::Method;
use keybell_core::Role;
use keybell_testkit::receiver::{Receiver, Reply};
use keybell_web::{Route, Serves, To};
use url::Url;

use super::{Place, Scene, account, furnished};
use crate::ui::browser::{Browser, Form, Page};

/// Most pages of a walk: links that name ever new pages would lead it on for ever.
const PAGES_MAX: usize = 600;
/// Where everything is.
const SITE: &str = "https://keybell.test";

/// Every form that a walk found, by where it goes and what stands in it; with the page that it was on.
type Found = BTreeMap<(String, Fields), (Form, String)>;
type Fields = Vec<(String, String)>;

/// Somebody of that role, and what is in their workspace: made by them, where they may make anything, and by others.
struct Somebody {
    scene: Scene,
    role: Role,
    token: String,
    /// What they made themselves, where they may.
    own: Option<Place>,
    _receiver: Receiver,
}

impl Somebody {
    async fn of(role: Role) -> Somebody {
        let scene = Scene::open().await;
        let workspace = scene.ours.workspace.clone();
        let token = scene.app.member(&workspace, role).await;
        let receiver = Receiver::start(|_| Reply::status(500));
        let own = if role == Role::Guest {
            None
        } else {
            Some(furnished(&scene.app, &scene.app.session(&token), &workspace, &token, &receiver).await)
        };
        Somebody { scene, role, token, own, _receiver: receiver }
    }

    /// Opens every page, and whatever the pages lead to.
    async fn walk(&self) -> Found {
        let mut browser = Browser::signed_in(&self.scene.app, &self.token);
        let mut seen = BTreeSet::new();
        let mut ahead = VecDeque::new();
        for place in [&self.scene.ours].into_iter().chain(&self.own) {
            // What is for everybody is reached by links, but for the ways to sign in.
            let is_start = |route: &&Route| route.serves == Serves::Page && route.to != To::Everybody;
            for route in self.scene.of_pages().iter().filter(is_start) {
                let path = self.scene.path_in(route, place, place);
                // What a filter shows is linked from nowhere.
                if path.ends_with("/deliveries") {
                    ahead.push_back((format!("{path}?status=failed"), None));
                }
                ahead.push_back((path, None));
            }
        }
        let mut found = Found::default();
        while let Some((path, from)) = ahead.pop_front() {
            if !seen.insert(path.clone()) {
                continue;
            }
            assert!(seen.len() < PAGES_MAX, "{seen:?}");
            let page = browser.open(&path).await;
            let Some(from) = from else {
                // What nothing leads to may be refused.
                assert!([200, 403, 404].contains(&page.status), "{path}: {}", page.status);
                self.look(&page, &mut found, &mut ahead).await;
                continue;
            };
            let from: String = from;
            assert_eq!(page.status, 200, "{:?}: {path} on {from}: {}", self.role, page.text());
            assert!(!page.path.starts_with("/sign-in"), "{:?}: {path} on {from}", self.role);
            self.look(&page, &mut found, &mut ahead).await;
        }
        found
    }

    /// Notes what a page has.
    async fn look(&self, page: &Page, found: &mut Found, ahead: &mut VecDeque<(String, Option<String>)>) {
        let here = Url::parse(SITE).and_then(|site| site.join(&page.path)).expect("an address");
        let ours = |address: &str| {
            let url = here.join(address).unwrap_or_else(|_| panic!("{here}: {address:?}"));
            let path = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
            (url.origin() == here.origin()).then_some(path)
        };
        let links = page.all("a[href], form[method=get]");
        let links = links.iter().filter_map(|link| ours(link.attr("href").or(link.attr("action"))?));
        ahead.extend(links.map(|link| (link, Some(page.path.clone()))));
        for live in page.all("[data-live]") {
            let path = live.attr("data-live").expect("it was selected by it");
            let answer = self.scene.app.session(&self.token).begin(Method::GET, path, Body::empty()).await;
            assert_eq!(answer.status(), 200, "{:?}: {path} on {here}", self.role);
        }
        for form in page.forms() {
            let mut fields = form.fields.clone();
            fields.retain(|(name, _)| name != "token");
            let action = ours(&form.action).expect("forms are sent to us");
            found.entry((action, fields)).or_insert_with(|| (form, page.path.clone()));
        }
        assert_eq!(page.all("[formaction], form[method=dialog]").len(), 0, "look at those too");
    }

    /// Which route a form goes to, and whose the thing is that it is about.
    fn about(&self, action: &str) -> String {
        let segments = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        let asked = segments(action.split('?').next().unwrap_or_default());
        let fits = |route: &&Route| {
            let known = segments(&route.path);
            let same = |(known, asked): (&String, &String)| known.starts_with('{') || known == asked;
            route.method == Method::POST && known.len() == asked.len() && known.iter().zip(&asked).all(same)
        };
        let routes = self.scene.of_pages();
        // The one with the fewest parameters, as the router has it.
        let route = routes.iter().filter(fits).min_by_key(|route| route.path.matches('{').count());
        let route = route.unwrap_or_else(|| panic!("{:?}: nothing is posted to {action}", self.role));
        if !["{key}", "{webhook}", "{delivery}", "{event}"].iter().any(|thing| route.path.contains(thing)) {
            return route.path.clone();
        }
        let is_own = self.own.as_ref().is_some_and(|own| {
            [&own.key, &own.webhook, &own.delivery, &own.event].iter().any(|id| asked.contains(id))
        });
        format!("{}: {}", route.path, if is_own { "their own" } else { "another's" })
    }
}

/// What ends things comes last, so that there is something left to ask about; and sessions after everything.
fn rank(action: &str) -> u8 {
    match action {
        "/sign-out" | "/account/sessions/end" | "/account/sessions/end-all" => 2,
        _ => u8::from(action.ends_with("/delete") || action.ends_with("/revoke")),
    }
}

/// The form, filled in by somebody who means it.
fn meant(mut form: Form) -> Form {
    if form.action.ends_with("/revoke") || form.action.ends_with("/delete") {
        form = form.with("confirm", "yes");
    }
    if form.action.ends_with("/new") {
        form = form.with("name", "New").with("url", "http://127.0.0.1:9/").with("all", "yes");
    }
    form
}

/// Sends every form that was found; what each is about.
async fn sent(somebody: &Somebody, found: Found) -> BTreeSet<String> {
    let mut forms: Vec<_> = found.into_iter().collect();
    forms.sort_by_key(|((action, _), _)| rank(action));
    let mut offered = BTreeSet::new();
    let account = account(&somebody.scene.app, &somebody.token).await;
    for ((action, _), (form, from)) in forms {
        offered.insert(somebody.about(&action));
        let role = somebody.role;
        let session = somebody.scene.session_of(account).await;
        let form = meant(form);
        let fields: Vec<_> =
            form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = somebody.scene.app.session(&session).post_form(&action, &fields).await;
        let refused = [400, 401, 403, 404, 405, 415].contains(&answer.status) || answer.status >= 500;
        assert!(!refused, "{role:?}: {action} on {from}: {} {}", answer.status, answer.text());
        let signs_out = rank(&action) == 2;
        assert!(
            signs_out || !answer.header("location").starts_with("/sign-in"),
            "{role:?}: {action} on {from}"
        );
        somebody.scene.quiet().await;
    }
    offered
}

async fn offered(role: Role) -> (Somebody, BTreeSet<String>) {
    let somebody = Somebody::of(role).await;
    let found = somebody.walk().await;
    let offered = sent(&somebody, found).await;
    (somebody, offered)
}

fn told(offered: &BTreeSet<String>) -> String {
    offered.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn an_owner_is_offered_everything_and_an_admin_no_less() {
    let (owner, of_owner) = offered(Role::Owner).await;
    let is_for_members = |route: &Route| route.method == Method::POST && route.to != To::Everybody;
    for route in owner.scene.of_pages().into_iter().filter(is_for_members) {
        let found = of_owner.iter().any(|offer| offer.split(": ").next() == Some(&*route.path));
        assert!(found, "no page has a form for {}: {}", route.path, told(&of_owner));
    }
    let (_, of_admin) = offered(Role::Admin).await;
    assert_eq!(told(&of_admin), told(&of_owner));
}

#[tokio::test]
async fn a_member_is_offered_what_concerns_their_own_things() {
    let (_, of_member) = offered(Role::Member).await;
    insta::assert_snapshot!(told(&of_member), @r"
    /account/sessions/end
    /account/sessions/end-all
    /sign-out
    /w/{workspace}/settings/advanced/developer/api-keys/new
    /w/{workspace}/settings/advanced/developer/api-keys/{key}/edit: their own
    /w/{workspace}/settings/advanced/developer/api-keys/{key}/end-overlap: their own
    /w/{workspace}/settings/advanced/developer/api-keys/{key}/revoke: their own
    /w/{workspace}/settings/advanced/developer/api-keys/{key}/rotate: their own
    /w/{workspace}/settings/advanced/developer/deliveries/resend
    /w/{workspace}/settings/advanced/developer/deliveries/resend-these
    /w/{workspace}/settings/advanced/developer/deliveries/{delivery}/resend: their own
    /w/{workspace}/settings/advanced/developer/events/{event}/resend: their own
    /w/{workspace}/settings/advanced/developer/webhooks/new
    /w/{workspace}/settings/advanced/developer/webhooks/{webhook}/delete: their own
    /w/{workspace}/settings/advanced/developer/webhooks/{webhook}/edit: their own
    /w/{workspace}/settings/advanced/developer/webhooks/{webhook}/signing-secret/rotate: their own
    /w/{workspace}/settings/advanced/developer/webhooks/{webhook}/signing-secret: their own
    /w/{workspace}/settings/advanced/developer/webhooks/{webhook}/switch: their own
    /w/{workspace}/settings/advanced/developer/webhooks/{webhook}/test: their own
    ");
}

#[tokio::test]
async fn a_guest_is_offered_nothing_but_to_leave() {
    let (_, of_guest) = offered(Role::Guest).await;
    insta::assert_snapshot!(told(&of_guest), @r"
    /account/sessions/end
    /account/sessions/end-all
    /sign-out
    ");
}
