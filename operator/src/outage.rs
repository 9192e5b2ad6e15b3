//! Whether the store answers, asked by one for all. A blink of it is told to nobody: it would be two writes and two Events for
//! each object. What lasts is told by all, at once when it has lasted, and at once when it is over.

use std::time::{Duration, Instant};

use bus::MessageBus as _;
use tokio::time::{MissedTickBehavior, interval};

use crate::context::{Context, Shared};

/// How often the store is asked.
const EACH: Duration = Duration::from_secs(1);

/// Asks for ever, and wakes all when an outage has lasted and when it is over.
pub async fn watch(context: Shared, mut wake_all: impl FnMut()) {
    let mut each = interval(EACH);
    each.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_told = false;
    loop {
        each.tick().await;
        // What it says is no matter.
        drop(context.within(context.bus.now_ms()).await);
        let lasts = context.since.outage(Instant::now()).is_some_and(|outage| outage.lasts);
        if lasts != was_told {
            was_told = lasts;
            wake_all();
        }
    }
}

/// Whether the store gives no answer, and nothing is told of it yet.
pub fn is_blink(context: &Context) -> bool {
    context.since.outage(Instant::now()).is_some_and(|outage| !outage.lasts)
}
