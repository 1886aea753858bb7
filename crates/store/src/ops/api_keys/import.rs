//! Keys that another system gave out, taken over many at once.

use keybell_core::grant::Origin;

use super::{ID_TAKEN, IMPORTED, Inserted, StoredKey, insert};
use crate::error::StoreError;
use crate::ops::audit::AuditFact;
use crate::statements;
use crate::tx::{Op, Tx};

statements! {
    ROOM = "SELECT COUNT(*) FROM api_keys WHERE workspace_id = $1";
}

/// Adds keys of one workspace, all or none of them, each with its audit entry.
pub struct ImportKeys {
    /// The keys. No two have the same digest or the same ID.
    pub keys: Vec<(StoredKey, AuditFact)>,
    /// Most keys of a workspace, revoked ones included.
    pub keys_max: u32,
    /// From where they are made.
    pub origin: Origin,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// They are all there.
    Done,
    /// The key at this place was imported before. None of them was added.
    Before(usize),
    /// Another key has an ID of theirs; try with others. None of them was added.
    IdTaken,
    /// The workspace would have more keys than it may. None of them was added.
    Full {
        /// How many it has.
        there: i64,
    },
    /// The workspace was deleted meanwhile.
    NoWorkspace,
}

impl Op for ImportKeys {
    const NAME: &'static str = "api_keys.import";
    type Out = Imported;

    /// Everything is looked at before anything is written: an operation that comes back with a refusal keeps what it
    /// wrote.
    fn run(&self, tx: &mut dyn Tx) -> Result<Imported, StoreError> {
        let Some((first, _)) = self.keys.first() else { return Ok(Imported::Done) };
        for (place, (stored, _)) in self.keys.iter().enumerate() {
            let digest = stored.current.digest.as_bytes().as_slice();
            if tx.as_read().first(&IMPORTED, &[digest.into()], |_| Ok(()))?.is_some() {
                return Ok(Imported::Before(place));
            }
            if tx.as_read().first(&ID_TAKEN, &[stored.key.id.as_str().into()], |_| Ok(()))?.is_some() {
                return Ok(Imported::IdTaken);
            }
        }
        let there =
            tx.as_read().first(&ROOM, &[(&first.key.workspace).into()], |row| row.int(0))?.unwrap_or(0);
        let wanted = i64::try_from(self.keys.len()).unwrap_or(i64::MAX);
        if there.saturating_add(wanted) > i64::from(self.keys_max) {
            return Ok(Imported::Full { there });
        }
        for (stored, fact) in &self.keys {
            match insert(tx, stored, self.keys_max, &self.origin, fact)? {
                Inserted::Done => {}
                // Nothing was written then: the workspace of the first key is that of all of them.
                Inserted::NoWorkspace => return Ok(Imported::NoWorkspace),
                Inserted::IdTaken | Inserted::ImportedBefore | Inserted::Full => {
                    return Err(StoreError::Corrupt { what: "room for an imported key that was just there" });
                }
            }
        }
        Ok(Imported::Done)
    }
}
