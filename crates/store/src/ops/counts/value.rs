//! One value with the counts of many: the form byte, then an entry for each, in the order of their IDs. An entry is the ID
//! and what is counted of it.

use std::marker::PhantomData;

use super::numbers::CORRUPT;
use crate::error::StoreError;

/// What every value begins with, so that a later form can be told from this one.
pub(in crate::ops) const FORM: u8 = 1;

/// A value that has no counts.
pub(in crate::ops) const NOTHING: &[u8] = &[FORM];

/// What is counted, of whom, and how it is written.
pub(in crate::ops) trait Counted {
    /// Of whom. The order of IDs is that of their bytes.
    type Id: Copy + Ord;
    /// What is counted of each.
    type Counts: Default;
    /// How long an ID is.
    const ID_BYTES: usize;
    /// How long an entry is at most, its ID included.
    const ENTRY_BYTES_MAX: usize;
    /// About how many entries make a row of a kilobyte, which PostgreSQL keeps where the row is.
    const ROW_ENTRIES: usize;

    /// The bytes of an ID.
    fn id_bytes(id: &Self::Id) -> &[u8];

    /// Writes what is counted of one, without its ID.
    fn push(out: &mut Vec<u8>, counts: &Self::Counts);

    /// Reads what [`push`](Counted::push) wrote at the beginning of `rest`, and adds it to `sum`.
    fn read(rest: &mut &[u8], sum: &mut Self::Counts) -> Result<(), StoreError>;

    /// The same of how things ended, without what lists and sums of many do not show.
    fn read_outcomes(rest: &mut &[u8], sum: &mut Self::Counts) -> Result<(), StoreError>;

    /// Goes past it.
    fn pass_over(rest: &mut &[u8]) -> Result<(), StoreError>;

    /// Adds to `sum`.
    fn add(sum: &mut Self::Counts, more: &Self::Counts);
}

/// What is to be added, in the order of IDs.
pub(super) type Added<'a, C> = Vec<(&'a <C as Counted>::Id, &'a <C as Counted>::Counts)>;

/// An entry, by its ID and whole.
type Entry<'a> = (&'a [u8], &'a [u8]);

/// The entries of a value.
pub(in crate::ops) struct Entries<'a, C> {
    rest: &'a [u8],
    counted: PhantomData<C>,
}

impl<'a, C: Counted> Entries<'a, C> {
    /// The entries of `value`, which is corrupt where it is of another form.
    pub(in crate::ops) fn of(value: &'a [u8]) -> Result<Self, StoreError> {
        let rest = value.strip_prefix(&[FORM]).ok_or(CORRUPT)?;
        Ok(Entries { rest, counted: PhantomData })
    }

    /// Whose entry is next; `None` at the end. What is counted comes after it, and is to be read or passed over.
    pub(in crate::ops) fn next_id(&mut self) -> Result<Option<&'a [u8]>, StoreError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let Some((id, rest)) = self.rest.split_at_checked(C::ID_BYTES) else { return Err(CORRUPT) };
        self.rest = rest;
        Ok(Some(id))
    }

    /// Adds the outcomes of the one whose ID was read.
    pub(in crate::ops) fn add_outcomes_to(&mut self, sum: &mut C::Counts) -> Result<(), StoreError> {
        C::read_outcomes(&mut self.rest, sum)
    }

    /// Goes past it.
    pub(in crate::ops) fn pass_over(&mut self) -> Result<(), StoreError> {
        C::pass_over(&mut self.rest)
    }

    /// The next entry; `None` at the end.
    fn next_entry(&mut self) -> Result<Option<Entry<'a>>, StoreError> {
        let begin = self.rest;
        let Some(id) = self.next_id()? else { return Ok(None) };
        self.pass_over()?;
        Ok(Some((id, &begin[..begin.len() - self.rest.len()])))
    }
}

