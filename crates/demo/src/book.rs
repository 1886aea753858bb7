//! What the platform knows: the research reports and portfolios of each workspace, and the events that are still to be
//! told.
//!
//! A change and its event are written under one lock. In a real platform the lock is a database transaction, and the
//! outbox a table beside the others: then no change is without its event, whatever crashes in between.

use std::collections::{BTreeMap, VecDeque};

use keybell_core::Timestamp;
use serde::Serialize;
use serde_json::value::to_raw_value;

use crate::market::{Market, Month};
use crate::things::{
    Event, Holding, NewReport, Portfolio, PortfolioRebalanced, PortfolioUpdated, Report, ReportPatch,
    ReportPublished, ReportUpdated, ValuedPortfolio,
};

/// Events that may wait to be told. Past it, changes are refused: better than to forget an event or to use up all memory.
pub const OUTBOX_MAX: usize = 10_000;
/// Reports of a workspace; this platform has no second page.
pub const REPORTS_MAX: usize = 1_000;

/// Why a change was not made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such thing in this workspace.
    #[error("there is nothing with this id in your workspace")]
    NotFound,
    /// A value is not one that it can have.
    #[error("{0}")]
    Invalid(String),
    /// Too many events wait to be told.
    #[error("the platform cannot tell its events at the moment; try again in a minute")]
    Full,
}

#[derive(Debug, Default)]
struct Workspace {
    reports: Vec<Report>,
    portfolios: Vec<Portfolio>,
}

/// What the platform knows.
#[derive(Debug)]
pub struct Book {
    market: Market,
    months: usize,
    workspaces: BTreeMap<String, Workspace>,
    outbox: VecDeque<Event>,
}

impl Book {
    /// An empty book, in the first month of the market.
    pub fn new(market: Market) -> Book {
        Book { market, months: 0, workspaces: BTreeMap::new(), outbox: VecDeque::new() }
    }

    /// Adds a portfolio; no event tells of it, since it is there from the beginning.
    pub fn open_portfolio(&mut self, workspace: &str, name: &str, holdings: Vec<Holding>) {
        let portfolios = &mut self.workspaces.entry(workspace.to_owned()).or_default().portfolios;
        let id = format!("pf_{workspace}_{}", portfolios.len() + 1);
        portfolios.push(Portfolio { id, name: name.to_owned(), holdings, version: 1 });
    }

    /// The reports of a workspace, newest first.
    pub fn reports(&self, workspace: &str) -> Vec<Report> {
        let reports = self.workspaces.get(workspace).map_or(&[][..], |workspace| &workspace.reports);
        reports.iter().rev().cloned().collect()
    }

    /// One report.
    pub fn report(&self, workspace: &str, id: &str) -> Result<Report, Refused> {
        self.reports(workspace).into_iter().find(|report| report.id == id).ok_or(Refused::NotFound)
    }

    /// Publishes a report, and tells of it.
    pub fn publish_report(
        &mut self,
        workspace: &str,
        new: NewReport,
        now: Timestamp,
    ) -> Result<Report, Refused> {
        self.check_room(1)?;
        self.check_symbol(&new.symbol)?;
        check_text("title", &new.title, 1)?;
        check_text("summary", &new.summary, 0)?;
        let reports = &mut self.workspaces.entry(workspace.to_owned()).or_default().reports;
        if reports.len() >= REPORTS_MAX {
            return Err(Refused::Invalid(format!("a workspace has at most {REPORTS_MAX} reports")));
        }
        let report = Report {
            id: format!("rr_{workspace}_{}", reports.len() + 1),
            symbol: new.symbol,
            title: new.title,
            rating: new.rating,
            summary: new.summary,
            version: 1,
            published_at: now,
        };
        reports.push(report.clone());
        let data = ReportPublished { report: &report };
        self.tell(workspace, "research_report.published", format!("{}_v1", report.id), now, &data);
        Ok(report)
    }

