//! Three ports that are free.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::failure::Failure;

/// How many ports are tried before the demo gives up.
const TRIED_MAX: u16 = 100;

/// Where the three parts of the demo listen. The platform's and the receiver's listeners are open already.
pub(super) struct Ports {
    pub(super) keybell: SocketAddr,
    pub(super) platform: TcpListener,
    pub(super) receiver: TcpListener,
}

impl Ports {
    /// The first three free ports from `first` on.
    pub(super) fn find(first: u16) -> Result<Ports, Failure> {
        let mut free = (first..=first.saturating_add(TRIED_MAX)).filter_map(|port| listen(port).ok());
        let mut next = || {
            free.next().ok_or_else(|| {
                let last = first.saturating_add(TRIED_MAX);
                Failure::new(format!(
                    "there are no three free ports from {first} to {last}; name others with --port"
                ))
            })
        };
        let (keybell, platform, receiver) = (next()?, next()?, next()?);
        // Keybell opens its own; until then nobody else should want this port.
        let keybell = keybell.local_addr().map_err(Failure::doing("a port has no address"))?;
        Ok(Ports { keybell, platform, receiver })
    }

    /// Where Keybell will be reached.
    pub(super) fn keybell_url(&self) -> String {
        format!("http://{}", self.keybell)
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Where a listener is reached.
pub(super) fn url_of(listener: &TcpListener) -> Result<String, Failure> {
    let address = listener.local_addr().map_err(Failure::doing("a listener has no address"))?;
    Ok(format!("http://{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = taken.local_addr().expect("it is bound").port();
        // Close to the end of the ports there may not be three more.
        let Ok(ports) = Ports::find(port) else { return };
        let found = [&ports.platform, &ports.receiver]
            .map(|listener| listener.local_addr().expect("it is bound").port());
        assert!(ports.keybell.port() > port && found[0] > ports.keybell.port() && found[1] > found[0]);
    }
}
