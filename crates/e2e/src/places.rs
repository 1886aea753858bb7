//! Every page that has an address, with one of each thing filled in: what has to hold for all pages is asked of this list.

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

        let place = |name: &str, path: String| Place { name: name.to_owned(), path };
        let mut outside =
            vec![place("sign-in", "/sign-in".to_owned()), place("reference", "/docs/api".to_owned())];
        outside.extend(
            SECTIONS.map(|section| place(&format!("reference-{section}"), format!("/docs/api/{section}"))),
        );

        outside.push(place("problems", "/problems".to_owned()));
        outside.push(place("problem", format!("/problems/{PROBLEM}")));

        let settings = format!("/w/{workspace}/settings");
        let developer = format!("{settings}/advanced/developer");
        let mut inside = vec![
            place("sessions", "/account/sessions".to_owned()),
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
        let mut of_developer =
            |name: &str, path: String| inside.push(place(name, format!("{developer}{path}")));
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
        Places { outside, inside, ids: vec![key, webhook, delivery, event, event_type, PROBLEM.to_owned()] }
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
