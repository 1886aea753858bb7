//! What a form or a query holds: names and values in their order, some more than once.

use std::convert::Infallible;

use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::header;
use http::request::Parts;
use keybell_app::App;
use keybell_app::idempotency::Fingerprint;
use keybell_core::{Code, Problem};

use super::view::form::Errors;
use crate::body;
use crate::problem::Failed;

/// Longest form, in bytes: 32 headers of 4 KiB, each character written with three.
pub(super) const FORM_BYTES_MAX: usize = 512 * 1024;
/// Most fields of a form; the largest has a box for each event type.
pub(super) const FIELDS_MAX: usize = 20_000;
/// What stands where there was no text: browsers show it for a zero byte too, where they show anything.
pub(super) const NO_TEXT: &str = "\u{fffd}";

/// The fields of a form that was sent by a button alone, or by choosing: a zero byte in it is nobody's doing, and refused.
pub(super) struct Form {
    fields: Fields,
    fingerprint: Fingerprint,
}

/// The fields of a form that a person writes into. What a field may hold is for the use case to say, also of a zero byte: so
/// it is an error of its field like any other, and the form comes back with all that was written.
pub(super) struct TypedForm(pub(super) Form);

/// Names and values.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Those of an address. A zero byte in it, which PostgreSQL cannot hold, is read as bytes are that are no text: as U+FFFD.
    /// A list finds nothing by it, and its filter stays written.
    pub(super) fn read(text: &[u8]) -> Fields {
        let Fields(mut pairs) = Fields::as_sent(text);
        for (_, value) in pairs.iter_mut().filter(|(_, value)| value.contains('\0')) {
            *value = value.replace('\0', NO_TEXT);
        }
        Fields(pairs)
    }

    fn as_sent(text: &[u8]) -> Fields {
        let pairs = form_urlencoded::parse(text).take(FIELDS_MAX);
        Fields(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
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

    async fn as_sent(request: Request) -> Result<Form, Failed> {
        let (parts, sent) = request.into_parts();
        let bytes: Bytes = body::read(&parts.headers, sent, FORM_BYTES_MAX).await?;
        let kind =
            parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !bytes.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(Problem::new(Code::UnsupportedMediaType, "Send the form as the page has it.").into());
        }
        let fingerprint = Fingerprint::of(parts.method.as_str(), parts.uri.path(), &bytes);
        Ok(Form { fields: Fields::as_sent(&bytes), fingerprint })
    }
}

impl FromRequest<App> for Form {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failed> {
        let form = Form::as_sent(request).await?;
        if form.fields.0.iter().any(|(_, value)| value.contains('\0')) {
            let detail = "A field has the character U+0000, which nothing here may have.";
            return Err(Problem::new(Code::Malformed, detail).into());
        }
        Ok(form)
    }
}

impl FromRequest<App> for TypedForm {
    type Rejection = Failed;

    async fn from_request(request: Request, _: &App) -> Result<Self, Failed> {
        Form::as_sent(request).await.map(TypedForm)
    }
}

impl FromRequestParts<App> for Fields {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Fields::read(parts.uri.query().unwrap_or_default().as_bytes()))
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
        let fields = Fields::read(b"a=1&b=x%0D%0Ay+&a=2");
        assert_eq!(fields.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((fields.lines("b").as_str(), fields.one("c")), ("x\ny", ""));
    }

    #[test]
    fn a_zero_byte_of_an_address_is_read_as_what_is_no_text_and_that_of_a_form_is_left_to_be_judged() {
        let (of_address, of_form) = (Fields::read(b"a=x%00%FF"), Fields::as_sent(b"a=x%00%FF"));
        assert_eq!([of_address.one("a"), of_form.one("a")], ["x\u{fffd}\u{fffd}", "x\0\u{fffd}"]);
    }

    #[test]
    fn fields_past_the_limit_are_not_read() {
        let read = |many: usize| Fields::read("a=1&".repeat(many).as_bytes()).all("a").count();
        assert_eq!([read(FIELDS_MAX), read(FIELDS_MAX + 1)], [FIELDS_MAX, FIELDS_MAX]);
    }
}
