//! How attempts went, as counts: how many succeeded and failed, and how long they took, in buckets that grow with the time.

/// Bits of a time that its bucket keeps: each power of two has eight buckets, so that a bucket's middle is at most 6 % off.
const KEPT_BITS: u32 = 3;
/// Times of this many microseconds or more, some 268 s, share the last bucket: no attempt may take so long.
const MICROS_END: u64 = 1 << 28;
/// How many buckets there are.
pub const BUCKETS: usize = ((28 - KEPT_BITS as usize) + 1) << KEPT_BITS;

/// The bucket of a time in microseconds.
fn bucket(micros: u64) -> u8 {
    let micros = micros.min(MICROS_END - 1);
    let place = match micros.checked_ilog2() {
        Some(power) if power >= KEPT_BITS => {
            let kept = (micros >> (power - KEPT_BITS)) - (1 << KEPT_BITS);
            ((u64::from(power - KEPT_BITS) + 1) << KEPT_BITS) + kept
        }
        _ => micros,
    };
    u8::try_from(place).expect("there are fewer than 256 buckets")
}

/// The middle of a bucket, in microseconds.
fn middle(bucket: u8) -> u64 {
    let (power, kept) = (u32::from(bucket >> KEPT_BITS), u64::from(bucket) & ((1 << KEPT_BITS) - 1));
    match power.checked_sub(1) {
        None => kept,
        Some(shift) => {
            let first = (kept + (1 << KEPT_BITS)) << shift;
            first + (((1_u64 << shift) - 1) >> 1)
        }
    }
}

/// How the attempts of some time went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptCounts {
    /// How many succeeded.
    pub succeeded: u64,
    /// How many failed, whether repeated or not.
    pub failed: u64,
    /// How many took how long: pairs of bucket and count, by bucket. Few at first: one for a webhook that answers evenly.
    durations: Vec<(u8, u64)>,
}

impl AttemptCounts {
    /// Counts an attempt that took `micros` microseconds.
    pub fn count(&mut self, succeeded: bool, micros: u64) {
        if succeeded {
            self.succeeded = self.succeeded.saturating_add(1);
        } else {
            self.failed = self.failed.saturating_add(1);
        }
        self.add_durations(bucket(micros), 1);
    }

    /// Adds what another counted; past 2⁶⁴ a count stays there.
    pub fn add(&mut self, other: &AttemptCounts) {
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.failed = self.failed.saturating_add(other.failed);
        for (bucket, count) in &other.durations {
            self.add_durations(*bucket, *count);
        }
    }

    /// Adds so many to a bucket, which is below [`BUCKETS`].
    pub fn add_durations(&mut self, bucket: u8, count: u64) {
        match self.durations.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(place) => self.durations[place].1 = self.durations[place].1.saturating_add(count),
            Err(place) => self.durations.insert(place, (bucket, count)),
        }
    }

    /// How many took how long: bucket and count, in the order of buckets. For the database.
    pub fn durations(&self) -> &[(u8, u64)] {
        &self.durations
    }

    /// The time in microseconds within which `per_cent` of the attempts were over, at most 6 % off; `None` where there was
    /// none.
    pub fn quantile_micros(&self, per_cent: u64) -> Option<u64> {
        let all: u128 = self.durations.iter().map(|(_, count)| u128::from(*count)).sum();
        let rank = (all * u128::from(per_cent)).div_ceil(100).max(1);
        let mut seen = 0;
        let reaches = self.durations.iter().find(|(_, count)| {
            seen += u128::from(*count);
            seen >= rank
        });
        reaches.map(|(bucket, _)| middle(*bucket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_go_up_without_a_gap_and_their_middles_are_close() {
        let mut last = 0;
        let mut micros = 0;
        while micros < MICROS_END {
            let here = bucket(micros);
            assert!(here == last || here == last + 1, "{micros}: {last} then {here}");
            assert!(middle(here).abs_diff(micros) * 16 <= micros, "{micros} is told as {}", middle(here));
            last = here;
            micros += 1 + micros / 500;
        }
        assert_eq!(usize::from(bucket(MICROS_END - 1)) + 1, BUCKETS);
        assert_eq!(bucket(u64::MAX), bucket(MICROS_END - 1), "past the end it stays there");
    }

    #[test]
    fn quantiles_are_of_all_attempts_whatever_became_of_them() {
        let mut counts = AttemptCounts::default();
        assert_eq!(counts.quantile_micros(50), None);
        (0..90).for_each(|_| counts.count(true, 1_000));
        (0..9).for_each(|_| counts.count(false, 100_000));
        counts.count(false, 15_000_000);
        assert_eq!((counts.succeeded, counts.failed), (90, 10));
        let close = |per_cent, micros: u64| {
            counts.quantile_micros(per_cent).is_some_and(|told| told.abs_diff(micros) * 16 <= micros)
        };
        assert!(close(50, 1_000) && close(90, 1_000) && close(95, 100_000));
        assert!(close(99, 100_000) && close(100, 15_000_000));
    }

    #[test]
    fn sums_are_what_counting_together_would_have_been() {
        let (mut left, mut right, mut both) =
            (AttemptCounts::default(), AttemptCounts::default(), AttemptCounts::default());
        for micros in [3, 70, 70, 9_000] {
            left.count(true, micros);
            both.count(true, micros);
        }
        for micros in [70, 1] {
            right.count(false, micros);
            both.count(false, micros);
        }
        left.add(&right);
        assert_eq!(left, both);
    }
}
