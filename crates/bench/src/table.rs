//! The figures, one line for each measurement, aligned so that they can be pasted as they are.

use std::fmt;

/// What was measured, in the order in which it was.
pub(crate) struct Table {
    rows: Vec<[String; COLUMNS.len()]>,
}

const COLUMNS: [&str; 12] = [
    "measurement",
    "count",
    "per second",
    "server CPU µs each",
    "database CPU µs each",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "RSS MB",
    "RssAnon MB",
    "statements/s",
    "bar",
];

/// One line. What does not apply stays `None`, and is shown as a dash.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) count: u64,
    pub(crate) per_second: Option<f64>,
    pub(crate) server_micros: Option<f64>,
    pub(crate) database_micros: Option<f64>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// All that is resident of the server, its program included.
    pub(crate) resident_mb: Option<f64>,
    /// Of that what is no file's: heap and stacks.
    pub(crate) anonymous_mb: Option<f64>,
    pub(crate) statements_per_second: Option<f64>,
    /// What is asked of it, and what was reached where the columns do not say; empty where nothing is.
    pub(crate) bar: String,
}

impl Table {
    pub(crate) fn new() -> Table {
        Table { rows: Vec::new() }
    }

    /// Adds a line, and says it at once: a bench takes a while.
    pub(crate) fn add(&mut self, row: Row) {
        let figure = |value: Option<f64>, digits: usize| {
            value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
        };
        let cells = [
            row.what,
            row.count.to_string(),
            figure(row.per_second, 0),
            figure(row.server_micros, 2),
            figure(row.database_micros, 1),
            figure(row.p50_ms, 2),
            figure(row.p95_ms, 2),
            figure(row.p99_ms, 2),
            figure(row.resident_mb, 1),
            figure(row.anonymous_mb, 1),
            figure(row.statements_per_second, 2),
            row.bar,
        ];
        eprintln!("{}", cells.join("  "));
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![COLUMNS.map(str::to_owned)];
        lines.extend(self.rows.iter().cloned());
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
        let last = COLUMNS.len() - 1;
        for line in &lines {
            write!(f, "{:<width$}", line[0], width = widths[0])?;
            for (cell, width) in line[..last].iter().zip(&widths).skip(1) {
                write!(f, "  {cell:>width$}")?;
            }
            // Words, so they begin at the same place; and nothing follows that would have to be aligned.
            writeln!(f, "  {}", line[last])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_what_does_not_apply_is_a_dash() {
        let mut table = Table::new();
        table.add(Row {
            what: "floor".to_owned(),
            count: 5,
            per_second: Some(1234.5),
            bar: "≥ 10/s".to_owned(),
            ..Row::default()
        });
        let shown = table.to_string();
        let place = |(line, bar): (&str, &str)| line.chars().count() - bar.chars().count();
        let places: Vec<usize> = shown.lines().zip(["bar", "≥ 10/s"]).map(place).collect();
        assert_eq!(places.len(), 2);
        assert_eq!(places[0], places[1], "{shown}");
        assert!(shown.contains("1234  ") && shown.contains('–'), "{shown}");
    }
}
