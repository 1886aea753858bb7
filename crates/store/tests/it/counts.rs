//! The counts of one key and of one webhook, out of values that hold those of many.

use std::collections::BTreeMap;

use keybell_core::attempt_counts::{AttemptCounts, BUCKETS};
use keybell_core::key::{Counts, KeyId, Outcome};
use keybell_core::{Timestamp, WebhookId};
use keybell_store::ops::delivery_stats::{AddDeliveryStats, MinuteStats, StatsOfWebhook, StatsOfWorkspace};
use keybell_store::ops::retention::{Cutoffs, DeleteOldUsage, WithSomethingOld};
use keybell_store::ops::usage::{AddUsage, MinuteUsage, Step, UsageByKey, UsageOfKey, UsageOfWorkspace};
use keybell_store::{Query, Read, Sql, StoreError, statements};

use crate::engine::{Engine, NOW, on_both_engines};
use crate::furniture::{WORKSPACE, furnished};
use crate::schema::{connect_postgres, connect_sqlite};

on_both_engines! {
    each_key_has_its_own_counts_wherever_they_stand
    each_webhook_has_its_own_counts_wherever_they_stand
    counts_of_many_keys_are_in_parts_and_of_few_in_one_row
    counts_of_many_webhooks_are_in_parts
    counts_from_before_there_were_parts_are_the_whole_until_more_is_added
    old_counts_are_found_as_long_as_any_is_left
}

statements! {
    PARTS_OF_KEYS = "SELECT DISTINCT part FROM key_usage WHERE workspace_id = $1 AND step = 3600 ORDER BY part";
    PARTS_OF_WEBHOOKS = "SELECT DISTINCT part FROM delivery_stats WHERE workspace_id = $1 AND step = 3600 ORDER BY part";
}