    /// Changes a report, and tells of it with what it was before.
    pub fn update_report(
        &mut self,
        workspace: &str,
        id: &str,
        patch: ReportPatch,
        now: Timestamp,
    ) -> Result<Report, Refused> {
        self.check_room(1)?;
        let (title, summary) = (patch.title.as_deref(), patch.summary.as_deref());
        title.map_or(Ok(()), |title| check_text("title", title, 1))?;
        summary.map_or(Ok(()), |summary| check_text("summary", summary, 0))?;
        let reports = self.workspaces.get_mut(workspace).map(|workspace| &mut workspace.reports);
        let report = reports.and_then(|reports| reports.iter_mut().find(|report| report.id == id));
        let report = report.ok_or(Refused::NotFound)?;
        let rating_before = report.rating;
        report.title = patch.title.unwrap_or_else(|| report.title.clone());
        report.summary = patch.summary.unwrap_or_else(|| report.summary.clone());
        report.rating = patch.rating.unwrap_or(report.rating);
        report.version += 1;
        let report = report.clone();
        let event_id = format!("{}_v{}", report.id, report.version);
        let data = ReportUpdated { report: &report, rating_before };
        self.tell(workspace, "research_report.updated", event_id, now, &data);
        Ok(report)
    }

    /// The portfolios of a workspace with their valuation at present.
    pub fn portfolios(&self, workspace: &str) -> Vec<ValuedPortfolio> {
        let portfolios = self.workspaces.get(workspace).map_or(&[][..], |workspace| &workspace.portfolios);
        portfolios.iter().map(|portfolio| self.valued(portfolio)).collect()
    }

    /// One portfolio with its valuation at present.
    pub fn portfolio(&self, workspace: &str, id: &str) -> Result<ValuedPortfolio, Refused> {
        let portfolios = self.workspaces.get(workspace).map(|workspace| &workspace.portfolios);
        let found = portfolios.and_then(|portfolios| portfolios.iter().find(|portfolio| portfolio.id == id));
        found.map(|portfolio| self.valued(portfolio)).ok_or(Refused::NotFound)
    }

    /// Changes what is in a portfolio, and tells of it with what was in it before.
    pub fn rebalance(
        &mut self,
        workspace: &str,
        id: &str,
        holdings: Vec<Holding>,
        now: Timestamp,
    ) -> Result<ValuedPortfolio, Refused> {
        self.check_room(1)?;
        for (index, holding) in holdings.iter().enumerate() {
            self.check_symbol(&holding.symbol)?;
            if holdings[..index].iter().any(|other| other.symbol == holding.symbol) {
                return Err(Refused::Invalid(format!("holdings: {} is there twice", holding.symbol)));
            }
        }
        let portfolios = self.workspaces.get_mut(workspace).map(|workspace| &mut workspace.portfolios);
        let portfolio =
            portfolios.and_then(|portfolios| portfolios.iter_mut().find(|portfolio| portfolio.id == id));
        let portfolio = portfolio.ok_or(Refused::NotFound)?;
        let holdings_before = std::mem::replace(&mut portfolio.holdings, holdings);
        portfolio.version += 1;
        let portfolio = portfolio.clone();
        let valued = self.valued(&portfolio);
        let event_id = format!("{}_v{}", portfolio.id, portfolio.version);
        let data = PortfolioRebalanced { portfolio: &valued, holdings_before: &holdings_before };
        self.tell(workspace, "portfolio.rebalanced", event_id, now, &data);
        Ok(valued)
    }

