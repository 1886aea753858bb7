//! A workspace as the pages meet it after a busy month: keys with their use, webhooks with their statistics, a million
//! deliveries with their events. Written as a migration would, since to make it all by the API would take an hour.

use std::collections::BTreeMap;
use std::time::Duration;

use keybell_core::attempt_counts::AttemptCounts;
use keybell_core::key::{Brand, Counts, Environment, KeyId, Outcome as Checked, SecretKey};
use keybell_core::seal::MasterKey;
use keybell_core::{AccountId, DeliveryId, EventKey, MemberId, Timestamp, WebhookId, WorkspaceId};
use keybell_store::ops::delivery_stats::{AddDeliveryStats, MinuteStats};
use keybell_store::ops::usage::{AddUsage, MinuteUsage};
use keybell_store::{Arg, Bulk, DatabaseUrl, Isolation, Op, OpenOptions, Store, StoreError, Tx, bulks};
use keybell_testkit::random::SeededRandomness;
use sha2::{Digest as _, Sha256};

use super::log::{self, Log};
use crate::Outcome;

/// API keys of the workspace.
pub(super) const KEYS: usize = 1_000;
/// How long keys and webhooks have been in use.
const DAYS: u64 = 30;
/// Members of the workspace, and entries of its audit log.
const MEMBERS: usize = 20;
const AUDIT_ENTRIES: usize = 20_000;
/// What the owner's cookie holds.
pub(super) const TOKEN: &str = "the-token-of-the-bench-which-is-nobodys-secret";
/// Who made everything.
pub(super) const MADE_BY: &str = r#"{"kind":"operator","id":"bench","name":"bench"}"#;
const NODE: &str = "bench";

bulks! {
    ACCOUNTS = Insert "accounts" [id: Bytes, email: Text, name: Text, password_hash: Text, created_at: Int];
    MEMBERS_ROWS = Insert "members" [workspace_id: Bytes, id: Bytes, account_id: Bytes, role: Text, created_at: Int];
    SESSIONS = Insert "sessions" [
        digest: Bytes, account_id: Bytes, created_at: Int, last_seen_at: Int, expires_at: Int, source_address: Text,
        user_agent: Text,
    ];
    KEY_ROWS = Insert "api_keys" [
        workspace_id: Bytes, id: Text, environment: Text, name: Text, description: Text, digest: Bytes, pepper: Int,
        enabled: Int, scopes: Text, allowed_networks: Text, rate_limits: Text, metadata: Text, expires_at: Int,
        created_at: Int, created_by_id: Text, created_by: Text, updated_at: Int, last_used_at: Int, revoked_at: Int,
    ];
    AUDIT = Insert "audit_entries" [
        workspace_id: Bytes, id: Bytes, at: Int, actor_kind: Text, actor_id: Text, actor_name: Text, action: Text,
        target_kind: Text, target_id: Text, source_address: Text, request_id: Text, changes: Text,
    ];
}

/// What is written into: made by the API before.
pub(super) struct Place {
    pub(super) workspace: WorkspaceId,
    pub(super) webhooks: Vec<WebhookId>,
    /// The last of `webhooks` that are off: what is pending waits for them.
    pub(super) disabled: usize,
    pub(super) event_types: Vec<String>,
    pub(super) deliveries: usize,
    pub(super) now: Timestamp,
}

/// What the pages are asked for by.
pub(super) struct Filled {
    pub(super) keys: Vec<SecretKey>,
    pub(super) log: Log,
}

/// Rows of one table, in one transaction.
pub(super) struct Rows<M> {
    pub(super) bulk: &'static Bulk,
    /// How many rows.
    pub(super) many: usize,
    /// Hands the values of one of them to whoever writes it.
    pub(super) make: M,
}

