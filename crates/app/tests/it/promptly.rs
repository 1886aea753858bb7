//! Promise 2 of the product, under load: what was answered about a key holds for every check that begins afterwards.
//!
//! Sixty-four threads check keys without a pause while others change them. Whether a change was answered is looked at before
//! a check begins; one `valid` after that breaks the promise.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use keybell_app::App;
use keybell_app::keys::{IssuedKey, KeyPatch, NewKey};
use keybell_core::grant::{ManageKeys, Origin};
use keybell_core::key::{Asked, Environment};
use keybell_core::{Actor, Clock, Grant};
use serde_json::Map;

use crate::house::{House, On, settings, workspace};

/// Threads that check.
const CHECKERS: usize = 64;
/// Revocations that are watched.
const REVOCATIONS: usize = 10_000;
/// Changes of each other kind.
const CHANGES: usize = 1_000;
/// Changes that are under way at once.
const AT_ONCE: usize = 100;
/// What every key may do until somebody takes it away.
const SCOPE: &str = "keybell:keys.read";

fn manage() -> Grant<ManageKeys> {
    let operator = Actor::Operator { key: "kb_op_000000000000".to_owned(), name: "tests".to_owned() };
    operator.grant(workspace(1), &Origin::default()).expect("an operator may do this")
}

async fn house() -> House {
    let mut settings = settings();
    settings.limits.api_keys_per_workspace = 20_000;
    House::start(On::SqliteFile, settings).await
}

fn new_key(number: usize) -> NewKey {
    NewKey {
        name: number.to_string(),
        description: String::new(),
        environment: Environment::Live,
        scopes: vec![SCOPE.to_owned()],
        expires_at: None,
        allowed_networks: Vec::new(),
        rate_limits: Vec::new(),
        metadata: Map::new(),
    }
}

async fn made(app: &App, count: usize, of: impl Fn(usize) -> NewKey) -> Vec<IssuedKey> {
    let mut keys = Vec::new();
    while keys.len() < count {
        let more =
            (keys.len()..count.min(keys.len() + AT_ONCE)).map(|number| app.create_key(manage(), of(number)));
        keys.extend(join_all(more).await.into_iter().map(|key| key.expect("there is room")));
    }
    keys
}

/// Changes `keys` by `change`, some at once, while all of them are checked. Gives how many checks said yes to a key whose
/// change had been answered before they began.
fn wrong_while(app: &App, keys: &[IssuedKey], change: impl AsyncFn(Range<usize>)) -> usize {
    let answered: Vec<AtomicBool> = keys.iter().map(|_| AtomicBool::new(false)).collect();
    // Where changes are being made: checks of keys far from there would find nothing.
    let (front, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let scopes = [SCOPE.to_owned()];
    let check = |place: usize| {
        let was_answered = answered[place].load(Ordering::SeqCst);
        let asked = Asked { required_scopes: &scopes, ..Asked::default() };
        let valid = app.verify(keys[place].secret_key.reveal(), &asked, |_| ()).is_ok();
        usize::from(was_answered && valid)
    };
    let watch = || {
        let mut wrong = 0;
        while !over.load(Ordering::SeqCst) {
            let front = front.load(Ordering::SeqCst);
            let around = front.saturating_sub(AT_ONCE)..keys.len().min(front + AT_ONCE);
            wrong += around.map(check).sum::<usize>();
        }
        wrong
    };
    std::thread::scope(|threads| {
        let checkers: Vec<_> = (0..CHECKERS).map(|_| threads.spawn(watch)).collect();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for begin in (0..keys.len()).step_by(AT_ONCE) {
                    front.store(begin, Ordering::SeqCst);
                    let changed = begin..keys.len().min(begin + AT_ONCE);
                    join_all(changed.map(async |place| {
                        change(place..place + 1).await;
                        answered[place].store(true, Ordering::SeqCst);
                    }))
                    .await;
                }
            });
        });
        over.store(true, Ordering::SeqCst);
        checkers.into_iter().map(|checker| checker.join().expect("a checker does not panic")).sum::<usize>()
            + (0..keys.len()).map(check).sum::<usize>()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_check_that_begins_after_a_revocation_was_answered_says_yes() {
    let house = house().await;
    let app = &house.app;
    let keys = made(app, REVOCATIONS, new_key).await;
    let wrong = wrong_while(app, &keys, async |place| {
        app.revoke_key(manage(), keys[place.start].key.id).await.expect("it can be revoked");
    });
    assert_eq!(wrong, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_for_a_key_that_is_switched_off_or_loses_its_scope() {
    let house = house().await;
    let app = &house.app;
    let off = KeyPatch { enabled: Some(false), ..KeyPatch::default() };
    let without = KeyPatch { scopes: Some(Vec::new()), ..KeyPatch::default() };
    for patch in [off, without] {
        let keys = made(app, CHANGES, new_key).await;
        let wrong = wrong_while(app, &keys, async |place| {
            let edited = app.edit_key(manage(), keys[place.start].key.id, patch.clone()).await;
            edited.expect("it can be edited");
        });
        assert_eq!(wrong, 0, "{patch:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_for_an_old_secret_whose_overlap_is_ended() {
    let house = house().await;
    let app = &house.app;
    let keys = made(app, CHANGES, new_key).await;
    for key in &keys {
        app.rotate_key(manage(), key.key.id, Duration::from_hours(1)).await.expect("it can be rotated");
    }
    let wrong = wrong_while(app, &keys, async |place| {
        app.end_overlap(manage(), keys[place.start].key.id).await.expect("it can be ended");
    });
    assert_eq!(wrong, 0);
}

/// Nothing is answered here: the clock moves, and what it shows holds at once, without any change of the key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_for_a_key_whose_time_is_over() {
    let house = house().await;
    let (app, start) = (&house.app, house.clock.now());
    let ends = |number: usize| start + Duration::from_secs(number as u64 + 1);
    let keys =
        made(app, CHANGES, |number| NewKey { expires_at: Some(ends(number)), ..new_key(number) }).await;
    let wrong = wrong_while(app, &keys, async |place| {
        // Some move it at once; it must not step back.
        house.clock.set(ends(place.start).max(house.clock.now()));
    });
    assert_eq!(wrong, 0);
}
