//! What callers may rely on, whatever the engine.

use std::future::Future;
use std::sync::{Mutex, mpsc};
use std::task::{Context, Waker};

use keybell_store::{Arg, Op, OpenError, OpenOptions, Query, Read, Store, StoreError, Tx};

use crate::engine::{Engine, Increment, NOW, Names, PUT, Put, PutThen, on_both_engines};

on_both_engines! {
    what_is_written_is_read_and_is_there_after_a_new_start
    one_failing_operation_in_a_hundred_leaves_the_others_alone
    an_operation_that_panics_is_undone_and_the_lane_lives_on
    an_operation_that_ignores_a_failed_statement_fails
    an_operation_that_reads_then_writes_is_never_interleaved
    a_dropped_call_is_done_whole
    a_follow_up_is_called_once_after_the_commit
    a_full_queue_refuses_one_more
    a_closed_store_finishes_what_waits_and_refuses_the_rest
    wrong_counts_and_types_of_arguments_fail
    a_query_cannot_write
    a_query_sees_one_state_of_the_database_however_often_it_looks
    statistics_count_what_was_done
    a_schema_that_lacks_steps_is_refused_unless_it_may_be_migrated
    many_at_once_all_get_their_own_answer
    what_need_not_last_is_done_all_the_same
}

async fn what_is_written_is_read_and_is_there_after_a_new_start(engine: Engine) {
    let store = engine.open();
    assert_eq!(store.write(Put("a".into())).await.expect("a new name"), 1);
    assert_eq!(store.read(Names).await.expect("names"), ["a"]);
    store.close().await;
    let store = engine.open();
    assert_eq!(store.read(Names).await.expect("names"), ["a"]);
}

async fn one_failing_operation_in_a_hundred_leaves_the_others_alone(engine: Engine) {
    let store = engine.open();
    store.write(Put("name-050".into())).await.expect("a new name");
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.write(Put(format!("name-{number:03}"))).await })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        let result = call.await.expect("the task ends well");
        if number == 50 {
            assert!(matches!(result, Err(StoreError::Failed { operation: "test.put", .. })), "{result:?}");
        } else {
            assert_eq!(result.expect("a new name"), 1);
        }
    }
    assert_eq!(store.read(Names).await.expect("names").len(), 100);
}

async fn an_operation_that_panics_is_undone_and_the_lane_lives_on(engine: Engine) {
    let store = engine.open();
    let panicking =
        PutThen("half", |_: &mut dyn Tx| -> Result<(), StoreError> { panic!("a bug in an operation") });
    let error = store.write(panicking).await.expect_err("it panics");
    let StoreError::Failed { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.to_string(), "it panicked: a bug in an operation");
    store.write(Put("after".into())).await.expect("the lane lives");
    assert_eq!(store.read(Names).await.expect("names"), ["after"]);
}

async fn an_operation_that_ignores_a_failed_statement_fails(engine: Engine) {
    let store = engine.open();
    let careless = PutThen("twice", |tx: &mut dyn Tx| {
        drop(tx.exec(&PUT, &["twice".into(), Arg::Bytes(b"")]));
        Ok(())
    });
    let error = store.write(careless).await.expect_err("it must not pass for done");
    assert!(matches!(error, StoreError::Failed { .. }), "{error}");
    assert!(store.read(Names).await.expect("names").is_empty());
}

async fn an_operation_that_reads_then_writes_is_never_interleaved(engine: Engine) {
    let store = engine.open();
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.write(Increment("counter")).await.expect("it is retried") })
        })
        .collect();
    let mut seen = Vec::new();
    for call in calls {
        seen.push(call.await.expect("the task ends well"));
    }
    seen.sort_unstable();
    assert_eq!(seen, (1..=200).collect::<Vec<_>>());
}

