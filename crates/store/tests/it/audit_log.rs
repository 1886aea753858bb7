//! The audit log, filtered: by one filter all of it at once, by two in looks that end.

use std::time::Duration;

use keybell_core::grant::Origin;
use keybell_core::{ActorRef, AuditId, Timestamp};
use keybell_store::ops::audit::{self, AuditFact, ListEntries};
use keybell_store::{Op, Store, StoreError, Tx};

use crate::engine::{Engine, NOW, on_both_engines};
use crate::furniture::{WORKSPACE, all_entries};

/// Entries, one a second: of two actors in turn, to five targets in turn. One in ten is of a rare action.
const ENTRIES: u8 = 40;
/// So many rows a look.
const LOOKED_AT_MAX: i64 = 4;

on_both_engines! {
    one_filter_and_a_time_find_everything_in_one_look
    two_filters_find_in_looks_that_go_on_what_one_long_look_finds
}

struct Write;

impl Op for Write {
    const NAME: &'static str = "test.write_entries";
    type Out = ();

    fn run(&self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        let origin = Origin { source_address: None, request_id: "req_1".into() };
        for number in 0..ENTRIES {
            let id = actor(number % 2);
            let by = ActorRef { kind: "member".to_owned(), id, name: "Somebody".to_owned() };
            let fact = AuditFact {
                id: AuditId::first_of(at(number)),
                at: at(number),
                action: if number.is_multiple_of(10) { "rare.done" } else { "frequent.done" },
                target_kind: "thing",
                target_id: format!("target-{}", number % 5),
                changes_json: "{}".to_owned(),
            };
            audit::entry(tx, WORKSPACE, &by, &origin, &fact)?;
        }
        Ok(())
    }
}

fn actor(number: u8) -> String {
    format!("actor-{number}")
}

fn at(number: u8) -> Timestamp {
    NOW + Duration::from_secs(u64::from(number))
}

async fn filled(engine: &Engine) -> Store {
    let store = engine.open();
    store.write(Write).await.expect("they are new");
    store
}

fn everything() -> ListEntries {
    ListEntries { looked_at_max: LOOKED_AT_MAX, ..all_entries() }
}

async fn one_filter_and_a_time_find_everything_in_one_look(engine: Engine) {
    let store = filled(&engine).await;
    let whole = |number: u8| Some(at(number));
    let within = Some(at(10) + Duration::from_micros(1));
    let filters = [
        (40, everything()),
        (20, ListEntries { actor_id: Some(actor(1)), ..everything() }),
        (0, ListEntries { actor_id: Some(actor(2)), ..everything() }),
        (4, ListEntries { action: Some("rare.done".to_owned()), ..everything() }),
        (8, ListEntries { target_id: Some("target-3".to_owned()), ..everything() }),
        (10, ListEntries { from: whole(10), until: whole(20), ..everything() }),
        // Both ends fall into the millisecond of an entry, which is before either.
        (10, ListEntries { from: within, until: Some(at(20) + Duration::from_micros(1)), ..everything() }),
        (2, ListEntries { action: Some("rare.done".to_owned()), until: whole(20), ..everything() }),
    ];
    for (expected, filter) in filters {
        let said = format!("{filter:?}");
        let looked = store.read(filter).await.expect("they can be read");
        assert_eq!((looked.found.len(), looked.to), (expected, None), "{said}");
        assert!(looked.found.is_sorted_by(|newer, older| newer.id > older.id), "{said}");
    }
}

async fn two_filters_find_in_looks_that_go_on_what_one_long_look_finds(engine: Engine) {
    let store = filled(&engine).await;
    let (rare, target) = (|| Some("rare.done".to_owned()), |number: u8| Some(format!("target-{number}")));
    let filters = [
        (4, 6, ListEntries { actor_id: Some(actor(0)), action: rare(), ..everything() }),
        (0, 6, ListEntries { actor_id: Some(actor(1)), action: rare(), ..everything() }),
        (4, 3, ListEntries { target_id: target(0), action: rare(), ..everything() }),
        (0, 3, ListEntries { target_id: target(1), action: rare(), ..everything() }),
        (4, 3, ListEntries { target_id: target(1), actor_id: Some(actor(1)), ..everything() }),
        (
            4,
            3,
            ListEntries { target_id: target(0), actor_id: Some(actor(0)), action: rare(), ..everything() },
        ),
    ];
    for (expected, looks_max, filter) in filters {
        let (mut below, mut found, mut looks) = (filter.below, Vec::new(), 0);
        let look = |below, looked_at_max| ListEntries {
            below,
            actor_id: filter.actor_id.clone(),
            action: filter.action.clone(),
            target_id: filter.target_id.clone(),
            looked_at_max,
            ..everything()
        };
        loop {
            let looked = store.read(look(below, LOOKED_AT_MAX)).await.expect("they can be read");
            looks += 1;
            found.extend(looked.found);
            let Some(to) = looked.to else { break };
            assert!(to < below, "it goes on");
            below = to;
        }
        assert_eq!((found.len(), looks), (expected, looks_max), "{filter:?}");
        let whole = store.read(look(filter.below, 1_000)).await.expect("they can be read");
        assert_eq!((whole.found, whole.to), (found, None), "{filter:?}");
    }
    let one = |looked_at_max| ListEntries {
        rows: 1,
        actor_id: Some(actor(0)),
        action: rare(),
        looked_at_max,
        ..everything()
    };
    let none = store.read(one(LOOKED_AT_MAX)).await.expect("they can be read");
    assert_eq!((none.found.len(), none.to), (0, Some(AuditId::first_of(at(32)))), "none of the first four");
    // A page that is full says by its last entry where the next one begins.
    let full = store.read(one(20)).await.expect("they can be read");
    assert_eq!((full.found.len(), full.to), (1, None));
}
