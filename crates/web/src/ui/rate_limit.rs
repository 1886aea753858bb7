//! A rate limit in words, as the pages of keys and of webhooks say it.

use super::charts::grouped;

/// `100 requests in 60 seconds`.
pub(super) fn in_words(limit: impl Into<u64>, window_seconds: impl Into<u64>) -> String {
    format!("{} in {}", counted(limit.into(), "request"), counted(window_seconds.into(), "second"))
}

fn counted(many: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(many), if many == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_limit_reads_as_a_sentence_would_say_it() {
        assert_eq!(in_words(100_u32, 60_u32), "100 requests in 60 seconds");
        assert_eq!(in_words(1_u64, 1_u64), "1 request in 1 second");
        assert_eq!(in_words(10_000_u64, 86_400_u64), "10,000 requests in 86,400 seconds");
    }
}
