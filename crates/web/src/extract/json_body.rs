//! JSON bodies: read once into a struct, and explained field by field where they do not fit.
//!
//! What is not JSON by its grammar (RFC 8259) is 400 and says where. JSON that does not fit is 422 and names the member, also
//! where its value is none to us at all: a number that no number here can be, half of a character, nesting without an end. The
//! values themselves are not repeated in the answer: one of them may be a secret.

use axum::extract::{FromRequest, Request};
use http::{HeaderMap, header};
use keybell_app::App;
use keybell_core::{Code, FieldError, Problem};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::body;
use crate::problem::Failed;

/// The body as a `T`, which denies unknown fields.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failed> {
        let (parts, body) = request.into_parts();
        expect_json(&parts.headers)?;
        let bytes = body::read(&parts.headers, body, body::limit_of(&parts)).await?;
        Ok(JsonBody(parse(&bytes)?))
    }
}

/// The same for a body whose every member is optional: none at all is the default.
pub struct JsonBodyOrDefault<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<App> for JsonBodyOrDefault<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failed> {
        let (parts, body) = request.into_parts();
        let bytes = body::read(&parts.headers, body, body::limit_of(&parts)).await?;
        if bytes.is_empty() {
            return Ok(JsonBodyOrDefault(T::default()));
        }
        expect_json(&parts.headers)?;
        Ok(JsonBodyOrDefault(parse(&bytes)?))
    }
}

/// `application/json`, or for a patch `application/merge-patch+json` (RFC 7396), with or without parameters.
fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    let known = ["application/json", "application/merge-patch+json"];
    if known.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(Code::UnsupportedMediaType.into())
}

/// Reads `bytes` as a `T`. The first reading is plain and quick; only a failure is read again to find its place.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // A derived struct would also take an array with its members in order; nobody means that.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let parsed = serde_json::from_slice(bytes);
    if parsed.is_ok() && first != Some(&b'{') {
        return Err(Problem::field("", "wrong_type", "must be a JSON object"));
    }
    parsed.map_err(|error| explain::<T>(bytes, &error))
}

fn explain<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Problem {
    // The grammar alone is asked by reading to the end without making a value: a member that does not fit may come before the
    // fault, and serde_json counts among the faults of syntax what the grammar has nothing against (a number where a word of
    // several is expected, a value that cannot be held).
    if let Err(broken) = serde_json::from_slice::<&RawValue>(bytes) {
        let told = if error.is_data() { &broken } else { error };
        let text = without_position(&told.to_string()).to_owned();
        let (line, column) = (told.line(), told.column());
        let detail = format!("The body is not valid JSON: {text} at line {line}, column {column}.");
        return Problem::new(Code::Malformed, detail);
    }
    let mut again = serde_json::Deserializer::from_slice(bytes);
    let (path, message) = match serde_path_to_error::deserialize::<_, T>(&mut again) {
        Err(located) => (located.path().to_string(), located.inner().to_string()),
        Ok(_) => (String::new(), error.to_string()),
    };
    Problem::invalid(vec![field_error(&path, without_position(&message))])
}

fn without_position(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(message, _)| message)
}

