//! Every page that has an address, with one of each thing filled in: what has to hold for all pages is asked of this list.
//! A test holds it against the server's list of routes, so that no page is forgotten here.

use serde_json::Value;

use crate::api::Api;

/// The sections of the API reference, as its addresses name them.
const SECTIONS: [&str; 9] = [
    "api-keys",
    "audit-log",
    "checking-a-key",
    "deliveries",
    "event-types",
    "events",
    "scopes",
    "webhooks",
    "workspaces",
];
/// One of the problems that the API answers with; each has a page that explains it.
const PROBLEM: &str = "rate_limited";
/// Of the pages of a key.
const OF_A_KEY: [(&str, &str); 4] =
    [("key", ""), ("key-edit", "/edit"), ("key-revoke", "/revoke"), ("key-rotate", "/rotate")];
/// Of the pages of a webhook.
const OF_A_WEBHOOK: [(&str, &str); 7] = [
    ("webhook", ""),
    ("webhook-edit", "/edit"),
    ("webhook-test", "/test"),
    ("webhook-delete", "/delete"),
    ("webhook-secret", "/signing-secret"),
    ("webhook-rotate", "/signing-secret/rotate"),
    ("webhook-verify", "/verify"),
];

/// A page with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is called in the names of pictures.
    pub name: String,
    /// Its path, perhaps with a query.
    pub path: String,
}

/// The pages, and the ids that stand in their addresses for others of their kind.
pub struct Places {
    /// For whoever is not signed in.
    pub outside: Vec<Place>,
    /// For whoever is.
    pub inside: Vec<Place>,
    ids: Vec<String>,
}

/// One of each thing that stands in the addresses of pages.
struct Things {
    workspace: String,
    key: String,
    webhook: String,
    delivery: String,
    event: String,
    event_type: String,
}

impl Places {
    /// The pages of `workspace`, which has at least one of each thing. `api` may read everything there, and calls it `named`.
    pub fn of(api: &Api, named: &str, workspace: &str) -> Places {
        let newest = |what: &str| {
            let list = api.must("GET", &format!("/v1/workspaces/{named}/{what}"), &Value::Null);
            let id = list["data"][0]["id"].as_str();
            id.unwrap_or_else(|| panic!("the workspace has none of its {what}")).to_owned()
        };
        let [key, webhook, delivery, event] = ["api-keys", "webhooks", "deliveries", "events"].map(newest);
        let types = api.must("GET", "/v1/event-types", &Value::Null);
        let event_type = types["data"][0]["name"].as_str().expect("a platform declares events").to_owned();
        let workspace = workspace.to_owned();
        Places::with(Things { workspace, key, webhook, delivery, event, event_type })
    }

    fn with(things: Things) -> Places {
        let (outside, inside) = (outside(), inside(&things));
        let Things { workspace: _, key, webhook, delivery, event, event_type } = things;
        Places { outside, inside, ids: vec![key, webhook, delivery, event, event_type, PROBLEM.to_owned()] }
    }

    /// The pages that a link opens which somebody was sent: that of a new installation, and one to sign in by.
    pub fn by_link(set_up: &str, sign_in: &str) -> [Place; 2] {
        [place("set-up", set_up), place("sign-in-link", sign_in)]
    }

    /// Whether a link to `path` leads to one of these pages, or to one like it of another thing. The start only leads
    /// on, the API's description is for programs, and a list as a file is no page.
    pub fn lead_to(&self, path: &str) -> bool {
        let bare = |path: &str| path.split(['?', '#']).next().unwrap_or_default().to_owned();
        let path = bare(path);
        ["/", "/openapi.json"].contains(&&*path)
            || path.strip_suffix(".csv").is_some()
            || self.outside.iter().chain(&self.inside).any(|place| {
                let place = bare(&place.path);
                let (ours, theirs): (Vec<_>, Vec<_>) =
                    (place.split('/').collect(), path.split('/').collect());
                let alike =
                    |(our, their): (&&str, &&str)| our == their || self.ids.iter().any(|id| id == our);
                ours.len() == theirs.len() && ours.iter().zip(&theirs).all(alike)
            })
    }
}

fn place(name: &str, path: impl Into<String>) -> Place {
    Place { name: name.to_owned(), path: path.into() }
}

fn outside() -> Vec<Place> {
    let mut outside = vec![place("sign-in", "/sign-in"), place("reference", "/docs/api")];
    outside.extend(
        SECTIONS.map(|section| place(&format!("reference-{section}"), format!("/docs/api/{section}"))),
    );
    outside.push(place("problems", "/problems"));
    outside.push(place("problem", format!("/problems/{PROBLEM}")));
    outside
}

