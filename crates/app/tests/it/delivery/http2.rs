//! HTTP/2, where a receiver chooses it: one connection for many requests, and receivers that misbehave on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use keybell_app::delivery::client::{Client, SENDS_MAX};
use keybell_app::delivery::exchange::{
    ANSWER_BODY_BYTES_MAX, ANSWER_HEAD_BYTES_MAX, Answer, Exchange, FailureCode, Outbound, Transport as _,
};
use keybell_app::delivery::http2::STREAMS_MAX;
use keybell_app::delivery::pool::IDLE_TIME;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;

use super::refused::{Fickle, client_of, failed, outbound};
use super::servers::{Identity, Server, tick, until_closed};

const DEADLINE: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_millis(2);
const NAME: &str = "hooks.example";

/// A request with the server's half of its stream.
type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// A receiver that speaks HTTP/2, and a client that trusts it.
struct Stage {
    server: Server,
    client: Client,
    requests: Arc<AtomicUsize>,
}

impl Stage {
    /// A receiver that does `each` with every request, given with its number from 0 over all connections.
    async fn start<Work: Future<Output = ()> + Send>(
        settings: impl Fn(&mut server::Builder) + Clone + Send + Sync + 'static,
        each: impl Fn(Asked, usize) -> Work + Clone + Send + Sync + 'static,
    ) -> Stage {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        Stage::with(requests, move |stream, _| {
            let (settings, each, counted) = (settings.clone(), each.clone(), Arc::clone(&counted));
            async move {
                let mut builder = server::Builder::new();
                settings(&mut builder);
                let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
                while let Some(Ok(asked)) = connection.accept().await {
                    let number = counted.fetch_add(1, Ordering::SeqCst);
                    let each = each.clone();
                    tokio::spawn(async move { each(asked, number).await });
                }
            }
        })
        .await
    }

    /// A receiver that does `each` with every connection, frame by frame.
    async fn with<Work: Future<Output = ()> + Send>(
        requests: Arc<AtomicUsize>,
        each: impl Fn(TlsStream<TcpStream>, usize) -> Work + Clone + Send + Sync + 'static,
    ) -> Stage {
        let identity = Identity::of(NAME);
        let server = identity.serve(&["h2", "http/1.1"], each).await;
        let client = client_of(&["127.0.0.0/8"], Fickle::always(server.address), &[identity.root]);
        Stage { server, client, requests }
    }

    fn outbound(&self) -> Outbound {
        outbound(&format!("https://{NAME}:{}/hook?x=1", self.server.address.port()))
    }

