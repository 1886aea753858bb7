//! Choices that follow from a seed.

use std::time::Duration;

use keybell_testkit::random::SeededRandomness;

/// A source of choices. The same seed makes the same ones.
pub(crate) struct Dice(SeededRandomness);

impl Dice {
    /// The choices of `seed`.
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(SeededRandomness::new(seed))
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn from(&self, least: u64, most: u64) -> u64 {
        least + self.0.number() % (most - least + 1)
    }

    /// The same for counts.
    pub(crate) fn count(&self, least: usize, most: usize) -> usize {
        usize::try_from(self.from(least as u64, most as u64)).unwrap_or(most)
    }

    /// True in so many cases of a hundred.
    pub(crate) fn percent(&self, percent: u64) -> bool {
        self.from(1, 100) <= percent
    }

    /// One of `all`, which is not empty.
    pub(crate) fn one_of<'a, T>(&self, all: &'a [T]) -> &'a T {
        &all[self.count(0, all.len() - 1)]
    }

    /// A time between these, in milliseconds.
    pub(crate) fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.from(least, most))
    }
}
