//! The event types by their groups, searched by the address.

use axum::extract::State;
use axum::response::Response;
use keybell_app::App;
use keybell_app::event_types::EventType;
use keybell_core::operator_event::is_reserved;

use super::{list_of, new_webhook};
use crate::problem::Answer;
use crate::ui::fields::Fields;
use crate::ui::page;
use crate::ui::signed::Inside;
use crate::ui::view::catalogue::{CatalogueGroup, CataloguePage, CatalogueRow};
use crate::ui::view::frame::Section;
use crate::ui::webhooks::event_types;

/// Most event types of a page: a large catalogue has some dozens, and the largest allowed one 10,000.
const ROWS_MAX: usize = 200;
/// Most characters that are searched for.
const SEARCH_CHARS_MAX: usize = 200;

pub(super) async fn list(State(app): State<App>, here: Inside, query: Fields) -> Answer<Response> {
    let search: String = query.some("q").unwrap_or_default().chars().take(SEARCH_CHARS_MAX).collect();
    let number = query.one("page").parse::<usize>().unwrap_or(1).max(1);
    let mut found = event_types(&app)?;
    found.retain(|kind| fits(kind, &search));
    // The platform's own first: Keybell's are always there, and say nothing of the platform.
    found.sort_by_key(|kind| is_reserved(&kind.name));
    let many = found.len();
    let before = (number - 1).saturating_mul(ROWS_MAX);
    let list = list_of(&here);
    let turned = |number: usize| address(&list, &search, number);
    Ok(page(&CataloguePage {
        frame: here.frame(Section::Catalogue),
        groups: groups(found.into_iter().skip(before).take(ROWS_MAX), &list),
        many,
        new_webhook: new_webhook(&here),
        previous: (number > 1).then(|| turned(number - 1)),
        next: (before.saturating_add(ROWS_MAX) < many).then(|| turned(number + 1)),
        search,
        list,
    })?)
}

/// Whether every word that is searched for is in the name, the group or the description.
fn fits(kind: &EventType, search: &str) -> bool {
    let text = format!("{} {} {}", kind.name, kind.group, kind.description).to_lowercase();
    search.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

fn groups(found: impl Iterator<Item = EventType>, list: &str) -> Vec<CatalogueGroup> {
    let mut groups: Vec<CatalogueGroup> = Vec::new();
    for kind in found {
        if groups.last().is_none_or(|group| group.name != kind.group) {
            let is_own = is_reserved(&kind.group);
            groups.push(CatalogueGroup { name: kind.group.clone(), is_own, event_types: Vec::new() });
        }
        let href = format!("{list}/{}", kind.name);
        let row = CatalogueRow { name: kind.name, href, description: kind.description };
        groups.last_mut().expect("one was just pushed").event_types.push(row);
    }
    groups
}

fn address(list: &str, search: &str, number: usize) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !search.is_empty() {
        query.append_pair("q", search);
    }
    if number > 1 {
        query.append_pair("page", &number.to_string());
    }
    let query = query.finish();
    if query.is_empty() { list.to_owned() } else { format!("{list}?{query}") }
}
