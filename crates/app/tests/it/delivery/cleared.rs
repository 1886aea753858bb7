//! What belonged to a workspace that was deleted: out of reach at once, cleared in bites, also after a crash.

use std::time::Duration;

use keybell_app::audit::AuditFilter;
use keybell_app::{App, Page};
use keybell_core::seal::MasterKey;
use keybell_core::{Code, Role};

use super::model::Model;
use super::{Desk, event};
use crate::house::{On, settings};
use crate::workspaces::{code, grant, operator, person};

/// Rows that are left after the deletion and are cleared: of each event itself, its delivery and its attempt; of the
/// workspace its audit entries, of being made and of its webhook, and how its deliveries went in a minute, an hour and a day.
const EVENTS: u64 = 40;
const ROWS: u64 = 3 * EVENTS + 2 + 3;

/// A workspace with events that were delivered, in an installation that then ends without a word.
async fn with_a_past(on: On) -> Desk {
    let desk = Desk::idle(on, settings()).await;
    desk.start_over(Model::Answers(100)).await;
    desk.try_publish((0..EVENTS).map(|_| event("1")).collect()).await.expect("they are accepted");
    desk.quiet().await;
    desk.app().stop_engine(Duration::ZERO).await;
    desk
}

async fn delete(desk: &Desk, app: &App) {
    app.delete_workspace(grant(&operator(), desk.workspace)).await.expect("operators may");
}

async fn a_deletion_that_a_crash_cut_short_goes_on_after_it(on: On) {
    let desk = with_a_past(on).await;
    // The engine does not run: so it is when a process ends right after the deletion was answered.
    delete(&desk, desk.app()).await;
    let again = desk.house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again");
    for app in [desk.app(), &again] {
        // What is left cannot be reached: nobody belongs there, and its name names nothing.
        let named = app.resolve_workspace(&operator(), &desk.workspace.to_string());
        assert_eq!(code(named), Code::NotFound, "{on:?}");
        assert_eq!(app.registry().matching(desk.workspace, super::TYPE).len(), 0, "{on:?}");
        assert_eq!(code(app.workspace(grant(&operator(), desk.workspace)).await), Code::NotFound, "{on:?}");
    }
    assert_eq!(again.engine().delete_old().await.expect("it can"), ROWS, "{on:?}");
    assert_eq!(again.engine().delete_old().await.expect("it can"), 0, "{on:?}");
    assert_eq!(desk.deliveries().await, [], "{on:?}");
    let owner = person(desk.workspace, Role::Owner, 1);
    let log = again.list_audit(grant(&owner, desk.workspace), AuditFilter::default(), Page::default());
    assert_eq!(log.await.expect("an empty list").data, [], "{on:?}");
}

#[tokio::test]
async fn a_deletion_that_a_crash_cut_short_goes_on_after_it_in_memory() {
    a_deletion_that_a_crash_cut_short_goes_on_after_it(On::Memory).await;
}

#[tokio::test]
async fn a_deletion_that_a_crash_cut_short_goes_on_after_it_on_sqlite() {
    a_deletion_that_a_crash_cut_short_goes_on_after_it(On::SqliteFile).await;
}

#[tokio::test]
async fn a_deletion_that_a_crash_cut_short_goes_on_after_it_on_postgres() {
    a_deletion_that_a_crash_cut_short_goes_on_after_it(On::Postgres).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_workspace_is_cleared_right_after_its_deletion() {
    let desk = Desk::idle(On::Memory, settings()).await;
    desk.start_over(Model::Answers(100)).await;
    desk.try_publish((0..EVENTS).map(|_| event("1")).collect()).await.expect("they are accepted");
    desk.quiet().await;
    delete(&desk, desk.app()).await;
    // Far sooner than what is old is looked for again.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(desk.deliveries().await, []);
    assert_eq!(desk.app().engine().delete_old().await.expect("it can"), 0, "nothing is left for later");
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_the_middle_of_clearing_leaves_the_rest_for_the_next_start() {
    let desk = with_a_past(On::Memory).await;
    delete(&desk, desk.app()).await;
    {
        // Dropped at its first pause, which comes after its first bite: as a process that ends there.
        let clearing = desk.app().engine().delete_old();
        tokio::time::timeout(Duration::from_nanos(1), clearing).await.expect_err("it is in its first pause");
    }
    let again = desk.house.restarted(MasterKey::from_bytes([7; 32])).await.expect("it starts again");
    let rest = again.engine().delete_old().await.expect("it can");
    assert!((1..ROWS).contains(&rest), "{rest} of {ROWS} rows were left");
    assert_eq!(again.engine().delete_old().await.expect("it can"), 0);
}
