//! Whether the database answers.

use crate::error::StoreError;
use crate::statements;
use crate::tx::{Query, Read};

statements! {
    COUNT = "SELECT COUNT(*) FROM installation";
}

/// Reads a row or none: only whether it can be read matters.
pub struct Answers;

impl Query for Answers {
    const NAME: &'static str = "health.answers";
    type Out = ();

    fn run(&self, tx: &mut dyn Read) -> Result<(), StoreError> {
        tx.first(&COUNT, &[], |row| row.int(0))?;
        Ok(())
    }
}
