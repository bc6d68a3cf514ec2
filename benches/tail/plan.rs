//! Runs, and what chance gives them.

use fastrand::Rng;
use tokio::runtime::{Builder, Runtime};

/// What the bench was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Runs of each case.
    pub(crate) runs: u32,
    /// Calls of each run.
    pub(crate) calls: u32,
    /// Is time real?
    pub(crate) real: bool,
}

impl Plan {
    /// The seed of a run: of all scenarios and clients the same, so that they differ in nothing else.
    pub(crate) fn seed(&self, run: u32) -> u64 {
        mixed(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(run))
    }

    /// Does `work` on the clock that was asked for. The layers draw from the thread's generator.
    pub(crate) fn on_its_clock<T>(
        &self,
        seed: u64,
        work: impl Future<Output = T>,
    ) -> Result<T, String> {
        fastrand::seed(seed);
        Ok(self.runtime()?.block_on(work))
    }

    fn runtime(&self) -> Result<Runtime, String> {
        let mut builder = Builder::new_current_thread();
        builder.enable_time().start_paused(!self.real);
        builder.build().map_err(|error| error.to_string())
    }
}

/// A generator for one thing that is to be drawn, the same whoever asks and when.
pub(crate) fn draws(seed: u64, call: u64, what: u64) -> Rng {
    Rng::with_seed(mixed(
        seed ^ mixed(call.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ mixed(what)),
    ))
}

/// `SplitMix64`'s output function.
fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Exponential, with this mean.
pub(crate) fn exponential(random: &mut Rng, mean: f64) -> f64 {
    -mean * (1.0 - random.f64()).ln()
}

/// Lognormal, with this median.
pub(crate) fn lognormal(random: &mut Rng, median: f64, sigma: f64) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    median * (sigma * radius * (std::f64::consts::TAU * random.f64()).cos()).exp()
}
