//! What must hold after a run: nothing that was accepted is lost, and nothing happened that was not to happen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use keybell_app::App;
use keybell_app::deliveries::{Attempt, DeliveryDetail, DeliveryFilter, DeliveryStatus, DeliverySummary};
use keybell_app::events::EventFilter;
use keybell_core::circuit::PAUSE_MAX;
use keybell_core::delivery::RetryPolicy;
use keybell_core::{DeliveryId, Problem};
use tokio::time::{Instant, sleep, timeout};

use crate::client;
use crate::life::page;
use crate::model::{Came, Fate, Hook, Known, Wanted};
use crate::plan::RETRY_AFTER_SECONDS_MAX;
use crate::world::World;

/// How late something may be beside what it waits for: a poll, a few commits, a write that is tried again.
const SLACK: Duration = Duration::from_secs(30);

/// Reads all webhooks as they are now. What an answer once said must still be so, where that is to be judged.
pub(crate) async fn read_webhooks(world: &World, app: &App, judge: bool) -> Result<(), Problem> {
    let workspaces = world.state().workspaces.clone();
    let mut there: BTreeMap<usize, (_, Known)> = BTreeMap::new();
    for workspace in workspaces {
        let listed = app.list_webhooks(client::grant(workspace), page(None)?).await?;
        for webhook in listed.data {
            let number = webhook.name.trim_start_matches('w').parse().expect("it is a number");
            there.insert(number, (webhook.id, client::known(&webhook)));
        }
    }
    let mut lost = None;
    {
        let mut state = world.state();
        let seen = state.sent.len();
        for (number, hook) in state.hooks.iter_mut().enumerate() {
            let (id, now) = match there.remove(&number) {
                Some((id, known)) => (Some(id), known),
                None => (hook.id, Known { deleted: true, ..hook.known.clone() }),
            };
            let gone = Known { enabled: false, ..hook.known.clone() };
            let expected = [Some(&hook.known), hook.perhaps.as_ref(), hook.said_gone.then_some(&gone)];
            let off_by = hook.perhaps.as_ref().map(|perhaps| Known { enabled: false, ..perhaps.clone() });
            let off = off_by.filter(|_| hook.said_gone);
            if !expected.into_iter().flatten().chain(off.as_ref()).any(|known| *known == now) {
                lost = lost.or(Some(format!("webhook {number} is {now:?}, and was {:?}", hook.known)));
            }
            hook.limited_after = seen;
            (hook.id, hook.known, hook.perhaps, hook.said_gone) = (id, now, None, false);
        }
    }
    if let Some(lost) = lost.filter(|_| judge) {
        world.broken(format_args!("an answered change was lost: {lost}"));
    }
    Ok(())
}

/// Lets everything come to its end, while nothing goes wrong any more; it must do so in time.
pub(crate) async fn drain(world: &Arc<World>, app: &App) -> Result<(), Problem> {
    {
        let mut state = world.state();
        state.calm = true;
        state.crash_in = None;
        state.note(format_args!("calm from now on"));
    }
    let delivery = &world.plan.settings.delivery;
    let longest = delivery.retry_schedule.iter().max().copied().unwrap_or_default() * 2;
    let asked = Duration::from_secs(RETRY_AFTER_SECONDS_MAX);
    // What was under way may fail once more, and a lease that nobody held may have to end.
    let lease = 2 * delivery.timeout + Duration::from_secs(30);
    let begun = Instant::now();
    let mut patience = delivery.timeout + longest.max(asked) + lease + PAUSE_MAX * 2 + SLACK;
    let waiting = deliveries(world, app, Some(DeliveryStatus::Pending)).await?;
    // Rate limits make what waits as late as they say.
    patience += paced(world, &waiting);
    loop {
        let pending: Vec<DeliverySummary> = deliveries(world, app, Some(DeliveryStatus::Pending))
            .await?
            .into_iter()
            .filter(|delivery| waits(world, delivery))
            .collect();
        if pending.is_empty() {
            return Ok(());
        }
        let next = pending.iter().filter_map(|delivery| delivery.next_attempt_at).min();
        if begun.elapsed() > patience {
            let late = &pending[0];
            world.broken(format_args!("{} deliveries are late, such as {late:?}", pending.len()));
            return Ok(());
        }
        let now = world.state().now();
        let pause = next.map_or(Duration::ZERO, |next| next.since(now));
        sleep(pause.clamp(Duration::from_millis(200), SLACK)).await;
    }
}

