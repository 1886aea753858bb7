//! One life of the process: it starts on what was committed, is used, and ends by a crash, by an orderly stop, or because
//! there is nothing left to do.

use std::sync::Arc;
use std::time::Duration;

use keybell_app::event_types::NewEventType;
use keybell_app::workspaces::NewWorkspace;
use keybell_app::{App, Page, Parts};
use keybell_core::Problem;
use keybell_core::seal::MasterKey;
use keybell_store::Store;
use keybell_testkit::clock::SimClock;
use tokio::runtime::{Builder, Handle};
use tokio::time::sleep;

use crate::network::Network;
use crate::world::World;
use crate::{check, client, disk, fault};

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By a crash, or since a rule did not hold.
    Sudden,
    /// It was stopped; another one follows.
    Stopped,
    /// Everything is done and checked.
    Done,
}

/// Runs a life on a runtime of its own, whose end takes all of its tasks with it wherever they wait.
pub(crate) fn live(world: &Arc<World>, crash_in: Option<u64>, actions: &mut u32) -> End {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output needs nothing but memory");
    let end = runtime.block_on(async {
        let clock = world.begin_life();
        let end = tokio::select! {
            biased;
            () = world.ended() => End::Sudden,
            end = whole(world, clock, crash_in, actions) => end,
        };
        world.end_life();
        end
    });
    drop(runtime);
    world.hand.forget();
    end
}

async fn whole(world: &Arc<World>, clock: SimClock, crash_in: Option<u64>, actions: &mut u32) -> End {
    tokio::spawn(disk::turn(Arc::clone(world)));
    match lived(world, clock, crash_in, actions).await {
        Ok(end) => end,
        Err(problem) => {
            world.broken(format_args!("an installation could not work: {problem}"));
            End::Sudden
        }
    }
}

async fn lived(
    world: &Arc<World>,
    clock: SimClock,
    crash_in: Option<u64>,
    actions: &mut u32,
) -> Result<End, Problem> {
    let first = world.state().workspaces.is_empty();
    if !first {
        // A crash may fall into the start as well.
        world.state().crash_in = crash_in;
    }
    let app = start(world, world.store.clone(), clock).await?;
    world.state().app = Some(app.clone());
    if first {
        set_up(world, &app).await?;
        world.state().crash_in = crash_in;
    }
    check::read_webhooks(world, &app, true).await?;
    let network = || -> Arc<dyn keybell_app::delivery::exchange::Transport> { Arc::new(Network::new(world)) };
    app.engine().start_over(&vec![Handle::current(); world.plan.shards], &network).await?;
    world.state().disk_is_calm = false;
    while *actions > 0 {
        *actions -= 1;
        sleep(world.dice.millis(0, world.plan.pause_max)).await;
        if act(world, &app).await {
            return Ok(End::Stopped);
        }
    }
    check::drain(world, &app).await?;
    check::all(world, &app).await?;
    Ok(End::Done)
}

async fn start(world: &Arc<World>, store: Store, clock: SimClock) -> Result<App, Problem> {
    let parts = Parts {
        settings: world.plan.settings.clone(),
        store,
        clock: Arc::new(clock),
        randomness: Arc::<keybell_testkit::random::SeededRandomness>::clone(&world.randomness),
        master_key: MasterKey::from_bytes([7; 32]),
    };
    App::start_within(parts, world.plan.bounds).await
}

async fn set_up(world: &Arc<World>, app: &App) -> Result<(), Problem> {
    for name in client::TYPES {
        let new = NewEventType {
            name: name.to_owned(),
            group: None,
            description: String::new(),
            schema: None,
            example: None,
        };
        app.create_event_type(client::operator_grant(), new).await?;
    }
    for name in ["Northwind", "Contoso"] {
        let new = NewWorkspace { name: name.to_owned(), external_id: None };
        let made = app.create_workspace(client::operator_grant(), new).await?;
        world.state().workspaces.push(made.id);
    }
    for _ in 0..world.plan.webhooks {
        client::create(Arc::clone(world), app.clone(), world.dice.count(0, 1)).await;
    }
    Ok(())
}

/// Does one thing; whether the process is stopped after it.
async fn act(world: &Arc<World>, app: &App) -> bool {
    let dice = &world.dice;
    if world.fault.is_some() && dice.percent(50) {
        fault::plant(world).await;
    }
    let (shared, app) = (Arc::clone(world), app.clone());
    match dice.from(1, 100) {
        1..=45 => drop(tokio::spawn(client::publish(shared, app, 1))),
        46..=60 => {
            let count = dice.count(2, 12);
            drop(tokio::spawn(client::publish(shared, app, count)));
        }
        61..=65 => {
            for _ in 0..dice.count(2, 10) {
                drop(tokio::spawn(client::publish(Arc::clone(&shared), app.clone(), 1)));
            }
        }
        66..=70 => {
            let workspace = dice.count(0, 1);
            drop(tokio::spawn(client::create(shared, app, workspace)));
        }
        71..=85 => drop(tokio::spawn(client::change(shared, app))),
        86..=91 => {
            let mood = client::mood(world);
            let mut state = world.state();
            if let Some(last) = state.hooks.len().checked_sub(1) {
                let number = dice.count(0, last);
                state.note(format_args!("webhook {number} from now on: {mood:?}"));
                state.hooks[number].mood = mood;
            }
        }
        92 | 93 => drop(tokio::spawn(async move { drop(app.engine().delete_old().await) })),
        94 => app.engine().look_again(),
        95..=97 => {
            // A long pause, in which retries come due.
            sleep(dice.millis(1_000, 60_000)).await;
        }
        _ => {
            stop(world, &app).await;
            return true;
        }
    }
    false
}

/// An orderly stop: attempts under way get some time, what came of them is written.
async fn stop(world: &Arc<World>, app: &App) {
    let grace = Duration::from_secs(*world.dice.one_of(&[0, 1, 20]));
    {
        let mut state = world.state();
        state.note(format_args!("stop within {grace:?}"));
        let away = world.plan.disk.away_percent > 0;
        state.this_life().away_at_stop = away;
    }
    app.engine().stop(grace).await;
    world.state().disk_is_calm = true;
    while world.hand.waiting() != (0, 0) {
        sleep(Duration::from_millis(1)).await;
    }
}

/// A page of the longest kind, after `cursor`.
pub(crate) fn page(cursor: Option<String>) -> Result<Page, Problem> {
    Page::new(Some(keybell_app::page::PAGE_LIMIT_MAX), cursor)
}
