//! What is left after `kill -9` at random moments under load: of Keybell on SQLite, of PostgreSQL beneath Keybell.

use keybell_testkit::crashes::{self, Findings, Plan, SETTINGS, Victim};
use keybell_testkit::installation::{Installation, Profile};
use keybell_testkit::postgres::TestPostgres;

use crate::table::{Row, Table};
use crate::{Database, Outcome};

/// Kills, unless the command says otherwise.
pub(crate) const KILLS_SQLITE: usize = 200;
/// The same of PostgreSQL, each of which takes ten times as long.
pub(crate) const KILLS_POSTGRES: usize = 30;
/// How many disagreements are shown.
const SHOWN: usize = 20;

/// Kills, and fails where something was lost.
pub(crate) fn run(database: Database, kills: Option<usize>, table: &mut Table) -> Outcome<()> {
    let (what, found) = match database {
        Database::Sqlite => {
            let mut installation = Installation::prepare(Profile::Release, None, SETTINGS)?;
            let key = installation.operator_key("bench")?;
            let plan = Plan::of(kills.unwrap_or(KILLS_SQLITE));
            ("Keybell, on SQLite", crashes::run(&mut installation, &key, Victim::Server, plan)?)
        }
        Database::Postgres => {
            let postgres = TestPostgres::start();
            let mut installation = Installation::prepare(Profile::Release, Some(postgres.url()), SETTINGS)?;
            let key = installation.operator_key("bench")?;
            let plan = Plan::of(kills.unwrap_or(KILLS_POSTGRES));
            ("PostgreSQL", crashes::run(&mut installation, &key, Victim::Database(&postgres), plan)?)
        }
    };
    eprintln!("{found}");
    for line in found.disagreements.iter().take(SHOWN) {
        eprintln!("  {line}");
    }
    table.add(row(what, &found));
    if found.lost.is_empty() { Ok(()) } else { Err(format!("lost: {:?}", found.lost)) }
}

fn row(what: &str, found: &Findings) -> Row {
    Row {
        what: format!("kill -9 of {what}: {} times", found.plan.kills),
        count: found.accepted as u64,
        bar: format!(
            "none lost: {} lost, {} duplicates; ready after {:.0?}, at most {:.0?}; {} disagreements of log and receiver",
            found.lost.len(),
            found.duplicates,
            found.ready_after_median(),
            found.ready_after_max(),
            found.disagreements.len(),
        ),
        ..Row::default()
    }
}
