//! Receivers that misbehave over HTTP/2: each ends with its own word, and at the deadline at the latest.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server;
use http::Response;
use keybell_app::delivery::exchange::{ANSWER_BODY_BYTES_MAX, ANSWER_HEAD_BYTES_MAX, Exchange, FailureCode};
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

use super::servers::{
    CONTINUATION, END_HEADERS, END_STREAM, HEADERS, SETTINGS, STATUS_200, Stage, frame, greet, next_request,
    ok, read, say,
};
use super::{answer, status};
use crate::delivery::refused::failed;
use crate::delivery::servers::{tick, until_closed};

const DEADLINE: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_millis(2);

fn ended_at(exchange: &Exchange, deadline: Duration) -> bool {
    (deadline..=deadline + TICK).contains(&exchange.duration)
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
