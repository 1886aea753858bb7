//! Which rows the counts of a workspace in one minute, hour or day are in.
//!
//! They begin as one row, the whole. When it has more entries than a row is to have, it is cut in halves by a number made of
//! the ID, and the halves in halves, [`LEVEL_MAX`] times at most. So a workspace with three keys writes one row, and of one
//! with a thousand a sixteenth is read to find one key.
//!
//! Parts are numbered as the nodes of a binary heap are: 1 is the whole, 2 and 3 are its halves, 4 to 7 their halves. Rows of
//! one time and node are all of one level, those of different times and nodes need not be.

/// How often a row is halved at most: the counts of 1,000 keys are rows of a kilobyte then.
const LEVEL_MAX: u32 = 4;

/// Every part that there may be, as a list of SQL: what the key of the table has before the time, so that those of all parts
/// are found by index.
macro_rules! every_part {
    () => {
        "(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31)"
    };
}
pub(in crate::ops) use every_part;

/// The first part of each level. Where there is any row of a time and node, there is one of these: they are made when rows
/// are halved, whether or not anything is in them, and go last. So whether there is anything is asked of five parts.
macro_rules! first_parts {
    () => {
        "(1, 2, 4, 8, 16)"
    };
}
pub(in crate::ops) use first_parts;

/// Every part as rows of one column, `part`.
macro_rules! each_part {
    () => {
        "WITH RECURSIVE each (part) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT part + 1 FROM each WHERE part < 31) \
         SELECT part FROM each"
    };
}
pub(in crate::ops) use each_part;

/// How many levels there are.
pub(in crate::ops) const LEVELS: usize = LEVEL_MAX as usize + 1;

/// The parts that something with this ID may be in, one of each level.
pub(in crate::ops) fn that_may_have(id: &[u8]) -> [i64; LEVELS] {
    let mut level = 0;
    [(); LEVELS].map(|()| {
        let part = at_level(level, id);
        level += 1;
        part
    })
}

/// The part of that level that something with this ID is in.
pub(super) fn at_level(level: u32, id: &[u8]) -> i64 {
    let number = id.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
    let parts = 1 << level;
    parts | (i64::from(number) & (parts - 1))
}

/// The first part of a level.
pub(super) fn first_of(level: u32) -> i64 {
    1 << level
}

/// The level of a part.
pub(super) fn level_of(part: i64) -> u32 {
    part.max(1).ilog2()
}

/// The level at which `entries` entries are rows of `row_entries` or fewer, more or less.
pub(super) fn level_for(entries: usize, row_entries: usize) -> u32 {
    entries.div_ceil(row_entries).max(1).next_power_of_two().ilog2().min(LEVEL_MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_part_of_each_level_may_have_an_id_each_half_of_the_one_before() {
        for id in ["000000000000", "zzzzzzzzzzzz", "4kQb2XyAA01z"] {
            let parts = that_may_have(id.as_bytes());
            assert_eq!(parts[0], 1, "the whole has everything");
            for (level, part) in (0..).zip(parts) {
                assert_eq!((level_of(part), part), (level, at_level(level, id.as_bytes())));
            }
        }
    }

    #[test]
    fn every_part_is_on_the_list_and_has_something() {
        let list = |text: &str| {
            let parts = text.trim_matches(['(', ')']).split(", ");
            parts.map(|part| part.parse().expect("a number")).collect::<BTreeSet<i64>>()
        };
        let first = (0..=LEVEL_MAX).map(first_of).collect();
        assert_eq!(list(first_parts!()), first);
        let listed = list(every_part!());
        let highest = listed.last().expect("it has some");
        assert!(each_part!().contains(&format!("WHERE part < {highest})")), "it ends there too");
        let had: BTreeSet<i64> = (0..=u8::MAX).flat_map(|byte| that_may_have(&[byte])).collect();
        assert_eq!(listed, had);
    }

    #[test]
    fn rows_are_halved_when_they_are_full_and_no_more_than_so_often() {
        let levels =
            [0, 1, 64, 65, 128, 129, 1_000, 1_024, 1_025, 1_000_000].map(|entries| level_for(entries, 64));
        assert_eq!(levels, [0, 0, 0, 1, 1, 2, 4, 4, 4, 4]);
    }
}
