//! Query parameters. Unknown ones are refused, so that a mistyped filter is not silently no filter.

use axum::extract::FromRequestParts;
use http::request::Parts;
use keybell_app::{App, Page};
use keybell_core::Problem;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::json_body::field_error;
use crate::problem::Failed;

/// The parameters as a `T`, which denies unknown fields; what does not fit is 422 in the name of its parameter.
pub struct QueryParams<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for QueryParams<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failed> {
        Ok(QueryParams(parse(parts.uri.query().unwrap_or_default())?))
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    // No stored text has it: PostgreSQL cannot hold it.
    if let Some((name, _)) = form_urlencoded::parse(query.as_bytes()).find(|(_, value)| value.contains('\0'))
    {
        return Err(Problem::field(&*name, "not_allowed", "must not have the character U+0000"));
    }
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let message = match error.inner().to_string() {
            // What the standard library says of numbers.
            text if text.ends_with("in string") || text.contains("too large") => {
                "invalid value, expected a whole number".to_owned()
            }
            text => text,
        };
        Problem::invalid(vec![field_error(&error.path().to_string(), &message)])
    })
}

/// The parameters of a list that has no filters.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many entries, 1 to 250.
    #[param(minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before, as it came.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// The page that is asked for.
    pub fn page(self) -> Result<Page, Problem> {
        Page::new(self.limit, self.cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str) -> String {
        let problem = parse::<PageQuery>(query).expect_err("it does not fit");
        let error = &problem.errors[0];
        format!("{} {} {}", error.field, error.code, error.message)
    }

    #[test]
    fn a_mistyped_parameter_is_named() {
        assert!(
            parse::<PageQuery>("limit=2&cursor=a%20b")
                .is_ok_and(|page| page.cursor.as_deref() == Some("a b"))
        );
        insta::assert_snapshot!(refused("limt=2"), @"limt unknown is not known here; use `limit` or `cursor`");
        insta::assert_snapshot!(refused("limit=many"), @"limit wrong_type must be a whole number");
        insta::assert_snapshot!(refused("limit=-1"), @"limit wrong_type must be a whole number");
        insta::assert_snapshot!(refused("limit=4294967296"), @"limit wrong_type must be a whole number");
        insta::assert_snapshot!(refused("limit=1&limit=2"), @"limit duplicate is there twice");
        insta::assert_snapshot!(refused("cursor=a%00"), @"cursor not_allowed must not have the character U+0000");
    }
}
