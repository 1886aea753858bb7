//! The floor: what the machine can do when nothing of ours is in the way.
//!
//! A server that answers 204 to everything, as an axum application; and a client that only posts, as the
//! sender of a webhook would without database, signature or queue. Both are processes of their own, so that their cost can
//! be read as Keybell's is.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::http::StatusCode;
use bytes::Bytes;
use keybell_bench::machine::Cpu;
use socket2::{Domain, Protocol, Socket, Type};

use crate::Outcome;
use crate::client::{Call, local};
use crate::load;
use crate::table::{Row, Table};

/// What stands in the body of a floor's request: as long as an event of the benches.
pub(crate) const BODY_BYTES: usize = 512;

/// A child process of this program, ended with this value. It said its port when it was ready.
pub(crate) struct Helper {
    child: Child,
    pub(crate) port: u16,
}

impl Helper {
    /// Starts this program again as `subcommand`, and waits until it says its port.
    pub(crate) fn start(subcommand: &[&str]) -> Outcome<Helper> {
        let own = std::env::current_exe()
            .map_err(|error| format!("where this program lies is not known: {error}"))?;
        let mut child = Command::new(own)
            .args(subcommand)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{}` cannot be started: {error}", subcommand.join(" ")))?;
        let stdout = child.stdout.take().ok_or("its standard output is piped")?;
        let mut line = String::new();
        let read = std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line);
        read.map_err(|error| format!("`{}` says nothing: {error}", subcommand.join(" ")))?;
        let said = line.trim();
        let port =
            said.parse().map_err(|_| format!("`{}` said `{said}`, not a port", subcommand.join(" ")))?;
        Ok(Helper { child, port })
    }

    pub(crate) fn cpu(&self) -> Cpu {
        Cpu::of(self.child.id())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Listens on `port`, 0 being any that is free, and says it on standard output, which is what [`Helper::start`] waits for.
pub(crate) async fn listen(port: u16) -> Outcome<tokio::net::TcpListener> {
    let failed = |error: std::io::Error| format!("no port to listen on: {error}");
    let listener = tokio::net::TcpListener::bind(local(port)).await.map_err(failed)?;
    say_port(listener.local_addr().map_err(failed)?.port())?;
    Ok(listener)
}

fn say_port(port: u16) -> Outcome<()> {
    println!("{port}");
    std::io::stdout().flush().map_err(|error| format!("the port cannot be said: {error}"))
}

/// The hidden subcommand `floor`: never ends by itself. On so many threads, each with a runtime and a listener of its own,
/// which is how Keybell serves.
pub(crate) fn serve(threads: usize) -> Outcome<()> {
    let first = shared_listener(local(0))?;
    let address = first.local_addr().map_err(|error| format!("it has no address: {error}"))?;
    let mut listeners = vec![first];
    while listeners.len() < threads {
        listeners.push(shared_listener(address)?);
    }
    let served: Vec<_> =
        listeners.into_iter().map(|listener| std::thread::spawn(|| answer(listener))).collect();
    say_port(address.port())?;
    for thread in served {
        thread.join().map_err(|_| "a thread of the floor panicked".to_owned())??;
    }
    Ok(())
}

fn answer(listener: std::net::TcpListener) -> Outcome<()> {
    load::runtime()?.block_on(async {
        // The body is read, as Keybell reads it.
        let application = Router::new().fallback(|_: Bytes| async { StatusCode::NO_CONTENT });
        let listener = tokio::net::TcpListener::from_std(listener);
        let listener = listener.map_err(|error| format!("the floor cannot listen: {error}"))?;
        axum::serve(listener, application).await.map_err(|error| format!("the floor fell: {error}"))
    })
}

fn shared_listener(address: SocketAddr) -> Outcome<std::net::TcpListener> {
    let listener = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1_024)?;
        Ok::<_, std::io::Error>(socket.into())
    };
    listener().map_err(|error| format!("no port to listen on: {error}"))
}

/// The hidden subcommand `post`: posts, and prints how many, how many a second, and µs of CPU each.
pub(crate) fn post(port: u16, requests: u64) -> Outcome<()> {
    let call = Call { method: "POST", path: "/", bearer: None };
    let before = Cpu::of(std::process::id());
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let done = load::runtime()?.block_on(load::run(
        local(port),
        load::CONNECTIONS,
        requests,
        move |_| call,
        move |_| body.clone(),
    ))?;
    let each = Cpu::of(std::process::id()).micros_each(before, done.requests);
    println!("{} {} {each}", done.requests, done.per_second());
    Ok(())
}

/// Measures the server that answers 204: on one thread, and on one for each core, as Keybell serves. With more threads than
/// there is work each wake-up finds less to do, and costs a request more.
pub(crate) fn measure_server(requests: u64, table: &mut Table) -> Outcome<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for (threads, told) in [(1, "on one thread"), (cores, "on a thread for each core")] {
        let helper = Helper::start(&["floor", &threads.to_string()])?;
        let call = Call { method: "POST", path: "/", bearer: None };
        let body = Bytes::from(vec![b'x'; BODY_BYTES]);
        let before = helper.cpu();
        let done = load::runtime()?.block_on(load::run(
            local(helper.port),
            load::CONNECTIONS,
            requests,
            move |_| call,
            move |_| body.clone(),
        ))?;
        table.add(Row {
            what: format!("floor: axum answers 204 {told}"),
            count: done.requests,
            per_second: Some(done.per_second()),
            server_micros: Some(helper.cpu().micros_each(before, done.requests)),
            p50_ms: Some(done.wait_ms(0.5)),
            p99_ms: Some(done.wait_ms(0.99)),
            ..Row::default()
        });
    }
    Ok(())
}

/// Measures the client that only posts, against a receiver on `port`.
pub(crate) fn measure_client(port: u16, requests: u64, table: &mut Table) -> Outcome<()> {
    let own =
        std::env::current_exe().map_err(|error| format!("where this program lies is not known: {error}"))?;
    let output = Command::new(own)
        .args(["post", &port.to_string(), &requests.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`post` cannot be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = said.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    let &[_, per_second, each] = figures.as_slice() else {
        return Err(format!("`post` said `{}`", said.trim()));
    };
    table.add(Row {
        what: "floor: hyper only posts".to_owned(),
        count: requests,
        per_second: Some(per_second),
        server_micros: Some(each),
        ..Row::default()
    });
    Ok(())
}
