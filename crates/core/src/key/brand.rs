//! The brand: the first word of every key of an installation, chosen once by its operator.

use std::fmt;

/// Most characters of a brand.
const BRAND_CHARS_MAX: usize = 10;

/// First words that belong to others: a scanner would report our keys to them.
const TAKEN: [&str; 19] = [
    "sk", "pk", "rk", "ghp", "gho", "ghu", "ghs", "ghr", "github", "glpat", "xox", "akia", "asia", "sb",
    "vcp", "vck", "whsec", "whsk", "whpk",
];

/// The first word of every key of an installation: `[a-z][a-z0-9]{1,9}`, and nobody else's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Brand {
    chars: [u8; BRAND_CHARS_MAX],
    length: u8,
}

/// Why a word cannot be a brand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBrand {
    /// It is not 2 to 10 characters of `a`–`z` and `0`–`9` that begin with a letter.
    #[error("a key prefix is 2 to 10 characters of a-z and 0-9, and begins with a letter")]
    Shape,
    /// Scanners take keys that begin with it for another company's.
    #[error("secret scanners take keys that begin with this word for another company's; choose another")]
    Taken,
}

impl Brand {
    /// The brand of that word.
    pub fn parse(word: &str) -> Result<Brand, BadBrand> {
        let bytes = word.as_bytes();
        let shape = (2..=BRAND_CHARS_MAX).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !shape {
            return Err(BadBrand::Shape);
        }
        if TAKEN.contains(&word) {
            return Err(BadBrand::Taken);
        }
        let mut chars = [0; BRAND_CHARS_MAX];
        chars[..bytes.len()].copy_from_slice(bytes);
        let length = u8::try_from(bytes.len()).expect("a brand has at most 10 characters");
        Ok(Brand { chars, length })
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.chars[..usize::from(self.length)]).expect("a brand is ASCII")
    }
}

impl fmt::Display for Brand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Brand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_has_two_to_ten_characters_and_begins_with_a_letter() {
        for word in ["kb", "acme", "a1", "abcdefghij"] {
            assert_eq!(Brand::parse(word).map(|brand| brand.to_string()), Ok(word.to_owned()));
        }
        for word in ["", "k", "abcdefghijk", "1a", "kB", "k_b", "k-b", "kä", "k b"] {
            assert_eq!(Brand::parse(word), Err(BadBrand::Shape), "{word}");
        }
    }

    #[test]
    fn nobody_elses_prefix_is_a_brand() {
        for word in TAKEN {
            assert_eq!(Brand::parse(word), Err(BadBrand::Taken), "{word}");
        }
    }
}
