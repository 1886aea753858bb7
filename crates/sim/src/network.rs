//! The network as the engine sees it: it delays, hangs, resets, refuses, answers in every way; and it watches what the
//! engine sends, when, and how much at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use keybell_app::delivery::exchange::{Answer, Exchange, Failure, FailureCode, Outbound, Transport};
use keybell_app::delivery::target::HostName;
use tokio::time::{Instant, sleep};

use crate::fault::Fault;
use crate::model::{Came, Mood, Sent};
use crate::plan::RETRY_AFTER_SECONDS_MAX;
use crate::world::World;

/// A transport that leads to the modelled receivers.
pub(crate) struct Network {
    world: Arc<World>,
}

/// A request under way; dropping it is the end of its connection.
struct UnderWay {
    world: Arc<World>,
    hook: usize,
    sent: usize,
}

/// What a receiver will do.
struct Roll {
    after: Duration,
    came: Came,
}

impl Network {
    pub(crate) fn new(world: &Arc<World>) -> Network {
        Network { world: Arc::clone(world) }
    }

    async fn request(&self, request: Outbound) -> Exchange {
        let began = Instant::now();
        let (hook, event) = addressed(&request);
        self.world.step("before a request left").await;
        // What the installation says of itself has no number, and arrives.
        let Some(event) = event else { return exchange(&Came::Status(200, None), began.elapsed()) };
        if self.world.fault == Some(Fault::RecordsWhatItDidNotSend) && self.world.dice.percent(5) {
            self.world.state().planted += 1;
            return Exchange {
                answer: Some(Answer { status: 200, ..Answer::default() }),
                ..Exchange::default()
            };
        }
        let under_way = self.begin(hook, event);
        self.send_late(hook);
        self.world.step("after a request left").await;
        let roll = self.roll(hook, request.timeout);
        sleep(roll.after).await;
        self.world.step("before an answer came").await;
        under_way.end(&roll.came);
        exchange(&roll.came, began.elapsed())
    }

    /// A request arrives: everything that can be seen of the engine at this moment must be right.
    fn begin(&self, hook: usize, event: usize) -> UnderWay {
        self.judge(hook, event);
        let mut state = self.world.state();
        let (at, life, sent) = (state.now(), state.life(), state.sent.len());
        state.sent.push(Sent { at, life, hook, event, came: Came::Nothing, answered_at: None });
        state.in_flight += 1;
        state.hooks[hook].in_flight += 1;
        state.note(format_args!("send {event} to {hook}"));
        UnderWay { world: Arc::clone(&self.world), hook, sent }
    }

    fn judge(&self, hook: usize, event: usize) {
        if let Some(rule) = self.fault(hook, event) {
            self.world.broken(format_args!("event {event} was sent to webhook {hook}, {rule}"));
        }
    }

    /// What is wrong with a request to `hook` at this moment.
    fn fault(&self, hook: usize, event: usize) -> Option<String> {
        let plan = &self.world.plan;
        let mut state = self.world.state();
        let held = state.app.as_ref()?.engine().stats();
        if held.in_memory > plan.bounds.deliveries || held.in_memory_bytes > plan.bounds.bytes {
            return Some(format!("and more is in memory than may be: {held:?}"));
        }
        state.seen_full |= held.in_memory == plan.bounds.deliveries;
        let delivery = &plan.settings.delivery;
        // Each shard has its part of the whole, rounded up.
        let all = delivery.max_in_flight.div_ceil(plan.shards) * plan.shards;
        if state.in_flight >= all {
            return Some(format!("though {} requests were under way, as many as may be", state.in_flight));
        }
        let receiver = &state.hooks[hook];
        if receiver.is_off() {
            return Some("which was disabled or deleted before".to_owned());
        }
        let own = receiver.max_in_flight().min(delivery.max_in_flight_per_webhook);
        if receiver.in_flight >= own {
            return Some(format!(
                "though {} requests to it were under way, as many as may be",
                receiver.in_flight
            ));
        }
        let (now, life) = (state.now(), state.life());
        if let (Some(limit), None) = (receiver.known.rate_limit, &receiver.perhaps) {
            let window = Duration::from_secs(u64::from(limit.window_seconds));
            let since = now.before(window);
            let in_window = |sent: &&Sent| sent.life == life && sent.hook == hook && sent.at > since;
            if state.sent[receiver.limited_after..].iter().filter(in_window).count() >= limit.limit as usize {
                return Some(format!("faster than its rate limit, {limit:?}"));
            }
        }
        // What was published again after retention had deleted it is another event, under the same id.
        if state.lives[life].lost_commits || state.events[event].again {
            return None;
        }
        let schedule = delivery.retry_schedule.iter().min().copied().unwrap_or_default();
        let shortest = schedule * u32::from(100 - delivery.retry_jitter_percent) / 100;
        let before = |sent: &&Sent| (sent.life, sent.hook, sent.event) == (life, hook, event);
        let last = state.sent.iter().rev().find(before)?;
        let floor = match (&last.came, last.answered_at) {
            (Came::Nothing, _) | (_, None) => return Some("while that was under way already".to_owned()),
            (Came::Status(200..=299, _), _) => return Some("which had taken it already".to_owned()),
            (Came::Status(_, Some(seconds)), Some(at)) => at + Duration::from_secs(*seconds).max(shortest),
            (_, Some(at)) => at + shortest,
        };
        (now < floor).then(|| format!("before the time of its next attempt, {floor}"))
    }

