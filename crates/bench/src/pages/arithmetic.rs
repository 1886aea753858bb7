//! A floor for waits of a few milliseconds: arithmetic alone, with no other thread, no memory and no system call. What is
//! longer at the 99th percentile than at the 50th, the machine took for others.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::REQUESTS;
use crate::load::{histogram, milliseconds};
use crate::table::Row;

/// About what a page takes.
const LENGTH: Duration = Duration::from_millis(4);
/// How often a length is tried, to take the shortest.
const TRIES: u32 = 5;

/// How long it takes that takes [`LENGTH`] where nobody is in the way.
pub(super) fn floor() -> Row {
    let some = 1_000_000;
    let shortest = (0..TRIES).map(|_| timed(some)).min().unwrap_or(LENGTH);
    let rounds = u64::try_from(LENGTH.as_nanos() * u128::from(some) / shortest.as_nanos().max(1));
    let mut waits = histogram();
    for _ in 0..REQUESTS {
        let took = timed(rounds.unwrap_or(some));
        waits.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
    Row {
        what: "floor: 4 ms of arithmetic".to_owned(),
        count: waits.len(),
        p50_ms: Some(milliseconds(&waits, 0.5)),
        p95_ms: Some(milliseconds(&waits, 0.95)),
        p99_ms: Some(milliseconds(&waits, 0.99)),
        ..Row::default()
    }
}

fn timed(rounds: u64) -> Duration {
    let began = Instant::now();
    let mut number = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..rounds {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
    }
    black_box(number);
    began.elapsed()
}
