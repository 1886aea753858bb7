//! The counts of one key and of one webhook, out of values that hold those of many.

use std::collections::{BTreeMap, BTreeSet};

use keybell_core::attempt_counts::{AttemptCounts, BUCKETS};
use keybell_core::key::{Counts, KeyId, Outcome};
use keybell_core::{Timestamp, WebhookId};
use keybell_store::ops::delivery_stats::{AddDeliveryStats, MinuteStats, StatsOfWebhook, StatsOfWorkspace};
use keybell_store::ops::retention::{CountsOf, Cutoffs, DeleteOldCounts, WithSomethingOld};
use keybell_store::ops::usage::{
    AddUsage, MinuteUsage, Span, Step, UsageByKey, UsageOfKey, UsageOfKeys, UsageOfWorkspace,
};
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
    no_more_is_held_at_once_than_may_be
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

fn hour() -> Span {
    let from = Step::Hour.beginning(NOW);
    let until = Timestamp::from_seconds(from.seconds() + Step::Hour.seconds());
    Span { workspace: WORKSPACE, step: Step::Hour, from, until }
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
    let span = hour();
    let from = span.from;
    let of = |id| UsageOfKey { span, id };
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
    let span = hour();
    let from = span.from;
    let of = |id| StatsOfWebhook { span, id };
    for (id, counts) in &counts {
        let mut both = counts.clone();
        both.add(counts);
        let found = store.read(of(*id)).await.expect("they can be read");
        assert_eq!(found, BTreeMap::from([(from, both)]), "{id}");
    }
    let found = store.read(of(webhook(4))).await.expect("they can be read");
    assert!(found.is_empty(), "nothing went to it");
}

fn key(number: u64) -> KeyId {
    KeyId::parse(&format!("{number:012}")).expect("twelve characters of base62")
}

fn webhook(number: u8) -> WebhookId {
    let mut bytes = [7; 16];
    bytes[15] = number;
    WebhookId::from_bytes(bytes)
}

async fn counts_of_many_keys_are_in_parts_and_of_few_in_one_row(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    let span = hour();
    let from = span.from;
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

        let of_workspace = UsageOfWorkspace { span };
        let mut all = Counts::default();
        for counts in sums.values() {
            all += *counts;
        }
        let found = store.read(of_workspace).await.expect("they can be read");
        assert_eq!(found, BTreeMap::from([(from, all)]));
        let by_key = UsageByKey { span };
        let stored = store.read(by_key).await.expect("they can be read").expect("they are few");
        for nth in [1, 3] {
            let some =
                || sums.iter().step_by(nth).map(|(id, counts)| (*id, BTreeMap::from([(from, *counts)])));
            let ids: BTreeSet<_> = some().map(|(id, _)| id).chain([key(5_000)]).collect();
            assert_eq!(stored.of_keys(&ids).expect("they are well formed"), some().collect());
            let of_keys = UsageOfKeys { span, ids };
            assert_eq!(store.read(of_keys).await.expect("they can be read"), some().collect());
        }
    }
    for number in [0, 7, 64, 999, 1_000, 1_499, 1_500, 2_499] {
        let id = key(number);
        let of_key = UsageOfKey { span, id };
        let found = store.read(of_key).await.expect("they can be read");
        assert_eq!(found.get(&from), sums.get(&id), "{id}");
    }
}

async fn counts_of_many_webhooks_are_in_parts(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    let span = hour();
    let from = span.from;
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
        let of = StatsOfWebhook { span, id: webhook(number) };
        let found = store.read(of).await.expect("they can be read");
        assert_eq!(found, BTreeMap::from([(from, one.clone())]), "{number}");
    }
    let all = StatsOfWorkspace { span };
    let found = store.read(all).await.expect("they can be read");
    assert_eq!(found.get(&from).map(|all| all.succeeded), Some(200));
}

/// The tables of counts as they were made by the steps before the ninth, and that step forgotten.
const BEFORE_PARTS: &str = "
    DROP TABLE key_usage;
    DROP TABLE delivery_stats;
    CREATE TABLE key_usage (workspace_id BYTEA NOT NULL, step BIGINT NOT NULL, at BIGINT NOT NULL, node TEXT NOT NULL,
                            counts BYTEA NOT NULL, PRIMARY KEY (workspace_id, step, at, node));
    CREATE TABLE delivery_stats (workspace_id BYTEA NOT NULL, step BIGINT NOT NULL, at BIGINT NOT NULL, node TEXT NOT NULL,
                                 counts BYTEA NOT NULL, PRIMARY KEY (workspace_id, step, at, node));
    DELETE FROM schema_migrations WHERE number = 9;";
const INSERT_BEFORE_PARTS: [&str; 2] = [
    "INSERT INTO key_usage (workspace_id, step, at, node, counts) VALUES ($1, 3600, $2, 'one', $3)",
    "INSERT INTO delivery_stats (workspace_id, step, at, node, counts) VALUES ($1, 3600, $2, 'one', $3)",
];

