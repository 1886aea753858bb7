//! Every statement of every operation prepares on both engines and means the same there.

use std::collections::BTreeSet;
use std::path::Path;

use keybell_store::inspect::statements;

use crate::engine::Engine;
use crate::schema::{connect_postgres, connect_sqlite};

#[test]
fn every_file_that_declares_statements_is_registered() {
    let registered: BTreeSet<_> = statements().iter().map(|statement| statement.name).collect();
    let mut directories =
        vec![(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops"), "keybell_store::ops".to_owned())];
    while let Some((directory, parent)) = directories.pop() {
        for file in std::fs::read_dir(directory).expect("the operations are beside the tests") {
            let path = file.expect("a file").path();
            let module = path.file_stem().and_then(|stem| stem.to_str()).expect("a module's name");
            let module = format!("{parent}::{module}");
            if path.is_dir() {
                directories.push((path, module));
                continue;
            }
            for name in declared(&std::fs::read_to_string(&path).expect("source is text")) {
                let name = format!("{module}::{name}");
                assert!(
                    registered.contains(name.as_str()),
                    "{name} is not in ops::all_statements or ops::all_bulks"
                );
            }
        }
    }
}

/// The names that a file declares with `statements!` and `bulks!`.
fn declared(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for block in text.split("\nstatements! {\n").skip(1).chain(text.split("\nbulks! {\n").skip(1)) {
        let block = block.split("\n}").next().unwrap_or_default();
        names.extend(block.lines().filter_map(|line| {
            let (name, _) = line.strip_prefix("    ")?.split_once(" = ")?;
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit())
                .then_some(name)
        }));
    }
    names
}

#[tokio::test]
async fn every_statement_prepares_on_sqlite_and_on_postgres_with_the_same_parameters_and_columns() {
    let (sqlite, postgres) = (Engine::sqlite(), Engine::postgres());
    sqlite.open().close().await;
    postgres.open().close().await;
    let on_sqlite = connect_sqlite(&sqlite);
    let on_postgres = connect_postgres(&postgres).await;
    let mut wrong = Vec::new();
    for statement in statements() {
        let left = on_sqlite.prepare(&statement.sqlite);
        let right = on_postgres.prepare(&statement.postgres).await;
        match (left, right) {
            (Ok(left), Ok(right)) => {
                let (given, taken) = (left.parameter_count(), right.params().len());
                if given != taken || statement.bulk_columns.is_some_and(|columns| columns != taken) {
                    wrong.push(format!(
                        "{}: {given} parameters on SQLite, {taken} on PostgreSQL",
                        statement.name
                    ));
                }
                let there: Vec<_> = right.columns().iter().map(|column| column.name().to_owned()).collect();
                let here: Vec<_> = left.column_names().collect();
                // An expression without a name is called differently; only that there is one can be compared.
                let same = here.len() == there.len()
                    && here
                        .iter()
                        .zip(&there)
                        .all(|(here, there)| here == there || there == "?column?" || is_expression(here));
                if !same {
                    wrong.push(format!(
                        "{}: columns {here:?} on SQLite, {there:?} on PostgreSQL",
                        statement.name
                    ));
                }
            }
            (left, right) => {
                let (left, right) = (left.err().map(|e| e.to_string()), right.err().map(|e| describe(&e)));
                wrong.push(format!("{}: SQLite {left:?}, PostgreSQL {right:?}", statement.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_expression(name: &str) -> bool {
    name.contains(['(', ' ', '?'])
}

fn describe(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
