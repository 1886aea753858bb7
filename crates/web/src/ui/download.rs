//! Lists as files for spreadsheets: CSV (RFC 4180), written while the list is read, a look at a time. How many are written at
//! once, `keybell_app::downloads` says.
//!
//! A spreadsheet takes a cell that begins like a formula for one, whoever wrote it: see [`harmless`].

use std::future::ready;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use csv::{QuoteStyle, Terminator, WriterBuilder};
use futures_util::{StreamExt, stream};
use http::header;
use keybell_app::downloads::Download as UnderWay;
use keybell_app::page::PAGE_LIMIT_MAX;
use keybell_app::{App, Listing, Page};
use keybell_core::{Problem, Timestamp};

use super::charts::grouped;
use super::fields::Fields;
use super::listed::{address, kept};
use super::signed::Inside;
use super::view::parts::Download;
use crate::envelope::base_url;
use crate::problem::chain;

/// Most rows of a file: a few megabytes for one click. What is more is in the next file, whose address stands in the last row.
pub(super) const ROWS_MAX: usize = 10_000;
/// Most looks at the database for a file, which bounds it where next to nothing fits the filter: two million deliveries, and
/// some seconds of a reader.
const LOOKS_MAX: usize = 1_000;

/// What spreadsheets take for the beginning of a formula: the list of OWASP's page on CSV injection. Where East Asian text is
/// written, the wide ones count as the narrow ones.
const BEGINS_FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
/// What spreadsheets may pass over before one.
const PASSED_OVER: [char; 3] = ['\t', '\r', '\n'];
/// What may end a cell and begin another in the midst of what is one to us. Where a country writes 1,5 for one and a half, a
/// spreadsheet splits at the semicolon, and then our quotes do not begin its cells, and hold nothing together. Where it splits
/// at the comma they do, and JSON stays what it is.
const SEPARATES: [char; 4] = [';', '\t', '\r', '\n'];

/// A list that can be downloaded.
pub(super) trait Rows: Send + Sync + 'static {
    /// What its columns are called: as in the API, where it has them.
    const COLUMNS: &'static [&'static str];

    /// A page of it: of each entry a cell for each column. It may be short, or have none, where there is more to look at: so
    /// that each takes a bounded time, and others get their turn.
    fn read(
        &self,
        app: &App,
        here: &Inside,
        page: Page,
    ) -> impl Future<Output = Result<Listing<Vec<String>>, Problem>> + Send;
}