/// The parts that the counts of the workspace's hour are in.
struct Parts(&'static Sql);

impl Query for Parts {
    const NAME: &'static str = "test.parts";
    type Out = Vec<i64>;

    fn run(&self, tx: &mut dyn Read) -> Result<Vec<i64>, StoreError> {
        tx.all(self.0, &[(&WORKSPACE).into()], |row| row.int(0))
    }
}

fn hour() -> (Timestamp, Timestamp) {
    let from = Step::Hour.beginning(NOW);
    (from, Timestamp::from_seconds(from.seconds() + Step::Hour.seconds()))
}

async fn each_key_has_its_own_counts_wherever_they_stand(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    let key = |text: &str| KeyId::parse(text).expect("twelve characters of base62");
    // The longest entry stands at the beginning, in the middle and at the end; a few nodes count the same hour.
    let mut longest = Counts::default();
    for outcome in Outcome::ALL {
        longest.add(outcome, u64::MAX);
    }
    let few = Counts::of(Outcome::Valid, 3);
    let counts = BTreeMap::from([
        (key("000000000000"), longest),
        (key("AAAAAAAAAAAA"), few),
        (key("BBBBBBBBBBBB"), longest),
        (key("aaaaaaaaaaaa"), few),
        (key("zzzzzzzzzzzz"), longest),
    ]);
    for node in ["one", "two"] {
        let minutes = vec![MinuteUsage { workspace: WORKSPACE, at: NOW, counts: counts.clone() }];
        store.write(AddUsage { node: node.to_owned(), minutes }).await.expect("they are written");
    }
    let (from, until) = hour();
    let of = |id| UsageOfKey { workspace: WORKSPACE, id, step: Step::Hour, from, until };
    for (id, counts) in &counts {
        let mut both = *counts;
        both += *counts;
        let found = store.read(of(*id)).await.expect("they can be read");
        assert_eq!(found, BTreeMap::from([(from, both)]), "{id}");
    }
    let found = store.read(of(key("AAAAAAAAAAAB"))).await.expect("they can be read");
    assert!(found.is_empty(), "it was never used");
}

async fn each_webhook_has_its_own_counts_wherever_they_stand(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    let mut longest = AttemptCounts::default();
    (longest.succeeded, longest.failed) = (u64::MAX, u64::MAX);
    for bucket in 0..BUCKETS {
        longest.add_durations(u8::try_from(bucket).expect("fewer than 256"), u64::MAX);
    }
    let mut few = AttemptCounts::default();
    few.count(true, 1_500);
    let webhook = |number: u8| WebhookId::from_bytes([number; 16]);
    let counts = BTreeMap::from([
        (webhook(0), longest.clone()),
        (webhook(3), few.clone()),
        (webhook(120), longest.clone()),
        (webhook(255), longest),
    ]);
    for node in ["one", "two"] {
        let minutes = vec![MinuteStats { workspace: WORKSPACE, at: NOW, counts: counts.clone() }];
        store.write(AddDeliveryStats { node: node.to_owned(), minutes }).await.expect("they are written");
    }
    let (from, until) = hour();
    let of = |id| StatsOfWebhook { workspace: WORKSPACE, id, step: Step::Hour, from, until };
    for (id, counts) in &counts {
        let mut both = counts.clone();
        both.add(counts);
        let found = store.read(of(*id)).await.expect("they can be read");
        assert_eq!(found, BTreeMap::from([(from, both)]), "{id}");
    }
    let found = store.read(of(webhook(4))).await.expect("they can be read");
    assert!(found.is_empty(), "nothing went to it");
}

async fn counts_of_many_keys_are_in_parts_and_of_few_in_one_row(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    let (from, until) = hour();
    let key = |number: u64| KeyId::parse(&format!("{number:012}")).expect("twelve characters of base62");
    let mut sums: BTreeMap<KeyId, Counts> = BTreeMap::new();
    // Each time once more for those that were there, and the first time for others; at last for one of them alone.
    for (used, parts) in
        [(0..64, 1..=1), (0..65, 2..=3), (0..1_000, 16..=31), (1_500..2_500, 16..=31), (7..8, 16..=31)]
    {
        let counts: BTreeMap<_, _> =
            used.map(|number| (key(number), Counts::of(Outcome::Valid, 1 + number))).collect();
        for (id, counts) in &counts {
            *sums.entry(*id).or_default() += *counts;
        }
        let minutes = vec![MinuteUsage { workspace: WORKSPACE, at: NOW, counts }];
        store.write(AddUsage { node: "one".to_owned(), minutes }).await.expect("they are written");
        assert_eq!(
            store.read(Parts(&PARTS_OF_KEYS)).await.expect("they can be read"),
            parts.collect::<Vec<_>>()
        );

        let of_workspace = UsageOfWorkspace { workspace: WORKSPACE, step: Step::Hour, from, until };
        let mut all = Counts::default();
        for counts in sums.values() {
            all += *counts;
        }
        let found = store.read(of_workspace).await.expect("they can be read");
        assert_eq!(found, BTreeMap::from([(from, all)]));
        let by_key = UsageByKey { workspace: WORKSPACE, step: Step::Hour, from, until };
        let stored = store.read(by_key).await.expect("they can be read");
        for nth in [1, 3] {
            let some =
                || sums.iter().step_by(nth).map(|(id, counts)| (*id, BTreeMap::from([(from, *counts)])));
            let ids = some().map(|(id, _)| id).chain([key(5_000)]).collect();
            assert_eq!(stored.of_keys(&ids).expect("they are well formed"), some().collect());
        }
    }
    for number in [0, 7, 64, 999, 1_000, 1_499, 1_500, 2_499] {
        let id = key(number);
        let of_key = UsageOfKey { workspace: WORKSPACE, id, step: Step::Hour, from, until };
        let found = store.read(of_key).await.expect("they can be read");
        assert_eq!(found.get(&from), sums.get(&id), "{id}");
    }
}

async fn counts_of_many_webhooks_are_in_parts(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    let (from, until) = hour();
    let webhook =
        |number: u8| WebhookId::from_bytes([[7; 15].as_slice(), &[number]].concat().try_into().expect("16"));
    let mut one = AttemptCounts::default();
    one.count(true, 1_500);
    for (numbers, parts) in [(0..16, 1..=1), (16..17, 2..=3), (17..200, 16..=31)] {
        let counts = numbers.map(|number| (webhook(number), one.clone())).collect();
        let minutes = vec![MinuteStats { workspace: WORKSPACE, at: NOW, counts }];
        store.write(AddDeliveryStats { node: "one".to_owned(), minutes }).await.expect("they are written");
        assert_eq!(
            store.read(Parts(&PARTS_OF_WEBHOOKS)).await.expect("they can be read"),
            parts.collect::<Vec<_>>()
        );
    }
    for number in [0, 15, 16, 17, 199] {
        let of = StatsOfWebhook { workspace: WORKSPACE, id: webhook(number), step: Step::Hour, from, until };
        let found = store.read(of).await.expect("they can be read");
        assert_eq!(found, BTreeMap::from([(from, one.clone())]), "{number}");
    }
    let all = StatsOfWorkspace { workspace: WORKSPACE, step: Step::Hour, from, until };
    let found = store.read(all).await.expect("they can be read");
    assert_eq!(found.get(&from).map(|all| all.succeeded), Some(200));
}

/// A table of counts as it was made by the steps before the ninth, and that step forgotten.
const BEFORE_PARTS: &str = "
    DROP TABLE key_usage;
    CREATE TABLE key_usage (workspace_id BYTEA NOT NULL, step BIGINT NOT NULL, at BIGINT NOT NULL, node TEXT NOT NULL,
                            counts BYTEA NOT NULL, PRIMARY KEY (workspace_id, step, at, node));
    DELETE FROM schema_migrations WHERE number = 9;";
const INSERT_BEFORE_PARTS: &str =
    "INSERT INTO key_usage (workspace_id, step, at, node, counts) VALUES ($1, 3600, $2, 'one', $3)";

async fn counts_from_before_there_were_parts_are_the_whole_until_more_is_added(engine: Engine) {
    furnished(&engine, NOW).await.close().await;
    let (from, until) = hour();
    let key = |number: u64| KeyId::parse(&format!("{number:012}")).expect("twelve characters of base62");
    let mut value = vec![1];
    for number in 0..65 {
        value.extend_from_slice(key(number).as_str().as_bytes());
        value.extend_from_slice(&[1, Outcome::Valid as u8, 3]);
    }
    let (workspace, at) = (WORKSPACE.as_bytes().as_slice(), from.micros());
    if let Engine::Postgres { .. } = engine {
        let client = connect_postgres(&engine).await;
        client.batch_execute(BEFORE_PARTS).await.expect("it is as before");
        let put = client.execute(INSERT_BEFORE_PARTS, &[&workspace, &at, &value]).await;
        assert_eq!(put.expect("it fits"), 1);
    } else {
        let database = connect_sqlite(&engine);
        database.execute_batch(BEFORE_PARTS).expect("it is as before");
        database.execute(INSERT_BEFORE_PARTS, (workspace, at, &value)).expect("it fits");
    }

    let store = engine.open();
    let of = |id| UsageOfKey { workspace: WORKSPACE, id, step: Step::Hour, from, until };
    for (added, parts) in [(0, vec![1]), (4, vec![2, 3])] {
        let counts = BTreeMap::from([(key(64), Counts::of(Outcome::Valid, added))]);
        let minutes = vec![MinuteUsage { workspace: WORKSPACE, at: NOW, counts }];
        if added > 0 {
            store.write(AddUsage { node: "one".to_owned(), minutes }).await.expect("they are written");
        }
        assert_eq!(store.read(Parts(&PARTS_OF_KEYS)).await.expect("they can be read"), parts);
        for (number, count) in [(0, 3), (63, 3), (64, 3 + added)] {
            let found = store.read(of(key(number))).await.expect("they can be read");
            assert_eq!(found, BTreeMap::from([(from, Counts::of(Outcome::Valid, count))]), "{number}");
        }
    }
}

async fn old_counts_are_found_as_long_as_any_is_left(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    let (from, until) = hour();
    let keys =
        (0..65).map(|number| KeyId::parse(&format!("{number:012}")).expect("twelve characters of base62"));
    let counts: BTreeMap<_, _> = keys.map(|id| (id, Counts::of(Outcome::Valid, 1))).collect();
    let minutes = vec![MinuteUsage { workspace: WORKSPACE, at: NOW, counts }];
    for node in ["one", "two"] {
        let minutes = minutes.clone();
        store.write(AddUsage { node: node.to_owned(), minutes }).await.expect("they are written");
    }
    let never = Timestamp::from_seconds(0);
    let cutoffs = Cutoffs { events: never, attempts: never, usage: [never, until, never] };
    let is_old = || WithSomethingOld { after: None, until: WORKSPACE, cutoffs };
    let mut rows = 0;
    while store.read(is_old()).await.expect("it can be read") == [WORKSPACE] {
        let bite =
            DeleteOldUsage { workspace: WORKSPACE, step: Step::Hour, before: Some(until), weight_max: 1 };
        let bite = store.write(bite).await.expect("it goes");
        assert_eq!((bite.rows, bite.more), (1, true));
        rows += bite.rows;
    }
    assert_eq!(rows, 4, "two parts of two nodes");
    assert!(store.read(Parts(&PARTS_OF_KEYS)).await.expect("they can be read").is_empty());
    let by_minute = UsageOfWorkspace { workspace: WORKSPACE, step: Step::Minute, from, until };
    assert_eq!(store.read(by_minute).await.expect("they can be read").len(), 1, "what is not old stays");
}
