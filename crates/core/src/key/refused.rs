//! Why a key may not do what was asked: what the use cases decide, and what the gate hands on.

use super::LimitState;
use crate::{Code, Problem};

/// Why a key may not do what was asked.
#[derive(Debug)]
pub struct Refused {
    /// One of the codes of the API's table.
    pub code: Code,
    /// The limits that count the request and what is left of them, where it was more than they allow.
    pub rate_limits: Vec<LimitState>,
    /// Seconds after which it may do so, where that is all there is in the way.
    pub retry_after_seconds: Option<u64>,
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Refused { code, rate_limits: Vec::new(), retry_after_seconds: None }
    }
}

impl From<Refused> for Problem {
    fn from(Refused { code, rate_limits, retry_after_seconds }: Refused) -> Self {
        let mut problem = Problem::from(code);
        (problem.rate_limits, problem.retry_after_seconds) = (rate_limits, retry_after_seconds);
        problem
    }
}
