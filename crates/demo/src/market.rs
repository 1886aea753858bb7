//! The market: what a share cost, month by month.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Five symbols, January 2000 to March 2010; `data/README.md` says where the figures come from.
const PRICES: &str = include_str!("../data/stocks.csv");
/// From here on every symbol is listed.
const FIRST: Month = Month { year: 2005, month: 1 };

/// A month of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: u16,
    month: u8,
}

/// Every price there is, in US cents.
#[derive(Debug)]
pub struct Market {
    months: Vec<Month>,
    cents: BTreeMap<(String, Month), i64>,
}

impl Market {
    /// The market as the file in this crate has it.
    pub fn of_file() -> Market {
        let mut cents = BTreeMap::new();
        for line in PRICES.lines().skip(1) {
            let (symbol, month, price) =
                entry(line).expect("every line of the file is an entry: a test reads it");
            cents.insert((symbol.to_owned(), month), price);
        }
        let mut months: Vec<Month> =
            cents.keys().map(|(_, month)| *month).filter(|month| *month >= FIRST).collect();
        months.sort_unstable();
        months.dedup();
        Market { months, cents }
    }

    /// The month that is `number` months after the first; after the last one they begin again.
    pub fn month(&self, number: usize) -> Month {
        self.months[number % self.months.len()]
    }

    /// What a share cost at the end of a month, in cents; `None` for a symbol that is not traded here.
    pub fn price(&self, symbol: &str, month: Month) -> Option<i64> {
        self.cents.get(&(symbol.to_owned(), month)).copied()
    }

    /// The symbols that are traded, in order.
    pub fn symbols(&self) -> Vec<&str> {
        let mut symbols: Vec<&str> = self.cents.keys().map(|(symbol, _)| symbol.as_str()).collect();
        symbols.dedup();
        symbols
    }
}

/// `MSFT,Jan 1 2000,39.81`.
fn entry(line: &str) -> Option<(&str, Month, i64)> {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut fields = line.split(',');
    let (symbol, date, price) = (fields.next()?, fields.next()?, fields.next()?);
    let mut date = date.split(' ');
    let (name, year) = (date.next()?, date.nth(1)?);
    let month = NAMES.iter().position(|known| *known == name)? + 1;
    let (dollars, cents) = price.split_once('.').unwrap_or((price, "0"));
    let cents: i64 = format!("{cents:0<2}").parse().ok()?;
    let month = Month { year: year.parse().ok()?, month: u8::try_from(month).ok()? };
    Some((symbol, month, dollars.parse::<i64>().ok()? * 100 + cents))
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02}", self.year, self.month)
    }
}

impl Serialize for Month {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_has_a_price_in_every_month() {
        let market = Market::of_file();
        assert_eq!(market.symbols(), ["AAPL", "AMZN", "GOOG", "IBM", "MSFT"]);
        assert_eq!(
            (market.month(0).to_string(), market.month(62).to_string()),
            ("2005-01".into(), "2010-03".into())
        );
        assert_eq!(market.month(63), market.month(0));
        for number in 0..63 {
            for symbol in market.symbols() {
                assert!(market.price(symbol, market.month(number)).is_some_and(|cents| cents > 0));
            }
        }
        assert_eq!(market.price("MSFT", Month { year: 2000, month: 1 }), Some(3981));
        assert_eq!(market.price("KEYB", market.month(0)), None);
    }
}
