//! Listeners: one for each thread, all on the same address.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::failure::Failure;

/// Connections that the kernel completes before they are accepted. Linux cuts it to `net.core.somaxconn`, 4096.
const BACKLOG: i32 = 4096;

/// One listener for each thread, all on one address.
pub(crate) struct Listeners {
    /// Where they listen; the port is the one that was found where any was asked for.
    pub(crate) address: SocketAddr,
    /// As many as were asked for.
    pub(crate) sockets: Vec<TcpListener>,
}

/// `count` listeners on `address`. `setting` is what the operator calls the address.
pub(crate) fn listen(address: SocketAddr, count: usize, setting: &str) -> Result<Listeners, Failure> {
    listen_shared(address, count).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            Failure::new(format!("{address} is in use by another process; stop it, or change {setting}"))
        }
        io::ErrorKind::AddrNotAvailable => {
            Failure::new(format!("{address} is not an address of this machine; change {setting}"))
        }
        _ => Failure::doing(format!("{setting} {address} cannot be listened on"))(error),
    })
}

fn listen_shared(address: SocketAddr, count: usize) -> io::Result<Listeners> {
    if address.port() != 0 {
        // Sockets that share a port share it with other processes of the same user, too: a second Keybell would take
        // half of the connections. One that does not share finds out whether anybody is there.
        drop(TcpListener::bind(address)?);
    }
    let first = shared_socket(address)?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    while sockets.len() < count {
        sockets.push(shared_socket(address)?);
    }
    Ok(Listeners { address, sockets })
}

fn shared_socket(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn every_thread_listens_on_the_same_port_and_nobody_else_can() {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listeners = listen(any, 3, "server.listen").expect("a free port");
        let ports: Vec<SocketAddr> = listeners.sockets.iter().flat_map(TcpListener::local_addr).collect();
        assert_eq!(ports, [listeners.address; 3]);
        let refused = listen(listeners.address, 1, "server.listen").err().expect("the port is taken");
        let Failure::World(sentence) = refused else { panic!("it is not the configuration that is wrong") };
        assert!(sentence.contains("is in use by another process"), "{sentence}");
    }
}
