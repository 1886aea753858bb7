//! Randomness as an argument: the operating system's in the binary, a seeded one in tests.

/// A source of random bytes fit for secrets, shared between threads.
pub trait Randomness: Send + Sync + 'static {
    /// Fills `bytes`. It never fails: the binary's source ends the process where the operating system gives none.
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn Randomness {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A uniform 64-bit number: the dice of jitter and of fair choices.
    pub fn dice(&self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }
}
