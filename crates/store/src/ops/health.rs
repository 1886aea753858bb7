//! Whether the database answers.

use crate::error::StoreError;
use crate::statements;
use crate::tx::{Arg, Isolation, Op, Query, Read, Tx};

statements! {
    COUNT = "SELECT COUNT(*) FROM installation";
    PROBE = "INSERT INTO installation (name, value) VALUES ('write_probe', $1) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    REMOVE_PROBE = "DELETE FROM installation WHERE name = 'write_probe'";
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

/// Bytes of a probe: two pages of SQLite's, so that it meets a disk without room for anything more.
const PROBE_BYTES: usize = 16 * 1024;

/// Writes something and removes it again: whether that can be done shows that writes go through, after some did not.
pub struct WritesAgain;

impl Op for WritesAgain {
    const NAME: &'static str = "health.writes_again";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        tx.exec(&PROBE, &[Arg::Bytes(&[0; PROBE_BYTES])])?;
        tx.exec(&REMOVE_PROBE, &[])?;
        Ok(())
    }
}
