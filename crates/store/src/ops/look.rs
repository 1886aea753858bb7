//! A look at a log that ends after so many rows, however few of them are meant: a filter that fits next to nothing has
//! everything gone through, and nobody who reads is to keep the others waiting for that.

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked<T, I> {
    /// What is meant, newest first.
    pub found: Vec<T>,
    /// Where the look ended before it had found as much as was wanted: nothing below this was looked at.
    pub to: Option<I>,
}

impl<T, I> Looked<T, I> {
    /// A look that wanted `rows` at most, found `found` and went `to` there. Where it found them all, the last of them says
    /// where to go on.
    pub(super) fn at_most(rows: i64, mut found: Vec<T>, to: Option<I>) -> Looked<T, I> {
        let rows = usize::try_from(rows).unwrap_or(0);
        let is_full = found.len() >= rows;
        found.truncate(rows);
        Looked { found, to: to.filter(|_| !is_full) }
    }
}
