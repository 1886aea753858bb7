//! The way back to the list of keys as somebody had it, with its filter and its page, through the forms that a row leads to.

use crate::ui::fields::Fields;
use crate::ui::listed::{address, kept};
use crate::ui::signed::Inside;

use super::list::FILTERS;
use super::list_of;

/// Where in the list somebody was: by the list's own words only, so that nobody leads elsewhere by a link or a form.
pub(super) struct Back {
    list: String,
    kept: Vec<(&'static str, String)>,
    cursor: Option<String>,
}

impl Back {
    /// What `query` says of the list itself.
    pub(super) fn at(here: &Inside, query: &Fields) -> Back {
        Back { list: list_of(here), kept: kept(query, &FILTERS), cursor: query.cursor() }
    }

    /// What a link or a form says of it, in its field `back`.
    pub(super) fn of(here: &Inside, said: &Fields) -> Back {
        Back::at(here, &Fields::read(said.one("back").trim_start_matches('?').as_bytes()))
    }

    /// The list as it was.
    pub(super) fn address(&self) -> String {
        address(&self.list, &self.kept, self.cursor.as_deref())
    }

    /// The same after something was done, which it says.
    pub(super) fn done(&self, word: &str) -> String {
        let mut kept = self.kept.clone();
        kept.push(("done", word.to_owned()));
        address(&self.list, &kept, self.cursor.as_deref())
    }

    /// What a form carries in its field `back`; empty for the list as it begins.
    pub(super) fn said(&self) -> String {
        address("", &self.kept, self.cursor.as_deref())
    }

    /// The same as what follows the path of a link.
    pub(super) fn query(&self) -> String {
        let said = self.said();
        if said.is_empty() { said } else { address("", &[("back", said)], None) }
    }

    /// The same as fields of a form that leads there itself.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        let cursor = self.cursor.clone().map(|cursor| ("cursor", cursor));
        self.kept.iter().cloned().chain(cursor).collect()
    }
}