    /// A month passes: every portfolio has a new value, and each is told of with its value before.
    pub fn pass_month(&mut self, now: Timestamp) -> Result<Month, Refused> {
        let portfolios: Vec<(String, Portfolio)> = self
            .workspaces
            .iter()
            .flat_map(|(name, workspace)| workspace.portfolios.iter().map(|one| (name.clone(), one.clone())))
            .collect();
        self.check_room(portfolios.len())?;
        let before: Vec<i64> = portfolios.iter().map(|(_, portfolio)| self.value(portfolio)).collect();
        self.months += 1;
        for ((workspace, portfolio), value_before) in portfolios.into_iter().zip(before) {
            let event_id = format!("{}_m{}", portfolio.id, self.months);
            let valued = self.valued(&portfolio);
            let data = PortfolioUpdated { portfolio: &valued, value_before_usd: dollars(value_before) };
            self.tell(&workspace, "portfolio.updated", event_id, now, &data);
        }
        Ok(self.market.month(self.months))
    }

    /// The event that waits longest to be told.
    pub fn next_event(&self) -> Option<Event> {
        self.outbox.front().cloned()
    }

    /// That event was told, or will never be.
    pub fn done_with_event(&mut self) {
        self.outbox.pop_front();
    }

    fn tell(
        &mut self,
        workspace: &str,
        event_type: &'static str,
        id: String,
        occurred_at: Timestamp,
        data: &impl Serialize,
    ) {
        let data = to_raw_value(data).expect("what the platform tells of has texts as its keys");
        self.outbox.push_back(Event { workspace: workspace.to_owned(), event_type, id, occurred_at, data });
    }

    fn check_room(&self, events: usize) -> Result<(), Refused> {
        if self.outbox.len() + events > OUTBOX_MAX { Err(Refused::Full) } else { Ok(()) }
    }

    fn check_symbol(&self, symbol: &str) -> Result<(), Refused> {
        let known = self.market.symbols();
        if known.contains(&symbol) {
            return Ok(());
        }
        Err(Refused::Invalid(format!("symbol: must be one of {}", known.join(", "))))
    }

    fn value(&self, portfolio: &Portfolio) -> i64 {
        let month = self.market.month(self.months);
        let price = |holding: &Holding| self.market.price(&holding.symbol, month).unwrap_or(0);
        portfolio.holdings.iter().map(|holding| price(holding) * i64::from(holding.shares)).sum()
    }

    fn valued(&self, portfolio: &Portfolio) -> ValuedPortfolio {
        ValuedPortfolio {
            id: portfolio.id.clone(),
            name: portfolio.name.clone(),
            version: portfolio.version,
            month: self.market.month(self.months),
            value_usd: dollars(self.value(portfolio)),
            holdings: portfolio.holdings.clone(),
        }
    }
}

/// The longest text of a report.
const TEXT_CHARS_MAX: usize = 2_000;

fn check_text(field: &str, text: &str, shortest: usize) -> Result<(), Refused> {
    if (shortest..=TEXT_CHARS_MAX).contains(&text.chars().count()) {
        return Ok(());
    }
    Err(Refused::Invalid(format!("{field}: must have {shortest} to {TEXT_CHARS_MAX} characters")))
}

