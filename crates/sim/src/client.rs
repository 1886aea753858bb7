//! Those who use the installation: they publish, again and in batches, and make, edit, disable, enable and delete webhooks,
//! all at once. What they are promised is noted.

use std::sync::Arc;

use keybell_app::App;
use keybell_app::events::NewEvent;
use keybell_app::webhooks::{NewWebhook, Webhook, WebhookPatch, WebhookRateLimit};
use keybell_core::grant::{Action, ManageWebhooks, OperatorGrant, Origin, PublishEvents};
use keybell_core::payload::ContentType;
use keybell_core::{Actor, Code, Grant, WorkspaceId};
use serde_json::Map;
use serde_json::value::RawValue;

use crate::model::{Event, Fate, Hook, Known, Mood, Wanted};
use crate::world::{State, World};

/// The types of events that are published.
pub(crate) const TYPES: [&str; 3] = ["a.made", "a.gone", "b.made"];

/// A change of one webhook.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Switched on or off.
    Enable(bool),
    /// A limit of its own of requests under way, or none.
    MaxInFlight(Option<u32>),
    /// A rate limit, or none.
    RateLimit(Option<WebhookRateLimit>),
    /// Other events.
    Events(Vec<String>),
    /// No more.
    Delete,
}

/// An operator's grant for `workspace`.
pub(crate) fn grant<A: Action>(workspace: WorkspaceId) -> Grant<A> {
    operator().grant(workspace, &Origin::default()).expect("an operator may do everything")
}

/// An operator's grant for what belongs to no workspace.
pub(crate) fn operator_grant() -> OperatorGrant {
    operator().grant_operator(&Origin::default()).expect("an operator is one")
}

fn operator() -> Actor {
    Actor::Operator { key: "kb_op_000000000000".to_owned(), name: "sim".to_owned() }
}

/// Makes a webhook of a workspace.
pub(crate) async fn create(world: Arc<World>, app: App, workspace: usize) {
    let Some((number, new)) = note_new(&world, workspace) else { return };
    let grant: Grant<ManageWebhooks> = grant(world.state().workspaces[workspace]);
    world.step("before a webhook was asked for").await;
    let made = app.create_webhook(grant, new).await;
    world.step("before a webhook's maker was answered").await;
    match made {
        Ok((webhook, _)) => note_webhook(&world, number, &webhook),
        Err(problem) if problem.code == Code::Unavailable => {}
        Err(problem) => world.broken(format_args!("a webhook could not be made: {problem}")),
    }
}

fn note_new(world: &World, workspace: usize) -> Option<(usize, NewWebhook)> {
    let dice = &world.dice;
    let mut state = world.state();
    let number = state.hooks.len();
    if number >= 8 {
        return None;
    }
    let wants = if dice.percent(60) { "*" } else { *dice.one_of(&TYPES) };
    let (max_in_flight, rate_limit) = (own_max(world), rate_limit(world));
    let known = Known {
        enabled: dice.percent(90),
        deleted: false,
        wants: vec![wants.to_owned()],
        max_in_flight,
        rate_limit,
    };
    let new = NewWebhook {
        name: format!("w{number}"),
        description: String::new(),
        url: format!("http://10.0.0.{number}/hook"),
        events: known.wants.clone(),
        content_type: ContentType::Json,
        headers: Vec::new(),
        enabled: known.enabled,
        rate_limit,
        max_in_flight,
        signing_secret: None,
        metadata: Map::new(),
    };
    state.note(format_args!("create webhook {number}: {known:?}"));
    state.hooks.push(Hook {
        workspace,
        id: None,
        known: Known { deleted: true, ..known.clone() },
        perhaps: Some(known),
        said_gone: false,
        mood: mood(world),
        limited_after: 0,
        in_flight: 0,
    });
    Some((number, new))
}

fn own_max(world: &World) -> Option<u32> {
    let most = world.plan.settings.delivery.max_in_flight_per_webhook as u64;
    let own = world.dice.from(1, most);
    world.dice.percent(50).then_some(u32::try_from(own).unwrap_or(1))
}

