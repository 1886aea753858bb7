//! What a form or a query holds: names and values in their order, some more than once.

use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::header;
use http::request::Parts;
use keybell_app::App;
use keybell_app::idempotency::Fingerprint;
use keybell_core::{Code, Problem};

use super::view::parts::Errors;
use crate::body;
use crate::problem::Failed;

/// Longest form, in bytes: 32 headers of 4 KiB, each character written with three.
pub(super) const FORM_BYTES_MAX: usize = 512 * 1024;
/// Most fields of a form; the largest has a box for each event type.
pub(super) const FIELDS_MAX: usize = 20_000;

/// The fields of a form that was sent.
pub(super) struct Form {
    fields: Fields,
    fingerprint: Fingerprint,
}

/// Names and values.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Refuses a zero byte: no form of a browser's has one, and PostgreSQL cannot hold it.
    pub(super) fn read(text: &[u8]) -> Result<Fields, Problem> {
        let pairs = form_urlencoded::parse(text).take(FIELDS_MAX);
        let pairs: Vec<_> = pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        if pairs.iter().any(|(_, value)| value.contains('\0')) {
            return Err(Problem::new(
                Code::Malformed,
                "A field has the character U+0000, which nothing here may have.",
            ));
        }
        Ok(Fields(pairs))
    }

    /// The first value of `name`; empty where there is none.
    pub(super) fn one(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// The first value of `name` without the white space around it, where there is one that is not empty.
    pub(super) fn some(&self, name: &str) -> Option<String> {
        let value = self.one(name).trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Where a page begins that is not the first: just as it was given, since white space may belong to it.
    pub(super) fn cursor(&self) -> Option<String> {
        Some(self.one("cursor")).filter(|cursor| !cursor.is_empty()).map(str::to_owned)
    }

    /// Every value of `name`.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A text of several lines. Browsers send CR LF between them; what is kept has LF.
    pub(super) fn lines(&self, name: &str) -> String {
        self.one(name).replace("\r\n", "\n").trim().to_owned()
    }
}

impl std::ops::Deref for Form {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.fields
    }
}

impl Form {
    /// What tells this form from another that was sent to the same place.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl FromRequest<App> for Form {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failed> {
        let (parts, sent) = request.into_parts();
        let bytes: Bytes = body::read(&parts.headers, sent, FORM_BYTES_MAX).await?;
        let kind =
            parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !bytes.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(Problem::new(Code::UnsupportedMediaType, "Send the form as the page has it.").into());
        }
        let fingerprint = Fingerprint::of(parts.method.as_str(), parts.uri.path(), &bytes);
        Ok(Form { fields: Fields::read(&bytes)?, fingerprint })
    }
}

impl FromRequestParts<App> for Fields {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failed> {
        Ok(Fields::read(parts.uri.query().unwrap_or_default().as_bytes())?)
    }
}

/// The errors that a form can be sent back with; any other problem is a page of its own.
pub(super) fn errors_of(problem: Problem) -> Result<(Errors, Problem), Problem> {
    match problem.code {
        Code::Validation => Ok((Errors::new(problem.errors.clone()), problem)),
        Code::Conflict | Code::Forbidden => {
            let told = Problem::field("", problem.code.as_str(), problem.detail.clone());
            Ok((Errors::new(told.errors), problem))
        }
        _ => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_may_come_more_than_once_and_lines_end_alike() {
        let fields = Fields::read(b"a=1&b=x%0D%0Ay+&a=2").expect("fields");
        assert_eq!(fields.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((fields.lines("b").as_str(), fields.one("c")), ("x\ny", ""));
    }

    #[test]
    fn a_zero_byte_is_refused() {
        let refused = Fields::read(b"a=1&b=x%00").err().expect("no database holds it");
        assert_eq!(refused.code, Code::Malformed);
    }

    #[test]
    fn fields_past_the_limit_are_not_read() {
        let read =
            |many: usize| Fields::read("a=1&".repeat(many).as_bytes()).expect("fields").all("a").count();
        assert_eq!([read(FIELDS_MAX), read(FIELDS_MAX + 1)], [FIELDS_MAX, FIELDS_MAX]);
    }
}
