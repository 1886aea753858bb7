//! The world that the demo begins with: two workspaces with portfolios and reports, and time that passes.

use std::time::Duration;

use crate::book::{Book, Refused};
use crate::market::Market;
use crate::platform::Platform;
use crate::things::{Holding, NewReport, Rating, ReportPatch};

/// The platform's own names for its workspaces, with what people call them. The first is the demo's visitor's.
pub const WORKSPACES: [(&str, &str); 2] = [("acme", "Acme Research"), ("birch", "Birch Capital")];

/// The book on the first day.
pub fn book() -> Book {
    let mut book = Book::new(Market::of_file());
    let holdings = |list: &[(&str, u32)]| {
        let holding =
            |(symbol, shares): &(&str, u32)| Holding { symbol: (*symbol).to_owned(), shares: *shares };
        list.iter().map(holding).collect()
    };
    book.open_portfolio("acme", "Growth", holdings(&[("AAPL", 200), ("AMZN", 150), ("GOOG", 40)]));
    book.open_portfolio("acme", "Income", holdings(&[("IBM", 120), ("MSFT", 500)]));
    book.open_portfolio("birch", "All weather", holdings(&[("AAPL", 50), ("IBM", 50), ("MSFT", 50)]));
    book
}

/// How many events [`make_history`] tells.
pub const HISTORY_EVENTS: usize = 4;

/// Some history, through the same door as everything after: reports published, one changed, a portfolio rebalanced.
pub fn make_history(platform: &Platform) -> Result<(), Refused> {
    let report = |symbol: &str, title: &str, rating: Rating, summary: &str| NewReport {
        symbol: symbol.to_owned(),
        title: title.to_owned(),
        rating,
        summary: summary.to_owned(),
    };
    let acme = "acme";
    platform.change(|book, now| {
        let room = report(
            "AAPL",
            "Room to grow",
            Rating::Hold,
            "The new music player sells faster than it can be made.",
        );
        let first = book.publish_report(acme, room, now)?;
        let patch = ReportPatch { rating: Some(Rating::Buy), ..Default::default() };
        book.update_report(acme, &first.id, patch, now)?;
        let services =
            report("IBM", "Services carry the year", Rating::Hold, "Hardware is sold; the contracts stay.");
        book.publish_report(acme, services, now)?;
        let holdings = [("IBM", 100), ("MSFT", 600)];
        let holdings = holdings.map(|(symbol, shares)| Holding { symbol: symbol.to_owned(), shares });
        book.rebalance(acme, "pf_acme_2", holdings.into(), now)?;
        Ok(())
    })
}

/// Lets a month pass each time `every` does, for as long as the platform is there.
pub async fn pass_time(platform: Platform, every: Duration) {
    let mut months = tokio::time::interval(every);
    months.tick().await;
    loop {
        months.tick().await;
        match platform.change(Book::pass_month) {
            Ok(month) => platform.say(&format!("platform  it is {month}: the portfolios have new values")),
            Err(refused) => tracing::warn!(%refused, "the portfolios were not valued this month"),
        }
    }
}
