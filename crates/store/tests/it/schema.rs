//! Both engines have the same schema: tables, columns in their order, what may be null, keys, unique and other indexes.

use std::collections::BTreeMap;

use keybell_store::DatabaseUrl;
use tokio_postgres::{Client, NoTls};

use crate::engine::Engine;

/// A connection of the test's own to the database of `engine`.
pub(crate) fn connect_sqlite(engine: &Engine) -> rusqlite::Connection {
    let url: DatabaseUrl = engine.url();
    rusqlite::Connection::open(url.sqlite_path().expect("it is a file")).expect("the file is there")
}

/// A connection of the test's own to the database of `engine`.
pub(crate) async fn connect_postgres(engine: &Engine) -> Client {
    let Engine::Postgres { url, .. } = engine else { panic!("not on PostgreSQL") };
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server runs");
    tokio::spawn(connection);
    client
}

/// A table: its columns in order, with type and whether they may be null; its primary key; its other indexes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<(String, &'static str, bool)>,
    pub(crate) primary_key: Vec<String>,
    /// Columns, whether unique, whether for some rows only.
    indexes: Vec<(Vec<String>, bool, bool)>,
}

pub(crate) fn sqlite_schema(database: &rusqlite::Connection) -> BTreeMap<String, Table> {
    let names = |text: &str, argument: &str| -> Vec<String> {
        let mut statement = database.prepare(text).expect("it prepares");
        let rows = statement.query_map([argument], |row| row.get(0)).expect("it runs");
        rows.map(|row| row.expect("a name")).collect()
    };
    let mut tables = BTreeMap::new();
    for name in names("SELECT name FROM sqlite_schema WHERE type = ?1 ORDER BY name", "table") {
        let mut table = Table::default();
        let mut key = BTreeMap::new();
        let mut statement = database
            .prepare("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1)")
            .expect("it prepares");
        let mut rows = statement.query([&name]).expect("it runs");
        while let Some(row) = rows.next().expect("a row") {
            let column: String = row.get(0).expect("a name");
            let kind = match row.get::<_, String>(1).expect("a type").as_str() {
                "INTEGER" => "integer",
                "TEXT" => "text",
                "BLOB" => "bytes",
                other => panic!("{name}.{column} is of type {other}"),
            };
            let position: i64 = row.get(3).expect("a position");
            if position > 0 {
                key.insert(position, column.clone());
            }
            table.columns.push((column, kind, !row.get::<_, bool>(2).expect("a flag")));
        }
        table.primary_key = key.into_values().collect();
        let mut statement = database
            .prepare("SELECT name, \"unique\", partial FROM pragma_index_list(?1) WHERE origin <> 'pk'")
            .expect("it prepares");
        let mut rows = statement.query([&name]).expect("it runs");
        while let Some(row) = rows.next().expect("a row") {
            let index: String = row.get(0).expect("a name");
            let columns = names("SELECT name FROM pragma_index_info(?1) ORDER BY seqno", &index);
            table.indexes.push((columns, row.get(1).expect("a flag"), row.get(2).expect("a flag")));
        }
        table.indexes.sort();
        tables.insert(name, table);
    }
    tables
}

async fn postgres_schema(client: &Client) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    let columns = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
                   coalesce(l.collname::text, '') \
                   FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
                   LEFT JOIN pg_collation l ON l.oid = a.attcollation \
                   WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 \
                   ORDER BY c.relname, a.attnum";
    for row in client.query(columns, &[]).await.expect("the catalogue is readable") {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let kind = match (row.get::<_, &str>(2), row.get::<_, &str>(4)) {
            ("bigint", "") => "integer",
            ("text", "C") => "text",
            ("bytea", "") => "bytes",
            other => panic!("{table}.{column} is of type {other:?}"),
        };
        tables.entry(table).or_default().columns.push((column, kind, !row.get::<_, bool>(3)));
    }
    let indexes = "SELECT t.relname::text, i.indisprimary, i.indisunique, i.indpred IS NOT NULL, \
                   array_agg(a.attname::text ORDER BY k.place) \
                   FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid \
                   CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place) \
                   JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number \
                   WHERE t.relnamespace = 'public'::regnamespace GROUP BY 1, 2, 3, 4, i.indexrelid";
    for row in client.query(indexes, &[]).await.expect("the catalogue is readable") {
        let table = tables.get_mut(row.get::<_, &str>(0)).expect("an index is of a table");
        let columns: Vec<String> = row.get(4);
        if row.get(1) {
            table.primary_key = columns;
        } else {
            table.indexes.push((columns, row.get(2), row.get(3)));
        }
    }
    for table in tables.values_mut() {
        table.indexes.sort();
    }
    tables
}

#[tokio::test]
async fn sqlite_and_postgres_have_the_same_schema() {
    let (sqlite, postgres) = (Engine::sqlite(), Engine::postgres());
    sqlite.open().close().await;
    postgres.open().close().await;
    let left = sqlite_schema(&connect_sqlite(&sqlite));
    let right = postgres_schema(&connect_postgres(&postgres).await).await;
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (name, table) in &left {
        assert_eq!(table, &right[name], "{name}");
    }
    assert!(left.contains_key("api_keys") && left.contains_key("schema_migrations"));
}

#[tokio::test]
async fn every_table_of_a_workspace_begins_with_it_in_its_keys() {
    let sqlite = Engine::sqlite();
    sqlite.open().close().await;
    for (name, table) in sqlite_schema(&connect_sqlite(&sqlite)) {
        let Some(place) = table.columns.iter().position(|(column, ..)| column == "workspace_id") else {
            continue;
        };
        assert_eq!((place, table.primary_key[0].as_str()), (0, "workspace_id"), "{name}");
    }
}
