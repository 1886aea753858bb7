//! Whether the master key is the one that the database was filled under.

use keybell_core::seal::MasterKey;
use keybell_core::{Code, Problem};
use keybell_store::Store;
use keybell_store::ops::installation::RememberOnce;

use crate::problems::of_store;

/// Under which name the database keeps the check value.
const NAME: &str = "master_key_check";

/// Refuses to start with another master key than the first: every key would be refused and no secret could be opened,
/// and what is made meanwhile would be lost with the way back. On an empty database it remembers the key's check value.
pub(crate) async fn check(store: &Store, master_key: &MasterKey) -> Result<(), Problem> {
    let value = master_key.check_value();
    let remember = RememberOnce { name: NAME, value: value.to_vec() };
    let remembered = store.write(remember).await.map_err(of_store)?;
    if remembered == value {
        return Ok(());
    }
    let detail = "The master key is not the one that this database was filled under. Start with the first master key \
                  (the file master.key of that installation, or what its environment held), or with another database.";
    Err(Problem::new(Code::Internal, detail))
}
