//! Base62, `0-9A-Za-z` in that order, as keys are written in it: nothing in them needs escaping anywhere.

use zeroize::Zeroizing;

use crate::Randomness;

pub(super) const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The largest multiple of 62 in a byte. A byte from here on is thrown away, so that every digit is equally likely.
const FAIR_BYTES: u8 = 248;

/// Draws of 64 bytes after which the source is broken: one draw yields 62 digits on average, and a key has 44.
const DRAWS_MAX: u32 = 64;

/// Fills `digits` with random digits by rejection sampling. Panics where the source gives the same few bytes for ever.
pub(super) fn fill(digits: &mut [u8], randomness: &dyn Randomness) {
    let mut filled = 0;
    for _ in 0..DRAWS_MAX {
        let drawn = Zeroizing::new(randomness.bytes::<64>());
        for byte in drawn.iter().filter(|byte| **byte < FAIR_BYTES) {
            if filled == digits.len() {
                return;
            }
            digits[filled] = ALPHABET[usize::from(byte % 62)];
            filled += 1;
        }
        if filled == digits.len() {
            return;
        }
    }
    panic!("the source of randomness gives nothing but bytes from {FAIR_BYTES} on");
}

/// Whether all of `text` are digits.
pub(super) fn is_base62(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_alphanumeric)
}

/// `number` in six digits, the most significant first.
pub(super) fn of_u32(number: u32) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    struct Counting(AtomicU8);
    impl Randomness for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    #[test]
    fn numbers_are_padded_on_the_left_and_the_greatest_fits() {
        assert_eq!(&of_u32(0), b"000000");
        assert_eq!(&of_u32(61), b"00000z");
        assert_eq!(&of_u32(62), b"000010");
        assert_eq!(&of_u32(u32::MAX), b"4gfFC3");
    }

    #[test]
    fn every_digit_is_equally_likely_over_all_bytes() {
        let mut digits = [0; 248];
        fill(&mut digits, &Counting(AtomicU8::new(0)));
        digits.sort_unstable();
        assert_eq!(digits.to_vec(), ALPHABET.iter().flat_map(|letter| [*letter; 4]).collect::<Vec<_>>());
    }

    #[test]
    #[should_panic(expected = "the source of randomness")]
    fn a_source_that_is_stuck_ends_in_a_panic_and_not_in_a_loop() {
        struct Stuck;
        impl Randomness for Stuck {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(0xff);
            }
        }
        fill(&mut [0; 32], &Stuck);
    }
}
