//! The replay that the troubles befall.

use tests::roles::{Scene, Stage, Wave, manifest, strategy, wave};

/// Exit code: refused.
pub const REFUSED: i32 = 4;
/// Exit code: a newer process has taken over.
pub const FENCED: i32 = 70;
/// A speed at which something happens all the time.
pub const PACED: Option<u64> = Some(500);
/// The same for `run`.
pub const RUN_PACED: [&str; 2] = ["--speed", "500"];
/// Ticks that at this speed last for 24 seconds: whatever must happen in the middle does so on a slow machine too.
pub const LONG: u64 = 12_000;

/// Prices for so many seconds.
pub fn prices(ticks: u64) -> String {
    wave(Wave { ticks, period: 120, noise_cents: 60, seed: 11 })
}

/// One grid on them.
pub fn scene(ticks: u64) -> Scene {
    Scene::new(&manifest("data.csv", 0, &[strategy("grid-1", "1")]), &prices(ticks))
}

/// The ledgers of such a scene on a Redis that forgets nothing at its death, with every role's admin address open.
pub fn stage(ticks: u64) -> Stage {
    let mut stage = Stage::new(scene(ticks), &["--appendonly", "yes", "--appendfsync", "always"]);
    for actor in &mut stage.actors {
        actor.launch = actor.launch.with_admin();
    }
    stage
}
