//! Lists in pages: newest first, by keyset, stable while things are added.

use std::fmt::Display;

use keybell_core::{Code, Problem, Timestamp};
use keybell_store::StoreError;
use keybell_store::ops::look::Looked;

use crate::problems::of_store;

/// Most entries of a page: enough for a table, little enough to answer quickly.
pub const PAGE_LIMIT_MAX: u32 = 250;
/// Entries of a page where none are asked for.
pub const PAGE_LIMIT_DEFAULT: u32 = 50;

/// Most entries that are counted where a page says how many there are.
pub const COUNTED_MAX: i64 = 1_000;

/// Rows of a log that one look for what fits a filter goes through: a few milliseconds of a reader's time, of which PostgreSQL
/// takes one for a thousand rows of each of two tables.
pub const LOOKED_AT_MAX: i64 = 1_000;

/// How many there are of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// All, as far as they were counted.
    pub all: i64,
    /// Those of them that are active.
    pub active: i64,
    /// Whether there may be more.
    pub or_more: bool,
}

impl Counted {
    /// Of what was counted up to one more than [`COUNTED_MAX`].
    pub(crate) fn of((all, active): (i64, i64)) -> Counted {
        Counted { all, active, or_more: all > COUNTED_MAX }
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    limit: u32,
    cursor: Option<String>,
}

/// A part of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// The entries.
    pub data: Vec<T>,
    /// What to ask with for the entries after these; `None` where there are none.
    pub next_cursor: Option<String>,
}

impl Default for Page {
    fn default() -> Self {
        Page { limit: PAGE_LIMIT_DEFAULT, cursor: None }
    }
}

impl Page {
    /// A page of `limit` entries (1 to [`PAGE_LIMIT_MAX`]) after those that `cursor` ended.
    pub fn new(limit: Option<u32>, cursor: Option<String>) -> Result<Page, Problem> {
        let limit = limit.unwrap_or(PAGE_LIMIT_DEFAULT);
        if !(1..=PAGE_LIMIT_MAX).contains(&limit) {
            let message = format!("must be from 1 to {PAGE_LIMIT_MAX}");
            return Err(Problem::field("limit", "out_of_range", message));
        }
        Ok(Page { limit, cursor })
    }

    /// How many entries to read: one more than the page holds, which tells whether there are more.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Where the page before this one ended, read by `parse`; `None` on the first page.
    pub fn after<T>(&self, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        parse(cursor).map(Some).ok_or_else(|| {
            Problem::new(Code::Malformed, "The cursor is not one of this list. Send next_cursor as it came.")
        })
    }

    /// The page made of `found`, which has up to [`Page::rows`] entries; `cursor` is what the last one shown ends with.
    pub fn listing<T>(&self, mut found: Vec<T>, cursor: impl Fn(&T) -> String) -> Listing<T> {
        let limit = self.limit as usize;
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = if more { found.last().map(cursor) } else { None };
        Listing { data: found, next_cursor }
    }

    /// The page of a log where a filter may fit next to nothing: up to `looks` looks, each from where the last one ended,
    /// until the page is full. `look` is given an id, below which it looks, and how many entries are still wanted; `id_of`
    /// says the id of one. A page that is not full goes on by its cursor where the last look ended.
    pub(crate) async fn looked<T, I, F>(
        &self,
        looks: usize,
        mut below: I,
        look: impl Fn(I, i64) -> F,
        id_of: impl Fn(&T) -> I,
    ) -> Result<Listing<T>, Problem>
    where
        I: Copy + Display,
        F: Future<Output = Result<Looked<T, I>, StoreError>>,
    {
        let (mut all, mut end) = (Vec::new(), None);
        for _ in 0..looks {
            let wanted = self.rows() - i64::try_from(all.len()).unwrap_or(0);
            let Looked { found, to } = look(below, wanted).await.map_err(of_store)?;
            all.extend(found);
            end = to;
            let Some(to) = to else { break };
            below = to;
        }
        let page = self.listing(all, |entry| id_of(entry).to_string());
        Ok(Listing { next_cursor: page.next_cursor.or_else(|| end.map(|end| end.to_string())), ..page })
    }
}

/// What a page ends with in a list by time and, within an instant, by name.
pub(crate) fn cursor(created_at: Timestamp, name: &str) -> String {
    format!("{}.{name}", created_at.micros())
}

/// Reads what [`cursor`] wrote.
pub(crate) fn read_cursor(text: &str) -> Option<(Timestamp, String)> {
    let (micros, name) = text.split_once('.')?;
    Some((Timestamp::from_micros(micros.parse().ok()?), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_by_time_and_name_is_read_as_it_was_written() {
        let at = Timestamp::from_micros(1_795_447_916_000_001);
        assert_eq!(read_cursor(&cursor(at, "portfolio.changed")), Some((at, "portfolio.changed".to_owned())));
        for other in ["", "1", "x.y", ".y"] {
            assert_eq!(read_cursor(other), None, "{other}");
        }
    }

    #[test]
    fn as_many_as_are_counted_are_all_and_one_more_may_not_be() {
        assert!(!Counted::of((COUNTED_MAX, 1)).or_more);
        assert!(Counted::of((COUNTED_MAX + 1, 1)).or_more);
    }

    #[test]
    fn limits_hold_at_their_ends() {
        for (limit, fits) in [(0, false), (1, true), (PAGE_LIMIT_MAX, true), (PAGE_LIMIT_MAX + 1, false)] {
            assert_eq!(Page::new(Some(limit), None).is_ok(), fits, "{limit}");
        }
    }

    #[test]
    fn a_cursor_is_given_only_where_there_is_more() {
        let page = Page::new(Some(2), None).expect("2 is within the limit");
        assert_eq!(page.listing(vec![3, 2], i32::to_string).next_cursor, None);
        let first = page.listing(vec![3, 2, 1], i32::to_string);
        assert_eq!((first.data, first.next_cursor), (vec![3, 2], Some("2".to_owned())));
    }
}