async fn a_dropped_call_is_done_whole(engine: Engine) {
    let store = engine.open();
    {
        let mut call = Box::pin(store.write(Put("dropped".into())));
        // Polled once, as a server polls a request's future before the client goes away. The answer cannot be there yet,
        // or it is; either way nobody waits for it.
        let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    store.close().await;
    let store = engine.open();
    assert_eq!(store.read(Names).await.expect("names"), ["dropped"]);
}

async fn a_follow_up_is_called_once_after_the_commit(engine: Engine) {
    let store = engine.open();
    let (tell, told) = mpsc::channel();
    for name in ["a", "a", "b"] {
        let tell = tell.clone();
        store
            .write_then(Put(name.into()), move |result| tell.send(result.is_ok()).expect("the test listens"));
    }
    drop(tell);
    store.close().await;
    let mut heard: Vec<_> = told.iter().collect();
    heard.sort_unstable();
    assert_eq!(heard, [false, true, true]);
    let (tell, told) = mpsc::channel();
    store.write_then(Put("late".into()), move |result| tell.send(result).expect("the test listens"));
    assert!(matches!(told.recv(), Ok(Err(StoreError::Unavailable { .. }))), "also where it was refused");
}

async fn a_full_queue_refuses_one_more(engine: Engine) {
    let store = engine.open_with(&OpenOptions { queue_max: 3, postgres_writers: 1, ..OpenOptions::at(NOW) });
    let (entered, inside) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let blocking = PutThen("blocking", move |_: &mut dyn Tx| {
        entered.send(()).expect("the test listens");
        let _ = released.lock().expect("nobody panicked").recv();
        Ok(())
    });
    store.write_then(blocking, |_| ());
    inside.recv().expect("the lane has taken it");
    let (tell, told) = mpsc::channel();
    for number in 0..4 {
        let tell = tell.clone();
        store
            .write_then(Put(format!("{number}")), move |result| tell.send(result).expect("the test listens"));
    }
    assert!(matches!(told.try_recv(), Ok(Err(StoreError::Busy { waiting: 3 }))), "the fourth, at once");
    assert_eq!((store.stats().refused, store.stats().writes_waiting), (1, 3));
    release.send(()).expect("the lane waits for it");
    for _ in 0..3 {
        told.recv().expect("an answer").expect("it waited, and was done");
    }
    // The closure of the blocking operation is run once.
    drop(release);
}

async fn a_closed_store_finishes_what_waits_and_refuses_the_rest(engine: Engine) {
    let store = engine.open();
    let (tell, told) = mpsc::channel();
    for number in 0..50 {
        let tell = tell.clone();
        store
            .write_then(Put(format!("{number}")), move |result| tell.send(result).expect("the test listens"));
    }
    store.close().await;
    assert!(
        (0..50).all(|_| matches!(told.try_recv(), Ok(Ok(1)))),
        "what waited was done before close came back"
    );
    assert!(matches!(store.write(Put("x".into())).await, Err(StoreError::Unavailable { .. })));
    assert!(matches!(store.read(Names).await, Err(StoreError::Unavailable { .. })));
}

async fn wrong_counts_and_types_of_arguments_fail(engine: Engine) {
    let store = engine.open();
    let few = PutThen("few", |tx: &mut dyn Tx| tx.exec(&PUT, &["one".into()]).map(drop));
    assert!(matches!(store.write(few).await, Err(StoreError::Failed { .. })));
    let wrong = PutThen("wrong", |tx: &mut dyn Tx| tx.exec(&PUT, &["one".into(), "text".into()]).map(drop));
    assert!(matches!(store.write(wrong).await, Err(StoreError::Failed { .. })));
    let null = PutThen("null", |tx: &mut dyn Tx| tx.exec(&PUT, &["one".into(), Arg::Null]).map(drop));
    assert!(matches!(store.write(null).await, Err(StoreError::Failed { .. })));
    let nul = PutThen("nul", |tx: &mut dyn Tx| tx.exec(&PUT, &["a\0b".into(), Arg::Bytes(b"")]).map(drop));
    assert!(matches!(store.write(nul).await, Err(StoreError::Failed { .. })), "PostgreSQL cannot hold it");
    assert!(store.read(Names).await.expect("names").is_empty());
}

struct Sneaky;
impl keybell_store::Query for Sneaky {
    const NAME: &'static str = "test.sneaky";
    type Out = ();
    fn run(&self, tx: &mut dyn keybell_store::Read) -> Result<(), StoreError> {
        tx.rows(&PUT, &["sneaked".into(), Arg::Bytes(b"")], &mut |_| Ok(()))
    }
}

async fn a_query_cannot_write(engine: Engine) {
    let store = engine.open();
    store.read(Sneaky).await.expect_err("the engine refuses it");
    assert!(store.read(Names).await.expect("names").is_empty());
}

/// Looks, says so, and looks once more when it may.
struct LookTwice {
    looked: mpsc::Sender<()>,
    again: Mutex<mpsc::Receiver<()>>,
}

impl Query for LookTwice {
    const NAME: &'static str = "test.look_twice";
    type Out = [Vec<String>; 2];

    fn run(&self, tx: &mut dyn Read) -> Result<Self::Out, StoreError> {
        let first = Names.run(tx)?;
        // Nobody listens and nobody holds it up where it is run again.
        let _ = self.looked.send(());
        let _ = self.again.lock().expect("nobody panicked").recv();
        Ok([first, Names.run(tx)?])
    }
}

/// What such a query sees when a name is written between its looks.
async fn look_twice(store: &Store, meanwhile: &str) -> [Vec<String>; 2] {
    let ((looked, inside), (go_on, again)) = (mpsc::channel(), mpsc::channel());
    let looking = tokio::spawn({
        let store = store.clone();
        async move { store.read(LookTwice { looked, again: Mutex::new(again) }).await }
    });
    tokio::task::spawn_blocking(move || inside.recv()).await.expect("it ends well").expect("it looks");
    store.write(Put(meanwhile.into())).await.expect("a new name");
    drop(go_on);
    looking.await.expect("it ends well").expect("names")
}

async fn a_query_sees_one_state_of_the_database_however_often_it_looks(engine: Engine) {
    let store = engine.open_with(&OpenOptions { postgres_readers: 1, ..OpenOptions::at(NOW) });
    store.write(Put("a".into())).await.expect("a new name");
    // On PostgreSQL this one comes to be known as a query that looks twice, and sees the state of its second run.
    let [first, second] = look_twice(&store, "b").await;
    assert_eq!(first, second);
    assert_eq!(look_twice(&store, "c").await, [["a", "b"], ["a", "b"]]);
    assert_eq!(store.read(Names).await.expect("names"), ["a", "b", "c"]);
}

async fn statistics_count_what_was_done(engine: Engine) {
    let store = engine.open();
    store.write(Put("a".into())).await.expect("a new name");
    store.write(Put("a".into())).await.expect_err("no new name");
    store.read(Names).await.expect("names");
    let stats = store.stats();
    assert_eq!((stats.operations, stats.operations_failed, stats.queries), (1, 1, 1));
    assert_eq!((stats.statements, stats.refused, stats.writes_waiting), (3, 0, 0));
    assert!(stats.commits >= 1);
}

async fn a_schema_that_lacks_steps_is_refused_unless_it_may_be_migrated(engine: Engine) {
    let url = engine.url();
    let options = OpenOptions { migrate: false, ..OpenOptions::at(NOW) };
    let refused = Store::open(&url, &options).err().expect("it lacks everything");
    assert!(
        matches!(&refused, OpenError::Pending { pending } if pending.len() == keybell_store::known_migrations().len())
    );
    assert!(refused.to_string().contains("run keybell migrate"), "{refused}");
    assert_eq!(keybell_store::pending_migrations(&url).expect("readable"), keybell_store::known_migrations());
    assert_eq!(keybell_store::migrate(&url, NOW).expect("applied"), keybell_store::known_migrations());
    assert!(keybell_store::pending_migrations(&url).expect("readable").is_empty());
    assert!(keybell_store::migrate(&url, NOW).expect("nothing to do").is_empty());
    engine.open_with(&options).close().await;
}

async fn many_at_once_all_get_their_own_answer(engine: Engine) {
    struct Echo(u64);
    impl Op for Echo {
        const NAME: &'static str = "test.echo";
        type Out = u64;
        fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
            tx.exec(&PUT, &[(&format!("{:04}", self.0)).into(), Arg::Bytes(b"")])?;
            Ok(self.0)
        }
    }
    let store = engine.open();
    let calls: Vec<_> = (0..1_000)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { (number, store.write(Echo(number)).await.expect("a new name")) })
        })
        .collect();
    for call in calls {
        let (asked, answered) = call.await.expect("the task ends well");
        assert_eq!(asked, answered);
    }
    let stats = store.stats();
    assert_eq!(stats.operations, 1_000);
    assert!(stats.commits < 1_000, "they shared commits: {stats:?}");
}

