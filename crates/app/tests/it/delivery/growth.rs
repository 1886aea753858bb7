//! The database does not grow for ever under a steady load: a month of it, without the waiting.

use std::path::PathBuf;
use std::time::Duration;

use keybell_app::Settings;
use keybell_app::settings::RetentionSettings;

use super::model::Model;
use super::{Desk, event};
use crate::house::{On, settings};

/// Parts of a day, at the end of each of which what is old is deleted.
const PARTS: u64 = 2;
/// Events of a part, published together.
const EVENTS: usize = 64;
/// Bytes of data of each event, and of each answer: more than fits beside other rows.
const DATA_BYTES: usize = 12_000;
/// The write-ahead log begins again at 32 MiB; what was written while it was moved comes on top.
const LOG_BYTES_MAX: u64 = 3 * 32 * 1024 * 1024;

fn bytes_of(path: PathBuf) -> u64 {
    std::fs::metadata(path).expect("the file is there").len()
}

#[tokio::test]
async fn a_month_of_steady_load_leaves_the_file_as_large_as_half_of_it_did() {
    let week = Duration::from_hours(7 * 24);
    let retention = RetentionSettings { events: week, attempts: week, ..settings().retention };
    let desk = Desk::idle(On::SqliteFile, Settings { retention, ..settings() }).await;
    desk.start_over(Model::Answers(DATA_BYTES)).await;
    let file = |suffix: &str| desk.house.folder().join(format!("keybell.db{suffix}"));
    let data = format!("\"{}\"", "x".repeat(DATA_BYTES));
    let mut after_day = Vec::new();
    for _ in 0..30 {
        for _ in 0..PARTS {
            desk.try_publish((0..EVENTS).map(|_| event(&data)).collect()).await.expect("they are accepted");
            desk.quiet().await;
            desk.house.clock.advance(Duration::from_hours(24 / PARTS));
            desk.app().engine().delete_old().await.expect("it can");
            assert!(bytes_of(file("-wal")) <= LOG_BYTES_MAX, "{} bytes of log", bytes_of(file("-wal")));
        }
        after_day.push(bytes_of(file("")));
    }
    // The file grows by what the log is long when it is moved, so it takes two weeks until a week's data is in it.
    let (half, last) = (after_day[14], after_day[29]);
    let held = 7 * PARTS * (EVENTS * 2 * DATA_BYTES) as u64;
    assert!(half > held, "{half} bytes hold a week, which is {held} bytes of data and answers");
    assert!(
        last * 100 <= half * 105,
        "{half} bytes after half a month, {last} after all of it: {after_day:?}"
    );
    let delivered = desk.app().engine().stats().succeeded;
    assert_eq!(delivered, 30 * PARTS * EVENTS as u64, "everything was delivered");
}
