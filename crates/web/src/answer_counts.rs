//! How many requests were answered, and how.
//!
//! The counters are looked up once, when the routes are made: on the way of a request stands an addition and nothing else.

use http::StatusCode;
use metrics::{Counter, counter, describe_counter};

const NAME: &str = "keybell_http_answers_total";

/// Answers by the first digit of their status.
pub(crate) struct AnswerCounts([Counter; 5]);

impl Default for AnswerCounts {
    fn default() -> Self {
        describe_counter!(NAME, "Requests answered, by class of status.");
        AnswerCounts(["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| counter!(NAME, "class" => class)))
    }
}

impl AnswerCounts {
    pub(crate) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100);
        if let Some(counter) = class.checked_sub(1).and_then(|index| self.0.get(index)) {
            counter.increment(1);
        }
    }
}
