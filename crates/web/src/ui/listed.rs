//! What the pages of long lists share: the filter stays in the address while the pages are turned, and a list that could not
//! be read is not shown as an empty one.

use axum::response::Response;
use keybell_app::Listing;
use keybell_app::page::PAGE_LIMIT_DEFAULT;
use keybell_core::id::{Id, Kind};
use keybell_core::{Code, Problem};

use super::fields::Fields;
use super::view::parts::When;
use super::{page, page_refused};

/// The parameters of `names` that the address has.
pub(super) fn kept(query: &Fields, names: &[&'static str]) -> Vec<(&'static str, String)> {
    names.iter().filter_map(|name| Some((*name, query.some(name)?))).collect()
}

/// The choices of a filter, of the words and labels that are `known`: word, label, whether chosen.
pub(super) fn chosen(
    known: &[(&'static str, &'static str)],
    chosen: &str,
) -> Vec<(&'static str, &'static str, bool)> {
    known.iter().map(|(word, label)| (*word, *label, *word == chosen)).collect()
}

/// The address of `list` with the parameters `kept`, from `cursor` on where one is given.
pub(super) fn address(list: &str, kept: &[(&'static str, String)], cursor: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(kept);
    query.extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
    let query = query.finish();
    if query.is_empty() { list.to_owned() } else { format!("{list}?{query}") }
}

/// What was read; where it could not be, an empty list and why, so that the page can say so and offer its filter again. What
/// is wrong with the request itself is a page of its own.
pub(super) fn loaded<T>(read: Result<Listing<T>, Problem>) -> Result<(Listing<T>, Option<Problem>), Problem> {
    match read {
        Ok(listing) => Ok((listing, None)),
        Err(problem) if matches!(problem.code, Code::Unavailable | Code::Internal) => {
            Ok((Listing { data: Vec::new(), next_cursor: None }, Some(problem)))
        }
        Err(problem) => Err(problem),
    }
}

/// How far back was looked for what a filter means, where the page is short though there is more to look at: the list goes on
/// there, by an id that tells its time.
pub(super) fn looked_to<K: Kind, T>(found: &Listing<T>) -> Option<When> {
    let cursor = found.next_cursor.as_deref().filter(|_| found.data.len() < PAGE_LIMIT_DEFAULT as usize)?;
    Some(When::at(Id::<K>::parse(cursor)?.made_at()))
}

/// The page of a list: with the status of why it could not be read, where it could not.
pub(super) fn list_page(
    view: &impl askama::Template,
    problem: Option<&Problem>,
) -> Result<Response, Problem> {
    problem.map_or_else(|| page(view), |problem| page_refused(view, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_stays_while_the_pages_are_turned() {
        let kept = [("type", "a&b".to_owned()), ("from", "2026-11-23T09:30".to_owned())];
        assert_eq!(
            address("/events", &kept, Some("evt_1")),
            "/events?type=a%26b&from=2026-11-23T09%3A30&cursor=evt_1"
        );
        assert_eq!(address("/events", &[], None), "/events");
    }

    #[test]
    fn a_list_that_could_not_be_read_is_told_apart_from_one_that_was_asked_for_wrongly() {
        let read = |code: Code| loaded::<u8>(Err(Problem::from(code)));
        for code in [Code::Unavailable, Code::Internal] {
            let (listing, problem) = read(code).expect("it is told on the page");
            assert!(listing.data.is_empty() && problem.is_some_and(|problem| problem.code == code));
        }
        assert_eq!(read(Code::Malformed).err().map(|problem| problem.code), Some(Code::Malformed));
    }

    #[test]
    fn a_short_page_that_goes_on_says_how_far_back_was_looked() {
        let at = keybell_core::Timestamp::from_seconds(1_795_447_916);
        let cursor = keybell_core::DeliveryId::first_of(at).to_string();
        let listing = |entries: u32, next_cursor: Option<&str>| Listing {
            data: vec![(); entries as usize],
            next_cursor: next_cursor.map(str::to_owned),
        };
        let to = |listing: &Listing<()>| {
            looked_to::<keybell_core::id::kind::Delivery, _>(listing).map(When::exact)
        };
        assert_eq!(to(&listing(0, Some(&cursor))), Some(at.to_string()));
        assert_eq!(to(&listing(PAGE_LIMIT_DEFAULT - 1, Some(&cursor))), Some(at.to_string()));
        assert_eq!(to(&listing(PAGE_LIMIT_DEFAULT, Some(&cursor))), None, "the page is full");
        assert_eq!(to(&listing(3, None)), None, "there is no more");
    }
}
