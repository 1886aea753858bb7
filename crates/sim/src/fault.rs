//! Faults that are planted, to see that the simulation finds them. The engine has no code for them: the network and the
//! disk lie to it, or do behind its back what a faulty engine would do.

use std::time::Duration;

use keybell_core::Timestamp;
use keybell_store::ops::deliveries::{Claim, ClaimDeliveries};

use crate::model::Hook;
use crate::world::World;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A success is recorded that was never sent.
    RecordsWhatItDidNotSend,
    /// A lease is taken that nobody gives back.
    KeepsALease,
    /// Something is sent to a webhook after it was disabled.
    SendsToTheDisabled,
    /// A retry is made before its time.
    RetriesEarly,
    /// What overflowed to disk is not taken up again.
    LosesTheOverflow,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 5] = [
        Fault::RecordsWhatItDidNotSend,
        Fault::KeepsALease,
        Fault::SendsToTheDisabled,
        Fault::RetriesEarly,
        Fault::LosesTheOverflow,
    ];
}

/// Does to the disk what a faulty engine would have done, where something there suits: it claims what it may not, or for
/// whom it may not.
pub(crate) async fn plant(world: &World) {
    let Some(fault) = world.fault else { return };
    let now = world.state().now();
    let (soon, day) = (now + Duration::from_mins(1), now + Duration::from_hours(24));
    match fault {
        Fault::KeepsALease => claim(world, Claim::Due, soon, day, "nobody").await,
        Fault::RetriesEarly => claim(world, Claim::Due, soon, now, "sim").await,
        Fault::LosesTheOverflow => {
            let webhooks: Vec<_> = {
                let state = world.state();
                let place = |hook: &Hook| Some((state.workspaces[hook.workspace], hook.id?));
                state.hooks.iter().filter(|hook| !hook.is_off()).filter_map(place).collect()
            };
            for (workspace, webhook) in webhooks {
                claim(world, Claim::OfWebhook { workspace, webhook }, now, day, "nobody").await;
            }
        }
        Fault::RecordsWhatItDidNotSend | Fault::SendsToTheDisabled => {}
    }
}

async fn claim(world: &World, claim: Claim, now: Timestamp, lease_until: Timestamp, by: &str) {
    let op = ClaimDeliveries { claim, now, lease_until, leased_by: by.to_owned(), rows: 1 };
    let Ok(claimed) = world.store.write(op).await else { return };
    let mut state = world.state();
    for delivery in claimed.deliveries {
        state.note(format_args!("planted: {} is {by}'s until {lease_until}", delivery.id));
        state.planted += 1;
    }
}
