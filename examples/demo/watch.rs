//! What a person sees while it runs.

use std::{
    fmt,
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use buttress::{Buttress, CLOCK, Event, Nanos};
use tokio::time::sleep;

use crate::{clients::Client, fleet::NAMES, traffic::Samples};

/// Events show within this.
const TICK: Duration = Duration::from_millis(10);
const SECOND: Duration = Duration::from_secs(1);

/// Prints a line. A reader that went away is no reason to stop.
pub(crate) fn say(line: impl fmt::Display) {
    drop(writeln!(io::stdout().lock(), "{line}"));
}

/// Tells events and progress as they come, and keeps the events.
pub(crate) struct Watch {
    pub(crate) events: Vec<Event>,
    buttress: Buttress,
    addresses: [String; NAMES.len()],
    begin: Nanos,
    samples: Arc<Samples>,
    /// How many samples and events were seen, and when progress is due.
    known: usize,
    cursor: u64,
    progress: Nanos,
}

impl Watch {
    pub(crate) fn new(
        buttress: Buttress,
        addresses: [String; NAMES.len()],
        begin: Nanos,
        samples: Arc<Samples>,
    ) -> Self {
        let progress = begin.after(SECOND);
        Self {
            events: Vec::new(),
            buttress,
            addresses,
            begin,
            samples,
            known: 0,
            cursor: 0,
            progress,
        }
    }

    /// Watches until `then`.
    pub(crate) async fn until(&mut self, then: Nanos) {
        loop {
            self.look();
            let left = then.since(CLOCK.now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(TICK)).await;
        }
    }

    /// Tells what happened since the last look.
    pub(crate) fn look(&mut self) {
        let recent = self.buttress.registry().events().since(self.cursor);
        self.cursor = recent.next;
        for event in recent.events {
            let name = event.endpoint.as_ref().and_then(|endpoint| {
                NAMES
                    .iter()
                    .zip(&self.addresses)
                    .find(|(_, address)| **address == **endpoint)
                    .map(|(name, _)| *name)
            });
            self.tell(
                event.at,
                &format!("  {} {}: {}", name.unwrap_or("?"), event.policy, event.kind),
            );
            self.events.push(event);
        }
        if CLOCK.now() >= self.progress {
            let at = self.progress;
            self.progress = at.after(SECOND);
            self.tell_progress(at);
        }
    }

    /// A line about something at `at`.
    pub(crate) fn tell(&self, at: Nanos, what: &str) {
        say(format_args!(
            "{:6.2} s  {what}",
            at.since(self.begin).as_secs_f64()
        ));
    }

    fn tell_progress(&mut self, at: Nanos) {
        let ended = self.samples.since(self.known);
        self.known += ended.len();
        let said = Client::ALL.map(|client| {
            let of_it = || ended.iter().filter(move |sample| sample.client == client);
            let slowest = of_it()
                .map(|sample| sample.latency)
                .max()
                .unwrap_or_default();
            let good = of_it().filter(|sample| sample.good).count();
            format!(
                "{} {good}/{} {} ms",
                client.name(),
                of_it().count(),
                slowest.as_millis()
            )
        });
        self.tell(at, &format!("  · good, slowest: {}", said.join(" | ")));
    }
}
