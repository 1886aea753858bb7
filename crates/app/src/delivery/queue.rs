//! The deliveries of one webhook in memory, and whether the next of them may begin.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use keybell_core::circuit::{Circuit, Pass};
use keybell_core::pace::{Pace, Paced};
use keybell_core::{Timestamp, WorkspaceId};

use super::book::Gauge;
use super::job::Job;
use super::send::Route;

/// An attempt that takes longer makes its webhook a slow one. Most receivers answer in a tenth of it.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(1);

/// The deliveries of one webhook.
pub(super) struct Queue {
    /// Whose webhook it is.
    pub(super) workspace: WorkspaceId,
    /// What is known of it across threads.
    pub(super) gauge: Arc<Gauge>,
    /// What is known of its endpoint.
    pub(super) circuit: Circuit,
    /// How often that was forgotten: what an attempt says counts only for the endpoint that it went to.
    pub(super) endpoint: u32,
    /// Attempts under way.
    pub(super) under_way: usize,
    /// Whether its last attempt took long.
    pub(super) slow: bool,
    /// Whether it stands in the line of those whose turn comes.
    pub(super) in_turn: bool,
    /// Whether it stands in the line of those that want deliveries from disk.
    pub(super) in_line: bool,
    /// When it is to be looked at again.
    pub(super) alarm: Option<Timestamp>,
    /// Before when it is not to be given anything from disk: there was no room for what it was given.
    pub(super) full_until: Option<Timestamp>,
    /// How often it was said that deliveries wait on disk; 0 where none do.
    pub(super) waiting: u64,
    /// What `waiting` was when the claim under way began.
    pub(super) waiting_at_claim: u64,
    jobs: VecDeque<Job>,
    route: Option<Arc<Route>>,
    paced: Paced,
}

/// What may be done for a webhook now.
pub(super) enum Next {
    /// This attempt may begin.
    Begin(Job, Arc<Route>),
    /// Nothing is queued.
    Nothing,
    /// As many are under way as it may have.
    WhenOneIsOver,
    /// Its rate limit lets nothing begin before this instant.
    NotBefore(Timestamp),
    /// Its circuit is open until this instant: what is queued is to wait on disk.
    Open(Timestamp),
}

impl Queue {
    /// An empty one.
    pub(super) fn new(workspace: WorkspaceId, gauge: Arc<Gauge>) -> Queue {
        Queue {
            workspace,
            gauge,
            circuit: Circuit::default(),
            endpoint: 0,
            under_way: 0,
            slow: false,
            in_turn: false,
            in_line: false,
            alarm: None,
            full_until: None,
            waiting: 0,
            waiting_at_claim: 0,
            jobs: VecDeque::new(),
            route: None,
            paced: Paced::default(),
        }
    }

    /// Adds a delivery at the end.
    pub(super) fn push(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// Deliveries that are queued.
    pub(super) fn queued(&self) -> usize {
        self.jobs.len()
    }

    /// Takes everything out.
    pub(super) fn take_all(&mut self) -> Vec<Job> {
        self.jobs.drain(..).collect()
    }

    /// When the lease of the first one ends.
    pub(super) fn first_lease_ends(&self) -> Option<Timestamp> {
        self.jobs.front().map(|job| job.lease_until)
    }

    /// Takes out, from the front, what waited so long that its lease might end during the attempt.
    pub(super) fn take_stale(&mut self, leases_last_until: Timestamp) -> Vec<Job> {
        let stale = self.jobs.iter().take_while(|job| job.lease_until < leases_last_until).count();
        self.jobs.drain(..stale).collect()
    }

    /// The way to the webhook that was used last.
    pub(super) fn route(&self) -> Option<&Arc<Route>> {
        self.route.as_ref()
    }

    /// The webhook was changed: its endpoint may be another one.
    pub(super) fn forget_endpoint(&mut self) {
        self.route = None;
        self.circuit = Circuit::default();
        self.endpoint = self.endpoint.wrapping_add(1);
        self.gauge.pulse().forget();
    }

    /// The next attempt, where it may begin at `now` over `route`: then it counts as under way. `per_webhook_max` is what
    /// any webhook may have under way.
    pub(super) fn next(&mut self, route: Arc<Route>, per_webhook_max: usize, now: Timestamp) -> Next {
        if self.jobs.is_empty() {
            return Next::Nothing;
        }
        let webhook = &route.webhook;
        let own_max = webhook.max_in_flight.map_or(usize::MAX, |own| own as usize);
        if self.under_way >= own_max.min(per_webhook_max) {
            return Next::WhenOneIsOver;
        }
        match self.circuit.pass(now) {
            Pass::Closed | Pass::Probe => {}
            Pass::Probing => return Next::WhenOneIsOver,
            Pass::NotBefore(until) => return Next::Open(until),
        }
        let pace = webhook
            .rate_limit
            .map(|limit| Pace::of(limit.limit, Duration::from_secs(u64::from(limit.window_seconds))));
        if let Some(pace) = pace {
            let at = pace.next(self.paced, now);
            if at > now {
                return Next::NotBefore(at);
            }
            self.paced = pace.after(self.paced, now);
        }
        let Some(job) = self.jobs.pop_front() else { return Next::Nothing };
        self.circuit.begins(job.id);
        self.under_way += 1;
        self.route = Some(Arc::clone(&route));
        Next::Begin(job, route)
    }
}