async fn counts_from_before_there_were_parts_are_the_whole_until_more_is_added(engine: Engine) {
    furnished(&engine, NOW).await.close().await;
    let span = hour();
    let from = span.from;
    let (mut usage, mut stats) = (vec![1], vec![1]);
    for number in 0..65 {
        usage.extend_from_slice(key(number).as_str().as_bytes());
        usage.extend_from_slice(&[1, Outcome::Valid as u8, 3]);
    }
    for number in 0..17 {
        stats.extend_from_slice(webhook(number).as_bytes());
        // Three succeeded, one failed, and none has a time.
        stats.extend_from_slice(&[3, 1, 0]);
    }
    let (workspace, at) = (WORKSPACE.as_bytes().as_slice(), from.micros());
    if let Engine::Postgres { .. } = engine {
        let client = connect_postgres(&engine).await;
        client.batch_execute(BEFORE_PARTS).await.expect("it is as before");
        for (insert, value) in INSERT_BEFORE_PARTS.into_iter().zip([&usage, &stats]) {
            assert_eq!(client.execute(insert, &[&workspace, &at, value]).await.expect("it fits"), 1);
        }
    } else {
        let database = connect_sqlite(&engine);
        database.execute_batch(BEFORE_PARTS).expect("it is as before");
        for (insert, value) in INSERT_BEFORE_PARTS.into_iter().zip([&usage, &stats]) {
            database.execute(insert, (workspace, at, value)).expect("it fits");
        }
    }

    let store = engine.open();
    let of_webhook = StatsOfWebhook { span, id: webhook(16) };
    let went = store.read(of_webhook).await.expect("they can be read");
    assert_eq!(went.get(&from).map(|counts| (counts.succeeded, counts.failed)), Some((3, 1)));
    let of = |id| UsageOfKey { span, id };
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
    let span = hour();
    let until = span.until;
    let keys = (0..65).map(|number| (key(number), Counts::of(Outcome::Valid, 1)));
    let usage = vec![MinuteUsage { workspace: WORKSPACE, at: NOW, counts: keys.collect() }];
    let mut one = AttemptCounts::default();
    one.count(true, 1_500);
    let webhooks = (0..17).map(|number| (webhook(number), one.clone()));
    let stats = vec![MinuteStats { workspace: WORKSPACE, at: NOW, counts: webhooks.collect() }];
    for node in ["one", "two"].map(str::to_owned) {
        store.write(AddUsage { node: node.clone(), minutes: usage.clone() }).await.expect("they are written");
        store.write(AddDeliveryStats { node, minutes: stats.clone() }).await.expect("they are written");
    }
    let never = Timestamp::from_seconds(0);
    let cutoffs = Cutoffs { events: never, attempts: never, usage: [never, until, never] };
    for of in CountsOf::ALL {
        for left in (0..4).rev() {
            let is_old = WithSomethingOld { after: None, until: WORKSPACE, cutoffs };
            assert_eq!(store.read(is_old).await.expect("it can be read"), [WORKSPACE], "{of:?}: {left}");
            let (workspace, step, before) = (WORKSPACE, Step::Hour, Some(until));
            let bite = DeleteOldCounts { workspace, of, step, before, weight_max: 1 };
            let bite = store.write(bite).await.expect("it goes");
            assert_eq!((bite.rows, bite.more), (1, true), "two parts of two nodes, {of:?}: {left}");
        }
    }
    let is_old = WithSomethingOld { after: None, until: WORKSPACE, cutoffs };
    assert!(store.read(is_old).await.expect("it can be read").is_empty());
    for parts in [&PARTS_OF_KEYS, &PARTS_OF_WEBHOOKS] {
        assert!(store.read(Parts(parts)).await.expect("they can be read").is_empty());
    }
    let by_minute = UsageOfWorkspace { span: Span { step: Step::Minute, ..span } };
    assert_eq!(store.read(by_minute).await.expect("they can be read").len(), 1, "what is not old stays");
}

async fn no_more_is_held_at_once_than_may_be(engine: Engine) {
    let store = furnished(&engine, NOW).await;
    let span = hour();
    // Sixteen parts of a byte and entries of fifteen: at the limit of 2,000,000 bytes, and one entry past it.
    for (numbers, is_held) in [(0..133_332, true), (133_332..133_333, false)] {
        let counts = numbers.map(|number| (key(number), Counts::of(Outcome::Valid, 1))).collect();
        let minutes = vec![MinuteUsage { workspace: WORKSPACE, at: NOW, counts }];
        store.write(AddUsage { node: "one".to_owned(), minutes }).await.expect("they are written");
        let by_key = UsageByKey { span };
        assert_eq!(store.read(by_key).await.expect("it can be read").is_some(), is_held);
    }
    let ids = BTreeSet::from([key(133_332)]);
    let of_keys = UsageOfKeys { span, ids };
    assert_eq!(store.read(of_keys).await.expect("they can be read").len(), 1);
}
