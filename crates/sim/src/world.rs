//! One run's world: what its parts share, whatever process lives in it.
//!
//! A process acts on the world in steps: a request leaves, an answer comes, a commit happens or is heard of. A crash is a
//! step that never comes back: since nothing but steps has effects, that is as good as a crash at any await point.

use std::fmt::Arguments;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keybell_app::App;
use keybell_core::{Clock, Timestamp, WorkspaceId};
use keybell_store::{Hand, Store};
use keybell_testkit::clock::SimClock;
use keybell_testkit::random::SeededRandomness;
use tokio::sync::Notify;

use crate::dice::Dice;
use crate::fault::Fault;
use crate::model::{Event, Hook, Life, Sent};
use crate::plan::Plan;
use crate::trace::Trace;

/// When every run begins: 2026-11-23T12:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_795_435_200);

/// What one run is about.
pub(crate) struct World {
    pub(crate) plan: Plan,
    /// What the scenario, the network and the disk choose by.
    pub(crate) dice: Dice,
    /// What the installation draws from.
    pub(crate) randomness: Arc<SeededRandomness>,
    pub(crate) fault: Option<Fault>,
    /// The database, which outlives every process.
    pub(crate) store: Store,
    pub(crate) hand: Hand,
    state: Mutex<State>,
    ended: Notify,
}

/// What changes.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of a world, and all of them at once")]
pub(crate) struct State {
    trace: Trace,
    clock: Option<SimClock>,
    at: Timestamp,
    /// The process, while there is one. The network looks at it from here: the engine holds the network.
    pub(crate) app: Option<App>,
    /// Steps until the crash.
    pub(crate) crash_in: Option<u64>,
    /// Whether the process is over, by a crash or because the run is.
    dead: bool,
    /// The rule that did not hold.
    pub(crate) broken: Option<String>,
    /// Nothing goes wrong any more: what waits is to come to its end.
    pub(crate) calm: bool,
    /// The process starts or stops: its disk behaves.
    pub(crate) disk_is_calm: bool,
    /// How often the planted fault was brought about.
    pub(crate) planted: u32,
    pub(crate) lives: Vec<Life>,
    pub(crate) workspaces: Vec<WorkspaceId>,
    pub(crate) hooks: Vec<Hook>,
    pub(crate) events: Vec<Event>,
    pub(crate) calls: usize,
    pub(crate) sent: Vec<Sent>,
    pub(crate) in_flight: usize,
    /// Deliveries that went to disk for want of room, counted roughly: to know that runs come to that.
    pub(crate) seen_full: bool,
    /// A second, and the commits in it.
    pub(crate) busy: (i64, u32),
}

impl State {
    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.as_ref().map_or(self.at, Clock::now)
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&mut self, what: Arguments<'_>) {
        let now = self.now();
        self.trace.line(now, what);
    }

    /// The number of the present life.
    pub(crate) fn life(&self) -> usize {
        self.lives.len() - 1
    }

    /// The present life.
    pub(crate) fn this_life(&mut self) -> &mut Life {
        self.lives.last_mut().expect("there is a life while a process runs")
    }
}

impl World {
    /// The world of `seed`.
    pub(crate) fn new(seed: u64, fault: Option<Fault>, print: bool) -> World {
        let dice = Dice::new(seed);
        let plan = Plan::roll(&dice);
        let state = State {
            trace: Trace::new(START, print),
            clock: None,
            at: START,
            app: None,
            crash_in: None,
            dead: false,
            broken: None,
            calm: false,
            disk_is_calm: true,
            planted: 0,
            lives: Vec::new(),
            workspaces: Vec::new(),
            hooks: Vec::new(),
            events: Vec::new(),
            calls: 0,
            sent: Vec::new(),
            in_flight: 0,
            seen_full: false,
            busy: (0, 0),
        };
        let randomness = Arc::new(SeededRandomness::new(seed ^ 0x5eed));
        let (store, hand) = Store::by_hand();
        World { plan, dice, randomness, fault, store, hand, state: Mutex::new(state), ended: Notify::new() }
    }

    /// What changes. Held only between two awaits.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process begins. Gives its clock.
    pub(crate) fn begin_life(&self) -> SimClock {
        let mut state = self.state();
        let clock = SimClock::starting_at(state.at);
        state.clock = Some(clock);
        (state.crash_in, state.dead, state.disk_is_calm) = (None, false, true);
        state.lives.push(Life::default());
        let life = state.life();
        state.note(format_args!("a process begins: {life}"));
        clock
    }

    /// The process is over, orderly or not: its clock stands.
    pub(crate) fn end_life(&self) {
        let mut state = self.state();
        state.at = state.now();
        state.clock = None;
        state.dead = true;
        let app = state.app.take();
        drop(state);
        drop(app);
    }

    /// Time passes without a process.
    pub(crate) fn pass(&self, time: std::time::Duration) {
        let mut state = self.state();
        state.at = state.at + time;
    }

    /// One step of the process; it never comes back where that is a crash.
    pub(crate) async fn step(&self, what: &'static str) {
        if !self.goes_on(what) {
            std::future::pending::<()>().await;
        }
    }

    fn goes_on(&self, what: &'static str) -> bool {
        let mut state = self.state();
        if state.dead {
            return false;
        }
        if let Some(left) = &mut state.crash_in {
            *left -= 1;
            if *left == 0 {
                state.note(format_args!("crash {what}"));
                state.dead = true;
                state.this_life().crashed = true;
                self.ended.notify_one();
                return false;
            }
        }
        true
    }

    /// Says that a rule did not hold, which ends the run. The first one counts.
    pub(crate) fn broken(&self, rule: Arguments<'_>) {
        let mut state = self.state();
        state.note(format_args!("BROKEN: {rule}"));
        if state.broken.is_none() {
            state.broken = Some(rule.to_string());
        }
        state.dead = true;
        self.ended.notify_one();
    }

    /// Comes back when the process is over without having come to its end.
    pub(crate) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// The hash of the trace, and its length.
    pub(crate) fn sum(&self) -> (u64, u64) {
        self.state().trace.sum()
    }
}
