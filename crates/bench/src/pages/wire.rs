//! How many bytes a browser is sent for its first view of a page.

use std::collections::BTreeSet;
use std::fmt;

use http::{HeaderMap, HeaderName, header};

use crate::Outcome;
use crate::client::Connection;

/// What a first view is made of, bytes with their headers.
pub(super) struct FirstView {
    /// The page as it was sent.
    page: usize,
    /// The page as it is read, without headers.
    plain: usize,
    /// How it was packed.
    encoding: String,
    /// All that it links, each once.
    assets: usize,
}

impl FirstView {
    pub(super) fn sum(&self) -> usize {
        self.page + self.assets
    }
}

impl fmt::Display for FirstView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kb = |bytes: usize| format!("{}.{}", bytes / 1_000, bytes % 1_000 / 100);
        let (page, plain, assets) = (kb(self.page), kb(self.plain), kb(self.assets));
        write!(
            f,
            "{page} KB page ({plain} KB, {}) + {assets} KB assets = {} KB",
            self.encoding,
            kb(self.sum())
        )
    }
}

/// Loads a page and all that it links. That it links what is not ours is an error.
pub(super) async fn first_view(
    connection: &mut Connection,
    path: &str,
    headers: &[(HeaderName, &str)],
) -> Outcome<FirstView> {
    let html = readable(connection, path, headers).await?;
    let (_, sent, body) = connection.get(path, headers).await?;
    let encoding = sent.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    let mut assets = 0;
    for asset in linked(&html)? {
        let (status, sent, body) = connection.get(&asset, headers).await?;
        if !status.is_success() {
            return Err(format!("{path} links {asset}, which answers {status}"));
        }
        assets += size_of(&sent) + body.len();
    }
    let encoding = encoding.unwrap_or("not packed").to_owned();
    Ok(FirstView { page: size_of(&sent) + body.len(), plain: html.len(), encoding, assets })
}

/// The text of a page, asked for as it is.
pub(super) async fn readable(
    connection: &mut Connection,
    path: &str,
    headers: &[(HeaderName, &str)],
) -> Outcome<String> {
    let plain: Vec<_> =
        headers.iter().filter(|(name, _)| *name != header::ACCEPT_ENCODING).cloned().collect();
    let (_, _, body) = connection.get(path, &plain).await?;
    String::from_utf8(body.to_vec()).map_err(|error| format!("{path} is not text: {error}"))
}

/// The link to what is older, where a list has one.
pub(super) fn older(html: &str) -> Option<String> {
    let link = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    link.filter(|link| link.contains("cursor="))
        .last()
        .map(|link| link.replace("&#38;", "&").replace("&amp;", "&"))
}

/// What a browser fetches for a page by itself.
fn linked(html: &str) -> Outcome<BTreeSet<String>> {
    let tags = html
        .split('<')
        .filter(|tag| ["link ", "script ", "img ", "iframe "].iter().any(|fetched| tag.starts_with(fetched)));
    let addresses = tags.filter_map(|tag| {
        let value = ["href=\"", "src=\""].iter().find_map(|name| tag.split_once(name))?.1;
        value.split('"').next()
    });
    let mut found = BTreeSet::new();
    for address in addresses.filter(|address| !address.starts_with("data:")) {
        if !address.starts_with('/') || address.starts_with("//") {
            return Err(format!("{address} is asked of somebody else"));
        }
        found.insert(address.to_owned());
    }
    Ok(found)
}

/// The status line and the headers, as HTTP/1.1 writes them.
fn size_of(headers: &HeaderMap) -> usize {
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    "HTTP/1.1 200 OK\r\n\r\n".len() + lines.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_fetches_is_found_and_what_is_not_ours_is_refused() {
        let html = r#"<link rel="icon" href="/a.svg"><script type="module" src="/b.js"></script><a href="https://else.where/">"#;
        assert_eq!(linked(html).map(Vec::from_iter), Ok(vec!["/a.svg".to_owned(), "/b.js".to_owned()]));
        assert!(linked(r#"<img src="https://else.where/">"#).is_err());
        assert!(linked(r#"<script src="//else.where/">"#).is_err());
    }

    #[test]
    fn the_link_to_older_entries_is_the_last_with_a_cursor() {
        assert_eq!(older(r#"<a href="/k?q=a&#38;cursor=2">"#).as_deref(), Some("/k?q=a&cursor=2"));
        assert_eq!(older(r#"<a href="/k">"#), None);
    }
}
