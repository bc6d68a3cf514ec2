//! Runs, and what chance gives them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use fastrand::Rng;
use tokio::runtime::Builder;

/// What the bench was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Runs of each case.
    pub(crate) runs: u64,
    /// Are only some cases wanted?
    pub(crate) quick: bool,
}

/// Runs are shared out among so many threads.
const THREADS: u64 = 2;

impl Plan {
    /// Does every run of a scenario, each on a paused clock of its own. Those of the same number draw the same for every
    /// case of it.
    pub(crate) fn each<T: Send>(
        self,
        scenario: &str,
        run: impl AsyncFn(Rng) -> Result<T, String> + Sync,
    ) -> Result<Vec<T>, String> {
        let next = AtomicU64::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.runs {
                    return Ok(done);
                }
                done.push((number, self.one(scenario, number, &run)?));
            }
        };
        let found: Result<Vec<_>, String> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
            ended
                .map(|ended| {
                    ended.unwrap_or_else(|_| Err(format!("{scenario}: a thread was lost")))
                })
                .collect()
        });
        let mut found: Vec<(u64, T)> = found?.into_iter().flatten().collect();
        found.sort_by_key(|(number, _)| *number);
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    fn one<T>(
        self,
        scenario: &str,
        number: u64,
        run: &impl AsyncFn(Rng) -> Result<T, String>,
    ) -> Result<T, String> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .map_err(|error| error.to_string())?;
        let mut random = self.draws(scenario, number);
        // The layers draw from the thread's generator.
        fastrand::seed(random.u64(..));
        runtime.block_on(run(random))
    }

    fn draws(self, scenario: &str, number: u64) -> Rng {
        // FNV-1a: any two scenarios draw apart.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let start = 0xcbf2_9ce4_8422_2325 ^ self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Rng::with_seed(scenario.bytes().fold(start, fold).wrapping_add(number))
    }
}

/// Exponential, with this mean.
pub(crate) fn exponential(random: &mut Rng, mean: f64) -> f64 {
    -mean * (1.0 - random.f64()).ln()
}

/// Gamma with shape 4 and mean 1: four exponentials in a row.
pub(crate) fn gamma4(random: &mut Rng) -> f64 {
    (0..4).map(|_| exponential(random, 0.25)).sum()
}
