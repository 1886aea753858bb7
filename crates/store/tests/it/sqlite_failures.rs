//! What a disk does to us, and what callers see of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use keybell_store::ops::health::WritesAgain;
use keybell_store::{Arg, DatabaseUrl, Op, OpenError, OpenOptions, Store, StoreError, Tx};
use tempfile::TempDir;

use crate::engine::{Engine, NOW, Names, PUT, Put};

/// Bytes of one value; large, so that a small disk is full soon.
const VALUE_BYTES: usize = 64 * 1024;
/// Bytes of the small disk.
const DISK_BYTES: usize = 8 * 1024 * 1024;

/// Writes a large value under a new name.
struct PutLarge(String);

impl Op for PutLarge {
    const NAME: &'static str = "test.put_large";
    type Out = u64;

    fn run(&self, tx: &mut dyn Tx) -> Result<u64, StoreError> {
        tx.exec(&PUT, &[(&self.0).into(), Arg::Bytes(&vec![7; VALUE_BYTES])])
    }
}

/// Writes until the disk is full; the names that were answered as kept.
async fn fill(store: &Store) -> Vec<String> {
    let mut kept = Vec::new();
    for group in 0..1_000 {
        // Several at once, so that a group with kept and refused ones would show.
        let calls: Vec<_> = (0..4)
            .map(|number| {
                let (store, name) = (store.clone(), format!("{group:04}-{number}"));
                tokio::spawn(async move { (name.clone(), store.write(PutLarge(name)).await) })
            })
            .collect();
        let mut full = None;
        for call in calls {
            match call.await.expect("the task ends well") {
                (name, Ok(_)) => kept.push(name),
                (_, Err(error)) => full = Some(error),
            }
        }
        if let Some(error) = full {
            let StoreError::Unavailable { source: Some(source), .. } = &error else { panic!("{error:?}") };
            assert!(source.to_string().contains("full"), "{source}");
            assert!(!kept.is_empty(), "some went in before");
            kept.sort();
            return kept;
        }
    }
    panic!("the disk was never full");
}

/// A disk of [`DISK_BYTES`] at a directory, until it is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this process may not mount one.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let size = format!("size={DISK_BYTES}");
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).output();
        status.is_ok_and(|output| output.status.success()).then_some(SmallDisk(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.0.path().display());
    }
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_keeps_what_was_answered() {
    let Some(disk) = SmallDisk::mount() else {
        // Without the right to mount, the limit on pages stands in for the disk; that story is told below as well.
        eprintln!("no right to mount a small disk: a limit on the file's pages stands in for it");
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        return full_by_pages(&directory).await;
    };
    let filler = disk.0.path().join("filler");
    std::fs::write(&filler, vec![0; DISK_BYTES / 2]).expect("there is room");
    let url = DatabaseUrl::sqlite(disk.0.path().join("keybell.db"));
    let store = Store::open(&url, &OpenOptions::at(NOW)).expect("there is room for an empty database");
    let mut kept = fill(&store).await;
    assert_eq!(store.read(Names).await.expect("reading needs no room"), kept);
    std::fs::remove_file(filler).expect("room is made");
    assert!(store.failing().is_some());
    store.write(WritesAgain).await.expect("there is room again");
    assert_eq!(store.failing(), None);
    assert_eq!(store.write(Put("after".into())).await.expect("there is room again"), 1);
    kept.push("after".into());
    store.close().await;
    let store = Store::open(&url, &OpenOptions::at(NOW)).expect("it is whole");
    assert_eq!(store.read(Names).await.expect("names"), kept);
    store.close().await;
}

#[tokio::test]
async fn a_limit_on_the_size_refuses_what_does_not_fit() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    full_by_pages(&directory).await;
}

