//! The pages that are measured, each by its address: with every filter, the first page and a late one.

use keybell_core::key::{Brand, Environment, KeyId, PublicIdentifier};
use keybell_core::{DeliveryId, EventKey, Timestamp};

use super::fill::{Filled, KEYS, Place};

/// A page.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) what: String,
    pub(super) address: Address,
}

/// How a page is come by.
#[derive(Clone)]
pub(super) enum Address {
    /// By its path.
    Path(String),
    /// It is the last of the list that begins at this path.
    Last(String),
}

/// All of them.
pub(super) fn pages(place: &Place, filled: &Filled) -> Vec<Named> {
    let workspace = format!("/w/{}", place.workspace);
    let developer = format!("{workspace}/settings/advanced/developer");
    let mut found = Found(Vec::new());
    found.add("overview", &developer, &[""]);
    of_keys(&mut found, &developer, filled);
    of_webhooks(&mut found, &developer, place);
    of_deliveries(&mut found, &developer, place, filled);
    of_events(&mut found, &developer, place, filled);
    of_the_rest(&mut found, &workspace, place);
    found.0
}

struct Found(Vec<Named>);

impl Found {
    /// `path` with each of `tails` after it.
    fn add(&mut self, what: &str, path: &str, tails: &[&str]) {
        for tail in tails {
            let what = format!("{what}{}{tail}", if tail.starts_with('?') { " " } else { "" });
            self.0.push(Named { what, address: Address::Path(format!("{path}{tail}")) });
        }
    }

    /// The same, said in other words than the tail's.
    fn call(&mut self, what: &str, path: String) {
        self.0.push(Named { what: what.to_owned(), address: Address::Path(path) });
    }

    fn last(&mut self, what: &str, path: &str) {
        let address = Address::Last(path.to_owned());
        self.0.push(Named { what: format!("{what}, last page"), address });
    }
}

fn public(id: KeyId) -> String {
    let brand = Brand::parse("kb").expect("it is the default brand");
    PublicIdentifier { brand, kind: Environment::Live.kind(), id }.to_string()
}

fn of_keys(found: &mut Found, developer: &str, filled: &Filled) {
    let list = format!("{developer}/api-keys");
    // The newest that is neither off nor revoked.
    let id = public(filled.keys[KEYS - 5].id());
    let filters = [
        "",
        "?q=integration+77",
        "?q=nothing+like+it",
        "?status=active",
        "?status=revoked",
        "?status=expired",
        "?environment=live&sort=last_used",
        "?sort=name",
    ];
    found.add("keys", &list, &filters);
    found.call("keys ?q= an identifier", format!("{list}?q={id}"));
    found.last("keys", &list);
    found.add(
        "key",
        &format!("{list}/{id}"),
        &["", "?period=7d", "?period=30d", "/edit", "/revoke", "/rotate"],
    );
    found.add("keys", &list, &["/new"]);
}

fn of_webhooks(found: &mut Found, developer: &str, place: &Place) {
    let list = format!("{developer}/webhooks");
    found.add("webhooks", &list, &["", "/new"]);
    found.last("webhooks", &list);
    let busy = format!("{list}/{}", place.webhooks[0]);
    let parts = ["", "?period=7d", "?period=30d", "/edit", "/signing-secret", "/test", "/verify", "/delete"];
    found.add("webhook", &busy, &parts);
    let off = place.webhooks.len() - place.disabled;
    found.call("webhook, one that got nothing", format!("{list}/{}", place.webhooks[off - 1]));
    found.call("webhook, one that is off", format!("{list}/{}", place.webhooks[off]));
}

