//! Chance, and how much of it.

use std::thread;

use fastrand::Rng;

/// What the bench was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// The share of the runs that are made.
    pub(crate) part: f64,
}

/// Streams of runs, each on a thread. As many on every machine, so that a seed draws the same everywhere.
pub(crate) const STREAMS: u64 = 2;

impl Plan {
    /// So many runs in all come to this many in each stream.
    pub(crate) fn each(self, runs: f64) -> u64 {
        (runs * self.part / STREAMS as f64).ceil().max(1.0) as u64
    }

    /// Does the work of every stream of a scenario, with draws of its own.
    pub(crate) fn streams<T: Send>(
        self,
        scenario: &str,
        work: impl Fn(&mut Rng) -> T + Sync,
    ) -> Vec<T> {
        let work = &work;
        thread::scope(|scope| {
            let start = |stream| {
                let mut random = self.draws(scenario, stream);
                scope.spawn(move || work(&mut random))
            };
            let threads: Vec<_> = (0..STREAMS).map(start).collect();
            let ended = threads.into_iter().map(|thread| thread.join());
            ended.filter_map(Result::ok).collect()
        })
    }

    fn draws(self, scenario: &str, stream: u64) -> Rng {
        // FNV-1a: any two scenarios draw apart.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let start = 0xcbf2_9ce4_8422_2325 ^ self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = scenario.bytes().fold(start, fold);
        Rng::with_seed(hash.wrapping_add(stream))
    }
}

/// How many calls succeed before the next failure, where each fails with probability `p`.
pub(crate) fn successes(random: &mut Rng, p: f64) -> u64 {
    if p >= 1.0 {
        return 0;
    }
    ((1.0 - random.f64()).ln() / (-p).ln_1p()) as u64
}

/// Exponential, with this mean.
pub(crate) fn exponential(random: &mut Rng, mean: f64) -> f64 {
    -mean * (1.0 - random.f64()).ln()
}

/// Normal, with mean 0 and variance 1 (Box and Muller 1958).
pub(crate) fn normal(random: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}
