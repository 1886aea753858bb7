//! The API as somebody asks it who waits for each answer: one connection for each request.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// What the events are published as.
pub(super) const EVENT_TYPE: &str = "order.placed";
/// The platform's own name of the workspace.
pub(super) const WORKSPACE: &str = "acme";
/// A request that takes longer has failed: a database that is gone may keep it waiting.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(15);
/// Deliveries of one page of the log.
const PAGE: usize = 250;

/// The API of one installation.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) address: SocketAddr,
    pub(super) operator_key: String,
}

impl Api {
    pub(super) fn new(address: SocketAddr, operator_key: &str) -> Api {
        Api { address, operator_key: operator_key.to_owned() }
    }

    /// Makes the workspace, the event type, and a webhook at `url`.
    pub(super) fn furnish(&self, url: &str) -> Result<(), String> {
        self.ask("POST", "/v1/workspaces", &json!({ "external_id": WORKSPACE, "name": "Acme" }))?;
        self.ask("POST", "/v1/event-types", &json!({ "name": EVENT_TYPE }))?;
        let webhook = json!({ "name": "All", "url": url, "events": ["*"] });
        self.ask("POST", &format!("/v1/workspaces/{WORKSPACE}/webhooks"), &webhook).map(drop)
    }

    /// Whether it says that it is ready.
    pub(super) fn is_ready(&self) -> bool {
        self.exchange("GET", "/readyz", "").is_ok_and(|(status, _)| status == 200)
    }

    /// How many deliveries are pending, a page of them at most.
    pub(super) fn pending(&self) -> Result<usize, String> {
        let page = self.page("status=pending", None)?;
        Ok(page["data"].as_array().map_or(0, Vec::len))
    }

    /// Event and status of every delivery in the log.
    pub(super) fn deliveries(&self) -> Result<Vec<(String, String)>, String> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.page("status=", cursor.as_deref())?;
            for delivery in page["data"].as_array().into_iter().flatten() {
                let text = |name: &str| delivery[name].as_str().unwrap_or_default().to_owned();
                all.push((text("event_id"), text("status")));
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(all),
            }
        }
    }

    fn page(&self, filter: &str, cursor: Option<&str>) -> Result<Value, String> {
        let filter = if filter.ends_with('=') { String::new() } else { format!("&{filter}") };
        let cursor = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let path = format!("/v1/workspaces/{WORKSPACE}/deliveries?limit={PAGE}{filter}{cursor}");
        self.ask("GET", &path, &Value::Null)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.exchange(method, path, &body)?;
        if !(200..300).contains(&status) {
            return Err(format!("{method} {path} answered {status}: {answer}"));
        }
        serde_json::from_str(&answer).map_err(|error| format!("{path} answered what is not JSON: {error}"))
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> Result<(u16, String), String> {
        let failed = |error: std::io::Error| format!("{method} {path}: {error}");
        let mut stream = TcpStream::connect(self.address).map_err(failed)?;
        stream.set_read_timeout(Some(ANSWER_MAX)).map_err(failed)?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: keybell\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.operator_key,
            body.len(),
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).map_err(failed)?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map_err(failed)?;
        parse(&text).ok_or_else(|| format!("{method} {path} was not answered to the end"))
    }
}

/// Status and body of an answer that says its length and ends with its connection.
fn parse(text: &str) -> Option<(u16, String)> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body_unless_it_broke_off() {
        assert_eq!(parse("HTTP/1.1 200 OK\r\na: b\r\n\r\n{}"), Some((200, "{}".to_owned())));
        assert_eq!(parse("HTTP/1.1 200 OK\r\na: b"), None);
    }
}
