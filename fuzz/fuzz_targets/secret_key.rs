//! The parser of keys: no text makes it panic, it keeps what it read, and it finds every single wrong character.
//!
//! The first byte chooses what the rest is: a text, a text after `kb_live_`, or the digits of a key whose checksum is made
//! here, bit by bit and not by the crate that the product uses. Then two bytes choose a character to be changed.

#![no_main]

use keybell_core::key::{BadKey, Brand, KEY_BYTES_MAX, Kind, SecretKey};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_CHARS: usize = 12;
const SECRET_CHARS: usize = 32;
const CRC_CHARS: usize = 6;

const STORIES: &[&[u8]] = &[
    b"0x4kb_test_Ab3dEf6hIj9L_0123456789ABCDEFGHIJKLMNOPQRSTUV1og6vy",
    b"1 y000000000000_000000000000000000000000000000002hNBTQ",
    b"2\x20A0Ab3dEf6hIj9L0123456789ABCDEFGHIJKLMNOPQRSTUV",
];

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    keybell_fuzz::mutate(data, size, max_size, STORIES)
});

fuzz_target!(|input: &[u8]| {
    let [what, place, digit, rest @ ..] = input else { return };
    let brand = Brand::parse("kb").expect("kb is a brand");
    let text = match what % 3 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        1 => format!("kb_live_{}", String::from_utf8_lossy(rest)),
        _ => whole_key(rest),
    };
    match SecretKey::parse(&text, &brand) {
        Ok(key) => {
            keeps_what_it_read(&key, &text);
            let changed = with_another_digit(&text, *place, *digit);
            assert!(SecretKey::parse(&changed, &brand).is_err(), "{text} and {changed} are both keys");
        }
        Err(bad) => {
            assert_ne!(what % 3, 2, "{text} is a key, but {bad}");
            assert_eq!(bad == BadKey::TooLong, text.len() > KEY_BYTES_MAX, "{text}: {bad}");
        }
    }
});

fn keeps_what_it_read(key: &SecretKey, text: &str) {
    assert_eq!(key.reveal(), text);
    let public = key.public_identifier();
    let before = text.len() - SECRET_CHARS - CRC_CHARS;
    assert_eq!(format!("{public}_"), text[..before], "the identifier is what stands before the secret");
    assert_eq!((public.kind, public.id), (key.kind(), key.id()));
    assert_eq!(checksum(&text.as_bytes()[..text.len() - CRC_CHARS]), text[text.len() - CRC_CHARS..]);
}

/// A key of the kind that the first byte says, with the bytes after it as digits, and zeros where there are too few.
fn whole_key(digits: &[u8]) -> String {
    let (kind, digits) = digits.split_first().unwrap_or((&0, &[]));
    let kind = Kind::ALL[usize::from(*kind) % Kind::ALL.len()];
    let digits = digits.iter().copied().chain(std::iter::repeat(0));
    let digits: String = digits.map(digit_of).take(ID_CHARS + SECRET_CHARS).collect();
    let (id, secret) = digits.split_at(ID_CHARS);
    let before = format!("kb_{}_{id}_{secret}", kind.as_str());
    let checksum = checksum(before.as_bytes());
    before + &checksum
}

/// A digit stands for itself, so that a story can be read, and every other byte for one of them.
fn digit_of(byte: u8) -> char {
    let digit = if byte.is_ascii_alphanumeric() { byte } else { ALPHABET[usize::from(byte) % 62] };
    char::from(digit)
}

/// The text with one character, which may be one of those between the parts, replaced by another digit.
fn with_another_digit(text: &str, place: u8, digit: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let place = usize::from(place) % bytes.len();
    let digit = usize::from(digit) % 62;
    let same = ALPHABET[digit] == bytes[place];
    bytes[place] = if same { ALPHABET[(digit + 1) % 62] } else { ALPHABET[digit] };
    String::from_utf8(bytes).expect("a key is ASCII, and a digit too")
}

/// CRC-32/ISO-HDLC of `before` in six digits.
fn checksum(before: &[u8]) -> String {
    let mut crc = u32::MAX;
    for byte in before {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    let mut rest = !crc;
    let mut digits = [0; CRC_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}
