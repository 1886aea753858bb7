//! What happened, line by line: hashed always, so that two runs can be compared, and printed where somebody wants to read
//! it.

use std::fmt::Arguments;

use keybell_core::Timestamp;

/// The lines of one run.
pub(crate) struct Trace {
    start: Timestamp,
    hash: u64,
    lines: u64,
    print: bool,
}

impl Trace {
    /// An empty one; `start` is the moment from which its times count.
    pub(crate) fn new(start: Timestamp, print: bool) -> Trace {
        // FNV-1a's offset.
        Trace { start, hash: 0xcbf2_9ce4_8422_2325, lines: 0, print }
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, at: Timestamp, what: Arguments<'_>) {
        let since = at.since(self.start);
        let line = format!("{:>5}.{:06} {what}", since.as_secs(), since.subsec_micros());
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.lines += 1;
        if self.print {
            println!("{line}");
        }
    }

    /// The hash of all lines, and how many there are.
    pub(crate) fn sum(&self) -> (u64, u64) {
        (self.hash, self.lines)
    }
}
