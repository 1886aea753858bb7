//! What is asked of the gate, as an input says it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Method, Uri};
use keybell_core::key::RequestKind;

/// The headers that decide something, or look as if they did. There are twelve, so that digits begin with the first.
const NAMES: [&str; 12] = [
    "authorization",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-method",
    "origin",
    "sec-fetch-mode",
    "x-keybell-key-id",
    "x-request-id",
    "cookie",
    "x-keybell-scopes",
    "x-original-method",
    "forwarded",
];

/// What is asked, as the input says: through the routes or before them, by the gateway or by somebody else, and how often.
pub(crate) struct Ask<'a> {
    pub(crate) by_routes: bool,
    pub(crate) peer: IpAddr,
    pub(crate) times: usize,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: Vec<(HeaderName, &'a [u8])>,
}

impl Ask<'_> {
    /// `None` where the input is empty.
    pub(crate) fn read(input: &[u8]) -> Option<Ask<'_>> {
        let mut lines = keybell_fuzz::lines(input);
        let (how, line) = lines.next()?.split_first()?;
        let (method, query) = line.split_at(line.iter().position(|byte| *byte == b' ').unwrap_or(line.len()));
        let name_of = |byte: u8| HeaderName::from_static(NAMES[usize::from(byte) % NAMES.len()]);
        let headers = lines.filter_map(<[u8]>::split_first);
        Some(Ask {
            by_routes: how & 1 == 1,
            peer: IpAddr::from(if how & 2 == 2 { [192, 0, 2, 10] } else { [198, 51, 100, 7] }),
            times: 1 + usize::from(how >> 2 & 3),
            method: Method::from_bytes(method).unwrap_or_default(),
            uri: uri_of(query.get(1..).unwrap_or_default()),
            headers: headers.map(|(name, value)| (name_of(*name), value)).collect(),
        })
    }

    /// The query, encoded.
    pub(crate) fn query(&self) -> &[u8] {
        self.uri.query().unwrap_or_default().as_bytes()
    }

    /// What kind of request a limit takes it for: as the query says it last, and otherwise as the gateway's or its own method.
    pub(crate) fn kind(&self, headers: &HeaderMap) -> RequestKind {
        let said =
            |wanted: &str| form_urlencoded::parse(self.query()).filter(|(name, _)| name == wanted).last();
        if let Some((_, method)) = said("method") {
            return RequestKind::of_method(&method);
        }
        if said("gateway").is_some() {
            return RequestKind::Unknown;
        }
        match headers.get("x-forwarded-method") {
            Some(method) => method.to_str().map_or(RequestKind::Unknown, RequestKind::of_method),
            None => RequestKind::of_method(self.method.as_str()),
        }
    }
}

/// The endpoint with this query: as it is where HTTP takes it, and otherwise escaped.
fn uri_of(query: &[u8]) -> Uri {
    let with = |query: &[u8]| Uri::try_from([b"/v1/forward-auth?", query].concat());
    with(query).ok().filter(|uri| uri.path() == "/v1/forward-auth").unwrap_or_else(|| {
        let escaped: String = form_urlencoded::byte_serialize(query).collect();
        with(escaped.as_bytes()).expect("what is escaped is a query")
    })
}
