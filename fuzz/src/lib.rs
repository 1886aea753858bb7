//! What the fuzz targets share: where they begin, and how an input is cut into the values of headers.
//!
//! Inputs are lines, since no header can hold a line feed: a finding can be read, and a mutation of one value leaves the
//! others where they are. Bytes that no header can hold stand for what no mutation would find, such as a secret key.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The mutation of all targets: libFuzzer's own, but a run begins with each of `stories`.
///
/// So no corpus has to be kept in the repository, and a run that begins with none still begins on the deep paths. The
/// other arguments are those of `libfuzzer_sys::fuzz_mutator!`.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, stories: &[&[u8]]) -> usize {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let next = stories.get(TOLD.load(Ordering::Relaxed));
    let Some(story) = next.filter(|story| story.len() <= max_size) else {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    };
    TOLD.fetch_add(1, Ordering::Relaxed);
    data[..story.len()].copy_from_slice(story);
    story.len()
}

/// The lines of an input.
pub fn lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|byte| *byte == b'\n')
}
