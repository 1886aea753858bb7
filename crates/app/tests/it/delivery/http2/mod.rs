//! HTTP/2, where a receiver chooses it: one connection for many requests, and which of them are sent again.

mod hostile;
mod servers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, server};
use http::Response;
use keybell_app::delivery::client::SENDS_MAX;
use keybell_app::delivery::exchange::{Answer, Exchange, FailureCode, Transport as _};
use keybell_app::delivery::http2::STREAMS_MAX;
use keybell_app::delivery::pool::IDLE_TIME;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::refused::{Fickle, client_of, failed, outbound};
use super::servers::{Identity, tick, until_closed};
use servers::{
    END_HEADERS, END_STREAM, HEADERS, NAME, STATUS_200, Stage, frame, go_away, greet, next_request, ok, read,
    say,
};

fn answer(exchange: Exchange) -> Answer {
    assert_eq!(exchange.failure, None);
    exchange.answer.expect("it answered")
}

fn status(exchange: &Exchange) -> Option<u16> {
    exchange.answer.as_ref().map(|answer| answer.status)
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
