//! Whether a browser's request comes from our own pages.
//!
//! Only requests that a cookie vouches for need it: a key in a header is never sent by another site's page. The judge is
//! the browser itself, by `Sec-Fetch-Site` (W3C Fetch Metadata), and for one too old for that by `Origin`.

use http::{HeaderMap, Method, header};
use keybell_core::Code;
use url::Url;

/// Refuses a request that changes something and does not come from a page of `public_url`.
///
/// Without `Sec-Fetch-Site` and `Origin` it is no browser's, and nobody can have been tricked into it.
pub fn check(method: &Method, headers: &HeaderMap, public_url: &Url) -> Result<(), Code> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let same = match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
        // `none` is the person's own doing: the address bar, a bookmark.
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let ours = public_url.origin().ascii_serialization();
            origin.to_str().is_ok_and(|origin| origin == ours || same_host(origin, headers))
        }
        (None, None) => true,
    };
    if same { Ok(()) } else { Err(Code::CrossSite) }
}

/// Whether an origin's host and port are those the request was sent to.
fn same_host(origin: &str, headers: &HeaderMap) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    authority.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(method: &Method, headers: &[(&'static str, &str)]) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect::<Vec<(http::HeaderName, http::HeaderValue)>>()
            .into_iter()
            .collect();
        check(method, &headers, &Url::parse("https://keys.example/").expect("a URL")).is_ok()
    }

    #[test]
    fn another_site_may_read_nothing_into_being() {
        assert!(judged(&Method::GET, &[("sec-fetch-site", "cross-site")]), "following a link here is fine");
        assert!(!judged(&Method::POST, &[("sec-fetch-site", "cross-site")]));
        assert!(
            !judged(&Method::POST, &[("sec-fetch-site", "same-site")]),
            "a neighbour under the same domain"
        );
        assert!(!judged(&Method::DELETE, &[("origin", "https://evil.example")]));
        assert!(!judged(&Method::POST, &[("origin", "null"), ("host", "keys.example")]));
    }

    #[test]
    fn our_own_pages_may() {
        assert!(judged(
            &Method::POST,
            &[("sec-fetch-site", "same-origin"), ("origin", "https://behind.proxy")]
        ));
        assert!(judged(&Method::POST, &[("origin", "https://keys.example")]));
        assert!(judged(&Method::POST, &[("origin", "http://10.0.0.5:8080"), ("host", "10.0.0.5:8080")]));
        assert!(judged(&Method::POST, &[]));
    }
}