fn rate_limit(world: &World) -> Option<WebhookRateLimit> {
    let dice = &world.dice;
    let small = |least, most| u32::try_from(dice.from(least, most)).unwrap_or(1);
    let limit = WebhookRateLimit { limit: small(4, 40), window_seconds: small(1, 8) };
    dice.percent(25).then_some(limit)
}

/// How some receiver answers from now on.
pub(crate) fn mood(world: &World) -> Mood {
    let moods = [
        Mood::Healthy,
        Mood::Healthy,
        Mood::Healthy,
        Mood::Flaky,
        Mood::Flaky,
        Mood::Flaky,
        Mood::Hangs,
        Mood::Fails,
    ];
    if world.dice.percent(2) { Mood::Gone } else { *world.dice.one_of(&moods) }
}

/// Changes some webhook of which no change is under way.
pub(crate) async fn change(world: Arc<World>, app: App) {
    let Some((number, what)) = note_change(&world) else { return };
    let (grant, id): (Grant<ManageWebhooks>, _) = {
        let state = world.state();
        let hook = &state.hooks[number];
        (grant(state.workspaces[hook.workspace]), hook.id.expect("only known webhooks are changed"))
    };
    world.step("before a change was asked for").await;
    let mut patch = WebhookPatch::default();
    match what {
        Change::Enable(enabled) => patch.enabled = Some(enabled),
        Change::MaxInFlight(own) => patch.max_in_flight = Some(own),
        Change::RateLimit(limit) => patch.rate_limit = Some(limit),
        Change::Events(wants) => patch.events = Some(wants),
        Change::Delete => {
            let deleted = app.delete_webhook(grant, id).await;
            world.step("before a deletion was answered").await;
            match deleted {
                Ok(()) => {
                    let mut state = world.state();
                    let hook = &mut state.hooks[number];
                    (hook.known.deleted, hook.perhaps) = (true, None);
                    state.note(format_args!("deleted webhook {number}"));
                }
                Err(problem) if problem.code == Code::Unavailable => {}
                Err(problem) => world.broken(format_args!("a webhook could not be deleted: {problem}")),
            }
            return;
        }
    }
    let edited = app.edit_webhook(grant, id, patch).await;
    world.step("before a change was answered").await;
    match edited {
        Ok(webhook) => note_webhook(&world, number, &webhook),
        // Whether it happened is not known until somebody reads it.
        Err(problem) if problem.code == Code::Unavailable => {}
        Err(problem) => world.broken(format_args!("a webhook could not be changed: {problem}")),
    }
}

fn note_change(world: &World) -> Option<(usize, Change)> {
    let dice = &world.dice;
    let mut state = world.state();
    let number = dice.count(0, state.hooks.len().checked_sub(1)?);
    let hook = &state.hooks[number];
    if hook.id.is_none() || hook.known.deleted || hook.perhaps.is_some() {
        return None;
    }
    let what = match dice.from(1, 10) {
        1..=6 => Change::Enable(!hook.known.enabled),
        7 => Change::MaxInFlight(own_max(world)),
        8 => Change::RateLimit(rate_limit(world)),
        9 => Change::Events(vec![(*dice.one_of(&["*", "a.made", "b.made"])).to_owned()]),
        _ => Change::Delete,
    };
    let mut perhaps = hook.known.clone();
    match &what {
        Change::Enable(enabled) => perhaps.enabled = *enabled,
        Change::MaxInFlight(own) => perhaps.max_in_flight = *own,
        Change::RateLimit(limit) => perhaps.rate_limit = *limit,
        Change::Events(wants) => perhaps.wants.clone_from(wants),
        Change::Delete => perhaps.deleted = true,
    }
    state.note(format_args!("change webhook {number}: {what:?}"));
    state.hooks[number].perhaps = Some(perhaps);
    Some((number, what))
}

/// Takes in what an answer says of a webhook.
pub(crate) fn note_webhook(world: &World, number: usize, webhook: &Webhook) {
    let mut state = world.state();
    let seen = state.sent.len();
    let hook = &mut state.hooks[number];
    if hook.known.rate_limit != webhook.rate_limit {
        hook.limited_after = seen;
    }
    hook.id = Some(webhook.id);
    hook.known = known(webhook);
    hook.perhaps = None;
    let known = hook.known.clone();
    state.note(format_args!("webhook {number} is {known:?}"));
}