/// The link to the file of the list at `list`, with what the list's page is filtered by.
pub(super) fn link(list: &str, kept: &[(&'static str, String)]) -> Download {
    Download { href: address(&path(list), kept, None), rows_max: grouped(ROWS_MAX as u64) }
}

fn path(list: &str) -> String {
    format!("{list}.csv")
}

/// The list at `list` as a file, filtered by those parameters of the query that `filters` names, from its `cursor` on where
/// it has one.
pub(super) async fn file<R: Rows>(
    app: App,
    here: Inside,
    query: &Fields,
    list: &str,
    filters: &[&'static str],
    rows: R,
) -> Result<Response, Problem> {
    let under_way = app.begin_download(here.place.workspace)?;
    let disposition = format!("attachment; filename=\"{}\"", name(list, app.now()));
    let sheet = Sheet {
        columns: R::COLUMNS,
        address: format!("{}{}", base_url(&app), path(list)),
        kept: kept(query, filters),
        written: 0,
        looks: 0,
    };
    let mut reading = Reading { app, here, under_way, rows, sheet, cursor: query.cursor() };
    // Read before anything is answered, so that a refusal is a page.
    let first = reading.read().await?;
    let later = stream::try_unfold(reading, |mut reading| async move {
        if reading.cursor.is_none() {
            return Ok(None);
        }
        // After a fault the connection ends before its answer does, so that nobody takes what came for all of it.
        let lines = reading.read().await.inspect_err(broken_off)?;
        Ok(Some((lines, reading)))
    });
    let lines = Body::from_stream(stream::once(ready(Ok::<_, Problem>(first))).chain(later));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, lines).into_response())
}

/// `audit-log-2026-11-23.csv`, by the last word of the list's address.
fn name(list: &str, now: Timestamp) -> String {
    let list = list.rsplit('/').next().unwrap_or(list);
    let day: String = now.to_string().chars().take("2026-11-23".len()).collect();
    format!("{list}-{day}.csv")
}

fn broken_off(problem: &Problem) {
    tracing::warn!(problem.chain = chain(problem), "a download was broken off: {problem}");
}

/// A file that is being written.
struct Reading<R> {
    app: App,
    here: Inside,
    under_way: UnderWay,
    rows: R,
    sheet: Sheet,
    /// Where to read on.
    cursor: Option<String>,
}

impl<R: Rows> Reading<R> {
    /// The lines of the next part. Who loses their rights while they download gets no more.
    async fn read(&mut self) -> Result<Vec<u8>, Problem> {
        self.app.go_on_with_download(&mut self.under_way)?;
        self.here.check_again(&self.app).await?;
        let page = Page::new(Some(self.sheet.room()), self.cursor.take())?;
        let part = self.rows.read(&self.app, &self.here, page).await?;
        let (lines, cursor) = self.sheet.lines(part);
        self.cursor = cursor;
        Ok(lines)
    }
}

/// How much of a file was written, and what it takes to write the rest.
struct Sheet {
    columns: &'static [&'static str],
    /// Where the file is, with the filter.
    address: String,
    kept: Vec<(&'static str, String)>,
    /// Rows so far.
    written: usize,
    /// Parts so far.
    looks: usize,
}

impl Sheet {
    /// Most rows that the next part may have.
    fn room(&self) -> u32 {
        let room = ROWS_MAX.saturating_sub(self.written);
        u32::try_from(room).unwrap_or(PAGE_LIMIT_MAX).clamp(1, PAGE_LIMIT_MAX)
    }

    /// The lines of a part, and where to read on: nowhere, where the list or the file is at its end.
    fn lines(&mut self, part: Listing<Vec<String>>) -> (Vec<u8>, Option<String>) {
        // All cells quoted: a comma, a quote or a line's end inside one is part of it.
        let mut csv = WriterBuilder::new();
        let csv = csv.quote_style(QuoteStyle::Always).terminator(Terminator::CRLF);
        let mut csv = csv.from_writer(Vec::new());
        let mut write = |row: &[String]| {
            let row = row.iter().map(|cell| harmless(cell));
            csv.write_record(row.map(String::into_bytes))
                .expect("memory takes it, and a row has a cell for each column");
        };
        if self.looks == 0 {
            write(&self.columns.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
        part.data.iter().for_each(|row| write(row));
        self.written += part.data.len();
        self.looks += 1;
        let mut cursor = part.next_cursor;
        if (self.written >= ROWS_MAX || self.looks >= LOOKS_MAX)
            && let Some(cut_off) = cursor.take()
        {
            let next = address(&self.address, &self.kept, Some(&cut_off));
            let mut row = vec![String::new(); self.columns.len()];
            row[0] = format!("Cut off here. What comes after these rows: {next}");
            write(&row);
        }
        (csv.into_inner().expect("memory takes it"), cursor)
    }
}

/// `cell` so that no spreadsheet takes it, or what it takes for a cell inside of it, for a formula: behind an apostrophe, which
/// says that what follows is a text. Quotes before it would be taken off.
fn harmless(cell: &str) -> String {
    let mut harmless = String::with_capacity(cell.len());
    let mut begins = true;
    for char in cell.chars() {
        let is_first = harmless.is_empty();
        if begins && BEGINS_FORMULA.contains(&char) || is_first && PASSED_OVER.contains(&char) {
            harmless.push('\'');
        }
        begins = SEPARATES.contains(&char) || begins && char == '"';
        harmless.push(char);
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let kept = vec![("actor", "=a&b".to_owned())];
        Sheet {
            columns: &["id", "name"],
            address: "https://keybell.test/keys.csv".to_owned(),
            kept,
            written: 0,
            looks: 0,
        }
    }

    fn part(rows: usize, next: Option<&str>) -> Listing<Vec<String>> {
        let data = (0..rows).map(|row| vec![row.to_string(), "name".to_owned()]).collect();
        Listing { data, next_cursor: next.map(str::to_owned) }
    }

    /// The file of a list that has so many rows, as lines, read in whole pages as long as it asks for more.
    fn written(rows: usize) -> Vec<String> {
        let (mut sheet, mut text, mut left) = (sheet(), Vec::new(), rows);
        loop {
            let now = left.min(sheet.room() as usize);
            left -= now;
            let (lines, cursor) = sheet.lines(part(now, (left > 0).then_some("9")));
            text.extend(lines);
            if cursor.is_none() {
                break;
            }
        }
        let text = String::from_utf8(text).expect("it is text");
        text.split_terminator("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn a_file_holds_up_to_its_limit_and_one_row_more_is_said_to_be_in_the_next() {
        assert_eq!(written(0), [r#""id","name""#]);
        let full = written(ROWS_MAX);
        assert_eq!((full.len(), full[ROWS_MAX].as_str()), (1 + ROWS_MAX, r#""249","name""#));
        let cut = written(ROWS_MAX + 1);
        assert_eq!((cut.len(), &cut[..=ROWS_MAX]), (2 + ROWS_MAX, full.as_slice()));
        let next = "https://keybell.test/keys.csv?actor=%3Da%26b&cursor=9";
        assert_eq!(cut[1 + ROWS_MAX], format!("\"Cut off here. What comes after these rows: {next}\",\"\""));
    }

    #[test]
    fn a_file_is_made_of_short_parts_and_ends_after_so_many_looks() {
        let mut sheet = sheet();
        let mut look = |rows| {
            let (lines, cursor) = sheet.lines(part(rows, Some("9")));
            (String::from_utf8(lines).expect("it is text"), cursor)
        };
        assert_eq!(look(0), ("\"id\",\"name\"\r\n".to_owned(), Some("9".to_owned())));
        assert_eq!(look(1), ("\"0\",\"name\"\r\n".to_owned(), Some("9".to_owned())));
        for _ in 2..LOOKS_MAX - 1 {
            assert_eq!(look(0), (String::new(), Some("9".to_owned())), "it goes on");
        }
        let (last, cursor) = look(0);
        assert_eq!(cursor, None);
        assert!(last.starts_with("\"Cut off here. What comes after these rows: https://"), "{last}");
    }

    #[test]
    fn the_last_part_is_as_long_as_there_is_room_for() {
        let room = |written| Sheet { written, ..sheet() }.room();
        assert_eq!([0, ROWS_MAX - PAGE_LIMIT_MAX as usize].map(room), [PAGE_LIMIT_MAX; 2]);
        assert_eq!([ROWS_MAX - 7, ROWS_MAX - 1].map(room), [7, 1]);
    }

    #[test]
    fn what_begins_like_a_formula_is_a_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\ta", "\ra", "\na", "＝1", "＋1", "－1", "＠a"] {
            assert_eq!(harmless(formula), format!("'{formula}"));
        }
        for text in [
            "",
            "1=1",
            "'=1",
            " =1",
            "a@example.com",
            "\u{202e}gnp",
            "🔑 key",
            "kb_live_000000000000",
            "one, two; three",
            "one\r\ntwo\n\nthree",
            r#"{"to":["a.b","c.*"],"from":-1,"between":[1,-2]}"#,
            "one,=1+1,two",
            "2026-11-23T12:00:00.000Z",
        ] {
            assert_eq!(harmless(text), text);
        }
    }

    #[test]
    fn what_begins_like_a_formula_where_another_country_splits_the_cell_is_a_text_too() {
        for (written, text) in [
            ("a;=1+1;b", "a;'=1+1;b"),
            ("a\t+1", "a\t'+1"),
            ("a\r\n-1", "a\r\n'-1"),
            ("a\n@SUM(1)", "a\n'@SUM(1)"),
            ("a;\"=1+1", "a;\"'=1+1"),
            ("a;\"\"\"=1+1", "a;\"\"\"'=1+1"),
            ("\"=1", "\"'=1"),
            ("=1;=2", "'=1;'=2"),
            ("\t=1", "'\t'=1"),
            ("a;＝1", "a;'＝1"),
            ("a;;-1", "a;;'-1"),
        ] {
            assert_eq!(harmless(written), text);
        }
    }

    /// What a spreadsheet makes of a line that splits at `separator`: quotes hold a cell together only where they begin it.
    fn split_at(line: &str, separator: char) -> Vec<String> {
        let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
        let mut chars = line.chars().peekable();
        let mut begins = true;
        while let Some(char) = chars.next() {
            match char {
                '"' if begins => is_quoted = true,
                '"' if is_quoted && chars.next_if_eq(&'"').is_some() => cell.push('"'),
                '"' if is_quoted => is_quoted = false,
                _ if (char == separator || char == '\n') && !is_quoted => {
                    cells.push(std::mem::take(&mut cell));
                }
                _ => cell.push(char),
            }
            begins = !is_quoted && (char == separator || char == '\n');
        }
        cells.push(cell);
        cells
    }

    #[test]
    fn no_cell_of_a_line_is_a_formula_wherever_it_is_split() {
        let hostile =
            ["=", "+", "-", "@", "\t", "\r", "\n", ";=", ",=", "\"", "\";=", ";\"=", "\t\"@", "\n\"\"-"];
        for (first, second) in hostile.iter().flat_map(|first| hostile.map(|second| (first, second))) {
            let cell = format!("{first}1{second}1;");
            let row = vec!["name".to_owned(), cell.clone()];
            let (lines, _) = sheet().lines(Listing { data: vec![row], next_cursor: None });
            let lines = String::from_utf8(lines).expect("it is text");
            for separator in [',', ';', '\t'] {
                for cell in split_at(&lines, separator) {
                    let read = cell.trim_start_matches(['\r', '\n', '\t']);
                    assert!(!read.starts_with(BEGINS_FORMULA), "{cell:?} of {lines:?} at {separator:?}");
                }
            }
        }
    }

    #[test]
    fn whatever_is_in_a_cell_comes_out_of_it_again() {
        let odd = ["a,b;c", "say \"hi\"", "two\r\nlines", "\u{202e}gnp.exe", "🔑", "\"", ""];
        let data = odd.iter().map(|cell| vec![(*cell).to_owned(), "x".to_owned()]).collect();
        let (lines, _) = sheet().lines(Listing { data, next_cursor: None });
        let mut read = csv::Reader::from_reader(lines.as_slice());
        let cells: Vec<String> = read.records().map(|row| row.expect("it is a row")[0].to_owned()).collect();
        assert_eq!(cells, odd);
    }

    #[test]
    fn a_file_is_called_by_its_list_and_the_day() {
        let now = Timestamp::parse("2026-11-23T12:00:00Z").expect("a time");
        assert_eq!(name("/w/ws_1/settings/advanced/audit-log", now), "audit-log-2026-11-23.csv");
    }
}
