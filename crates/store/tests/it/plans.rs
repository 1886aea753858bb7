//! How the engine goes about the statements that a long queue must not slow down: by an index, never through the table.

use keybell_store::inspect::statements;

use crate::engine::Engine;
use crate::schema::connect_sqlite;

/// How SQLite finds the rows of a statement, a line for each table or index it goes through.
fn plan(database: &rusqlite::Connection, name: &str) -> Vec<String> {
    let known = statements();
    let statement = known.iter().find(|statement| statement.name == name).expect("it is registered");
    let mut explain =
        database.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sqlite)).expect("it prepares");
    let mut rows = explain.raw_query();
    let mut lines = Vec::new();
    while let Some(row) = rows.next().expect("a plan") {
        lines.push(row.get::<_, String>(3).expect("a line"));
    }
    lines
}

#[tokio::test]
async fn what_waits_and_what_is_due_is_found_by_its_own_index() {
    let engine = Engine::sqlite();
    engine.open().close().await;
    let database = connect_sqlite(&engine);
    for (name, index) in [
        ("keybell_store::ops::deliveries::WAITING_FOR_WEBHOOK", "pending_deliveries_waiting"),
        ("keybell_store::ops::deliveries::NEXT_WAITING", "pending_deliveries_waiting"),
        ("keybell_store::ops::deliveries::DUE", "pending_deliveries_due"),
        ("keybell_store::ops::deliveries::NEXT_DUE", "pending_deliveries_due"),
        ("keybell_store::ops::deliveries::RELEASE_NODE", "pending_deliveries_due"),
    ] {
        let plan = plan(&database, name);
        let searched = format!("SEARCH pending_deliveries USING INDEX {index} ");
        let searched_too = searched.replace("USING INDEX", "USING COVERING INDEX");
        let found = |line: &String| line.starts_with(&searched) || line.starts_with(&searched_too);
        assert!(plan.iter().any(found), "{name}: {plan:#?}");
        // What was picked, a claim at most, is gone through; nothing else is.
        let through = |line: &&String| line.starts_with("SCAN ") && line.as_str() != "SCAN p";
        assert!(plan.iter().find(through).is_none(), "{name}: {plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{name}: {plan:#?}");
    }
}

