//! When one endpoint is probed next, and what its probes add up to.

use std::time::Duration;

use super::{Edge, ProbePolicy};
use crate::{Nanos, Sign, random::unit};

/// The probing of one endpoint. Pure: told `now`, handed its draws.
#[derive(Debug)]
pub(crate) struct Schedule {
    policy: ProbePolicy,
    due: Nanos,
    /// When the last probe was sent, or the endpoint came to be.
    sent: Nanos,
    /// Is that probe still on its way?
    flying: bool,
    /// What was found so far; nothing at first.
    found: Option<Edge>,
    /// Results in a row that speak against it.
    against: u32,
    /// Does anybody call the destination?
    busy: bool,
    /// Was `due` set because nobody did?
    idle: bool,
    /// Has a plain interval been drawn yet?
    settled: bool,
}

impl Schedule {
    /// First due within the fast interval, at a time `draw` decides: endpoints come by the set.
    pub(crate) fn new(policy: ProbePolicy, busy: bool, now: Nanos, draw: u64) -> Self {
        Self {
            policy,
            due: now.after(scaled(policy.fast_interval, unit(draw))),
            sent: now,
            flying: false,
            found: None,
            against: 0,
            busy,
            idle: false,
            settled: false,
        }
    }

    /// From when on it may be probed; never while a probe is on its way.
    pub(crate) const fn due(&self) -> Nanos {
        if self.flying { Nanos::MAX } else { self.due }
    }

    /// Is a probe on its way?
    pub(crate) const fn flying(&self) -> bool {
        self.flying
    }

    /// A probe goes out.
    pub(crate) const fn sent(&mut self, now: Nanos) {
        self.flying = true;
        self.sent = now;
    }

    /// The probe that went out last is back, or was given up.
    pub(crate) fn result(&mut self, now: Nanos, sign: Sign, draw: u64) -> Option<Edge> {
        if !std::mem::replace(&mut self.flying, false) {
            return None;
        }
        // The timeout itself came as late again as it is long: we were paused, and the endpoint is not to blame.
        let paused = now.since(self.sent) > self.policy.timeout.saturating_mul(2);
        let edge = match sign {
            Sign::Good => self.take(Edge::Up, self.policy.rise),
            Sign::Bad if !paused => self.take(Edge::Down, self.policy.fall),
            Sign::Bad | Sign::Silent => None,
        };
        self.due = self.next(draw).max(now);
        edge
    }

    /// Calls fail: probe at once, yet no sooner after the last probe than the fast interval.
    pub(crate) fn hint(&mut self, now: Nanos) {
        let soon = self.sent.after(self.policy.fast_interval).max(now);
        // An endpoint that was never probed keeps its first date, which is within the fast interval.
        if soon < self.due {
            self.due = soon;
            self.idle = false;
        }
    }

    /// Somebody calls the destination, or nobody does any more.
    pub(crate) fn traffic(&mut self, now: Nanos, busy: bool) {
        if busy && !self.busy && self.idle && self.due > now {
            // What was left of the long interval shrinks to the same share of the short one: endpoints stay spread.
            let share =
                self.policy.interval.as_secs_f64() / self.policy.idle_interval.as_secs_f64();
            self.due = now.after(scaled(self.due.since(now), share));
            self.idle = false;
        }
        self.busy = busy;
    }

    /// Takes a result that speaks for `edge` into account, which `enough` of them in a row bring about.
    fn take(&mut self, edge: Edge, enough: u32) -> Option<Edge> {
        if self.found == Some(edge) {
            self.against = 0;
            return None;
        }
        self.against = self.against.saturating_add(1);
        // unknown => Up: the first good probe of all. Up => Down, Down => Up, unknown => Down: enough in a row.
        let first = self.found.is_none() && edge == Edge::Up;
        if !first && self.against < enough {
            return None;
        }
        self.against = 0;
        self.found = Some(edge);
        Some(edge)
    }

    /// Counted from when the last one was sent, so that slow answers do not stretch the interval.
    fn next(&mut self, draw: u64) -> Nanos {
        self.idle = self.against == 0 && !self.busy;
        let span = match self {
            Self { against: 1.., .. } => self.policy.fast_interval,
            Self { busy: true, .. } => self.policy.interval,
            _ => self.policy.idle_interval,
        };
        // The first plain interval is drawn from its whole length: clients that start together are spread evenly at
        // once, where jitter alone would take half a minute.
        let share = if self.against == 0 && !std::mem::replace(&mut self.settled, true) {
            unit(draw)
        } else {
            1.0 + self.policy.jitter.as_f64() * (2.0 * unit(draw) - 1.0)
        };
        self.sent.after(scaled(span, share))
    }
}

/// A share of a span. The conversions saturate, and make nothing of what is no number.
fn scaled(span: Duration, share: f64) -> Duration {
    Duration::from_nanos((span.as_nanos() as f64 * share) as u64)
}

#[cfg(test)]
mod tests;
