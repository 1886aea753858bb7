//! Keys that are changed and checked by many at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use keybell_app::keys::KeyPatch;

use super::{made, manage, named, operator, read, verdict};
use crate::house::{On, house};

#[tokio::test]
async fn two_editors_at_once_do_not_undo_each_other() {
    let house = house(On::SqliteFile).await;
    let app = &house.app;
    let id = made(app, named("first")).await.key.id;
    let rename = KeyPatch { name: Some("renamed".to_owned()), ..KeyPatch::default() };
    let describe = KeyPatch { description: Some("described".to_owned()), ..KeyPatch::default() };
    let (one, other) = tokio::join!(
        app.edit_key(manage(&operator()), id, rename),
        app.edit_key(manage(&operator()), id, describe),
    );
    one.and(other).expect("both can be edited");
    let key = app.key(read(&operator()), id).await.expect("it is there");
    assert_eq!((key.name.as_str(), key.description.as_str()), ("renamed", "described"));
}

/// Promise 2 of the product: once a revocation is answered, no check that begins afterwards says yes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_check_says_yes_once_a_revocation_is_answered() {
    const KEYS: usize = 200;
    let house = house(On::SqliteFile).await;
    let app = &house.app;
    let mut keys = Vec::new();
    for number in 0..KEYS {
        keys.push(made(app, named(&number.to_string())).await);
    }
    let revoked: Vec<AtomicBool> = (0..KEYS).map(|_| AtomicBool::new(false)).collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let checkers: Vec<_> = (0..3)
            .map(|_| {
                threads.spawn(|| {
                    let mut wrong = 0;
                    let mut checked = 0_u64;
                    while !over.load(Ordering::SeqCst) {
                        for (key, revoked) in keys.iter().zip(&revoked) {
                            // Read before the check begins: what was answered by then must hold.
                            let was_revoked = revoked.load(Ordering::SeqCst);
                            let verdict = verdict(app, &key.secret_key);
                            wrong += usize::from(was_revoked && verdict != "key_revoked");
                            checked += 1;
                        }
                    }
                    (wrong, checked)
                })
            })
            .collect();
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                for (key, revoked) in keys.iter().zip(&revoked) {
                    // An edit on the way at the same time must not bring the key back.
                    let rename = KeyPatch { name: Some("renamed".to_owned()), ..KeyPatch::default() };
                    let (_, answer) = tokio::join!(
                        app.edit_key(manage(&operator()), key.key.id, rename),
                        app.revoke_key(manage(&operator()), key.key.id),
                    );
                    answer.expect("it can be revoked");
                    revoked.store(true, Ordering::SeqCst);
                }
            });
        });
        over.store(true, Ordering::SeqCst);
        for checker in checkers {
            let (wrong, checked) = checker.join().expect("a checker does not panic");
            assert_eq!(wrong, 0, "of {checked} checks");
            assert!(checked > 0);
        }
    });
    for key in &keys {
        assert_eq!(verdict(app, &key.secret_key), "key_revoked");
    }
}

/// Whoever asked for a revocation and went away has revoked the key all the same, in memory as well.
#[tokio::test]
async fn a_revocation_whose_caller_goes_away_still_takes_effect() {
    let house = house(On::SqliteFile).await;
    let app = &house.app;
    let issued = made(app, named("first")).await;
    let mut revocation = Box::pin(app.revoke_key(manage(&operator()), issued.key.id));
    assert!(revocation.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(revocation);
    // The next write is committed after it, and its callback runs after that one's.
    made(app, named("second")).await;
    assert_eq!(verdict(app, &issued.secret_key), "key_revoked");
}
