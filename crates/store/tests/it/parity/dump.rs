//! All rows of all tables, as text, in the order of their primary keys.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use tokio_postgres::Client;

use crate::schema::{Table, sqlite_schema};

/// Table by table, row by row.
type Dump = BTreeMap<String, Vec<String>>;

fn select(name: &str, table: &Table) -> String {
    let columns: Vec<_> = table.columns.iter().map(|(column, ..)| column.as_str()).collect();
    format!("SELECT {} FROM {name} ORDER BY {}", columns.join(", "), table.primary_key.join(", "))
}

pub(super) fn of_sqlite(database: &rusqlite::Connection) -> (Dump, BTreeMap<String, Table>) {
    let tables = sqlite_schema(database);
    let mut dump = Dump::new();
    for (name, table) in &tables {
        let mut statement = database.prepare(&select(name, table)).expect("it prepares");
        let rows = statement.query_map([], |row| {
            let values = (0..table.columns.len()).map(|column| {
                Ok(match row.get_ref(column)? {
                    ValueRef::Null => "null".to_owned(),
                    ValueRef::Integer(number) => number.to_string(),
                    ValueRef::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
                    ValueRef::Blob(bytes) => format!("{bytes:02x?}"),
                    ValueRef::Real(number) => panic!("{name} holds {number}"),
                })
            });
            Ok(values.collect::<rusqlite::Result<Vec<_>>>()?.join(" | "))
        });
        let rows = rows.expect("it runs").map(|row| row.expect("a row")).collect();
        dump.insert(name.clone(), rows);
    }
    (dump, tables)
}

pub(super) async fn of_postgres(client: &Client, tables: &BTreeMap<String, Table>) -> Dump {
    let mut dump = Dump::new();
    for (name, table) in tables {
        let rows = client.query(&select(name, table), &[]).await.expect("it runs");
        let text = |row: &tokio_postgres::Row| {
            let values = table.columns.iter().enumerate().map(|(place, (_, kind, _))| {
                let value = match *kind {
                    "integer" => row.get::<_, Option<i64>>(place).map(|number| number.to_string()),
                    "text" => row.get::<_, Option<&str>>(place).map(|text| format!("{text:?}")),
                    _ => row.get::<_, Option<&[u8]>>(place).map(|bytes| format!("{bytes:02x?}")),
                };
                value.unwrap_or_else(|| "null".to_owned())
            });
            values.collect::<Vec<_>>().join(" | ")
        };
        dump.insert(name.clone(), rows.iter().map(text).collect());
    }
    dump
}
