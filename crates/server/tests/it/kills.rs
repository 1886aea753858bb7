//! Accepted is kept, whatever is killed and when: `kill -9` again and again, at random moments under a load that never stops.
//! Each run prints its seed; `KEYBELL_CRASH_SEED` takes one.

use keybell_testkit::crashes::{self, Plan, SETTINGS, Victim};
use keybell_testkit::installation::Installation;
use keybell_testkit::postgres::TestPostgres;

use crate::support::installation;

/// Kills of the server in the test: with an unoptimised binary on two busy cores each takes some 300 ms. The benches do 200:
/// `cargo run --release -p keybell-bench -- kill`.
const KILLS: usize = 100;
/// Kills of PostgreSQL, each of which takes a second and a half.
const DATABASE_KILLS: usize = 20;

fn nothing_is_lost(installation: &mut Installation, victim: Victim<'_>, kills: usize) {
    let key = installation.operator_key("platform").expect("a key");
    let plan = Plan::of(kills);
    eprintln!("{plan:?}");
    let found = crashes::run(installation, &key, victim, plan).expect("it can be killed and started");
    eprintln!("{found}");
    assert!(found.accepted > kills, "there was a load: {found}");
    assert!(found.lost.is_empty(), "{found}: {:?}", found.lost);
    assert!(found.disagreements.is_empty(), "{found}: {:#?}", found.disagreements);
}

#[test]
fn nothing_accepted_is_lost_when_the_server_is_killed_again_and_again_on_sqlite() {
    nothing_is_lost(&mut installation(None, SETTINGS), Victim::Server, KILLS);
}

#[test]
fn nothing_accepted_is_lost_when_postgres_is_killed_again_and_again() {
    let postgres = TestPostgres::start();
    let mut installation = installation(Some(postgres.url()), SETTINGS);
    nothing_is_lost(&mut installation, Victim::Database(&postgres), DATABASE_KILLS);
}
