//! Numbers in the values that hold many counts: a byte, or LEB128, which is short where a count is small.

use crate::error::StoreError;

/// What is wrong with a value that cannot be read.
pub(in crate::ops) const CORRUPT: StoreError =
    StoreError::Corrupt { what: "counts of a minute, hour or day" };

/// The longest number, in bytes: 64 bits by seven.
pub(in crate::ops) const BYTES_MAX: usize = 10;

/// The next byte of `rest`.
// An error is only made where it is needed, here and where this is called: to make one and drop it for each of a hundred
// thousand numbers took two fifths of a page's time.
#[inline]
pub(in crate::ops) fn read_byte(rest: &mut &[u8]) -> Result<u8, StoreError> {
    let Some((first, after)) = rest.split_first() else { return Err(CORRUPT) };
    *rest = after;
    Ok(*first)
}

/// The next number of `rest`, as [`push`] wrote it.
#[inline]
pub(in crate::ops) fn read(rest: &mut &[u8]) -> Result<u64, StoreError> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = read_byte(rest)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(CORRUPT)
}

/// Goes past the next number of `rest`.
#[inline]
pub(in crate::ops) fn pass_over(rest: &mut &[u8]) -> Result<(), StoreError> {
    while let Some((first, after)) = rest.split_first() {
        *rest = after;
        if first & 0x80 == 0 {
            return Ok(());
        }
    }
    Err(CORRUPT)
}

/// Writes a number as LEB128.
pub(in crate::ops) fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).expect("seven bits fit a byte") | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).expect("seven bits fit a byte"));
}