/// A value of a row, owned.
pub(super) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl<M: Fn(usize) -> Vec<Value> + Send + 'static> Op for Rows<M> {
    const NAME: &'static str = "bench.rows";
    const ISOLATION: Isolation = Isolation::PerStatement;
    type Out = ();

    fn must_last(&self) -> bool {
        false
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let rows: Vec<Vec<Value>> = (0..self.many).map(&self.make).collect();
        let arg = |value| match value {
            &Value::Null => Arg::Null,
            &Value::Int(number) => Arg::Int(number),
            Value::Text(text) => Arg::Text(text),
            Value::Bytes(bytes) => Arg::Bytes(bytes),
        };
        let values: Vec<Arg<'_>> = rows.iter().flatten().map(arg).collect();
        tx.bulk(self.bulk, &values).map(drop)
    }
}

/// Writes all of it.
pub(super) async fn fill(url: &DatabaseUrl, master_key: &MasterKey, place: &Place) -> Outcome<Filled> {
    let store = Store::open(url, &OpenOptions::at(place.now)).map_err(|error| error.to_string())?;
    let (brand, randomness) =
        (Brand::parse("kb").expect("it is the default brand"), SeededRandomness::new(7));
    let mint = |_| SecretKey::mint(&brand, Environment::Live.kind(), &randomness);
    let keys: Vec<SecretKey> = (0..KEYS).map(mint).collect();
    let filled = everything(&store, &keys, master_key, place).await.map_err(|error| error.to_string());
    store.close().await;
    Ok(Filled { keys, log: filled? })
}

async fn everything(
    store: &Store,
    keys: &[SecretKey],
    master_key: &MasterKey,
    place: &Place,
) -> Result<Log, StoreError> {
    people(store, place).await?;
    let digests: Vec<_> = keys
        .iter()
        .map(|key| (key.id().to_string(), key.digest(&master_key.pepper(1)).as_bytes().to_vec()))
        .collect();
    let (workspace, now) = (place.workspace, place.now);
    let make = move |number: usize| key_row(workspace, now, number, &digests[number]);
    store.write(Rows { bulk: &KEY_ROWS, many: KEYS, make }).await?;
    let ids: Vec<KeyId> = keys.iter().map(SecretKey::id).collect();
    use_and_statistics(store, &ids, place).await?;
    log::fill(store, place).await
}

/// The owner with a session, others, and what they did.
async fn people(store: &Store, place: &Place) -> Result<(), StoreError> {
    let (workspace, now) = (place.workspace, place.now);
    let randomness = SeededRandomness::new(1);
    let accounts: Vec<AccountId> = (0..MEMBERS).map(|_| AccountId::new(now, &randomness)).collect();
    let of = accounts.clone();
    let account = move |number: usize| {
        let (id, hash) = (Value::Bytes(of[number].as_bytes().to_vec()), Value::Text("none".to_owned()));
        let (email, name) = (format!("person-{number}@example.com"), format!("Person {number}"));
        vec![id, Value::Text(email), Value::Text(name), hash, Value::Int(now.micros())]
    };
    store.write(Rows { bulk: &ACCOUNTS, many: MEMBERS, make: account }).await?;
    let (of, randomness) = (accounts.clone(), SeededRandomness::new(2));
    let member = move |number: usize| {
        let ids =
            [*workspace.as_bytes(), *MemberId::new(now, &randomness).as_bytes(), *of[number].as_bytes()];
        let mut row = Vec::from(ids.map(|id| Value::Bytes(id.to_vec())));
        let role = if number == 0 { "owner" } else { "member" };
        row.extend([Value::Text(role.to_owned()), Value::Int(now.micros())]);
        row
    };
    store.write(Rows { bulk: &MEMBERS_ROWS, many: MEMBERS, make: member }).await?;
    let owner = accounts[0];
    let session = move |_| {
        let digest = Value::Bytes(Sha256::digest(TOKEN.as_bytes()).to_vec());
        let ends = now + Duration::from_hours(24);
        let at = [now, now, ends].map(|at| Value::Int(at.micros()));
        let mut row = vec![digest, Value::Bytes(owner.as_bytes().to_vec())];
        row.extend(at);
        row.extend([
            Value::Text("192.0.2.1".to_owned()),
            Value::Text("Mozilla/5.0 (X11; Linux x86_64)".to_owned()),
        ]);
        row
    };
    store.write(Rows { bulk: &SESSIONS, many: 1, make: session }).await?;
    store.write(Rows { bulk: &AUDIT, many: AUDIT_ENTRIES, make: audit_row(workspace, now) }).await
}

