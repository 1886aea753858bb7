//! The circuit breaker of a webhook: an endpoint that answers nobody is asked by one delivery at a time, ever more rarely,
//! until it answers again.
//!
//! Pure: the dispatcher tells it how attempts went, and asks it whether the next one may begin.

use std::time::Duration;

use crate::id::DeliveryId;
use crate::time::Timestamp;

/// So many different deliveries have to fail in a row before the circuit opens. Below some ten, a receiver that refuses one
/// kind of event would hold up the others; far above it, a dead one would be asked for nothing.
pub const OPENS_AFTER: usize = 10;
/// How long an open circuit waits for its first probe: as long as the first retry.
pub const PAUSE_FIRST: Duration = Duration::from_secs(5);
/// The longest wait for a probe, but for its jitter: so late is what waits when the endpoint is back.
pub const PAUSE_MAX: Duration = Duration::from_mins(5);
/// By how many per cent pauses are moved at random, up or down: many webhooks of one dead host do not probe at once.
const JITTER_PERCENT: u64 = 10;

/// What is known of a webhook's endpoint. It forgets with the process: a webhook begins with a closed circuit.
#[derive(Clone, Debug, Default)]
pub struct Circuit {
    /// The deliveries that failed since the last success, each once, up to [`OPENS_AFTER`].
    failed: Vec<DeliveryId>,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    /// When the next probe may begin.
    until: Timestamp,
    /// The pause that ends then.
    pause: Duration,
    /// The probe under way.
    probe: Option<DeliveryId>,
}

/// Whether an attempt may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The circuit is closed.
    Closed,
    /// It is open, and one attempt may probe it now.
    Probe,
    /// It is open, and nothing may begin before this instant.
    NotBefore(Timestamp),
    /// It is open, and a probe is under way: nothing may begin before that is over.
    Probing,
}

/// What an attempt's end did to the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It opened.
    Opened,
    /// It closed: what waits may go.
    Closed,
    /// It stayed as it was.
    None,
}

impl Circuit {
    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether an attempt may begin at `now`.
    pub fn pass(&self, now: Timestamp) -> Pass {
        let Some(open) = self.open else { return Pass::Closed };
        // A clock may step back: then it is further ahead than any pause is long, and no more is believed.
        let until = open.until.min(now + longest(open.pause));
        match open.probe {
            Some(_) => Pass::Probing,
            None if now < until => Pass::NotBefore(until),
            None => Pass::Probe,
        }
    }

    /// Says that an attempt of `delivery` begins, which [`Circuit::pass`] let through.
    pub fn begins(&mut self, delivery: DeliveryId) {
        if let Some(open) = &mut self.open {
            open.probe = Some(delivery);
        }
    }

    /// Says how an attempt of `delivery` ended at `now`. `dice` is a uniform random number.
    pub fn ended(&mut self, delivery: DeliveryId, good: bool, now: Timestamp, dice: u64) -> Change {
        if good {
            self.failed.clear();
            return if self.open.take().is_some() { Change::Closed } else { Change::None };
        }
        match &mut self.open {
            // What was under way when it opened fails as the others did, and says nothing new.
            Some(open) if open.probe != Some(delivery) => Change::None,
            Some(open) => {
                let pause = (open.pause * 2).min(PAUSE_MAX);
                *open = Open { until: now + jittered(pause, dice), pause, probe: None };
                Change::None
            }
            None => {
                if !self.failed.contains(&delivery) {
                    self.failed.push(delivery);
                }
                if self.failed.len() < OPENS_AFTER {
                    return Change::None;
                }
                self.failed.clear();
                let until = now + jittered(PAUSE_FIRST, dice);
                self.open = Some(Open { until, pause: PAUSE_FIRST, probe: None });
                Change::Opened
            }
        }
    }

    /// Says that an attempt of `delivery` came to no end that says anything of the endpoint, by a fault of ours. Where it was
    /// a probe, another one may begin.
    pub fn abandoned(&mut self, delivery: DeliveryId) {
        if let Some(open) = &mut self.open
            && open.probe == Some(delivery)
        {
            open.probe = None;
        }
    }
}

/// What a pause is moved to at most.
fn longest(pause: Duration) -> Duration {
    jittered(pause, u64::MAX)
}