/// What serde says, in our words. Its texts are not promised; the tests below hold each of them.
pub(super) fn field_error(path: &str, message: &str) -> FieldError {
    let path = if path == "." { "" } else { path };
    let quoted = || message.split('`').nth(1).unwrap_or_default();
    // Serde names the member only in its text where the path ends at the object around it.
    let inside = |name: &str| match path {
        "" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    let expected = message.split_once(", expected ").map(|(_, expected)| expected);
    let (field, code, message) = if message.starts_with("unknown field") {
        (inside(quoted()), "unknown", format!("is not known here; use {}", expected.unwrap_or("no others")))
    } else if message.starts_with("missing field") {
        (inside(quoted()), "required", "is required".to_owned())
    } else if message.starts_with("duplicate field") {
        (inside(quoted()), "duplicate", "is there twice".to_owned())
    } else if message.starts_with("unknown variant") {
        (path.to_owned(), "not_allowed", format!("must be {}", expected.unwrap_or("something else")))
    } else if message.starts_with("invalid") {
        let expected = match expected {
            Some(expected) if expected.starts_with("struct ") => "a JSON object",
            Some("a sequence") => "a list",
            Some("a map") => "a JSON object",
            Some(expected) => expected,
            None => "something else",
        };
        (path.to_owned(), "wrong_type", format!("must be {expected}"))
    } else if message == "expected value" {
        (path.to_owned(), "wrong_type", "must be a string".to_owned())
    } else if message == "number out of range" {
        (path.to_owned(), "out_of_range", "is outside the range of numbers here".to_owned())
    } else if message.ends_with("hex escape") {
        (path.to_owned(), "invalid", "has half of a surrogate pair, which is no character".to_owned())
    } else if message == "recursion limit exceeded" {
        // The whole way down would be as long as it is deep.
        let member = path.split(['.', '[']).next().unwrap_or_default();
        (member.to_owned(), "invalid", "is nested too deep".to_owned())
    } else {
        (path.to_owned(), "invalid", message.to_owned())
    };
    FieldError { field, code, message }
}

#[cfg(test)]
mod tests {
    use keybell_core::Timestamp;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters here")]
    struct Body {
        name: String,
        #[serde(default)]
        headers: Vec<Header>,
        at: Option<Timestamp>,
        kind: Option<Kind>,
        data: Option<Box<RawValue>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters here")]
    struct Header {
        name: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Live,
        Test,
    }

    fn refused(body: &str) -> String {
        let problem = parse::<Body>(body.as_bytes()).expect_err("it does not fit");
        let errors: Vec<String> = problem
            .errors
            .iter()
            .map(|error| format!("{} {} {}", error.field, error.code, error.message))
            .collect();
        format!(
            "{} | {}",
            problem.code.status(),
            if errors.is_empty() { problem.detail } else { errors.join(", ") }
        )
    }

    #[test]
    fn every_way_of_not_fitting_names_its_member_and_repeats_no_value() {
        insta::assert_snapshot!(refused(r#"{"name":"a","nmae":"b"}"#), @"422 | nmae unknown is not known here; use one of `name`, `headers`, `at`, `kind`, `data`");
        insta::assert_snapshot!(refused(r#"{"name":"a","headers":[{"name":"x"},{"nmae":"b"}]}"#), @"422 | headers[1].nmae unknown is not known here; use `name`");
        insta::assert_snapshot!(refused(r#"{"headers":[]}"#), @"422 | name required is required");
        insta::assert_snapshot!(refused(r#"{"name":"a","headers":[{}]}"#), @"422 | headers[0].name required is required");
        insta::assert_snapshot!(refused(r#"{"name":"a","name":"b"}"#), @"422 | name duplicate is there twice");
        insta::assert_snapshot!(refused(r#"{"name":5}"#), @"422 | name wrong_type must be a string");
        insta::assert_snapshot!(refused(r#"{"name":"a","headers":"kb_live_secret"}"#), @"422 | headers wrong_type must be a list");
        insta::assert_snapshot!(refused(r#"{"name":"a","headers":["kb_live_secret"]}"#), @"422 | headers[0] wrong_type must be a JSON object");
        insta::assert_snapshot!(refused(r#"{"name":"a","at":"yesterday"}"#), @"422 | at invalid expected an RFC 3339 date and time such as 2026-11-23T15:31:56.123Z");
        insta::assert_snapshot!(refused(r#"{"name":"a","kind":"prod"}"#), @"422 | kind not_allowed must be `live` or `test`");
        insta::assert_snapshot!(refused(r#"{"name":"a","kind":7}"#), @"422 | kind wrong_type must be a string");
        insta::assert_snapshot!(refused(r#"{"name":"a","headers":[{"name":"x","kind":null}]}"#), @"422 | headers[0].kind unknown is not known here; use `name`");
        insta::assert_snapshot!(refused(r#"["a"]"#), @"422 |  wrong_type must be a JSON object");
        insta::assert_snapshot!(refused(r#""kb_live_secret""#), @"422 |  wrong_type must be a JSON object");
        insta::assert_snapshot!(refused("null"), @"422 |  wrong_type must be a JSON object");
        insta::assert_snapshot!(refused(r#"{"name":"a","data":{"b":1},"x":2}"#), @"422 | x unknown is not known here; use one of `name`, `headers`, `at`, `kind`, `data`");
    }

    #[test]
    fn json_that_no_value_can_hold_names_its_member_too() {
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only whether it can be read matters here")]
        struct Odd {
            #[serde(default)]
            number: f64,
            #[serde(default)]
            texts: Vec<String>,
            #[serde(default)]
            any: serde_json::Value,
        }
        let refused = |body: &str| {
            let problem = parse::<Odd>(body.as_bytes()).expect_err("it does not fit");
            let error = problem.errors.first().expect("a member is named");
            format!("{} | {} {} {}", problem.code.status(), error.field, error.code, error.message)
        };
        let deep = |depth: usize| format!("{{\"any\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse::<Odd>(deep(126).as_bytes()).is_ok());
        insta::assert_snapshot!(refused(r#"{"number":1e999}"#), @"422 | number out_of_range is outside the range of numbers here");
        insta::assert_snapshot!(refused(r#"{"texts":["a","\ud83d"]}"#), @"422 | texts[1] invalid has half of a surrogate pair, which is no character");
        insta::assert_snapshot!(refused(r#"{"texts":["\udd11"]}"#), @"422 | texts[0] invalid has half of a surrogate pair, which is no character");
        insta::assert_snapshot!(refused(&deep(127)), @"422 | any invalid is nested too deep");
        for broken in [r#"{"number":1e}"#, r#"{"texts":["\ud83"]}"#, r#"{"texts":["\x"]}"#, &deep(127)[1..]] {
            let read = parse::<Odd>(broken.as_bytes());
            assert!(read.is_err_and(|problem| problem.code == Code::Malformed), "{broken}");
        }
    }

    #[test]
    fn what_is_not_json_says_where() {
        insta::assert_snapshot!(refused("{\"name\":\n \"a\",}"), @"400 | The body is not valid JSON: trailing comma at line 2, column 6.");
        insta::assert_snapshot!(refused(""), @"400 | The body is not valid JSON: EOF while parsing a value at line 1, column 0.");
        insta::assert_snapshot!(refused("{\"name\":5,\"at\" 1}"), @"400 | The body is not valid JSON: expected `:` at line 1, column 16.");
        insta::assert_snapshot!(refused("{\"name\":\"a\"} x"), @"400 | The body is not valid JSON: trailing characters at line 1, column 14.");
        assert!(parse::<Body>(b"{\"name\":\"\xff\"}").is_err_and(|problem| problem.code == Code::Malformed));
        assert!(
            parse::<Body>(b"{\"name\":\"a\",\"data\":\"\xff\"}")
                .is_err_and(|problem| problem.code == Code::Malformed)
        );
    }

    #[test]
    fn only_json_is_taken_for_json() {
        let sent = |value: &'static str| {
            let value = http::HeaderValue::from_static(value);
            expect_json(&HeaderMap::from_iter([(header::CONTENT_TYPE, value)])).is_ok()
        };
        assert!(
            sent("application/json")
                && sent("Application/JSON; charset=utf-8")
                && sent("application/merge-patch+json")
        );
        assert!(
            !sent("text/plain") && !sent("application/x-www-form-urlencoded") && !sent("application/jsonp")
        );
        assert!(expect_json(&HeaderMap::new()).is_err());
    }
}
