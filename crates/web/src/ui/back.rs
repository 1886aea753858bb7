//! The way back to a list as somebody had it, with its filter and its page, through the forms that it leads to.

use super::fields::Fields;
use super::listed::{address, kept};

/// Where in a list somebody was: by the list's own words only, so that nobody leads elsewhere by a link or a form.
pub(super) struct Back {
    list: String,
    kept: Vec<(&'static str, String)>,
    cursor: Option<String>,
}

impl Back {
    /// What `query` says of the list at `list` itself, whose filter has the parameters `filters`.
    pub(super) fn at(list: String, filters: &[&'static str], query: &Fields) -> Back {
        Back { list, kept: kept(query, filters), cursor: query.cursor() }
    }

    /// What a link or a form says of it, in its field `back`.
    pub(super) fn of(list: String, filters: &[&'static str], said: &Fields) -> Back {
        Back::at(list, filters, &Fields::read(said.one("back").trim_start_matches('?').as_bytes()))
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