fn jittered(pause: Duration, dice: u64) -> Duration {
    let pause = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX / 4);
    let most = pause / 100 * JITTER_PERCENT;
    // The dice as a part of the way from the one end to the other.
    let moved = (u128::from(dice) * u128::from(2 * most + 1)) >> 64;
    Duration::from_micros(pause - most + u64::try_from(moved).unwrap_or(most))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_447_916);
    /// Moves a pause not at all.
    const STEADY: u64 = u64::MAX / 2;

    fn delivery(number: usize) -> DeliveryId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
        DeliveryId::from_bytes(bytes)
    }

    fn fail(circuit: &mut Circuit, number: usize, now: Timestamp) -> Change {
        circuit.ended(delivery(number), false, now, STEADY)
    }

    fn opened() -> Circuit {
        let mut circuit = Circuit::default();
        for number in 0..OPENS_AFTER {
            assert!(!circuit.is_open());
            let change = fail(&mut circuit, number, NOW);
            assert_eq!(change == Change::Opened, number == OPENS_AFTER - 1, "{number}");
        }
        circuit
    }

    #[test]
    fn it_opens_at_the_tenth_delivery_that_fails_and_not_at_the_ninth() {
        assert_eq!(opened().pass(NOW), Pass::NotBefore(NOW + PAUSE_FIRST));
    }

    #[test]
    fn one_delivery_that_fails_again_and_again_opens_nothing() {
        let mut circuit = Circuit::default();
        for _ in 0..10 * OPENS_AFTER {
            assert_eq!(fail(&mut circuit, 1, NOW), Change::None);
        }
        assert_eq!(circuit.pass(NOW), Pass::Closed);
    }

    #[test]
    fn a_success_in_between_begins_the_count_anew() {
        let mut circuit = Circuit::default();
        for number in 0..OPENS_AFTER - 1 {
            fail(&mut circuit, number, NOW);
        }
        assert_eq!(circuit.ended(delivery(99), true, NOW, 0), Change::None);
        for number in 0..OPENS_AFTER - 1 {
            assert_eq!(fail(&mut circuit, number, NOW), Change::None);
        }
        assert_eq!(fail(&mut circuit, 77, NOW), Change::Opened);
    }

    #[test]
    fn one_probe_at_a_time_after_growing_pauses() {
        let mut circuit = opened();
        let mut now = NOW;
        let mut waits = Vec::new();
        for number in 0..9 {
            let Pass::NotBefore(until) = circuit.pass(now) else { panic!("it is open") };
            waits.push(until.since(now).as_secs());
            assert_eq!(circuit.pass(until), Pass::Probe);
            circuit.begins(delivery(number));
            assert_eq!(circuit.pass(until), Pass::Probing);
            assert_eq!(fail(&mut circuit, 1_000, until), Change::None, "one that was under way before");
            assert_eq!(circuit.pass(until), Pass::Probing);
            now = until;
            assert_eq!(fail(&mut circuit, number, now), Change::None);
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn a_success_closes_it_whoever_had_it() {
        let mut circuit = opened();
        assert_eq!(fail(&mut circuit, 50, NOW), Change::None, "one that was under way");
        assert_eq!(circuit.ended(delivery(51), true, NOW, 0), Change::Closed, "another one that was");
        assert_eq!(circuit.pass(NOW), Pass::Closed);
    }

    #[test]
    fn a_probe_that_was_abandoned_lets_another_one_begin() {
        let mut circuit = opened();
        circuit.begins(delivery(1));
        circuit.abandoned(delivery(2));
        assert_eq!(circuit.pass(NOW + PAUSE_FIRST), Pass::Probing, "another one was");
        circuit.abandoned(delivery(1));
        assert_eq!(circuit.pass(NOW + PAUSE_FIRST), Pass::Probe);
    }

    #[test]
    fn a_clock_that_steps_back_costs_no_more_than_a_pause() {
        let circuit = opened();
        let yesterday = NOW.before(Duration::from_hours(24));
        let Pass::NotBefore(until) = circuit.pass(yesterday) else { panic!("it is open") };
        assert!(until.since(yesterday) <= PAUSE_FIRST + PAUSE_FIRST / 10);
    }

    proptest! {
        #[test]
        fn pauses_stay_within_a_tenth(dice: u64) {
            let pause = jittered(PAUSE_MAX, dice).as_secs_f64();
            prop_assert!((270.0..=330.0).contains(&pause));
        }
    }
}