    /// The planted fault of a sender that goes on with what was disabled.
    fn send_late(&self, now: usize) {
        if self.world.fault != Some(Fault::SendsToTheDisabled) {
            return;
        }
        let late = {
            let state = self.world.state();
            let off = |sent: &&Sent| sent.hook != now && state.hooks[sent.hook].is_off();
            state.sent.iter().rev().find(off).map(|sent| (sent.hook, sent.event))
        };
        if let Some((hook, event)) = late {
            self.world.state().planted += 1;
            drop(self.begin(hook, event));
        }
    }

    fn roll(&self, hook: usize, timeout: Duration) -> Roll {
        let dice = &self.world.dice;
        let mood = {
            let state = self.world.state();
            if state.calm { Mood::Healthy } else { state.hooks[hook].mood }
        };
        let mood = if mood == Mood::Flaky { *dice.one_of(&FLAKY) } else { mood };
        let soon = dice.millis(0, 20);
        // Up to the deadline, and at it.
        let late = dice.millis(0, u64::try_from(timeout.as_millis()).unwrap_or(1_000)).min(timeout);
        match mood {
            Mood::Healthy => Roll { after: soon, came: Came::Status(*dice.one_of(&[200, 200, 204]), None) },
            Mood::Gone => Roll { after: soon, came: Came::Status(410, None) },
            Mood::Hangs => {
                let code = *dice.one_of(&[FailureCode::Timeout, FailureCode::BodyTimeout]);
                Roll { after: timeout, came: Came::Failure(code.as_str()) }
            }
            Mood::Flaky | Mood::Fails => Roll { after: late, came: self.bad_answer() },
        }
    }

    fn bad_answer(&self) -> Came {
        let dice = &self.world.dice;
        let asked = || dice.from(0, RETRY_AFTER_SECONDS_MAX);
        match dice.from(1, 8) {
            1 => Came::Status(429, Some(asked())),
            2 => Came::Status(503, Some(asked())),
            3 => Came::Status(429, None),
            4 => Came::Status(*dice.one_of(&[302, 400, 404, 500, 503]), None),
            5 => Came::Failure(FailureCode::DnsFailed.as_str()),
            6 => Came::Failure(FailureCode::ConnectRefused.as_str()),
            7 => Came::Failure(FailureCode::Reset.as_str()),
            _ => Came::Failure(FailureCode::TlsFailed.as_str()),
        }
    }
}

/// What a flaky receiver is at any moment.
const FLAKY: [Mood; 6] = [Mood::Healthy, Mood::Healthy, Mood::Healthy, Mood::Fails, Mood::Fails, Mood::Hangs];

impl Transport for Network {
    fn exchange(&self, request: Outbound) -> BoxFuture<'_, Exchange> {
        self.request(request).boxed()
    }
}

impl UnderWay {
    /// An answer comes, or the connection's failure is known.
    fn end(&self, came: &Came) {
        let mut state = self.world.state();
        let now = state.now();
        // A 429 that names no time stands for one of its own.
        let came = match came {
            Came::Status(429, None) => Came::Status(429, Some(60)),
            other => other.clone(),
        };
        state.note(format_args!("answer of {}: {came:?}", self.hook));
        state.hooks[self.hook].said_gone |= came == Came::Status(410, None);
        let sent = &mut state.sent[self.sent];
        (sent.came, sent.answered_at) = (came, Some(now));
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.world.state();
        state.in_flight -= 1;
        state.hooks[self.hook].in_flight -= 1;
    }
}

/// Which webhook and which event a request is about: the one stands in its address, the other in its data.
fn addressed(request: &Outbound) -> (usize, Option<usize>) {
    let HostName::Address(std::net::IpAddr::V4(address)) = request.target.endpoint.host else {
        panic!("receivers have addresses");
    };
    let body = std::str::from_utf8(&request.body).expect("JSON is UTF-8");
    let event = body.split_once(r#""data":{"n":"#).and_then(|(_, number)| {
        let digits = number.split(|other: char| !other.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    (usize::from(address.octets()[3]), event)
}

fn exchange(came: &Came, duration: Duration) -> Exchange {
    let answer = |status| Answer { status, body: b"{}".to_vec(), ..Answer::default() };
    let (answer, failure) = match *came {
        Came::Nothing => (None, None),
        Came::Status(status, asked) => {
            let headers = asked.map(|seconds| ("retry-after".to_owned(), seconds.to_string()));
            (Some(Answer { headers: headers.into_iter().collect(), ..answer(status) }), None)
        }
        Came::Failure(word) => {
            let code = CODES.into_iter().find(|code| code.as_str() == word).unwrap_or(FailureCode::Internal);
            let answer = (code == FailureCode::BodyTimeout).then(|| answer(200));
            (answer, Some(Failure::new(code, "It was modelled so.")))
        }
    };
    Exchange { duration, answer, failure, ..Exchange::default() }
}

/// The failures that are modelled.
const CODES: [FailureCode; 6] = [
    FailureCode::DnsFailed,
    FailureCode::ConnectRefused,
    FailureCode::Reset,
    FailureCode::TlsFailed,
    FailureCode::Timeout,
    FailureCode::BodyTimeout,
];
