//! The disk: what waits is committed a few at a time, after a while, and sometimes not, or without anybody hearing of it.

use std::sync::Arc;

use tokio::time::sleep;

use crate::world::World;

/// Operations whose commit may go unheard: the engine does again what it does not know to be done.
const MAY_BE_LOST: [&str; 3] = ["events.accept", "attempts.record", "deliveries.claim"];

/// More commits than any run has reason for within a second.
const COMMITS_PER_SECOND_MAX: u32 = 500;

/// Turns the lane of the store, until the task is ended.
pub(crate) async fn turn(world: Arc<World>) {
    loop {
        world.hand.arrived().await;
        let is_calm = {
            let state = world.state();
            state.calm || state.disk_is_calm
        };
        if !is_calm {
            let takes = world.dice.millis(0, world.plan.disk.takes_max);
            if !takes.is_zero() {
                sleep(takes).await;
            }
        }
        world.step("before a commit").await;
        let (writes, reads) = world.hand.waiting();
        if reads > 0 && (writes == 0 || world.dice.percent(50)) {
            world.hand.read().tell();
        } else {
            write(&world, writes, is_calm).await;
        }
    }
}

/// What comes to nothing is not to be done over and over: so much is committed in a second at most, of that little that
/// there is to do.
fn idles(world: &World) {
    let mut state = world.state();
    let second = state.now().seconds();
    if state.busy.0 != second {
        state.busy = (second, 0);
    }
    state.busy.1 += 1;
    if state.busy.1 == COMMITS_PER_SECOND_MAX {
        drop(state);
        world.broken(format_args!("{COMMITS_PER_SECOND_MAX} commits in a second: something runs in circles"));
    }
}

async fn write(world: &World, waiting: usize, is_calm: bool) {
    let (dice, disk) = (&world.dice, &world.plan.disk);
    let together = dice.count(1, waiting.max(1));
    if !is_calm && dice.percent(disk.away_percent) {
        world.state().note(format_args!("the store is away for {together}"));
        world.hand.refuse(together);
        return;
    }
    let turned = world.hand.commit(together);
    idles(world);
    let may_be_lost = turned.names().all(|name| MAY_BE_LOST.contains(&name));
    {
        let names: Vec<_> = turned.names().collect();
        world.state().note(format_args!("commit {names:?}"));
    }
    world.step("after a commit").await;
    if !is_calm && may_be_lost && dice.percent(disk.lost_percent) {
        let mut state = world.state();
        state.note(format_args!("nobody hears of it"));
        state.this_life().lost_commits = true;
        drop(state);
        turned.tell_unavailable();
    } else {
        turned.tell();
    }
}
