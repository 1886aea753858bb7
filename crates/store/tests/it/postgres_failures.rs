//! What PostgreSQL does to us, and what callers see of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::{Duration, Instant};

use keybell_store::{Arg, DatabaseUrl, Op, OpenOptions, Store, StoreError, Tx, statements};
use keybell_testkit::postgres::TestPostgres;

use crate::engine::{Engine, Increment, NOW, Names, PUT, Put, VALUE_OF};

statements! {
    TOUCH = "UPDATE installation SET value = $2 WHERE name = $1";
    END_OTHER_SESSIONS = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                          WHERE pid <> pg_backend_pid() AND datname = current_database()";
}

/// Runs a closure the first time, and only the rest when it is run again.
struct FirstTime<A, B> {
    tries: AtomicU64,
    before: A,
    rest: B,
}

impl<A, B> FirstTime<A, B> {
    fn new(before: A, rest: B) -> Self {
        FirstTime { tries: AtomicU64::new(0), before, rest }
    }
}

impl<A, B> Op for FirstTime<A, B>
where
    A: Fn(&mut dyn Tx) -> Result<(), StoreError> + Send + Sync + 'static,
    B: Fn(&mut dyn Tx) -> Result<i64, StoreError> + Send + Sync + 'static,
{
    const NAME: &'static str = "test.first_time";
    /// How often it was run, and what the last run gave.
    type Out = (u64, i64);

    fn run(&self, tx: &mut dyn Tx) -> Result<(u64, i64), StoreError> {
        let tries = self.tries.fetch_add(1, Ordering::SeqCst) + 1;
        if tries == 1 {
            (self.before)(tx)?;
        }
        Ok((tries, (self.rest)(tx)?))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_in_the_middle_of_writes_loses_nothing_that_was_answered() {
    let server = TestPostgres::start();
    let url = DatabaseUrl::parse(server.url()).expect("a good URL");
    let store = Store::open(&url, &OpenOptions::at(NOW)).expect("it opens");
    let kept = Arc::new(Mutex::new(BTreeSet::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let writers: Vec<_> = (0..50)
        .map(|writer| {
            let (store, kept, stop, tell) =
                (store.clone(), Arc::clone(&kept), Arc::clone(&stop), tell.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let name = format!("{writer}-{number}");
                    match store.write(Put(name.clone())).await {
                        Ok(rows) => {
                            assert_eq!(rows, 1);
                            kept.lock().expect("nobody panicked").insert(name);
                            tell.send(()).expect("the test listens");
                        }
                        Err(StoreError::Unavailable { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for _ in 0..500 {
        told.recv().await;
    }
    tokio::task::block_in_place(|| {
        server.kill9();
        server.restart();
    });
    while told.try_recv().is_ok() {}
    for _ in 0..500 {
        told.recv().await;
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("a writer ends well");
    }
    let names: BTreeSet<_> = store.read(Names).await.expect("names").into_iter().collect();
    let kept = kept.lock().expect("nobody panicked");
    assert!(kept.is_subset(&names), "lost: {:?}", kept.difference(&names).collect::<Vec<_>>());
    assert!(store.stats().reconnects >= 1, "{:?}", store.stats());
    // A commit whose outcome was not known may be there unanswered: at most one group for each writing lane.
    assert!(names.len() - kept.len() <= 128, "{} unanswered", names.len() - kept.len());
}

#[tokio::test]
async fn postgres_that_stays_away_is_reported_and_found_again() {
    let engine = Engine::Postgres { server: Arc::new(TestPostgres::start_fast()), url: String::new() };
    let url = DatabaseUrl::parse(engine.server().url()).expect("a good URL");
    let store = Store::open(&url, &OpenOptions::at(NOW)).expect("it opens");
    store.write(Put("before".into())).await.expect("the server runs");
    engine.server().stop();
    let error = store.write(Put("meanwhile".into())).await.expect_err("there is no server");
    assert!(matches!(error, StoreError::Unavailable { source: Some(_), .. }), "{error:?}");
    let started = Instant::now();
    let calls: Vec<_> = (0..300)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.write(Put(format!("{number}"))).await })
        })
        .collect();
    for call in calls {
        assert!(matches!(call.await.expect("the task ends well"), Err(StoreError::Unavailable { .. })));
    }
    assert!(started.elapsed() < Duration::from_secs(4), "only the first waits: {:?}", started.elapsed());
    engine.server().restart();
    store.write(Put("after".into())).await.expect("the server is back");
    assert_eq!(store.read(Names).await.expect("names"), ["after", "before"]);
}

#[tokio::test]
async fn postgres_transactions_that_meet_are_run_again_until_each_saw_the_other() {
    let engine = Engine::postgres();
    let store = engine.open();
    store.write(Increment("counter")).await.expect("the first");
    let meeting = Arc::new(Barrier::new(2));
    let (entered, inside) = mpsc::channel();
    let both: Vec<_> = (0..2)
        .map(|_| {
            let (meeting, entered) = (Arc::clone(&meeting), entered.clone());
            // Both have read before either writes, so that one of them must be refused by the engine.
            let wait = move |tx: &mut dyn Tx| {
                tx.as_read().rows(&VALUE_OF, &["counter".into()], &mut |_| Ok(()))?;
                entered.send(()).expect("the test listens");
                meeting.wait();
                Ok(())
            };
            FirstTime::new(wait, |tx: &mut dyn Tx| Increment("counter").run(tx))
        })
        .collect();
    let [one, other] = <[_; 2]>::try_from(both).ok().expect("there are two");
    let (one, other) = one_after_the_other(&store, one, other, &inside).await;
    let mut results = [one.expect("it is run again"), other.expect("it is run again")];
    results.sort_unstable_by_key(|(_, value)| *value);
    assert_eq!(results.map(|(_, value)| value), [2, 3]);
    assert!(results.iter().any(|(tries, _)| *tries > 1), "{results:?}");
}

/// Asks for the second when the first has begun, so that each has a lane and a transaction of its own.
async fn one_after_the_other<A: Op, B: Op>(
    store: &Store,
    one: A,
    other: B,
    inside: &mpsc::Receiver<()>,
) -> (Result<A::Out, StoreError>, Result<B::Out, StoreError>) {
    let (tell, told) = tokio::sync::oneshot::channel();
    store.write_then(one, move |result| drop(tell.send(result)));
    inside.recv().expect("it begins");
    let other = store.write(other).await;
    (told.await.expect("an answer"), other)
}

fn touch(tx: &mut dyn Tx, name: &str) -> Result<u64, StoreError> {
    tx.exec(&TOUCH, &[name.into(), Arg::Bytes(b"touched")])
}

#[tokio::test]
async fn postgres_deadlocks_end_with_both_done() {
    let engine = Engine::postgres();
    let store = engine.open();
    for name in ["x", "y"] {
        store.write(Put(name.into())).await.expect("a new name");
    }
    let meeting = Arc::new(Barrier::new(2));
    let (entered, inside) = mpsc::channel();
    let crossing = |first: &'static str, second: &'static str| {
        let (meeting, entered) = (Arc::clone(&meeting), entered.clone());
        FirstTime::new(
            move |tx: &mut dyn Tx| {
                touch(tx, first)?;
                entered.send(()).expect("the test listens");
                meeting.wait();
                touch(tx, second).map(drop)
            },
            move |tx: &mut dyn Tx| {
                Ok(i64::try_from(touch(tx, first)? + touch(tx, second)?).expect("two rows"))
            },
        )
    };
    let (one, other) = (crossing("x", "y"), crossing("y", "x"));
    let (one, other) = one_after_the_other(&store, one, other, &inside).await;
    let (one, other) = (one.expect("it is run again"), other.expect("it is run again"));
    assert_eq!((one.1, other.1), (2, 2));
    assert!(one.0 > 1 || other.0 > 1, "one of them was the victim");
}

#[tokio::test]
async fn postgres_that_ends_a_session_in_a_transaction_is_asked_once_more() {
    let engine = Engine::postgres();
    let store = engine.open();
    let (entered, inside) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let op = FirstTime::new(
        move |tx: &mut dyn Tx| {
            tx.exec(&PUT, &["half".into(), Arg::Bytes(b"")])?;
            entered.send(()).expect("the test listens");
            let _ = released.lock().expect("nobody panicked").recv();
            Ok(())
        },
        |tx: &mut dyn Tx| {
            tx.exec(&PUT, &["whole".into(), Arg::Bytes(b"")]).map(|rows| i64::try_from(rows).expect("one"))
        },
    );
    let (tell, told) = tokio::sync::oneshot::channel();
    store.write_then(op, move |result| tell.send(result).expect("the test listens"));
    inside.recv().expect("it runs");
    let killer = FirstTime::new(
        |_: &mut dyn Tx| Ok(()),
        |tx: &mut dyn Tx| {
            tx.as_read().first(&END_OTHER_SESSIONS, &[], |row| row.int(0)).map(|count| count.unwrap_or(0))
        },
    );
    let (_, ended) = store.write(killer).await.expect("a session may end others");
    assert!(ended >= 1);
    release.send(()).expect("it waits");
    assert_eq!(told.await.expect("an answer").expect("a second try on a new connection"), (2, 1));
    assert_eq!(store.read(Names).await.expect("names"), ["whole"]);
}

#[tokio::test]
async fn postgres_reads_go_on_where_their_sessions_were_ended_while_nothing_was_asked() {
    let engine = Engine::postgres();
    let store = engine.open();
    store.write(Put("kept".into())).await.expect("a new name");
    for _ in 0..4 {
        // More readings at once than there are readers, so that each has a session that can be ended.
        let readings: Vec<_> = (0..8).map(|_| store.read(Names)).collect();
        for names in futures_util::future::join_all(readings).await {
            assert_eq!(names.expect("names"), ["kept"]);
        }
        let killer = FirstTime::new(
            |_: &mut dyn Tx| Ok(()),
            |tx: &mut dyn Tx| {
                let ended = tx.as_read().first(&END_OTHER_SESSIONS, &[], |row| row.int(0))?;
                Ok(ended.unwrap_or(0))
            },
        );
        let (_, ended) = store.write(killer).await.expect("a session may end others");
        assert!(ended >= 1);
    }
    assert_eq!(store.read(Names).await.expect("names"), ["kept"]);
}

#[test]
fn postgres_nodes_that_start_at_once_agree_on_the_schema() {
    let engine = Engine::postgres();
    let url = engine.url();
    let stores: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> =
            (0..4).map(|_| scope.spawn(|| Store::open(&url, &OpenOptions::at(NOW)))).collect();
        starts.into_iter().map(|start| start.join().expect("it does not panic").expect("it opens")).collect()
    });
    assert_eq!(stores.len(), 4);
}
