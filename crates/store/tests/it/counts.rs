//! The counts of one key and of one webhook, out of values that hold those of many.

use std::collections::BTreeMap;

use keybell_core::attempt_counts::{AttemptCounts, BUCKETS};
use keybell_core::key::{Counts, KeyId, Outcome};
use keybell_core::{Timestamp, WebhookId};
use keybell_store::ops::delivery_stats::{AddDeliveryStats, MinuteStats, StatsOfWebhook};
use keybell_store::ops::usage::{AddUsage, MinuteUsage, Step, UsageOfKey};

use crate::engine::{Engine, NOW, on_both_engines};
use crate::furniture::{WORKSPACE, furnished};

on_both_engines! {
    each_key_has_its_own_counts_wherever_they_stand
    each_webhook_has_its_own_counts_wherever_they_stand
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