/// The value `stored` with `added` to it. Entries that nothing is added to are copied as they are.
pub(super) fn add<C: Counted>(stored: &[u8], added: &Added<'_, C>) -> Result<Vec<u8>, StoreError> {
    let mut out = Vec::with_capacity(stored.len() + added.len() * C::ENTRY_BYTES_MAX.min(32));
    out.push(FORM);
    let mut entries = Entries::<C>::of(stored)?;
    let mut next = entries.next_entry()?;
    for (id, counts) in added {
        let id = C::id_bytes(id);
        while let Some((_, entry)) = next.filter(|(known, _)| *known < id) {
            out.extend_from_slice(entry);
            next = entries.next_entry()?;
        }
        out.extend_from_slice(id);
        match next.filter(|(known, _)| *known == id) {
            None => C::push(&mut out, counts),
            Some((_, entry)) => {
                let mut sum = C::Counts::default();
                C::read(&mut &entry[C::ID_BYTES..], &mut sum)?;
                C::add(&mut sum, counts);
                C::push(&mut out, &sum);
                next = entries.next_entry()?;
            }
        }
    }
    while let Some((_, entry)) = next {
        out.extend_from_slice(entry);
        next = entries.next_entry()?;
    }
    Ok(out)
}

/// How many entries `value` has.
pub(super) fn count<C: Counted>(value: &[u8]) -> Result<usize, StoreError> {
    let (mut entries, mut count) = (Entries::<C>::of(value)?, 0);
    while entries.next_entry()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Hands each entry of `value` over, in order, by its ID and whole.
pub(super) fn each<C: Counted>(value: &[u8], mut told: impl FnMut(&[u8], &[u8])) -> Result<(), StoreError> {
    let mut entries = Entries::<C>::of(value)?;
    while let Some((id, entry)) = entries.next_entry()? {
        told(id, entry);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::numbers;
    use super::*;

    /// Numbers by letters.
    struct Letters;

    impl Counted for Letters {
        type Id = [u8; 1];
        type Counts = u64;
        const ID_BYTES: usize = 1;
        const ENTRY_BYTES_MAX: usize = 1 + numbers::BYTES_MAX;
        const ROW_ENTRIES: usize = 2;

        fn id_bytes(id: &[u8; 1]) -> &[u8] {
            id
        }

        fn push(out: &mut Vec<u8>, count: &u64) {
            numbers::push(out, *count);
        }

        fn read(rest: &mut &[u8], sum: &mut u64) -> Result<(), StoreError> {
            *sum = sum.saturating_add(numbers::read(rest)?);
            Ok(())
        }

        fn read_outcomes(rest: &mut &[u8], sum: &mut u64) -> Result<(), StoreError> {
            Self::read(rest, sum)
        }

        fn pass_over(rest: &mut &[u8]) -> Result<(), StoreError> {
            numbers::pass_over(rest)
        }

        fn add(sum: &mut u64, more: &u64) {
            *sum = sum.saturating_add(*more);
        }
    }

    /// `value` with those added, such as `a1 b20`.
    fn with(value: &[u8], added: &str) -> Vec<u8> {
        let added: Vec<([u8; 1], u64)> = added
            .split_whitespace()
            .map(|pair| ([pair.as_bytes()[0]], pair[1..].parse().expect("a number")))
            .collect();
        let added = added.iter().map(|(id, count)| (id, count)).collect();
        add::<Letters>(value, &added).expect("it is well formed")
    }

    fn decoded(value: &[u8]) -> String {
        let (mut entries, mut out) =
            (Entries::<Letters>::of(value).expect("it was just written"), Vec::new());
        while let Some(id) = entries.next_id().expect("it was just written") {
            let mut count = 0;
            entries.add_outcomes_to(&mut count).expect("it was just written");
            out.push(format!("{}{count}", char::from(id[0])));
        }
        out.join(" ")
    }

    #[test]
    fn what_is_added_comes_in_order_between_what_is_there_and_on_top_of_it() {
        let there = with(NOTHING, "b1 d2 f300");
        for (added, sum) in [
            ("", "b1 d2 f300"),
            ("d10", "b1 d12 f300"),
            ("a7 b10 e8 g9", "a7 b11 d2 e8 f300 g9"),
            ("f18446744073709551615", "b1 d2 f18446744073709551615"),
        ] {
            let value = with(&there, added);
            assert_eq!(
                (decoded(&value), count::<Letters>(&value).ok()),
                (sum.to_owned(), Some(sum.split(' ').count()))
            );
        }
        assert_eq!(with(NOTHING, ""), NOTHING);
    }

    #[test]
    fn what_is_cut_off_or_of_another_form_is_corrupt_and_no_panic() {
        let whole = with(NOTHING, "z300");
        for cut in (0..whole.len()).filter(|cut| *cut != 1) {
            assert!(add::<Letters>(&whole[..cut], &Vec::new()).is_err(), "{cut}");
        }
        let other = [&[2], &whole[1..]].concat();
        assert!(add::<Letters>(&other, &Vec::new()).is_err());
    }
}