fn of_deliveries(found: &mut Found, developer: &str, place: &Place, filled: &Filled) {
    let list = format!("{developer}/deliveries");
    let ids = &filled.log.ids;
    let kind = |number: usize| &place.event_types[number];
    let rare = place.event_types.len() - 1;
    let event: EventKey = ids[ids.len() / 2].0;
    let cursor = |place: usize| -> DeliveryId { ids[place].1 };
    let filters = [
        ("", String::new()),
        ("status=pending", "status=pending".to_owned()),
        ("status=succeeded", "status=succeeded".to_owned()),
        ("status=failed", "status=failed".to_owned()),
        ("status=canceled (few, oldest)", "status=canceled".to_owned()),
        ("answer=2xx", "answer=2xx".to_owned()),
        ("answer=3xx (few, oldest)", "answer=3xx".to_owned()),
        ("answer=4xx (none)", "answer=4xx".to_owned()),
        ("answer=5xx", "answer=5xx".to_owned()),
        ("answer=none", "answer=none".to_owned()),
        ("event_type (frequent)", format!("event_type={}", kind(0))),
        ("event_type (few, oldest)", format!("event_type={}", kind(rare))),
        ("event_type (none)", "event_type=nothing.like_it".to_owned()),
        ("failed, event_type (few, oldest)", format!("status=failed&event_type={}", kind(rare))),
        ("failed, answer=4xx (none)", "status=failed&answer=4xx".to_owned()),
        ("of an event", format!("event_id={event}")),
        ("of an event, failed", format!("event_id={event}&status=failed")),
    ];
    let off = place.webhooks.len() - place.disabled;
    for (whose, webhook) in
        [("", None), (" of a busy webhook", Some(0)), (" of one that got nothing", Some(off - 1))]
    {
        let webhook = webhook.map(|number: usize| format!("webhook_id={}", place.webhooks[number]));
        for (what, filter) in &filters {
            let query: Vec<&str> = webhook.iter().map(String::as_str).chain([filter.as_str()]).collect();
            found.call(&format!("deliveries{whose} {what}"), format!("{list}?{}", query.join("&")));
        }
        for (what, at) in [("in the middle", ids.len() / 2), ("at the end", 60)] {
            let webhook = webhook.as_ref().map(|webhook| format!("&{webhook}")).unwrap_or_default();
            let path = format!("{list}?cursor={}{webhook}", cursor(at));
            found.call(&format!("deliveries{whose}, a page {what}"), path);
        }
    }
    found.call("delivery", format!("{list}/{}", filled.log.failed()));
    found.call("delivery, an old one", format!("{list}/{}", cursor(ids.len() / 2)));
    let few = format!("{list}/resend?status=failed&event_type={}", kind(rare));
    found.call("deliveries/resend, all that failed", format!("{list}/resend?status=failed"));
    found.call("deliveries/resend, all that succeeded", format!("{list}/resend?status=succeeded"));
    found.call(
        "deliveries/resend, failed of a webhook",
        format!("{list}/resend?status=failed&webhook_id={}", place.webhooks[0]),
    );
    found.call("deliveries/resend, failed of a rare type", few);
    found.call(
        "deliveries/resend, failed of an event",
        format!("{list}/resend?status=failed&event_id={event}"),
    );
}

fn of_events(found: &mut Found, developer: &str, place: &Place, filled: &Filled) {
    let list = format!("{developer}/events");
    let (ids, kinds) = (&filled.log.ids, &place.event_types);
    let frequent = &kinds[0];
    let rare = &kinds[kinds.len() - 1];
    let day = |at: Timestamp| at.to_string()[..16].to_owned();
    let middle = ids[ids.len() / 2].0;
    found.add("events", &list, &[""]);
    found.call("events ?type= (frequent)", format!("{list}?type={frequent}"));
    found.call("events ?type= (few, oldest)", format!("{list}?type={rare}"));
    found.call("events ?type= (none)", format!("{list}?type=nothing.like_it"));
    found.call("events ?from= ?to= (the middle)", {
        let (from, to) = (day(ids[ids.len() / 3].0.made_at()), day(middle.made_at()));
        format!("{list}?from={from}&to={to}")
    });
    found.call("events, a page in the middle", format!("{list}?cursor={middle}"));
    found.call("event", format!("{list}/{middle}"));
    found.add("catalogue", &format!("{developer}/event-catalogue"), &[""]);
    found.call("event type", format!("{developer}/event-catalogue/{frequent}"));
}

fn of_the_rest(found: &mut Found, workspace: &str, place: &Place) {
    let log = format!("{workspace}/settings/advanced/audit-log");
    let filters = [
        "",
        "?action=webhook.edited",
        "?action=workspace.renamed",
        "?actor=person-3",
        "?target=target-9",
        "?actor=nobody",
        "?actor=person-0&action=workspace.renamed",
    ];
    found.add("audit log", &log, &filters);
    let day =
        |days: u64| place.now.before(std::time::Duration::from_hours(24 * days)).to_string()[..16].to_owned();
    found.call("audit log ?from= ?to=", format!("{log}?from={}&to={}", day(9), day(8)));
    found.add("workspace", workspace, &["", "/settings", "/settings/members"]);
    found.add(
        "",
        "/",
        &[
            "account/sessions",
            "docs/api",
            "docs/api/api-keys",
            "docs/api/webhooks",
            "docs/api/deliveries",
            "docs/api/events",
            "problems",
            "problems/rate_limited",
        ],
    );
}
