//! `[brand]`: what the platform is called, on pages and in keys.

use keybell_core::key::Brand as KeyPrefix;

use super::reader::Reader;

/// The longest name that the head of a page has room for.
const NAME_CHARS_MAX: usize = 100;

/// What the platform is called.
#[derive(Clone, Debug)]
pub(crate) struct Brand {
    /// On pages.
    pub(crate) name: String,
    /// In keys.
    pub(crate) key_prefix: KeyPrefix,
}

impl Brand {
    pub(super) fn read(from: &mut Reader) -> Option<Brand> {
        let allowed = format!("a name of 1 to {NAME_CHARS_MAX} characters on one line");
        let name = from.parsed("brand.name", allowed, |value| {
            let name = value.as_str()?;
            let fits =
                (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
            fits.then(|| name.to_owned())
        });
        let key_prefix = from.parsed(
            "brand.key_prefix",
            "2 to 10 characters of a-z and 0-9, beginning with a letter, and not a word that secret scanners take for \
             another company's, such as sk or ghp",
            |value| KeyPrefix::parse(value.as_str()?).ok(),
        );
        Some(Brand { name: name?, key_prefix: key_prefix? })
    }
}
