//! `[server]`: where it listens, how it is reached, and its data folder.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::reader::Reader;

/// More threads than any machine has cores to give.
const THREADS_MAX: usize = 256;
/// Past this the system's own limits for one process end it first.
const CONNECTIONS_MAX: usize = 1_000_000;
/// Longer than any client needs for a head, and than any pool keeps a connection.
const HEADER_TIMEOUT_MAX: Duration = Duration::from_mins(10);
/// As long as a DNS name may be.
const NODE_CHARS_MAX: usize = 253;

/// Where it listens, how it is reached, and its data folder.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Where it listens. Port 0 is any free one.
    pub(crate) listen: SocketAddr,
    /// Where browsers and clients reach it; `None`: by the address it listens on.
    pub(crate) public_url: Option<Url>,
    /// A listener of its own for the metrics.
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// The data folder, where one is named.
    pub(crate) data_dir: Option<PathBuf>,
    /// The file of the master key, where one is named.
    pub(crate) master_key_file: Option<PathBuf>,
    /// The name of this node; `None`: the machine's.
    pub(crate) node: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Threads; `None`: one for each core.
    pub(crate) threads: Option<usize>,
    /// Connections open at once.
    pub(crate) max_connections: usize,
    /// For the head of a request, and for an idle connection.
    pub(crate) header_timeout: Duration,
}

impl Server {
    pub(super) fn read(from: &mut Reader) -> Option<Server> {
        let allowed = "an address and port such as \"127.0.0.1:8080\"";
        let listen =
            from.parsed("server.listen", allowed, |value| value.as_str()?.parse::<SocketAddr>().ok());
        let public_url = from.parsed(
            "server.public_url",
            "an http or https URL without user, query or fragment, such as \"https://developer.example.com\", or empty",
            |value| match value.as_str()? {
                "" => Some(None),
                text => Url::parse(text).ok().filter(is_public_url).map(Some),
            },
        );
        let allowed = "an address and port such as \"127.0.0.1:9090\", or empty";
        let metrics_listen = from.parsed("server.metrics_listen", allowed, |value| match value.as_str()? {
            "" => Some(None),
            text => text.parse::<SocketAddr>().ok().map(Some),
        });
        if let (Some(listen), Some(metrics)) = (listen, metrics_listen.flatten())
            && listen == metrics
            && listen.port() != 0
        {
            from.refuse("server.metrics_listen", "another address than server.listen");
        }
        let data_dir = from.text("server.data_dir");
        let master_key_file = from.text("server.master_key_file");
        let allowed = format!(
            "a name of at most {NODE_CHARS_MAX} characters of A-Z, a-z, 0-9, '.', '_' and '-', or empty"
        );
        let node = from.parsed("server.node", allowed, |value| {
            value.as_str().filter(|name| name.len() <= NODE_CHARS_MAX && is_name(name)).map(str::to_owned)
        });
        let trusted_proxies = from.networks("server.trusted_proxies");
        let threads = from.number("server.threads", 0..=THREADS_MAX);
        let max_connections = from.number("server.max_connections", 1..=CONNECTIONS_MAX);
        let header_timeout =
            from.duration("server.header_timeout", Duration::from_secs(1)..=HEADER_TIMEOUT_MAX);
        Some(Server {
            listen: listen?,
            public_url: public_url?,
            metrics_listen: metrics_listen?,
            data_dir: unless_empty(data_dir?).map(PathBuf::from),
            master_key_file: unless_empty(master_key_file?).map(PathBuf::from),
            node: unless_empty(node?),
            trusted_proxies: trusted_proxies?,
            threads: threads.map(|threads| (threads > 0).then_some(threads))?,
            max_connections: max_connections?,
            header_timeout: header_timeout?,
        })
    }
}

fn is_public_url(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn unless_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