    async fn call(&self) -> Exchange {
        self.client.exchange(self.outbound()).await
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(exchange: Exchange) -> Answer {
    assert_eq!(exchange.failure, None);
    exchange.answer.expect("it answered")
}

fn status(exchange: &Exchange) -> Option<u16> {
    exchange.answer.as_ref().map(|answer| answer.status)
}

fn ended_at(exchange: &Exchange, deadline: Duration) -> bool {
    (deadline..=deadline + TICK).contains(&exchange.duration)
}

/// Reads the request to its end.
async fn read((request, respond): Asked) -> (Request<()>, Vec<u8>, SendResponse<Bytes>) {
    let (head, mut body) = request.into_parts();
    let mut read = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        body.flow_control().release_capacity(data.len()).ok();
        read.extend_from_slice(&data);
    }
    (Request::from_parts(head, ()), read, respond)
}

fn say(mut respond: SendResponse<Bytes>, status: u16, body: impl Into<Bytes>) {
    let head = Response::builder().status(status).body(()).expect("a status");
    if let Ok(mut stream) = respond.send_response(head, false) {
        stream.send_data(body.into(), true).ok();
    }
}

async fn ok(asked: Asked, _: usize) {
    let (_, _, respond) = read(asked).await;
    say(respond, 200, "ok");
}

#[tokio::test]
async fn a_request_arrives_whole_and_so_does_its_answer() {
    let stage = Stage::start(
        |_| {},
        |asked, _| async {
            let (request, body, respond) = read(asked).await;
            let headers: BTreeMap<_, _> = request
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
                .collect();
            let said = format!("{} {} {headers:?} {}", request.method(), request.uri(), body.len());
            say(respond, 202, said);
        },
    )
    .await;
    let mut request = stage.outbound();
    request.headers.insert("webhook-id", "evt_1".parse().expect("a value"));
    // More than any window at first.
    request.body = Bytes::from(vec![b'x'; 300_000]);
    let exchange = stage.client.exchange(request).await;
    assert!(exchange.timings.tls.is_some() && exchange.timings.first_byte.is_some());
    let got = answer(exchange);
    let port = stage.server.address.port();
    let expected = format!(
        "POST https://{NAME}:{port}/hook?x=1 {{\"content-length\": \"300000\", \"webhook-id\": \"evt_1\"}} 300000"
    );
    assert_eq!((got.status, String::from_utf8_lossy(&got.body).into_owned()), (202, expected));
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let stage = Stage::start(|_| {}, ok).await;
    assert_eq!(answer(stage.call().await).body, b"ok");
    let all = super::all((0..STREAMS_MAX).map(|_| stage.call())).await;
    assert!(all.iter().all(|exchange| exchange.failure.is_none() && exchange.timings.connect.is_none()));
    assert_eq!((stage.server.connections(), stage.requests()), (1, STREAMS_MAX + 1));
}

#[tokio::test]
async fn one_request_more_than_a_connection_takes_opens_another() {
    let gate = Arc::new(Semaphore::new(1));
    let waiting = Arc::clone(&gate);
    let stage = Stage::start(
        |_| {},
        move |asked, number| {
            let gate = Arc::clone(&waiting);
            async move {
                let (_, _, respond) = read(asked).await;
                if number > 0 {
                    gate.acquire().await.expect("it is not closed").forget();
                }
                say(respond, 200, "ok");
            }
        },
    )
    .await;
    gate.acquire().await.expect("it is not closed").forget();
    answer(stage.call().await);
    for (calls, connections) in [(STREAMS_MAX, 1), (STREAMS_MAX + 1, 2)] {
        let before = stage.requests();
        let all = super::all((0..calls).map(|_| stage.call()));
        let release = async {
            while stage.requests() < before + calls {
                tokio::task::yield_now().await;
            }
            assert_eq!(stage.server.connections(), connections);
            gate.add_permits(calls);
        };
        let (all, ()) = tokio::join!(all, release);
        assert!(all.iter().all(|exchange| exchange.failure.is_none()));
    }
}

#[tokio::test]
async fn a_receiver_that_takes_one_request_at_a_time_gets_one_at_a_time() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, highest) = (Arc::clone(&now), Arc::clone(&most));
    let identity = Identity::of(NAME);
    let server = identity
        .serve(&["h2"], move |stream, _| {
            let (now, most) = (Arc::clone(&counted), Arc::clone(&highest));
            async move {
                let mut builder = server::Builder::new();
                builder.max_concurrent_streams(1);
                let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
                let mine = Arc::new(AtomicUsize::new(0));
                while let Some(Ok(asked)) = connection.accept().await {
                    let (mine, most, now) = (Arc::clone(&mine), Arc::clone(&most), Arc::clone(&now));
                    tokio::spawn(async move {
                        now.fetch_add(1, Ordering::SeqCst);
                        most.fetch_max(mine.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let (_, _, respond) = read(asked).await;
                        tokio::task::yield_now().await;
                        mine.fetch_sub(1, Ordering::SeqCst);
                        say(respond, 200, "ok");
                    });
                }
            }
        })
        .await;
    let client = client_of(&["127.0.0.0/8"], Fickle::always(server.address), &[identity.root]);
    let call = || client.exchange(outbound(&format!("https://{NAME}:{}/", server.address.port())));
    answer(call().await);
    for _ in 0..5 {
        assert!(super::all((0..10).map(|_| call())).await.iter().all(|exchange| exchange.failure.is_none()));
    }
    assert_eq!((now.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (51, 1));
    assert!(server.connections() <= 12, "{} connections for ten at once", server.connections());
}

#[tokio::test]
async fn a_stream_refused_is_sent_again_on_another_connection() {
    let stage = Stage::start(
        |_| {},
        |asked, number| async move {
            let (_, _, mut respond) = read(asked).await;
            if number == 1 {
                respond.send_reset(Reason::REFUSED_STREAM);
            } else {
                say(respond, 200, "ok");
            }
        },
    )
    .await;
    answer(stage.call().await);
    assert_eq!(stage.server.connections(), 1);
    assert_eq!(answer(stage.call().await).body, b"ok");
    assert_eq!((stage.server.connections(), stage.requests()), (2, 3));
}

#[tokio::test]
async fn a_receiver_that_refuses_everything_is_asked_three_times() {
    let stage = Stage::start(
        |_| {},
        |(_, mut respond), _| async move {
            respond.send_reset(Reason::REFUSED_STREAM);
        },
    )
    .await;
    let exchange = stage.call().await;
    assert_eq!((failed(&exchange), stage.requests()), (Some(FailureCode::Reset), SENDS_MAX));
}

#[tokio::test]
async fn a_stream_that_ends_otherwise_may_have_been_processed_and_is_not_sent_again() {
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::NO_ERROR, Reason::HTTP_1_1_REQUIRED] {
        let stage = Stage::start(
            |_| {},
            move |asked, number| async move {
                let (_, _, mut respond) = read(asked).await;
                if number == 0 {
                    respond.send_reset(reason);
                } else {
                    say(respond, 200, "ok");
                }
            },
        )
        .await;
        let exchange = stage.call().await;
        assert_eq!((failed(&exchange), stage.requests()), (Some(FailureCode::Reset), 1), "{reason}");
        assert_eq!(answer(stage.call().await).body, b"ok");
    }
}