#[tokio::test(start_paused = true)]
async fn the_inline_store_answers_without_letting_time_pass() {
    let store = Store::inline_in_memory();
    let before = tokio::time::Instant::now();
    store.write(Put("a".into())).await.expect("a new name");
    store.write(Put("a".into())).await.expect_err("no new name");
    let again = store.clone();
    store.write_then(Put("b".into()), move |_| again.write_then(Put("c".into()), |_| ()));
    assert_eq!(store.read(Names).await.expect("names"), ["a", "b", "c"]);
    assert!(store.read(Sneaky).await.is_err() || store.read(Names).await.expect("names").len() == 3);
    assert_eq!(before.elapsed(), std::time::Duration::ZERO);
    store.close().await;
    assert!(store.read(Names).await.is_err());
}

/// Puts a name that may be taken back.
struct Lightly(String);

impl Op for Lightly {
    const NAME: &'static str = "test.put_lightly";
    const ISOLATION: keybell_store::Isolation = keybell_store::Isolation::PerStatement;
    type Out = u64;

    fn must_last(&self) -> bool {
        false
    }

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        tx.exec(&PUT, &[Arg::from(&self.0), Arg::Bytes(b"put")])
    }
}

async fn what_need_not_last_is_done_all_the_same(engine: Engine) {
    let store = engine.open();
    for name in ["a", "c"] {
        assert_eq!(store.write(Lightly(name.into())).await.expect("a new name"), 1);
    }
    assert_eq!(store.write(Put("b".into())).await.expect("a new name"), 1);
    assert_eq!(store.read(Names).await.expect("names"), ["a", "b", "c"]);
    store.close().await;
    assert_eq!(engine.open().read(Names).await.expect("names"), ["a", "b", "c"]);
}
