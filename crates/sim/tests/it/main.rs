//! The simulation itself: that it repeats itself, and that it finds what is wrong.

use keybell_sim::{Fault, run};

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in 0..12 {
        let first = run(seed, None, false);
        assert_eq!(first, run(seed, None, false), "seed {seed}");
        assert_eq!(first.broken, None, "seed {seed}");
        assert_ne!(first.trace, run(seed + 1, None, false).trace);
    }
}

/// Within so many seeds a fault that is planted must be found.
const SEEDS: u64 = 60;

/// Plants a fault in one seed after the other, until a rule of which `says` is a part does not hold.
fn is_found(fault: Fault, says: &[&str]) {
    for seed in 0..SEEDS {
        let run = run(seed, Some(fault), false);
        let Some(rule) = run.broken else { continue };
        assert!(run.came_to.planted > 0, "seed {seed} is broken without the fault: {rule}");
        assert!(says.iter().any(|part| rule.contains(part)), "seed {seed} is broken in another way: {rule}");
        return;
    }
    panic!("{fault:?} was not found in {SEEDS} seeds");
}

#[test]
fn a_success_that_was_never_sent_is_found() {
    is_found(Fault::RecordsWhatItDidNotSend, &["which was never made"]);
}

#[test]
fn a_lease_that_nobody_gives_back_is_found() {
    is_found(Fault::KeepsALease, &["are late"]);
}

#[test]
fn a_request_to_a_disabled_webhook_is_found() {
    is_found(Fault::SendsToTheDisabled, &["which was disabled or deleted before"]);
}

#[test]
fn a_retry_before_its_time_is_found() {
    is_found(
        Fault::RetriesEarly,
        &["before the time of its next attempt", "under way already", "had taken it"],
    );
}

#[test]
fn an_overflow_that_is_not_taken_up_again_is_found() {
    is_found(Fault::LosesTheOverflow, &["are late"]);
}