async fn full_by_pages(directory: &TempDir) {
    let url = DatabaseUrl::sqlite(directory.path().join("keybell.db"));
    let bytes = Some(DISK_BYTES as u64);
    let store = Store::open(&url, &OpenOptions { sqlite_bytes_max: bytes, ..OpenOptions::at(NOW) })
        .expect("it opens");
    assert_eq!(store.failing(), None);
    let kept = fill(&store).await;
    let why = store.failing().expect("the last write was refused");
    assert!(why.contains("full"), "{why}");
    assert_eq!(store.read(Names).await.expect("names"), kept);
    assert!(store.failing().is_some(), "that reads go on says nothing of writes");
    store.close().await;
    let store = Store::open(&url, &OpenOptions::at(NOW)).expect("it is whole");
    assert_eq!(store.read(Names).await.expect("names"), kept);
    assert_eq!(store.write(PutLarge("one more".into())).await.expect("without the limit there is room"), 1);
    store.close().await;
}

#[tokio::test]
async fn a_file_that_is_in_use_is_refused_until_it_is_closed() {
    let engine = Engine::sqlite();
    let store = engine.open();
    let refused = Store::open(&engine.url(), &OpenOptions::at(NOW)).err().expect("it is in use");
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains("another Keybell process"), "{refused}");
    assert!(matches!(keybell_store::migrate(&engine.url(), NOW), Err(OpenError::InUse { .. })));
    store.close().await;
    engine.open().close().await;
}

#[tokio::test]
async fn the_files_are_for_their_owner_only() {
    let engine = Engine::sqlite();
    let store = engine.open();
    store.write(Put("a".into())).await.expect("a new name");
    let path = engine.url().sqlite_path().expect("it is a file").to_owned();
    for suffix in ["", "-wal"] {
        let file = format!("{}{suffix}", path.display());
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("keybell.db");
    std::fs::write(&path, "this is not a database, and long enough to be looked at as one: ".repeat(20))
        .expect("written");
    let refused = Store::open(&DatabaseUrl::sqlite(&path), &OpenOptions::at(NOW)).err().expect("it is none");
    assert!(matches!(refused, OpenError::Unusable { .. }), "{refused}");
    let missing = directory.path().join("missing/keybell.db");
    let refused =
        Store::open(&DatabaseUrl::sqlite(missing), &OpenOptions::at(NOW)).err().expect("no directory");
    assert!(matches!(refused, OpenError::Unusable { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_write_ahead_log_begins_again_while_writes_go_on() {
    let engine = Engine::sqlite();
    let store = engine.open();
    let (writers, each) = (8, 384);
    let calls: Vec<_> = (0..writers)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..each {
                    store.write(PutLarge(format!("{writer}-{number}"))).await.expect("there is room");
                }
            })
        })
        .collect();
    for call in calls {
        call.await.expect("the task ends well");
    }
    let path = engine.url().sqlite_path().expect("it is a file").to_owned();
    let log = std::fs::metadata(Path::new(&format!("{}-wal", path.display()))).expect("it is there").len();
    let written = (writers * each * VALUE_BYTES) as u64;
    assert!(log < written / 2, "{log} bytes of log after {written} were written");
}

#[tokio::test]
async fn a_file_that_somebody_else_has_locked_is_said_until_a_write_goes_through() {
    let engine = Engine::sqlite();
    let store = engine.open();
    let somebody = crate::schema::connect_sqlite(&engine);
    somebody.execute_batch("BEGIN IMMEDIATE").expect("the file is free");
    // It waits for as long as SQLite is told to, and is then refused.
    store.write(Put("a".into())).await.expect_err("the file is locked");
    let why = store.failing().expect("writes fail");
    assert!(why.contains("begin a transaction") && why.contains("locked"), "{why}");
    somebody.execute_batch("ROLLBACK").expect("it was begun");
    store.write(WritesAgain).await.expect("the file is free");
    assert_eq!(store.failing(), None);
    assert_eq!(store.read(Names).await.expect("names"), Vec::<String>::new(), "the probe leaves nothing");
}