fn inside(things: &Things) -> Vec<Place> {
    let Things { workspace, key, webhook, delivery, event, event_type } = things;
    let settings = format!("/w/{workspace}/settings");
    let developer = format!("{settings}/advanced/developer");
    let mut inside = vec![
        place("sessions", "/account/sessions"),
        place("workspace", format!("/w/{workspace}")),
        place("general", settings.clone()),
        place("members", format!("{settings}/members")),
        place("audit-log", format!("{settings}/advanced/audit-log")),
        place(
            "audit-log-none-fits",
            format!("{settings}/advanced/audit-log?action=webhook.deleted&actor=nobody"),
        ),
        place("reference-of-a-workspace", format!("/docs/api?workspace={workspace}")),
        place("nothing", format!("{settings}/nothing")),
    ];
    let mut of_developer = |name: &str, path: String| inside.push(place(name, format!("{developer}{path}")));
    of_developer("overview", String::new());
    of_developer("keys", "/api-keys".to_owned());
    of_developer("keys-none-fits", "/api-keys?q=nothing+is+called+so&status=expired".to_owned());
    of_developer("key-form", "/api-keys/new".to_owned());
    for (name, end) in OF_A_KEY {
        of_developer(name, format!("/api-keys/{key}{end}"));
    }
    of_developer("webhooks", "/webhooks".to_owned());
    of_developer("webhook-form", "/webhooks/new".to_owned());
    for (name, end) in OF_A_WEBHOOK {
        of_developer(name, format!("/webhooks/{webhook}{end}"));
    }
    of_developer("deliveries", "/deliveries".to_owned());
    of_developer("deliveries-of-a-webhook", format!("/deliveries?webhook_id={webhook}"));
    of_developer("deliveries-none-fits", "/deliveries?status=canceled".to_owned());
    of_developer("deliveries-resend", "/deliveries/resend?status=succeeded".to_owned());
    of_developer("delivery", format!("/deliveries/{delivery}"));
    of_developer("events", "/events".to_owned());
    of_developer("event", format!("/events/{event}"));
    of_developer("catalogue", "/event-catalogue".to_owned());
    of_developer("event-type", format!("/event-catalogue/{event_type}"));
    inside
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The server's routes: a test of `crates/web` holds this list to be the one that its router is made from.
    const ROUTES: &str = include_str!("../../web/tests/it/routes/snapshots/it__routes__routes.snap");
    /// It leads on to the workspace of whoever has one. Nobody can be given a second one from outside.
    const ONLY_LEADS_ON: &str = "/";
    /// The place where nothing is, which is a page all the same.
    const OF_NOTHING: (&str, &str) = ("nothing", "/w/{workspace}/{*rest}");

    /// The paths of the routes that answer GET with `serves`, as the list names it.
    fn routes(serves: &str) -> Vec<&'static str> {
        let path = |line: &'static str| {
            let (path, kind) = line.strip_prefix("GET ")?.split_once(": ")?;
            kind.starts_with(&format!("{serves} ")).then_some(path)
        };
        ROUTES.lines().filter_map(path).collect()
    }

    /// The route that answers at `path`: of those that fit, the one with the fewest parameters, as the router has it.
    fn route_of<'a>(routes: &[&'a str], path: &str) -> Option<&'a str> {
        let segments = |path: &'a str| path.split('/').collect::<Vec<_>>();
        let asked: Vec<_> = path.split('?').next().unwrap_or_default().split('/').collect();
        let fits = |route: &&&'a str| {
            let known = segments(route);
            let same = |(known, asked): (&&str, &&str)| known.starts_with('{') || known == asked;
            known.len() == asked.len() && known.iter().zip(&asked).all(same)
        };
        routes.iter().filter(fits).min_by_key(|route| route.matches('{').count()).copied()
    }

    fn every_place() -> Vec<Place> {
        let [workspace, key, webhook, delivery, event, event_type] =
            ["ws_1", "kb_live_1", "wh_1", "dlv_1", "evt_1", "a.b"].map(str::to_owned);
        let places = Places::with(Things { workspace, key, webhook, delivery, event, event_type });
        let by_link = Places::by_link("/setup/kb_setup_1", "/sign-in/1");
        places.outside.into_iter().chain(places.inside).chain(by_link).collect()
    }

    #[test]
    fn every_page_that_the_server_has_is_a_place() {
        let pages = routes("Page");
        assert!(pages.len() > 30, "the list of routes reads otherwise: {pages:?}");
        let visited: BTreeSet<_> =
            every_place().iter().filter_map(|place| route_of(&pages, &place.path)).collect();
        let mut forgotten = pages.clone();
        forgotten.retain(|page| !visited.contains(page) && *page != ONLY_LEADS_ON);
        assert!(forgotten.is_empty(), "pages that no browser test looks at: {forgotten:#?}");
    }

    #[test]
    fn every_place_is_a_page_that_the_server_has() {
        let (pages, nothing) = (routes("Page"), routes("Nothing"));
        assert_eq!(nothing, [OF_NOTHING.1]);
        for Place { name, path } in every_place() {
            assert_eq!(route_of(&pages, &path).is_some(), name != OF_NOTHING.0, "{name}: {path}");
        }
    }
}
