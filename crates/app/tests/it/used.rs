//! How keys were used, across restarts and crashes: what is kept, and what may be lost.

use std::net::IpAddr;
use std::time::Duration;

use keybell_app::App;
use keybell_app::keys::{IssuedKey, KeyPatch, NewKey};
use keybell_app::usage::{LAST_USES_EVERY, Step, USAGE_EVERY, UsageQuestion};
use keybell_core::grant::{Action, ManageKeys, Origin, ReadKeys};
use keybell_core::key::{Asked, Environment, Outcome};
use keybell_core::seal::MasterKey;
use keybell_core::{Actor, Clock, Grant};
use serde_json::Map;

use crate::house::{House, On, house, settings, workspace};

fn grant<A: Action>() -> Grant<A> {
    let operator = Actor::Operator { key: "kb_op_000000000000".to_owned(), name: "tests".to_owned() };
    operator.grant(workspace(1), &Origin::default()).expect("an operator may do this")
}

async fn made(app: &App) -> IssuedKey {
    let new = NewKey {
        name: "integration".to_owned(),
        description: String::new(),
        environment: Environment::Live,
        scopes: Vec::new(),
        expires_at: None,
        allowed_networks: Vec::new(),
        rate_limits: Vec::new(),
        metadata: Map::new(),
    };
    app.create_key(grant::<ManageKeys>(), new).await.expect("there is room")
}

fn used(app: &App, key: &IssuedKey, times: u64) {
    let source: IpAddr = "203.0.113.9".parse().expect("an address");
    let asked = Asked { source_address: Some(source), ..Asked::default() };
    for _ in 0..times {
        app.verify(key.secret_key.reveal(), &asked, |_| ()).unwrap_or_else(|refused| panic!("{refused:?}"));
    }
}

/// How often it was let through in the last 24 steps.
async fn counted(app: &App, key: &IssuedKey, step: Step) -> u64 {
    let question = UsageQuestion { from: None, to: None, step };
    let points = app.key_usage(grant::<ReadKeys>(), key.key.id, question).await.expect("it is ours");
    points.iter().map(|(_, counts)| counts.count(Outcome::Valid)).sum()
}

async fn restarted(house: &House) -> App {
    house.restarted(MasterKey::from_bytes([7; 32])).await.unwrap_or_else(|problem| panic!("{problem:?}"))
}

#[tokio::test]
async fn an_orderly_end_loses_nothing_on_any_engine() {
    for on in [On::Memory, On::SqliteFile, On::Postgres] {
        let house = house(on).await;
        let key = made(&house.app).await;
        used(&house.app, &key, 3);
        house.clock.advance(Duration::from_hours(2));
        used(&house.app, &key, 4);
        house.app.write_usage().await.expect("it is written");
        let app = restarted(&house).await;
        assert_eq!(counted(&app, &key, Step::Minute).await, 4, "{on:?}");
        assert_eq!(counted(&app, &key, Step::Hour).await, 7, "{on:?}");
        assert_eq!(counted(&app, &key, Step::Day).await, 7, "{on:?}");
        let shown = app.key(grant::<ReadKeys>(), key.key.id).await.expect("it is ours");
        assert_eq!(shown.last_used_at, Some(house.clock.now()), "{on:?}");
        assert_eq!(shown.last_used_from.as_deref(), Some("203.0.113.9"), "{on:?}");
    }
}

#[tokio::test]
async fn a_crash_loses_what_was_counted_since_it_was_last_written_and_no_more() {
    let house = house(On::SqliteFile).await;
    let key = made(&house.app).await;
    used(&house.app, &key, 3);
    house.app.write_usage().await.expect("it is written");
    used(&house.app, &key, 4);
    assert_eq!(counted(&house.app, &key, Step::Minute).await, 7);
    let app = restarted(&house).await;
    assert_eq!(counted(&app, &key, Step::Minute).await, 3);
    used(&app, &key, 1);
    app.write_usage().await.expect("it is written");
    assert_eq!(counted(&app, &key, Step::Minute).await, 4, "what comes after is added");
}

/// What is promised of a crash rests on this: nobody asks for anything to be written here.
#[tokio::test(start_paused = true)]
async fn counts_are_written_every_ten_seconds_and_last_uses_every_minute_by_themselves() {
    let house = house(On::Memory).await;
    let key = made(&house.app).await;
    let mut written = Vec::new();
    for second in 0..=USAGE_EVERY.as_secs() + LAST_USES_EVERY.as_secs() {
        if second % 20 == 0 {
            house.clock.advance(Duration::from_secs(1));
            used(&house.app, &key, 1);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        if [1, 12, 55, 70].contains(&second) {
            let app = restarted(&house).await;
            let shown = app.key(grant::<ReadKeys>(), key.key.id).await.expect("it is ours");
            written.push((second, counted(&app, &key, Step::Hour).await, shown.last_used_at.is_some()));
        }
    }
    assert_eq!(written, [(1, 0, false), (12, 1, false), (55, 3, false), (70, 4, true)]);
}

#[tokio::test]
async fn two_nodes_on_one_database_are_counted_together() {
    let house = house(On::SqliteFile).await;
    let key = made(&house.app).await;
    let mut other = settings();
    other.node = "other".to_owned();
    let other = house.restarted_with(other).await;
    used(&house.app, &key, 2);
    used(&other, &key, 5);
    house.app.write_usage().await.expect("it is written");
    other.write_usage().await.expect("it is written");
    for app in [&house.app, &other] {
        assert_eq!(counted(app, &key, Step::Minute).await, 7);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_edited_while_it_is_used_loses_no_count() {
    let house = house(On::SqliteFile).await;
    let (app, key) = (&house.app, made(&house.app).await);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| used(app, &key, 5_000));
        }
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for number in 0..50 {
                    let patch = KeyPatch { name: Some(number.to_string()), ..KeyPatch::default() };
                    app.edit_key(grant::<ManageKeys>(), key.key.id, patch).await.expect("it can be edited");
                    app.write_usage().await.expect("it is written");
                }
            });
        });
    });
    assert_eq!(counted(app, &key, Step::Minute).await, 20_000);
    app.write_usage().await.expect("it is written");
    assert_eq!(counted(&restarted(&house).await, &key, Step::Minute).await, 20_000);
}

#[tokio::test]
async fn checks_write_nothing_and_their_counts_take_the_same_few_statements_however_many_they_are() {
    let house = house(On::SqliteFile).await;
    let keys = [made(&house.app).await, made(&house.app).await];
    let mut statements = Vec::new();
    for checks in [10, 5_000] {
        let before = house.statements();
        for key in &keys {
            used(&house.app, key, checks);
        }
        assert!(house.statements() - before < 10, "no statement for each check");
        house.app.write_usage().await.expect("it is written");
        statements.push(house.statements() - before);
    }
    assert!(statements[1] <= statements[0] + 10, "{statements:?}");
}
