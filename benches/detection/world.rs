//! Calls that take time, as they come: one service, its clients and whoever looks after it.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use buttress::{BreakerState, Cause, Destination, Nanos, Outcome, Vitals};
use buttress_core::{Permit, Rules};
use fastrand::Rng;

use crate::{
    draws::{exponential, normal},
    policy::{self, TIMEOUT},
};

/// Calls a second, one by one at random (Poisson).
const RATE: f64 = 100.0;

/// What a healthy call takes: lognormal, a median of 10 ms, σ 0.5; one in a thousand takes more than 47 ms.
const MEDIAN: f64 = 0.010;
const SIGMA: f64 = 0.5;

/// What befalls the service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// It answers nothing any more, not even what it was asked before.
    Hang,
    /// Every answer takes ten times as long.
    Slow,
    /// Every call fails within a millisecond.
    Crash,
    /// This share of the calls fails, as slowly as others succeed.
    Failing(f64),
}

/// A call under way, by when it ends.
#[derive(Debug)]
struct Flight {
    permit: Permit,
    outcome: Outcome,
    /// Did it begin under the fault?
    faulty: bool,
}

pub(crate) struct World<'a> {
    pub(crate) vitals: Vitals,
    destination: Destination,
    random: &'a mut Rng,
    /// The share of calls that fails while nothing befalls it.
    base: f64,
    fault: Fault,
    pub(crate) now: Nanos,
    next_call: Nanos,
    next_tick: Option<Nanos>,
    flights: Vec<Option<Flight>>,
    free: Vec<usize>,
    ends: BinaryHeap<Reverse<(Nanos, usize)>>,
    /// Calls made.
    pub(crate) calls: u64,
    /// Calls begun under the fault that have ended.
    pub(crate) ended: u64,
    /// Calls that took longer than they might when they ended.
    pub(crate) late: u64,
}

impl<'a> World<'a> {
    pub(crate) fn new(rules: &Rules, base: f64, random: &'a mut Rng) -> Self {
        let destination = policy::destination(rules, random.u64(..));
        let now = Nanos::ZERO.after(Duration::from_secs(1));
        Self {
            vitals: destination.alone(),
            destination,
            base,
            fault: Fault::None,
            now,
            next_call: now,
            next_tick: None,
            flights: Vec::new(),
            free: Vec::new(),
            ends: BinaryHeap::new(),
            calls: 0,
            ended: 0,
            late: 0,
            random,
        }
    }

    pub(crate) fn closed(&self) -> bool {
        self.vitals.state() == BreakerState::Closed
    }

    /// From which age on a call is late, as far as is known.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.destination.age()
    }

    /// So much time passes without a fault. How often was the breaker not closed that had been?
    pub(crate) fn passes(&mut self, span: Duration) -> u64 {
        let until = self.now.after(span);
        let (mut closed, mut opened) = (self.closed(), 0);
        while self.now < until {
            self.step();
            opened += u64::from(closed && !self.closed());
            closed = self.closed();
        }
        opened
    }

    /// Some time, so that what is to come comes at no special one.
    pub(crate) fn passes_about(&mut self, mean: Duration) -> u64 {
        let span = exponential(self.random, mean.as_secs_f64());
        self.passes(Duration::from_secs_f64(span))
    }

    pub(crate) fn befalls(&mut self, fault: Fault) {
        self.fault = fault;
        self.ended = 0;
        self.flights
            .iter_mut()
            .flatten()
            .for_each(|flight| flight.faulty = false);
        if fault != Fault::Hang {
            return;
        }
        // Whoever waits waits in vain, until the timeout.
        let ends = std::mem::take(&mut self.ends).into_iter();
        let ends = ends.map(|Reverse((_, index))| {
            let now = self.now;
            let end = self.flights[index].as_mut().map_or(now, |flight| {
                flight.outcome = Outcome::Failure(Cause::Timeout);
                flight.permit.started().after(TIMEOUT)
            });
            Reverse((end, index))
        });
        self.ends = ends.collect();
    }

    /// The next thing happens: a call begins, a call ends, or somebody looks after the service.
    pub(crate) fn step(&mut self) {
        let end = self.ends.peek().map(|Reverse((end, _))| *end);
        let end = end.unwrap_or(Nanos::MAX);
        let tick = self.next_tick.unwrap_or(Nanos::MAX);
        if tick <= end && tick <= self.next_call {
            self.now = tick;
            self.next_tick = self.destination.tick(tick);
        } else if end <= self.next_call {
            self.now = end;
            self.end();
        } else {
            self.now = self.next_call;
            let gap = exponential(self.random, 1.0 / RATE);
            self.next_call = self.now.after(Duration::from_secs_f64(gap));
            self.begin();
        }
    }

    fn begin(&mut self) {
        let (took, fails) = self.draw();
        let Ok(permit) = self.vitals.permit(self.now) else {
            return;
        };
        self.calls += 1;
        let outcome = match fails {
            _ if took >= TIMEOUT => Outcome::Failure(Cause::Timeout),
            true => Outcome::Failure(Cause::Error),
            false => Outcome::Success,
        };
        let flight = Flight {
            permit,
            outcome,
            faulty: self.fault != Fault::None,
        };
        let index = self.free.pop().unwrap_or(self.flights.len());
        if index == self.flights.len() {
            self.flights.push(None);
        }
        self.flights[index] = Some(flight);
        let end = self.now.after(took.min(TIMEOUT));
        self.ends.push(Reverse((end, index)));
        if self.next_tick.is_none() {
            // Whoever begins to wait and finds nobody at work sets the timer.
            self.next_tick = self.destination.tick(self.now);
        }
    }

    fn end(&mut self) {
        let Some(Reverse((_, index))) = self.ends.pop() else {
            return;
        };
        self.free.push(index);
        if let Some(flight) = self.flights[index].take() {
            self.ended += u64::from(flight.faulty);
            let took = self.now.since(flight.permit.started());
            self.late += u64::from(self.age().is_some_and(|age| took >= age));
            self.vitals.record(flight.permit, self.now, flight.outcome);
        }
    }

    /// What the next call takes, and whether it fails.
    fn draw(&mut self) -> (Duration, bool) {
        let took = MEDIAN * (SIGMA * normal(self.random)).exp();
        let chance = self.random.f64();
        let (took, fails) = match self.fault {
            Fault::None => (took, chance < self.base),
            Fault::Hang => (f64::INFINITY, false),
            Fault::Slow => (10.0 * took, chance < self.base),
            Fault::Crash => (0.001, true),
            Fault::Failing(share) => (took, chance < share),
        };
        let took = Duration::try_from_secs_f64(took);
        (took.unwrap_or(Duration::MAX), fails)
    }
}