#[tokio::test]
async fn a_body_that_is_reset_keeps_the_status() {
    let stage = Stage::start(
        |_| {},
        |asked, _| async move {
            let (_, _, mut respond) = read(asked).await;
            let mut stream = respond.send_response(Response::new(()), false).expect("it is open");
            stream.send_data(Bytes::from_static(b"half"), false).expect("it is open");
            sleep(Duration::from_millis(20)).await;
            stream.send_reset(Reason::INTERNAL_ERROR);
        },
    )
    .await;
    let exchange = stage.call().await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::Reset), Some(200)));
}

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` as HPACK knows it without saying it.
const STATUS_200: u8 = 0x88;

fn go_away(last_stream: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last_stream.to_be_bytes(), 0u32.to_be_bytes()].concat())
}

/// Reads frames until the headers of a request; gives their stream.
async fn next_request(stream: &mut TlsStream<TcpStream>) -> Option<u32> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        stream.read_exact(&mut vec![0; length]).await.ok()?;
        if head[3] == HEADERS {
            return Some(u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        }
    }
}

/// Says hello as a server.
async fn greet(stream: &mut TlsStream<TcpStream>) {
    stream.read_exact(&mut [0; 24]).await.expect("a client says hello");
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.expect("it listens");
    stream.flush().await.expect("it listens");
}

#[tokio::test]
async fn a_request_after_the_last_that_a_closing_receiver_looked_at_is_sent_again() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let stage = Stage::with(requests, move |mut stream, number| {
        let counted = Arc::clone(&counted);
        async move {
            greet(&mut stream).await;
            let mut last = 0;
            while let Some(id) = next_request(&mut stream).await {
                counted.fetch_add(1, Ordering::SeqCst);
                let said = if number == 0 && last > 0 {
                    go_away(last)
                } else {
                    last = id;
                    frame(HEADERS, END_HEADERS | END_STREAM, id, &[STATUS_200])
                };
                if stream.write_all(&said).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    assert_eq!(answer(stage.call().await).status, 200);
    let second = stage.call().await;
    assert!(second.timings.connect.is_some(), "on a new connection");
    assert_eq!(answer(second).status, 200);
    assert_eq!((stage.server.connections(), stage.requests()), (2, 3));
    stage.server.until_ended(1).await;
}

#[tokio::test]
async fn a_request_that_a_closing_receiver_looked_at_is_answered_or_lost_but_not_sent_again() {
    for answers in [true, false] {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let stage = Stage::with(requests, move |mut stream, _| {
            let counted = Arc::clone(&counted);
            async move {
                greet(&mut stream).await;
                let Some(id) = next_request(&mut stream).await else { return };
                counted.fetch_add(1, Ordering::SeqCst);
                stream.write_all(&go_away(id)).await.ok();
                if answers {
                    let said = frame(HEADERS, END_HEADERS | END_STREAM, id, &[STATUS_200]);
                    stream.write_all(&said).await.ok();
                    stream.flush().await.ok();
                    until_closed(&mut stream).await;
                }
            }
        })
        .await;
        let exchange = stage.call().await;
        let expected = if answers { None } else { Some(FailureCode::Reset) };
        assert_eq!((failed(&exchange), stage.requests()), (expected, 1), "{:?}", exchange.failure);
        stage.call().await;
        assert_eq!((stage.server.connections(), stage.requests()), (2, 2), "the next one has its own");
    }
}

#[tokio::test]
async fn a_connection_that_ends_with_a_request_on_it_is_a_reset() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let stage = Stage::with(requests, move |mut stream, _| {
        let counted = Arc::clone(&counted);
        async move {
            greet(&mut stream).await;
            next_request(&mut stream).await;
            counted.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let exchange = stage.call().await;
    assert_eq!((failed(&exchange), stage.requests()), (Some(FailureCode::Reset), 1));
}

#[tokio::test]
async fn headers_that_do_not_end_are_a_protocol_error() {
    let stage = Stage::with(Arc::default(), |mut stream, _| async move {
        greet(&mut stream).await;
        let id = next_request(&mut stream).await.expect("a request");
        // A header of its own in each: a literal that is not indexed, `x: yyy…`.
        let field = [&[0, 1, b'x', 100][..], &[b'y'; 100]].concat();
        let mut said = frame(HEADERS, 0, id, &[STATUS_200]);
        while stream.write_all(&said).await.is_ok() && stream.flush().await.is_ok() {
            said = frame(CONTINUATION, 0, id, &field);
        }
    })
    .await;
    let exchange = stage.call().await;
    assert_eq!(failed(&exchange), Some(FailureCode::ProtocolError), "{:?}", exchange.failure);
    stage.server.until_ended(1).await;
}

#[tokio::test]
async fn a_head_has_at_most_16_kib() {
    // A field costs its name, its value and 32 bytes more (RFC 9113, section 6.5.2).
    let others = ":status".len() + "200".len() + 32;
    let most = ANSWER_HEAD_BYTES_MAX - others - ("x-long".len() + 32);
    for (length, code) in [(most, None), (most + 1, Some(FailureCode::ProtocolError))] {
        let stage = Stage::start(
            |_| {},
            move |asked, _| async move {
                let (_, _, mut respond) = read(asked).await;
                let head = Response::builder().header("x-long", "y".repeat(length)).body(()).expect("a head");
                respond.send_response(head, true).ok();
            },
        )
        .await;
        let exchange = stage.call().await;
        assert_eq!(failed(&exchange), code, "{length}: {:?}", exchange.failure);
        if let Some(failure) = exchange.failure {
            assert!(failure.sentence.contains("headers"), "{}", failure.sentence);
        }
    }
}

#[tokio::test]
async fn what_is_not_http2_is_a_protocol_error() {
    for said in [
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 40]),
        frame(SETTINGS, 0, 0, &[1, 2, 3]),
        frame(0, 0, 1, b"a body before its head"),
    ] {
        let stage = Stage::with(Arc::default(), move |mut stream, _| {
            let said = said.clone();
            async move {
                greet(&mut stream).await;
                next_request(&mut stream).await;
                stream.write_all(&said).await.ok();
                stream.flush().await.ok();
                until_closed(&mut stream).await;
            }
        })
        .await;
        let exchange = stage.call().await;
        assert_eq!(failed(&exchange), Some(FailureCode::ProtocolError), "{:?}", exchange.failure);
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_and_only_its_stream_ends() {
    let stage = Stage::start(
        |_| {},
        |asked, number| async move {
            let (_, _, mut respond) = read(asked).await;
            if number == 1 {
                let mut stream = respond.send_response(Response::new(()), false).expect("it is open");
                while stream.send_data(Bytes::from_static(&[b'x'; 4_096]), false).is_ok() {
                    tokio::task::yield_now().await;
                }
            } else {
                say(respond, 200, "ok");
            }
        },
    )
    .await;
    answer(stage.call().await);
    let cut = answer(stage.call().await);
    assert_eq!((cut.body.len(), cut.truncated), (ANSWER_BODY_BYTES_MAX, true));
    assert_eq!(answer(stage.call().await).body, b"ok");
    assert_eq!(stage.server.connections(), 1);
}

#[tokio::test]
async fn an_answer_of_the_cap_is_whole_and_one_byte_more_is_cut() {
    for (length, truncated) in [(ANSWER_BODY_BYTES_MAX, false), (ANSWER_BODY_BYTES_MAX + 1, true)] {
        let stage = Stage::start(
            |_| {},
            move |asked, _| async move {
                let (_, _, respond) = read(asked).await;
                say(respond, 500, vec![b'x'; length]);
            },
        )
        .await;
        let got = answer(stage.call().await);
        assert_eq!((got.body.len(), got.truncated), (ANSWER_BODY_BYTES_MAX, truncated));
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_stays_shut_ends_at_the_deadline() {
    tick();
    let shut = |builder: &mut server::Builder| {
        builder.initial_window_size(0);
    };
    let stage = Stage::start(shut, |asked, _| async {
        let _kept = asked;
        std::future::pending::<()>().await;
    })
    .await;
    let exchange = stage.call().await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::Timeout), None));
    assert!(ended_at(&exchange, DEADLINE), "{:?}", exchange.duration);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_answers_ends_at_the_deadline_and_is_called_anew() {
    tick();
    let stage = Stage::start(
        |_| {},
        |asked, number| async move {
            if number == 1 {
                let _kept = asked;
                std::future::pending::<()>().await;
            } else {
                ok(asked, number).await;
            }
        },
    )
    .await;
    answer(stage.call().await);
    let exchange = stage.call().await;
    assert_eq!(failed(&exchange), Some(FailureCode::Timeout));
    assert!(ended_at(&exchange, DEADLINE), "{:?}", exchange.duration);
    assert_eq!(stage.server.connections(), 1);
    // Nothing was heard on it in all the time: it may be dead.
    answer(stage.call().await);
    assert_eq!(stage.server.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_takes_no_other_with_it() {
    tick();
    let stage = Stage::start(
        |_| {},
        |asked, number| async move {
            if number == 1 {
                let _kept = asked;
                std::future::pending::<()>().await;
            } else {
                ok(asked, number).await;
            }
        },
    )
    .await;
    answer(stage.call().await);
    let others = async {
        for _ in 0..10 {
            sleep(Duration::from_secs(1)).await;
            answer(stage.call().await);
        }
    };
    let (hung, ()) = tokio::join!(stage.call(), others);
    assert_eq!(failed(&hung), Some(FailureCode::Timeout));
    answer(stage.call().await);
    assert_eq!(stage.server.connections(), 1, "it was heard of meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_ends_at_the_deadline() {
    tick();
    let stage = Stage::start(
        |_| {},
        |asked, _| async move {
            let (_, _, mut respond) = read(asked).await;
            let mut stream = respond.send_response(Response::new(()), false).expect("it is open");
            while stream.send_data(Bytes::from_static(b"x"), false).is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        },
    )
    .await;
    let exchange = stage.call().await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::BodyTimeout), Some(200)));
    assert!(ended_at(&exchange, DEADLINE), "{:?}", exchange.duration);
}

#[tokio::test(start_paused = true)]
async fn interim_answers_without_end_end_at_the_deadline() {
    tick();
    let stage = Stage::with(Arc::default(), |mut stream, _| async move {
        greet(&mut stream).await;
        let id = next_request(&mut stream).await.expect("a request");
        // `:status: 103`, as a literal under the first name of HPACK's table.
        let interim = frame(HEADERS, END_HEADERS, id, &[0x08, 3, b'1', b'0', b'3']);
        while stream.write_all(&interim).await.is_ok() && stream.flush().await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let exchange = stage.call().await;
    assert_eq!((failed(&exchange), status(&exchange)), (Some(FailureCode::Timeout), None));
    assert!(ended_at(&exchange, DEADLINE), "{:?}", exchange.duration);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_its_time() {
    tick();
    let stage = Stage::start(|_| {}, ok).await;
    answer(stage.call().await);
    sleep(IDLE_TIME / 2).await;
    answer(stage.call().await);
    sleep(IDLE_TIME * 29 / 30).await;
    answer(stage.call().await);
    assert_eq!((stage.server.connections(), stage.server.ended()), (1, 0));
    sleep(2 * IDLE_TIME).await;
    assert_eq!(stage.server.ended(), 1);
    answer(stage.call().await);
    assert_eq!(stage.server.connections(), 2);
}
