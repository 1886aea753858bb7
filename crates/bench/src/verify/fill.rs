//! A database with many keys: written as a migration would, since making each by the API would take an hour.

use keybell_core::key::{Brand, Environment, SecretKey};
use keybell_core::seal::MasterKey;
use keybell_core::{Timestamp, WorkspaceId};
use keybell_store::{Arg, DatabaseUrl, Isolation, Op, OpenOptions, Store, StoreError, Tx, bulks};
use keybell_testkit::random::SeededRandomness;

use crate::Outcome;

/// Keys of each workspace; the default limit is a thousand.
pub(super) const KEYS_PER_WORKSPACE: usize = 1_000;
/// What every key of the benches may do.
pub(super) const SCOPE: &str = "reports:read";

/// When everything was made.
const MADE_AT: Timestamp = Timestamp::from_seconds(1_795_435_200);
const MADE_BY: &str = r#"{"kind":"operator","id":"bench","name":"bench"}"#;

bulks! {
    WORKSPACES = Insert "workspaces" [id: Bytes, external_id: Text, name: Text, created_at: Int];
    KEYS = Insert "api_keys" [
        workspace_id: Bytes, id: Text, environment: Text, name: Text, description: Text, digest: Bytes, pepper: Int,
        enabled: Int, scopes: Text, allowed_networks: Text, rate_limits: Text, metadata: Text, created_at: Int,
        created_by_id: Text, created_by: Text, updated_at: Int,
    ];
}

/// A workspace full of keys.
struct FillWorkspace {
    id: WorkspaceId,
    external_id: String,
    /// The digests and IDs of its keys.
    keys: Vec<(String, [u8; 32])>,
}

impl Op for FillWorkspace {
    const NAME: &'static str = "bench.fill_workspace";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let workspace = [(&self.id).into(), (&self.external_id).into(), "Bench".into(), MADE_AT.into()];
        tx.bulk(&WORKSPACES, &workspace)?;
        let scopes = format!("[\"{SCOPE}\"]");
        let mut values: Vec<Arg<'_>> = Vec::with_capacity(self.keys.len() * 16);
        for (id, digest) in &self.keys {
            let row: [Arg<'_>; 16] = [
                (&self.id).into(),
                id.into(),
                "live".into(),
                "Integration".into(),
                "".into(),
                digest.as_slice().into(),
                1_i64.into(),
                true.into(),
                (&scopes).into(),
                "[]".into(),
                "[]".into(),
                "{}".into(),
                MADE_AT.into(),
                "bench".into(),
                MADE_BY.into(),
                MADE_AT.into(),
            ];
            values.extend(row);
        }
        tx.bulk(&KEYS, &values)?;
        Ok(())
    }
}

/// Writes `keys` keys into the database; their secret keys, in the order of their making.
pub(super) async fn fill(url: &DatabaseUrl, master_key: &MasterKey, keys: usize) -> Outcome<Vec<String>> {
    let store = Store::open(url, &OpenOptions::at(MADE_AT)).map_err(|error| error.to_string())?;
    let (brand, pepper) = (Brand::parse("kb").expect("it is the default brand"), master_key.pepper(1));
    let randomness = SeededRandomness::new(7);
    let mut secrets = Vec::with_capacity(keys);
    while secrets.len() < keys {
        let mut of_workspace = Vec::with_capacity(KEYS_PER_WORKSPACE);
        for _ in 0..KEYS_PER_WORKSPACE.min(keys - secrets.len()) {
            let secret_key = SecretKey::mint(&brand, Environment::Live.kind(), &randomness);
            of_workspace.push((secret_key.id().to_string(), *secret_key.digest(&pepper).as_bytes()));
            secrets.push(secret_key.reveal().to_owned());
        }
        let op = FillWorkspace {
            id: WorkspaceId::new(MADE_AT, &randomness),
            external_id: format!("bench-{}", secrets.len()),
            keys: of_workspace,
        };
        store.write(op).await.map_err(|error| error.to_string())?;
    }
    store.close().await;
    Ok(secrets)
}
