//! What kind of request a key came with, as far as rate limits tell kinds apart.

/// What kind of request a key came with. A limit of the name [`READS`] counts what reads, one of the name [`WRITES`] what
/// writes; every other limit counts both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestKind {
    /// It reads: a method that is safe (RFC 9110, section 9.2.1).
    Read,
    /// It may change something: any other method.
    Write,
    /// `HEAD` and `OPTIONS`, which ask what a request would be answered: never counted.
    Preflight,
    /// Nobody said. It is counted by every limit, so that leaving it out lets nothing slip through.
    #[default]
    Unknown,
}

/// The name of the limit that counts requests that read.
pub const READS: &str = "reads";
/// The name of the limit that counts requests that write.
pub const WRITES: &str = "writes";

impl RequestKind {
    /// Of a request with this method, in upper case as HTTP has it.
    pub fn of_method(method: &str) -> RequestKind {
        match method {
            "HEAD" | "OPTIONS" => RequestKind::Preflight,
            "GET" | "QUERY" | "SEARCH" | "REPORT" | "PROPFIND" | "TRACE" => RequestKind::Read,
            _ => RequestKind::Write,
        }
    }

    /// Whether the limit of this name counts such a request.
    pub fn is_counted_by(self, limit: &str) -> bool {
        match self {
            RequestKind::Read => limit != WRITES,
            RequestKind::Write => limit != READS,
            RequestKind::Preflight => false,
            RequestKind::Unknown => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_by_its_own_limit_and_by_those_for_all() {
        let counted = |method| {
            let kind = RequestKind::of_method(method);
            [READS, WRITES, "burst"].map(|limit| kind.is_counted_by(limit))
        };
        assert_eq!(counted("GET"), [true, false, true]);
        assert_eq!(counted("POST"), [false, true, true]);
        assert_eq!(counted("get"), [false, true, true], "methods are told by their case");
        assert_eq!(counted("HEAD"), [false; 3]);
        assert_eq!(counted("OPTIONS"), [false; 3]);
        assert_eq!(
            [READS, WRITES, "burst"].map(|limit| RequestKind::Unknown.is_counted_by(limit)),
            [true; 3]
        );
    }
}
