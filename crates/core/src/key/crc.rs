//! The last six characters of a key: a checksum, by which scanners and the gate tell a key from text that looks like one.

use super::base62;

/// Characters of the checksum.
pub(super) const CRC_CHARS: usize = 6;

/// CRC-32/ISO-HDLC of everything before it, as a big-endian number in base62, padded with `0` on the left.
pub(super) fn of(before: &[u8]) -> [u8; CRC_CHARS] {
    base62::of_u32(crc32fast::hash(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_crc_32_iso_hdlc() {
        // The check value of that CRC is 0xCBF43926.
        assert_eq!(of(b"123456789"), base62::of_u32(0xcbf4_3926));
    }
}