/// How long rate limits may hold back what waits.
fn paced(world: &World, waiting: &[DeliverySummary]) -> Duration {
    let state = world.state();
    let of_hook = state.hooks.iter().map(|hook| {
        let count = waiting.iter().filter(|delivery| Some(delivery.webhook_id) == hook.id).count();
        let limit = hook.known.rate_limit.or(hook.perhaps.as_ref().and_then(|perhaps| perhaps.rate_limit));
        limit.map_or(Duration::ZERO, |limit| {
            let even = Duration::from_secs(u64::from(limit.window_seconds)) / limit.limit;
            even * u32::try_from(count).unwrap_or(u32::MAX) * 2
        })
    });
    of_hook.max().unwrap_or_default()
}

/// Whether a pending delivery is still to come to an end: it has a time, or its webhook is on, or deleted, which cancels it.
fn waits(world: &World, delivery: &DeliverySummary) -> bool {
    let state = world.state();
    let is_hook = |hook: &&Hook| hook.id == Some(delivery.webhook_id);
    let hook = state.hooks.iter().find(is_hook);
    delivery.next_attempt_at.is_some()
        || hook.is_some_and(|hook| hook.known.deleted || (hook.known.enabled && !hook.said_gone))
}

async fn deliveries(
    world: &World,
    app: &App,
    status: Option<DeliveryStatus>,
) -> Result<Vec<DeliverySummary>, Problem> {
    let mut all = Vec::new();
    let workspaces = world.state().workspaces.clone();
    for workspace in workspaces {
        let mut cursor = None;
        loop {
            let filter = DeliveryFilter { status, ..DeliveryFilter::default() };
            let found = app.list_deliveries(client::grant(workspace), filter, page(cursor)?).await?;
            all.extend(found.data);
            cursor = found.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(all)
}

/// Everything that is checked at the end.
pub(crate) async fn all(world: &Arc<World>, app: &App) -> Result<(), Problem> {
    // An attempt may be under way to a webhook that was deleted, of which nothing is pending any more.
    let quiet = timeout(world.plan.settings.delivery.timeout + SLACK, app.engine().quiet()).await;
    let stats = app.engine().stats();
    if quiet.is_err() || (stats.in_memory, stats.in_memory_bytes, stats.events_gathered) != (0, 0, 0) {
        world.broken(format_args!("nothing is left to do, and yet {stats:?}"));
    }
    read_webhooks(world, app, true).await?;
    let events = stored_events(world, app).await?;
    let deliveries = deliveries(world, app, None).await?;
    let by_event = check_events(world, &events, &deliveries);
    let mut recorded = BTreeSet::new();
    for delivery in &deliveries {
        let Some(pair) = by_event.get(&delivery.id) else { continue };
        let workspace = {
            let known = world.state();
            known.workspaces[known.events[pair.1].workspace]
        };
        let detail = app.delivery(client::grant(workspace), delivery.id).await?;
        if let Err(rule) = check_delivery(world, *pair, &detail, &mut recorded) {
            let (hook, event) = *pair;
            world.broken(format_args!("the delivery of event {event} to webhook {hook} {rule}"));
        }
    }
    check_sent(
        world,
        &recorded,
        &deliveries.iter().filter_map(|delivery| by_event.get(&delivery.id)).collect(),
    );
    Ok(())
}

/// The events that are kept, by their outer ids, with our numbers.
async fn stored_events(world: &World, app: &App) -> Result<BTreeMap<String, usize>, Problem> {
    let mut found = BTreeMap::new();
    let workspaces = world.state().workspaces.clone();
    for workspace in workspaces {
        let mut cursor = None;
        loop {
            let listed =
                app.list_events(client::grant(workspace), EventFilter::default(), page(cursor)?).await?;
            // What the installation says of itself is nobody's promise.
            for event in listed.data.into_iter().filter(|event| !event.event_type.starts_with("keybell.")) {
                let id = event.id.to_string();
                let with_data = app.event(client::grant(workspace), event.id).await?;
                let number = world.state().events.iter().position(|known| known.data == with_data.data);
                match number {
                    Some(number) => drop(found.insert(id, number)),
                    None => world.broken(format_args!("event {id} was never published")),
                }
            }
            cursor = listed.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok(found)
}

/// Checks that what was accepted is there, whole, and goes to whom it must. Gives webhook and event of each delivery.
fn check_events(
    world: &World,
    stored: &BTreeMap<String, usize>,
    deliveries: &[DeliverySummary],
) -> BTreeMap<DeliveryId, (usize, usize)> {
    let mut pairs = BTreeMap::new();
    let mut went: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut rule = None;
    {
        let state = world.state();
        for delivery in deliveries {
            let event = stored.get(&delivery.event_id.to_string()).copied();
            let hook = state.hooks.iter().position(|hook| hook.id == Some(delivery.webhook_id));
            match (hook, event) {
                (Some(hook), Some(event)) => {
                    pairs.insert(delivery.id, (hook, event));
                    went.entry(event).or_default().push(hook);
                }
                // A webhook whose maker never heard of it, and that is no more, has no number.
                (None, Some(_)) => {}
                (_, None) if delivery.event_type.starts_with("keybell.") => {}
                (_, None) => rule = Some(format!("delivery {} is of no event", delivery.id)),
            }
        }
        let kept: BTreeSet<usize> = stored.values().copied().collect();
        if kept.len() != stored.len() {
            rule = Some("an event is kept twice".to_owned());
        }
        let old = state.now().before(world.plan.settings.retention.events);
        for (number, event) in state.events.iter().enumerate() {
            let is_kept = kept.contains(&number);
            if event.at < old || event.wanted.is_empty() {
                continue;
            }
            if event.fate == Fate::Accepted && !is_kept {
                rule = Some(format!("event {number} was accepted and is lost"));
            }
            let others = state.events.iter().enumerate().filter(|(_, other)| other.call == event.call);
            // What was published again may have been kept then.
            if is_kept && !event.again && others.into_iter().any(|(other, _)| !kept.contains(&other)) {
                rule = Some(format!("event {number} is kept, and others of its call are not"));
            }
            let mut to = went.remove(&number).unwrap_or_default();
            to.sort_unstable();
            if is_kept && !event.wanted.iter().any(|wanted| fits(wanted, &to)) {
                rule = Some(format!("event {number} went to {to:?}, and was wanted by {:?}", event.wanted));
            }
        }
    }
    if let Some(rule) = rule {
        world.broken(format_args!("{rule}"));
    }
    pairs
}

fn fits(wanted: &Wanted, to: &[usize]) -> bool {
    let once: BTreeSet<usize> = to.iter().copied().collect();
    once.len() == to.len()
        && wanted.must.is_subset(&once)
        && once.iter().all(|hook| wanted.must.contains(hook) || wanted.may.contains(hook))
}

/// Checks one delivery and its attempts against what the network saw. Takes the requests that are recorded into `recorded`.
fn check_delivery(
    world: &World,
    (hook, event): (usize, usize),
    detail: &DeliveryDetail,
    recorded: &mut BTreeSet<usize>,
) -> Result<(), String> {
    let state = world.state();
    let delivery = &detail.delivery;
    let is_old = delivery.created_at < state.now().before(world.plan.settings.retention.events);
    if is_old && detail.attempts.first().is_none_or(|first| first.number != 1) {
        // It is about to go, and its attempts go first.
        return Ok(());
    }
    let policy = RetryPolicy {
        schedule: world.plan.settings.delivery.retry_schedule.clone(),
        jitter_percent: world.plan.settings.delivery.retry_jitter_percent,
    };
    let mut floor = keybell_core::Timestamp::EPOCH;
    let mut last = Verdict::None;
    for (index, attempt) in detail.attempts.iter().enumerate() {
        let number = index + 1;
        if attempt.number as usize != number {
            return Err(format!("has attempt {} where {number} should be", attempt.number));
        }
        let trigger = if number == 1 { "first" } else { "retry" };
        if attempt.trigger != trigger {
            return Err(format!("has attempt {number} as {}", attempt.trigger));
        }
        if last.is_final() {
            return Err(format!("has attempt {number} after its end"));
        }
        if attempt.started_at < floor {
            return Err(format!("has attempt {number} before its time, {floor}"));
        }
        let made = |sent: &&crate::model::Sent| {
            (sent.hook, sent.event, sent.at) == (hook, event, attempt.started_at)
        };
        let found = state.sent.iter().position(|sent| made(&sent));
        let Some(index) = found else { return Err(format!("has attempt {number}, which was never made")) };
        let sent = &state.sent[index];
        if !says(attempt, &sent.came) {
            return Err(format!("has attempt {number} as {attempt:?}, and it was {:?}", sent.came));
        }
        recorded.insert(index);
        last = Verdict::of(&sent.came);
        let wait = policy.schedule.get(number - 1).copied();
        if last == Verdict::Failed && wait.is_none() {
            last = Verdict::GivenUp;
        }
        let shortest = wait.unwrap_or_default() * u32::from(100 - policy.jitter_percent) / 100;
        let asked = match sent.came {
            Came::Status(_, Some(seconds)) => Duration::from_secs(seconds),
            _ => Duration::ZERO,
        };
        floor = sent.answered_at.unwrap_or(sent.at) + shortest.max(asked);
        let again = state.sent.iter().any(|later| {
            let same = (later.hook, later.event) == (hook, event) && later.life > sent.life;
            same && (last.is_final() || later.at < floor)
        });
        if again {
            return Err(format!("was made again after attempt {number} was recorded, before {floor}"));
        }
    }
    let known = &state.hooks[hook].known;
    let made = detail.attempts.len();
    let fits = match delivery.status {
        DeliveryStatus::Succeeded => last == Verdict::Succeeded,
        DeliveryStatus::Failed => last == Verdict::GivenUp,
        DeliveryStatus::Canceled => known.deleted && delivery.attempts_made as usize <= made,
        DeliveryStatus::Pending => !known.enabled && !known.deleted && !last.is_final(),
    };
    let counted = delivery.status == DeliveryStatus::Canceled || delivery.attempts_made as usize == made;
    if fits && counted {
        return Ok(());
    }
    Err(format!("is {delivery:?} after {made} attempts, the last {last:?}, and its webhook is {known:?}"))
}

/// What an attempt means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    None,
    Succeeded,
    Failed,
    GivenUp,
}

impl Verdict {
    fn of(came: &Came) -> Verdict {
        match came {
            Came::Status(200..=299, _) => Verdict::Succeeded,
            Came::Status(410, _) => Verdict::GivenUp,
            _ => Verdict::Failed,
        }
    }

    fn is_final(self) -> bool {
        matches!(self, Verdict::Succeeded | Verdict::GivenUp)
    }
}

fn says(attempt: &Attempt, came: &Came) -> bool {
    match came {
        Came::Nothing => false,
        Came::Status(status, _) => attempt.response_status == Some(*status) && attempt.error_code.is_none(),
        Came::Failure(code) => attempt.error_code.as_deref() == Some(code),
    }
}

/// Checks that each request is recorded, except where its process ended too early for that.
fn check_sent(world: &World, recorded: &BTreeSet<usize>, kept: &BTreeSet<&(usize, usize)>) {
    let mut rule = None;
    {
        let state = world.state();
        let old = state.now().before(world.plan.settings.retention.events);
        for (index, sent) in state.sent.iter().enumerate() {
            let life = state.lives[sent.life];
            let excused = life.crashed
                || life.away_at_stop
                || life.lost_commits
                || sent.came == Came::Nothing
                // It was deleted for its age, and may have been published anew.
                || state.events[sent.event].at < old
                || !kept.contains(&(sent.hook, sent.event));
            if !recorded.contains(&index) && !excused {
                let (hook, event, at) = (sent.hook, sent.event, sent.at);
                rule = Some(format!(
                    "event {event} was sent to webhook {hook} at {at}, and that is not recorded"
                ));
            }
        }
    }
    if let Some(rule) = rule {
        world.broken(format_args!("{rule}"));
    }
}
