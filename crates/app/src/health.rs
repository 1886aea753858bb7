//! Whether this node can serve.

use keybell_core::Problem;
use keybell_store::ops::health::Answers;

use crate::App;

impl App {
    /// Whether the store answers; [`Code::Unavailable`](keybell_core::Code::Unavailable) where it does not.
    pub async fn check_ready(&self) -> Result<(), Problem> {
        self.store().read(Answers).await.map_err(Problem::unavailable)
    }
}
