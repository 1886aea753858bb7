//! Random lists of the real operations give the same answers and leave the same rows on both engines.
//!
//! To add an operation, add a line to a `STEPS` of this directory: it says how to make the operation from dice.

mod accounts;
mod catalogue;
mod deliveries;
mod dice;
mod dump;
mod keys;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use keybell_store::{Op, Query, Store, StoreError};
use keybell_testkit::postgres::TestPostgres;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::engine::Engine;
use crate::schema::{connect_postgres, connect_sqlite};
use dice::Dice;

/// Something to ask a store; what it answered, as text.
type Ask = Box<dyn FnOnce(&Store) -> Pin<Box<dyn Future<Output = String> + '_>>>;

/// How to make an operation from dice. The same dice make the same operation.
type Step = (&'static str, fn(&Dice) -> Ask);

/// Lists of operations that are tried. Each takes a new database on both engines.
const LISTS: u32 = 16;
/// Shorter lists that are tried after one disagreed. Each takes new databases too, so that it cannot be thousands.
const SHRINKS_MAX: u32 = 100;
/// Operations in the longest list.
const LIST_LENGTH_MAX: usize = 120;

/// Asks for a write, and shows its answer.
fn write<O: Op>(op: O) -> Ask
where
    O::Out: Debug,
{
    write_as(op, |out| format!("{out:?}"))
}

/// Asks for a write whose answer cannot be printed, and shows what `show` makes of it.
fn write_as<O: Op>(op: O, show: fn(O::Out) -> String) -> Ask {
    Box::new(move |store| Box::pin(async move { answer(store.write(op).await.map(show)) }))
}

/// Asks for a read, and shows its answer.
fn read<Q: Query>(query: Q) -> Ask
where
    Q::Out: Debug,
{
    read_as(query, |out| format!("{out:?}"))
}

/// Asks for a read whose answer cannot be printed, and shows what `show` makes of it.
fn read_as<Q: Query>(query: Q, show: fn(Q::Out) -> String) -> Ask {
    Box::new(move |store| Box::pin(async move { answer(store.read(query).await.map(show)) }))
}

/// Shows a list that comes in no order.
fn unordered<T: Debug>(list: Vec<T>) -> String {
    let mut texts: Vec<_> = list.into_iter().map(|item| format!("{item:?}")).collect();
    texts.sort();
    texts.join("\n")
}

/// An answer as text. Of an error only its kind: its words are the engine's own.
fn answer(result: Result<String, StoreError>) -> String {
    match result {
        Ok(text) => text,
        Err(StoreError::Failed { .. }) => "failed".to_owned(),
        Err(StoreError::Corrupt { what }) => format!("corrupt {what}"),
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    }
}

fn all_steps() -> Vec<Step> {
    [accounts::STEPS, catalogue::STEPS, deliveries::STEPS, keys::STEPS].concat()
}

#[test]
fn random_lists_of_operations_agree_on_sqlite_and_postgres() {
    // One server for all lists.
    let _server = TestPostgres::shared();
    let steps = all_steps();
    let lists = prop::collection::vec((0..steps.len(), any::<u64>()), 1..=LIST_LENGTH_MAX);
    let config = Config {
        cases: LISTS,
        max_shrink_iters: SHRINKS_MAX,
        failure_persistence: None,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime can be built");
    let result = TestRunner::new(config).run(&lists, |list| runtime.block_on(agree(&steps, &list)));
    if let Err(error) = result {
        panic!("{error}");
    }
}

async fn agree(steps: &[Step], list: &[(usize, u64)]) -> Result<(), TestCaseError> {
    let (sqlite, postgres) = (Engine::sqlite(), Engine::postgres());
    let (left, right) = (sqlite.open(), postgres.open());
    for (place, (kind, seed)) in list.iter().enumerate() {
        let (name, make) = steps[*kind];
        let here = make(&Dice::new(*seed))(&left).await;
        let there = make(&Dice::new(*seed))(&right).await;
        prop_assert_eq!(here, there, "step {}, {}, SQLite left and PostgreSQL right", place, name);
    }
    left.close().await;
    right.close().await;
    let database = connect_sqlite(&sqlite);
    let (here, tables) = dump::of_sqlite(&database);
    let there = dump::of_postgres(&connect_postgres(&postgres).await, &tables).await;
    prop_assert_eq!(here, there, "rows on SQLite left and on PostgreSQL right");
    Ok(())
}

/// Lists that only write are compared by their rows alone; this shows that the steps do write.
#[tokio::test]
async fn every_step_succeeds_for_some_dice_on_sqlite() {
    let mut never = Vec::new();
    let engine = Engine::sqlite();
    let store = engine.open();
    let dice = Dice::new(7);
    let steps = all_steps();
    let mut done = vec![false; steps.len()];
    for _ in 0..4_000 {
        let kind = dice.below(steps.len() as u64);
        let kind = usize::try_from(kind).expect("few steps");
        let text = steps[kind].1(&Dice::new(dice.number()))(&store).await;
        done[kind] |= text != "failed";
    }
    for ((name, _), done) in steps.iter().zip(done) {
        if !done {
            never.push(*name);
        }
    }
    assert!(never.is_empty(), "only ever failed: {never:?}");
}
