//! A client of the platform's API: one request with whatever headers it likes, one connection, and the answer whole.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// The headers that tell a client of its key's rate limits.
pub(crate) const LIMIT_HEADERS: [&str; 5] =
    ["ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];

/// An answer as the client sees it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The value of the header `name`, given in lower case; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// Which of the [`LIMIT_HEADERS`] came with it.
    pub(crate) fn told_of_limits(&self) -> Vec<&'static str> {
        LIMIT_HEADERS.into_iter().filter(|name| !self.header(name).is_empty()).collect()
    }
}

/// Sends a request to `address`, with `headers` as they stand.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(address).expect("the gateway listens");
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n").into_bytes();
    write!(request, "content-length: {}\r\n", body.len()).expect("memory takes every line");
    for (name, value) in headers.iter().chain(&[("connection", "close")]) {
        write!(request, "{name}: {value}\r\n").expect("memory takes every line");
    }
    request.extend(b"\r\n");
    request.extend(body.as_bytes());
    stream.write_all(&request).expect("the gateway reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the gateway answers in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    Answer {
        status: status.expect("an answer has a status"),
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
        body: body.to_owned(),
    }
}
