//! The HTTP API as a test's platform uses it: one request, one connection, JSON both ways.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

/// A caller with a secret key.
pub struct Api {
    address: SocketAddr,
    secret_key: String,
}

impl Api {
    /// Speaks to the server at `address` with `secret_key`.
    pub fn new(address: SocketAddr, secret_key: &str) -> Api {
        Api { address, secret_key: secret_key.to_owned() }
    }

    /// Sends `body` (`Null`: none) and gives the status and the answer, `Null` where it is no JSON.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.address,
            self.secret_key,
            body.len()
        )
        .expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers in UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let status =
            head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer has a status");
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    /// The same where it has to go well.
    pub fn must(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert!((200..300).contains(&status), "{method} {path} answered {status}: {answer}");
        answer
    }
}