/// Cents as dollars, for people to read: sums are made in cents.
#[expect(clippy::cast_precision_loss, reason = "no portfolio here is worth 90 trillion dollars")]
fn dollars(cents: i64) -> f64 {
    cents as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::things::Rating;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn book() -> Book {
        let mut book = Book::new(Market::of_file());
        book.open_portfolio("acme", "Growth", vec![Holding { symbol: "MSFT".into(), shares: 10 }]);
        book.open_portfolio("birch", "Income", vec![Holding { symbol: "IBM".into(), shares: 1 }]);
        book
    }

    fn new_report() -> NewReport {
        let (symbol, title) = ("AAPL".into(), "Room to grow".into());
        NewReport { symbol, title, rating: Rating::Buy, summary: String::new() }
    }

    fn told(book: &mut Book) -> Vec<(&'static str, String)> {
        let mut told = Vec::new();
        while let Some(event) = book.next_event() {
            told.push((event.event_type, event.id));
            book.done_with_event();
        }
        told
    }

    #[test]
    fn every_change_tells_one_event_with_an_id_of_its_own() {
        let mut book = book();
        let report = book.publish_report("acme", new_report(), NOW).expect("a good report");
        let patch = ReportPatch { rating: Some(Rating::Hold), ..ReportPatch::default() };
        let report = book.update_report("acme", &report.id, patch, NOW).expect("it is there");
        assert_eq!((report.rating, report.version), (Rating::Hold, 2));
        let holdings = vec![Holding { symbol: "GOOG".into(), shares: 3 }];
        book.rebalance("acme", "pf_acme_1", holdings, NOW).expect("it is there");
        assert_eq!(
            told(&mut book),
            [
                ("research_report.published", "rr_acme_1_v1".to_owned()),
                ("research_report.updated", "rr_acme_1_v2".to_owned()),
                ("portfolio.rebalanced", "pf_acme_1_v2".to_owned()),
            ]
        );
    }

    #[test]
    fn a_month_values_every_portfolio_with_the_prices_of_that_month() {
        let mut book = book();
        assert_eq!(book.pass_month(NOW).expect("there is room").to_string(), "2005-02");
        let event = book.next_event().expect("a portfolio has a new value");
        assert_eq!((event.event_type, event.workspace.as_str()), ("portfolio.updated", "acme"));
        assert_eq!(
            event.data.get(),
            r#"{"portfolio":{"id":"pf_acme_1","name":"Growth","version":1,"month":"2005-02","value_usd":231.5,"holdings":[{"symbol":"MSFT","shares":10}]},"value_before_usd":241.1}"#
        );
        assert_eq!(told(&mut book).len(), 2);
    }

    #[test]
    fn a_workspace_does_not_see_anothers_things() {
        let mut book = book();
        let report = book.publish_report("acme", new_report(), NOW).expect("a good report");
        assert_eq!(book.report("birch", &report.id), Err(Refused::NotFound));
        assert_eq!(book.portfolio("birch", "pf_acme_1"), Err(Refused::NotFound));
        assert_eq!(
            book.update_report("birch", &report.id, ReportPatch::default(), NOW),
            Err(Refused::NotFound)
        );
        assert!(book.reports("birch").is_empty() && book.reports("nobody").is_empty());
    }

    #[test]
    fn limits_hold_at_their_ends() {
        let mut book = book();
        for _ in 0..REPORTS_MAX {
            book.publish_report("acme", new_report(), NOW).expect("within the limit");
        }
        assert!(matches!(book.publish_report("acme", new_report(), NOW), Err(Refused::Invalid(_))));
        for (chars, fits) in [(0, false), (1, true), (TEXT_CHARS_MAX, true), (TEXT_CHARS_MAX + 1, false)] {
            let new = NewReport { title: "x".repeat(chars), ..new_report() };
            assert_eq!(book.publish_report("birch", new, NOW).is_ok(), fits, "{chars}");
        }
        while book.outbox.len() < OUTBOX_MAX {
            book.rebalance("birch", "pf_birch_1", Vec::new(), NOW).expect("there is room");
        }
        assert_eq!(book.rebalance("birch", "pf_birch_1", Vec::new(), NOW), Err(Refused::Full));
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_tells_nothing() {
        let mut book = book();
        let unknown = NewReport { symbol: "KEYB".into(), ..new_report() };
        let refused = book.publish_report("acme", unknown, NOW).expect_err("not traded");
        assert_eq!(refused.to_string(), "symbol: must be one of AAPL, AMZN, GOOG, IBM, MSFT");
        let twice =
            vec![Holding { symbol: "IBM".into(), shares: 1 }, Holding { symbol: "IBM".into(), shares: 2 }];
        assert!(matches!(book.rebalance("acme", "pf_acme_1", twice, NOW), Err(Refused::Invalid(_))));
        assert!(told(&mut book).is_empty());
    }
}
