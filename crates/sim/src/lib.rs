//! A deterministic simulation of the delivery engine.
//!
//! The real engine runs over a modelled network and a modelled disk, on a simulated clock, with seeded randomness: a seed is
//! a story, and the same seed is the same story. Processes crash at any step and start again on what was committed. After
//! each run what was promised must hold: nothing accepted is lost, nothing is sent that was not to be sent, the order of
//! states is legal, no lease is held for ever, and memory keeps its bounds.
//!
//! `keybell-sim` runs many seeds; it is never part of the product.

mod check;
mod client;
mod dice;
mod disk;
mod fault;
mod life;
mod model;
mod network;
mod plan;
mod trace;
mod world;

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::{Arc, Once};
use std::time::Duration;

pub use fault::Fault;

use life::End;
use world::World;

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The rule that did not hold, if one did not.
    pub broken: Option<String>,
    /// The hash of everything that happened.
    pub trace: u64,
    /// How many things happened.
    pub lines: u64,
    /// What was come to.
    pub came_to: CameTo,
}

/// What a run came to, to know that together they come to all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameTo {
    /// Simulated time.
    pub time: Duration,
    /// Processes that crashed.
    pub crashes: usize,
    /// Events that were published.
    pub events: usize,
    /// Requests that left.
    pub sent: usize,
    /// Whether memory was full.
    pub full: bool,
    /// How often the planted fault was brought about.
    pub planted: u32,
}

thread_local! {
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether a panic is a finding of a run, and not a test's own.
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}
static HOOK: Once = Once::new();

/// Runs one seed, perhaps with a planted fault. With `print`, everything that happens is printed.
pub fn run(seed: u64, fault: Option<Fault>, print: bool) -> Run {
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if RUNNING.get() {
                PANICKED.with(|panicked| *panicked.borrow_mut() = Some(info.to_string()));
            } else {
                usual(info);
            }
        }));
    });
    PANICKED.with(|panicked| *panicked.borrow_mut() = None);
    RUNNING.set(true);
    let world = Arc::new(World::new(seed, fault, print));
    if print {
        println!("{:#?}", world.plan);
    }
    let mut actions = world.plan.actions;
    for life in 0.. {
        let within = world.dice.from(1, world.plan.crash_within);
        let end = life::live(&world, (life < world.plan.crashes).then_some(within), &mut actions);
        if end == End::Done || world.state().broken.is_some() {
            break;
        }
        world.pass(world.dice.millis(0, 30_000));
    }
    RUNNING.set(false);
    let panicked = PANICKED.with(|panicked| panicked.borrow_mut().take());
    let (trace, lines) = world.sum();
    world.hand.end();
    let state = world.state();
    Run {
        broken: state.broken.clone().or(panicked),
        trace,
        lines,
        came_to: CameTo {
            time: state.now().since(world::START),
            crashes: state.lives.iter().filter(|life| life.crashed).count(),
            events: state.events.len(),
            sent: state.sent.len(),
            full: state.seen_full,
            planted: state.planted,
        },
    }
}
