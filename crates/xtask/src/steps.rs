//! Steps of a command, counted and timed.

use std::time::Instant;

use crate::trouble::Done;

/// Announces each step and says how long it took.
#[derive(Debug)]
pub(crate) struct Steps {
    begun: usize,
    all: usize,
}

impl Steps {
    /// So many steps are to come.
    pub(crate) fn new(all: usize) -> Self {
        Self { begun: 0, all }
    }

    /// Takes the next one.
    pub(crate) fn take(&mut self, what: &str, step: impl FnOnce() -> Done) -> Done {
        self.begun += 1;
        let place = format!("xtask: [{}/{}]", self.begun, self.all);
        println!("{place} {what}");
        let began = now();
        let done = step();
        let seconds = now().duration_since(began).as_secs_f64();
        let end = if done.is_ok() { "done" } else { "FAILED" };
        println!("{place} {end} after {seconds:.1} s");
        done
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build tool has no policies to test against a paused clock"
)]
fn now() -> Instant {
    Instant::now()
}
