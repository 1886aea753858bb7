//! A receiver of webhooks that keeps what it got, byte for byte.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Channel, Sender, channel};
use std::time::Duration;

/// How long a delivery may take to arrive on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Listens until the test ends, and answers every request with 200 and a sentence.
pub struct Receiver {
    address: SocketAddr,
    arrived: Channel<Received>,
}

impl Receiver {
    /// Listens on a free port.
    pub fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let (sender, arrived) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sender = sender.clone();
                std::thread::spawn(move || serve(&stream, &sender));
            }
        });
        Receiver { address, arrived }
    }

    /// Where webhooks send to.
    pub fn url(&self) -> String {
        format!("http://{}/webhooks", self.address)
    }

    /// The next request that arrived or arrives.
    pub fn next(&self) -> Received {
        self.arrived.recv_timeout(PATIENCE).expect("a delivery arrives")
    }
}

/// Answers one connection's requests, one after the other, until it is closed.
fn serve(stream: &TcpStream, arrived: &Sender<Received>) {
    let mut reader = BufReader::new(stream);
    while let Some(received) = read(&mut reader) {
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 12\r\n\r\nThank you.\r\n";
        let mut writer = stream;
        if arrived.send(received).is_err() || writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line);
    }
    let header = |line: &String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    let headers: Vec<(String, String)> = lines.iter().skip(1).filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap_or(0))];
    reader.read_exact(&mut body).ok()?;
    Some(Received { headers, body })
}
