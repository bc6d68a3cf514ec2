//! One number, and how far it may be off.

/// What was found, and on how much it rests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    /// Standard error; absent where the number is exact.
    pub(crate) error: Option<f64>,
    /// Runs, where there were any.
    pub(crate) runs: Option<u64>,
    pub(crate) calls: u64,
}

/// Sums over runs, of what each of them took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    pub(crate) runs: u64,
    pub(crate) total: f64,
    squares: f64,
    /// Beyond this no run was watched.
    pub(crate) given_up: u64,
    /// All calls made for it, those in good times included.
    pub(crate) calls: u64,
    /// Alarms in good times.
    pub(crate) false_alarms: u64,
}

impl Sums {
    /// One run ended in an alarm after so much.
    pub(crate) fn add(&mut self, took: f64) {
        self.runs += 1;
        self.total += took;
        self.squares += took * took;
    }

    /// One run was given up after so much.
    pub(crate) fn give_up(&mut self, took: f64) {
        self.given_up += 1;
        self.total += took;
    }

    pub(crate) fn of(streams: Vec<Self>) -> Self {
        streams.into_iter().fold(Self::default(), |sum, one| Self {
            runs: sum.runs + one.runs,
            total: sum.total + one.total,
            squares: sum.squares + one.squares,
            given_up: sum.given_up + one.given_up,
            calls: sum.calls + one.calls,
            false_alarms: sum.false_alarms + one.false_alarms,
        })
    }

    /// The mean, times `scale`. Where runs were given up, what all took over how many alarms there were: the mean of
    /// waits that are geometric, as those are. None without an alarm.
    pub(crate) fn mean(&self, scale: f64) -> Option<Figure> {
        let runs = self.runs as f64;
        let value = self.total / runs;
        let error = if self.given_up > 0 || self.runs < 2 {
            value / runs.sqrt()
        } else {
            ((self.squares / runs - value * value).max(0.0) / (runs - 1.0)).sqrt()
        };
        (self.runs > 0).then_some(Figure {
            value: value * scale,
            error: Some(error * scale),
            runs: Some(self.runs + self.given_up),
            calls: self.calls,
        })
    }
}

impl Figure {
    pub(crate) const fn exact(value: f64) -> Self {
        Self {
            value,
            error: None,
            runs: None,
            calls: 0,
        }
    }

    /// So many events in so many calls; their number is Poisson's.
    pub(crate) fn count(events: u64, calls: u64) -> Self {
        Self {
            value: events as f64,
            error: Some((events as f64).sqrt()),
            runs: None,
            calls,
        }
    }

    /// The share of runs in which it was so.
    pub(crate) fn share(hits: u64, runs: u64, calls: u64) -> Option<Self> {
        let share = hits as f64 / runs as f64;
        (runs > 0).then(|| Self {
            value: share,
            error: Some((share * (1.0 - share) / runs as f64).sqrt()),
            runs: Some(runs),
            calls,
        })
    }
}