/// One entry a minute, by everybody in turn. The rarest of the actions was done once, at the beginning.
fn audit_row(workspace: WorkspaceId, now: Timestamp) -> impl Fn(usize) -> Vec<Value> {
    let randomness = SeededRandomness::new(3);
    move |number| {
        let at = now.before(Duration::from_mins((AUDIT_ENTRIES - number) as u64));
        let text = |text: &str| Value::Text(text.to_owned());
        let person = number % MEMBERS;
        let action = match number {
            0 => "workspace.renamed",
            number if number % 3 == 0 => "webhook.edited",
            _ => "api_key.edited",
        };
        vec![
            Value::Bytes(workspace.as_bytes().to_vec()),
            Value::Bytes(keybell_core::AuditId::new(at, &randomness).as_bytes().to_vec()),
            Value::Int(at.micros()),
            text("member"),
            text(&format!("person-{person}")),
            text(&format!("Person {person}")),
            text(action),
            text("api_key"),
            text(&format!("target-{}", number % 500)),
            text("192.0.2.1"),
            text("request"),
            text(r#"{"name":{"from":"Integration","to":"Integration of the newsroom"}}"#),
        ]
    }
}

/// Most are active and used; some are off, over, revoked, or were never used.
fn key_row(
    workspace: WorkspaceId,
    now: Timestamp,
    number: usize,
    (id, digest): &(String, Vec<u8>),
) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    let made = now.before(Duration::from_mins(60 + 43 * (KEYS - number) as u64));
    let at = |at: Timestamp| Value::Int(at.micros());
    let some = |is: bool, value: Timestamp| if is { at(value) } else { Value::Null };
    vec![
        Value::Bytes(workspace.as_bytes().to_vec()),
        text(id),
        text("live"),
        Value::Text(format!("Integration {number}")),
        text("What the newsroom's own site reads reports by."),
        Value::Bytes(digest.clone()),
        Value::Int(1),
        Value::Int(i64::from(number % 20 != 1)),
        text(r#"["reports:read"]"#),
        text("[]"),
        text("[]"),
        text("{}"),
        some(
            number % 10 == 2,
            now.before(Duration::from_hours(1)) + Duration::from_hours(3 * (number % 100) as u64),
        ),
        at(made),
        text("bench"),
        text(MADE_BY),
        at(made),
        some(number % 25 != 3, now.before(Duration::from_mins(5))),
        some(number % 40 == 4, now.before(Duration::from_hours(5))),
    ]
}

/// What every key was used for and how every webhook's attempts went, in each hour.
async fn use_and_statistics(store: &Store, keys: &[KeyId], place: &Place) -> Result<(), StoreError> {
    for hour in 0..DAYS * 24 {
        let at = place.now.before(Duration::from_hours(hour));
        let used = keys.iter().enumerate().map(|(number, id)| {
            let mut counts = Counts::default();
            counts.add(Checked::Valid, 100 + number as u64);
            counts.add(Checked::RateLimited, hour % 7);
            (*id, counts)
        });
        let minutes = vec![MinuteUsage { workspace: place.workspace, at, counts: used.collect() }];
        store.write(AddUsage { node: NODE.to_owned(), minutes }).await?;
        let mut counts: BTreeMap<WebhookId, AttemptCounts> = BTreeMap::new();
        for (number, webhook) in place.webhooks.iter().enumerate() {
            let counts = counts.entry(*webhook).or_default();
            for attempt in 0..20 {
                counts.count(attempt != 0, 800 * (1 + number as u64) * (1 + attempt));
            }
        }
        let minutes = vec![MinuteStats { workspace: place.workspace, at, counts }];
        store.write(AddDeliveryStats { node: NODE.to_owned(), minutes }).await?;
    }
    Ok(())
}

/// The keys of rows of the log, oldest first.
pub(super) type Ids = Vec<(EventKey, DeliveryId)>;