#[tokio::test]
async fn a_webhook_is_looked_at_past_what_others_have() {
    let engine = Engine::sqlite();
    engine.open().close().await;
    let database = connect_sqlite(&engine);
    for (name, index) in [
        ("deliveries::PARK", "pending_deliveries_webhook"),
        ("deliveries::TAKE_UP", "pending_deliveries_webhook"),
        ("deliveries::CANCEL_KEEPING", "pending_deliveries_webhook"),
        ("deliveries::CANCEL_PENDING", "pending_deliveries_webhook"),
        ("delivery_log::PENDING_OF_WEBHOOK", "pending_deliveries_webhook"),
        ("delivery_log::FINISHED_OF_WEBHOOK", "finished_deliveries_webhook"),
        ("delivery_log::END_OF_PENDING_OF_WEBHOOK", "pending_deliveries_webhook"),
        ("delivery_log::END_OF_FINISHED_OF_WEBHOOK", "finished_deliveries_webhook"),
        ("delivery_log::END_OF_UNSUCCESSFUL_OF_WEBHOOK", "finished_deliveries_unsuccessful_webhook"),
        ("resends::END_OF_UNSUCCESSFUL_BITE_OF_WEBHOOK", "finished_deliveries_unsuccessful_webhook"),
        ("resends::COUNT_UNSUCCESSFUL_OF_WEBHOOK", "finished_deliveries_unsuccessful_webhook"),
    ] {
        let plan = plan(&database, &format!("keybell_store::ops::{name}"));
        let searched = format!("INDEX {index} (workspace_id=? AND webhook_id=? AND id>? AND id<?)");
        assert!(plan.iter().any(|line| line.contains(&searched)), "{name}: {plan:#?}");
        assert!(!plan.iter().any(|line| line.starts_with("SCAN ")), "{name}: {plan:#?}");
        assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{name}: {plan:#?}");
    }
}

#[tokio::test]
async fn each_filter_of_the_audit_log_is_a_range_of_its_own_index() {
    let engine = Engine::sqlite();
    engine.open().close().await;
    let database = connect_sqlite(&engine);
    for (name, column) in [
        ("OF_ACTOR", "actor"),
        ("OF_ACTION", "action"),
        ("OF_TARGET", "target"),
        ("END_OF_ACTOR", "actor"),
        ("END_OF_TARGET", "target"),
    ] {
        let plan = plan(&database, &format!("keybell_store::ops::audit::{name}"));
        let key = if column == "action" { "action" } else { &format!("{column}_id") };
        let searched = format!("INDEX audit_entries_{column} (workspace_id=? AND {key}=? AND id>? AND id<?)");
        assert!(plan.iter().any(|line| line.contains(&searched)), "{name}: {plan:#?}");
        let through = |line: &String| line.starts_with("SCAN ") || line.contains("TEMP B-TREE");
        assert!(!plan.iter().any(through), "{name}: {plan:#?}");
    }
}

/// Each is a range of keys from its end on, so that a bounded number of rows is a bounded time.
#[tokio::test]
async fn what_did_not_succeed_is_found_past_what_did_and_every_look_is_a_range() {
    let engine = Engine::sqlite();
    engine.open().close().await;
    let database = connect_sqlite(&engine);
    for (name, by) in [
        ("delivery_log::PENDING", "PRIMARY KEY"),
        ("delivery_log::END_OF_PENDING", "PRIMARY KEY"),
        ("delivery_log::FINISHED", "PRIMARY KEY"),
        ("delivery_log::END_OF_FINISHED", "PRIMARY KEY"),
        ("delivery_log::END_OF_UNSUCCESSFUL", "COVERING INDEX finished_deliveries_unsuccessful"),
        ("resends::END_OF_UNSUCCESSFUL_BITE", "COVERING INDEX finished_deliveries_unsuccessful"),
        ("resends::COUNT_UNSUCCESSFUL", "INDEX finished_deliveries_unsuccessful"),
        ("events::LIST", "PRIMARY KEY"),
        ("audit::LIST", "PRIMARY KEY"),
        ("events::END_OF_LOOK", "PRIMARY KEY"),
    ] {
        let plan = plan(&database, &format!("keybell_store::ops::{name}"));
        let searched = format!("{by} (workspace_id=? AND id>? AND id<?)");
        assert!(plan.iter().any(|line| line.contains(&searched)), "{name}: {plan:#?}");
        let through = |line: &String| line.starts_with("SCAN ") || line.contains("TEMP B-TREE");
        assert!(!plan.iter().any(through), "{name}: {plan:#?}");
    }
}

/// What does not fit the filter is passed over in the index, and never looked up.
#[tokio::test]
async fn the_filters_of_what_did_not_succeed_stand_in_its_index() {
    let engine = Engine::sqlite();
    engine.open().close().await;
    let database = connect_sqlite(&engine);
    for (name, range) in [
        ("UNSUCCESSFUL", "finished_deliveries_unsuccessful (workspace_id=? AND id>? AND id<?)"),
        (
            "UNSUCCESSFUL_OF_WEBHOOK",
            "finished_deliveries_unsuccessful_webhook (workspace_id=? AND webhook_id=? AND id>? AND id<?)",
        ),
    ] {
        let plan = plan(&database, &format!("keybell_store::ops::delivery_log::{name}"));
        let covering = format!("COVERING INDEX {range}");
        assert!(plan.iter().any(|line| line.contains(&covering)), "{name}: {plan:#?}");
        assert!(
            plan.iter().any(|line| line.contains("PRIMARY KEY (workspace_id=? AND id=?)")),
            "{name}: {plan:#?}"
        );
        assert!(!plan.iter().any(|line| line.starts_with("SCAN ")), "{name}: {plan:#?}");
    }
}

#[tokio::test]
async fn what_one_webhook_missed_is_found_past_what_others_have_between() {
    let engine = Engine::sqlite();
    engine.open().close().await;
    let database = connect_sqlite(&engine);
    for name in ["END_OF_BITE_OF_WEBHOOK", "COUNT_OF_WEBHOOK", "MOVE_OF_WEBHOOK", "LEAVE_OF_WEBHOOK"] {
        let plan = plan(&database, &format!("keybell_store::ops::resends::{name}"));
        let by_webhook =
            |line: &String| line.contains("finished_deliveries_webhook (workspace_id=? AND webhook_id=?");
        assert!(plan.iter().any(by_webhook), "{name}: {plan:#?}");
        let through =
            |line: &String| line.contains("SCAN ") || line.contains("PRIMARY KEY (workspace_id=? AND id>");
        assert!(!plan.iter().any(through), "{name}: {plan:#?}");
    }
}

#[tokio::test]
async fn the_counts_of_a_time_are_a_range_of_each_part_of_their_table() {
    let engine = Engine::sqlite();
    engine.open().close().await;
    let database = connect_sqlite(&engine);
    for name in ["usage::BETWEEN", "usage::OF_PARTS", "delivery_stats::BETWEEN", "delivery_stats::OF_PARTS"] {
        let plan = plan(&database, &format!("keybell_store::ops::{name}"));
        let range = "USING PRIMARY KEY (workspace_id=? AND step=? AND part=? AND at>? AND at<?)";
        assert!(matches!(&plan[..], [line] if line.ends_with(range)), "{name}: {plan:#?}");
    }
}
