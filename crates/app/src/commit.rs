//! Changes that memory must follow: applied on the thread that committed them, before whoever asked is answered.

use keybell_core::Problem;
use keybell_store::Op;
use tokio::sync::oneshot;

use crate::App;
use crate::problems::of_store;

impl App {
    /// Runs `op`, and `apply` right after its commit. Dropping the future gives up the answer and nothing else.
    pub(crate) async fn commit<O: Op>(
        &self,
        op: O,
        apply: impl FnOnce(&O::Out) + Send + 'static,
    ) -> Result<O::Out, Problem> {
        let (tell, told) = oneshot::channel();
        self.store().write_then(op, move |result| {
            if let Ok(out) = &result {
                apply(out);
            }
            drop(tell.send(result));
        });
        let result = told.await.map_err(|_| Problem::unavailable("the store was closed"))?;
        result.map_err(of_store)
    }
}
