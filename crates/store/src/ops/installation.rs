//! What an installation remembers of itself, by name: the check value of its master key.

use crate::error::StoreError;
use crate::statements;
use crate::tx::{Op, Tx};

statements! {
    INSERT = "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    BY_NAME = "SELECT value FROM installation WHERE name = $1";
}

/// Remembers a value under a name unless there is one, and gives back the one that is there then.
#[derive(Debug)]
pub struct RememberOnce {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub value: Vec<u8>,
}

impl Op for RememberOnce {
    const NAME: &'static str = "installation.remember_once";
    type Out = Vec<u8>;

    fn run(&self, tx: &mut dyn Tx) -> Result<Self::Out, StoreError> {
        tx.exec(&INSERT, &[self.name.into(), (&self.value).into()])?;
        let value =
            tx.as_read().first(&BY_NAME, &[self.name.into()], |row| row.bytes(0).map(<[u8]>::to_vec))?;
        value.ok_or(StoreError::Corrupt { what: "installation value" })
    }
}
