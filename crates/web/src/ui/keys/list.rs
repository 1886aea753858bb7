//! The list of API keys, with what it is searched and filtered by in its address.

use axum::extract::State;
use axum::response::Response;
use keybell_app::keys::{KeyFilter, KeySort, SEARCH_CHARS_MAX};
use keybell_app::{App, Page};
use keybell_core::Timestamp;
use keybell_core::grant::{ManageKeys, ReadKeys};
use keybell_core::key::{ApiKey, Counts, Environment, KeyStatus};
use tokio::try_join;

use super::{list_of, old_secret};
use crate::envelope::base_url;
use crate::problem::Answer;
use crate::ui::back::Back;
use crate::ui::charts::{Outcomes, Sparkline, Timeline, grouped};
use crate::ui::fields::Fields;
use crate::ui::listed::{address, chosen, kept};
use crate::ui::period::Period;
use crate::ui::signed::Inside;
use crate::ui::view::frame::Section;
use crate::ui::view::keys::{KeyRow, KeysPage};
use crate::ui::view::parts::{Badge, Lately, Tone, When};
use crate::ui::{download, page};

/// How long before its end a key's expiry is a warning, in seconds: a week, to put another in its place.
const EXPIRES_SOON_SECONDS: u64 = 7 * 86_400;

const STATUSES: [(&str, &str); 5] = [
    ("", "Any"),
    ("active", "Active"),
    ("disabled", "Disabled"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
];
const ENVIRONMENTS: [(&str, &str); 3] = [("", "Any"), ("live", "live"), ("test", "test")];
const SORTS: [(&str, &str, KeySort); 4] = [
    ("", "Newest first", KeySort::Newest),
    ("name", "Name", KeySort::Name),
    ("last_used", "Last used first", KeySort::LastUse),
    ("expires", "Expires first", KeySort::Expiry),
];
/// The parameters that filter and sort.
pub(super) const FILTERS: [&str; 4] = ["q", "status", "environment", "sort"];

pub(super) async fn list(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let filter = filter(&query);
    let KeyFilter { status, environment, search, sort } = filter.clone();
    let cursor = query.cursor();
    let is_later_page = cursor.is_some();
    let now = app.now();
    // At the same time, though only the list says of which keys the use is shown: the database has both to find.
    let lately = Period::Month.question(now);
    let (listing, usage) = try_join!(
        app.list_keys(here.grant::<ReadKeys>()?, filter, Page::new(None, cursor)?),
        app.usage_by_key(here.grant::<ReadKeys>()?, lately),
    )?;
    let ids = listing.data.iter().map(|key| key.id).collect();
    let mut used = match usage {
        Some(usage) => usage.of_keys(&ids)?,
        None => app.usage_of_keys(here.grant::<ReadKeys>()?, ids, lately).await?,
    };

    let list = list_of(&here);
    let kept = kept(&query, &FILTERS);
    let newest = address(&list, &kept, None);
    let older = listing.next_cursor.map(|cursor| address(&list, &kept, Some(&cursor)));
    let base = base_url(&app);
    let download = (!listing.data.is_empty()).then(|| download::link(&list, &kept));
    Ok(page(&KeysPage {
        frame: here.frame(Section::Keys),
        is_filtered: search.is_some() || status.is_some() || environment.is_some(),
        search: search.unwrap_or_default(),
        statuses: chosen(&STATUSES, status.map_or("", KeyStatus::as_str)),
        environments: chosen(&ENVIRONMENTS, environment.map_or("", Environment::as_str)),
        sorts: SORTS.map(|(word, label, known)| (word, label, known == sort)).into(),
        rows: listing
            .data
            .into_iter()
            .map(|key| KeyRow {
                use_lately: used.remove(&key.id).map(use_lately),
                ..row(&app, &here, &list, key, now)
            })
            .collect(),
        may_create: here.grant::<ManageKeys>().is_ok(),
        back: Back::at(list_of(&here), &FILTERS, &query).query(),
        download,
        older,
        is_later_page,
        newest,
        curl: format!("curl -i {base}/v1/forward-auth \\\n  -H \"Authorization: Bearer $SECRET_KEY\""),
        list,
    })?)
}

/// What the address filters and sorts by.
pub(super) fn filter(query: &Fields) -> KeyFilter {
    let sort = SORTS.iter().find(|(word, ..)| *word == query.one("sort"));
    KeyFilter {
        status: KeyStatus::parse(query.one("status")),
        environment: Environment::parse(query.one("environment")),
        search: query.some("q").map(|text| text.chars().take(SEARCH_CHARS_MAX).collect()),
        sort: sort.map_or(KeySort::Newest, |sort| sort.2),
    }
}

/// A key as a row of the list, and as the head of its own page.
pub(super) fn row(app: &App, here: &Inside, list: &str, key: ApiKey, now: Timestamp) -> KeyRow {
    let status = key.status(now);
    let id = key.public_identifier(app.brand()).to_string();
    let may_manage = status != KeyStatus::Revoked && here.may::<ManageKeys>(&key.created_by.id);
    let previous = old_secret(&key, now);
    KeyRow {
        href: format!("{list}/{id}"),
        id,
        name: key.name,
        description: key.description,
        environment: key.environment.as_str(),
        scopes: key.scopes,
        created: When::day(key.created_at),
        created_by: key.created_by.name,
        last_used: key.last_used_at.map(When::near),
        last_used_from: key.last_used_from,
        use_lately: None,
        expires: key.expires_at.map(When::day),
        expiry_badge: key
            .expires_at
            .filter(|_| status == KeyStatus::Active)
            .and_then(|at| expiry_badge(at, now)),
        status: badge(status),
        previous: previous.map(|previous| When::near(previous.expires_at)),
        may_edit: may_manage,
        may_revoke: may_manage,
    }
}

/// The use of a key in the last 30 days: `1,204 requests in 30 days, 12 refused`.
fn use_lately(used: Vec<(Timestamp, Counts)>) -> Lately {
    let used = Timeline::of(used, Period::Month.step(), |sum: &mut Counts, more| *sum += *more)
        .map(Outcomes::of_requests);
    let sum = Outcomes::sum(used.values());
    let requests = if sum.all() == 1 { "request" } else { "requests" };
    let refused = if sum.bad == 0 { String::new() } else { format!(", {} refused", grouped(sum.bad)) };
    let said = format!("{} {requests} in 30 days{refused}", grouped(sum.all()));
    Lately { spark: Sparkline::of(&used), said }
}

fn expiry_badge(at: Timestamp, now: Timestamp) -> Option<Badge> {
    (at.since(now).as_secs() < EXPIRES_SOON_SECONDS).then(|| Badge::new(Tone::Warn, "Soon"))
}

fn badge(status: KeyStatus) -> Badge {
    match status {
        KeyStatus::Active => Badge::new(Tone::Good, "Active"),
        KeyStatus::Disabled => Badge::new(Tone::Warn, "Disabled"),
        KeyStatus::Expired => Badge::new(Tone::Bad, "Expired"),
        KeyStatus::Revoked => Badge::new(Tone::Plain, "Revoked"),
    }
}
