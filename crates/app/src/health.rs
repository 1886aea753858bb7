//! Whether this node can serve.

use std::time::Duration;

use keybell_core::{Code, Problem};
use keybell_store::ops::health::Answers;

use crate::App;

/// How long the store may take to answer whether it answers: whoever asks has a time-out of some seconds of their own.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

impl App {
    /// Whether this node can serve: the store answers, what is written is kept, and the engine does not stand still.
    /// [`Code::Unavailable`] with the reason otherwise.
    pub async fn check_ready(&self) -> Result<(), Problem> {
        let answered = tokio::time::timeout(ANSWERS_WITHIN, self.store().read(Answers)).await;
        let seconds = ANSWERS_WITHIN.as_secs();
        let answered = answered.map_err(|_| Problem::unavailable(format!("no answer for {seconds} s")))?;
        answered.map_err(Problem::unavailable)?;
        match self.engine().standstill() {
            None => Ok(()),
            Some(reason) => {
                Err(Problem::new(Code::Unavailable, format!("The engine stands still: {reason}.")))
            }
        }
    }
}