/// What is shown of a webhook.
pub(crate) fn known(webhook: &Webhook) -> Known {
    Known {
        enabled: webhook.enabled,
        deleted: false,
        wants: webhook.events.clone(),
        max_in_flight: webhook.max_in_flight,
        rate_limit: webhook.rate_limit,
    }
}

/// Publishes a call of `count` events; one of them perhaps again, or with an id that another event has.
pub(crate) async fn publish(world: Arc<World>, app: App, count: usize) {
    let events = note_call(&world, count);
    world.step("before a call was made").await;
    // From here until the events are matched nothing waits, so that what is known now is what counts.
    let call: Vec<(Grant<PublishEvents>, NewEvent)> =
        events.iter().map(|number| asked(&world, *number)).collect();
    let published = app.publish(call).await;
    world.step("before a publisher was answered").await;
    let mut state = world.state();
    match published {
        Ok(published) => {
            for (number, published) in events.iter().zip(published) {
                let event = &mut state.events[*number];
                (event.id, event.fate) = (Some(published.id.to_string()), Fate::Accepted);
            }
            state.note(format_args!("accepted {events:?}"));
        }
        Err(problem) if problem.code == Code::Unavailable => {
            state.note(format_args!("perhaps not accepted {events:?}"));
        }
        Err(problem) => {
            drop(state);
            world.broken(format_args!("events were refused: {problem}"));
        }
    }
}

fn note_call(world: &World, count: usize) -> Vec<usize> {
    let mut state = world.state();
    let call = state.calls;
    state.calls += 1;
    let mut events = Vec::with_capacity(count);
    for _ in 0..count {
        let again = repeatable(world, &state).filter(|again| !events.contains(again));
        let number = again.unwrap_or_else(|| new_event(world, &mut state, call));
        state.events[number].again |= again.is_some();
        events.push(number);
    }
    state.note(format_args!("publish {events:?}"));
    events
}

/// Some event with an id of its publisher's, to be published once more.
fn repeatable(world: &World, state: &State) -> Option<usize> {
    let dice = &world.dice;
    if !dice.percent(10) || state.events.is_empty() {
        return None;
    }
    let number = dice.count(0, state.events.len() - 1);
    state.events[number].supplied_id.is_some().then_some(number)
}

fn new_event(world: &World, state: &mut State, call: usize) -> usize {
    let dice = &world.dice;
    let number = state.events.len();
    let filling = "x".repeat(dice.count(0, if dice.percent(10) { 900 } else { 40 }));
    let at = state.now();
    state.events.push(Event {
        workspace: dice.count(0, state.workspaces.len() - 1),
        type_name: (*dice.one_of(&TYPES)).to_owned(),
        data: format!(r#"{{"n":{number},"filling":"{filling}"}}"#),
        supplied_id: dice.percent(30).then(|| format!("order-{number}")),
        id: None,
        fate: Fate::Unknown,
        wanted: Vec::new(),
        again: false,
        call,
        at,
    });
    number
}

/// The event as it is published now, after noting to whom it goes.
fn asked(world: &World, number: usize) -> (Grant<PublishEvents>, NewEvent) {
    let mut state = world.state();
    let (workspace, event_type) = (state.events[number].workspace, state.events[number].type_name.clone());
    let mut wanted = Wanted::default();
    for (index, hook) in state.hooks.iter().enumerate().filter(|(_, hook)| hook.workspace == workspace) {
        match hook.takes(&event_type) {
            Some(true) => wanted.must.insert(index),
            Some(false) => continue,
            None => wanted.may.insert(index),
        };
    }
    let grant = grant(state.workspaces[workspace]);
    let event = &mut state.events[number];
    event.wanted.push(wanted);
    let new = NewEvent {
        event_type,
        data: RawValue::from_string(event.data.clone()).expect("it is JSON"),
        id: event.supplied_id.clone(),
        occurred_at: None,
    };
    (grant, new)
}
