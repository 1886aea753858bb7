//! The things that the platform is about, and what happens to them, as its API and its events show them.

use keybell_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::market::Month;

/// Something that happened, to be told to Keybell.
#[derive(Clone, Debug)]
pub struct Event {
    /// In which workspace, by the platform's own name for it.
    pub workspace: String,
    /// Its type in the catalogue.
    pub event_type: &'static str,
    /// The platform's own id for it: told twice, it is still one event.
    pub id: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What happened.
    pub data: Box<RawValue>,
}

/// What an analyst thinks of a share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Its id.
    pub id: String,
    /// The share.
    pub symbol: String,
    /// The headline.
    pub title: String,
    /// What to do.
    pub rating: Rating,
    /// Why, in a sentence or two.
    pub summary: String,
    /// 1, and one more with each change.
    pub version: u32,
    /// When it was published.
    pub published_at: Timestamp,
}

/// What to do with a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rating {
    /// Have more of it.
    Buy,
    /// Leave it.
    Hold,
    /// Have less of it.
    Sell,
}

/// Shares of one symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holding {
    /// The symbol.
    pub symbol: String,
    /// How many.
    pub shares: u32,
}

/// A portfolio and its holdings.
#[derive(Clone, Debug, PartialEq)]
pub struct Portfolio {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What is in it.
    pub holdings: Vec<Holding>,
    /// 1, and one more with each change.
    pub version: u32,
}

/// A portfolio with what it is worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValuedPortfolio {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// 1, and one more with each change.
    pub version: u32,
    /// The month whose prices it is valued with.
    pub month: Month,
    /// What it is worth, in US dollars.
    pub value_usd: f64,
    /// What is in it.
    pub holdings: Vec<Holding>,
}

/// A new report, as it comes in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewReport {
    /// The share.
    pub symbol: String,
    /// The headline.
    pub title: String,
    /// What to do.
    pub rating: Rating,
    /// Why.
    #[serde(default)]
    pub summary: String,
}

/// What is to change in a report.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportPatch {
    /// The headline.
    pub title: Option<String>,
    /// What to do.
    pub rating: Option<Rating>,
    /// Why.
    pub summary: Option<String>,
}

/// The data of `research_report.published`.
#[derive(Serialize)]
pub(crate) struct ReportPublished<'a> {
    pub(crate) report: &'a Report,
}

/// The data of `research_report.updated`.
#[derive(Serialize)]
pub(crate) struct ReportUpdated<'a> {
    pub(crate) report: &'a Report,
    pub(crate) rating_before: Rating,
}

/// The data of `portfolio.updated`.
#[derive(Serialize)]
pub(crate) struct PortfolioUpdated<'a> {
    pub(crate) portfolio: &'a ValuedPortfolio,
    pub(crate) value_before_usd: f64,
}

/// The data of `portfolio.rebalanced`.
#[derive(Serialize)]
pub(crate) struct PortfolioRebalanced<'a> {
    pub(crate) portfolio: &'a ValuedPortfolio,
    pub(crate) holdings_before: &'a [Holding],
}
