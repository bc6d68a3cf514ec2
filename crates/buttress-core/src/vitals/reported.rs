//! What is said of it by whoever runs it, and need not be found out from calls.

use std::time::Duration;

use super::{Vitals, signs::Signs};
use crate::{Cause, EventKind, Nanos, Outcome, sync::Arc};

/// For whoever runs a service or keeps a connection, and knows at once when it is away.
///
/// ```
/// use std::time::Duration;
/// use buttress_core::{Cause, Clock, Host, Nanos, Outcome, Rules, Vitals};
///
/// let vitals = Vitals::new("poller", &Rules::default(), &Host::new(Clock(|| Nanos::ZERO)));
/// let at = |seconds| Nanos::ZERO.after(Duration::from_secs(seconds));
/// vitals.began();
/// vitals.ended(Outcome::Failure(Cause::Panic));
/// vitals.broke(at(60), at(60), Cause::Panic, "index out of bounds".into(), Duration::from_secs(1));
/// vitals.began();
/// vitals.restored(at(61), at(62));
///
/// let figures = vitals.snapshot(at(62)).reliability.unwrap();
/// assert_eq!(figures.mtbf, Some(Duration::from_secs(61)));
/// assert_eq!(figures.mttr, Some(Duration::from_secs(1)));
/// ```
impl Vitals {
    /// A run began, or an attempt to connect.
    pub fn began(&self) {
        self.0.mine().shard().counters.started();
    }

    /// What [`began`](Self::began) ended with.
    pub fn ended(&self, outcome: Outcome) {
        self.0.mine().shard().counters.finished(outcome);
    }

    /// It is away since `since`, of `cause` and in the words of `why`, and is not to be asked for before `wait` is over. While
    /// it is away already, the outage goes on.
    pub fn broke(&self, since: Nanos, now: Nanos, cause: Cause, why: Arc<str>, wait: Duration) {
        let state = self.known();
        state.update(|signs| signs.broke(since, now, cause, now.after(wait)));
        state.say(now, EventKind::Failed { why, wait });
    }

    /// It answers again, which proves little.
    pub fn repaired(&self, now: Nanos) {
        self.known().update(|signs| {
            if let Some(ledger) = &mut signs.ledger {
                ledger.repaired(now);
            }
        });
    }

    /// It is back since `since`, and has proven it by `now`.
    pub fn restored(&self, since: Nanos, now: Nanos) {
        let state = self.known();
        state.update(|signs| signs.reset(since));
        state.say(now, EventKind::Closed);
    }

    /// It comes back from an outage that calls could not see: they return by degrees. One whose breaker is at work already
    /// goes that way anyhow.
    pub fn reenters(&self, now: Nanos) {
        let state = self.known();
        let ramps = state.update(|signs| {
            let well = !signs.breaker.is_down();
            if well {
                signs.join(now);
            }
            well && signs.breaker.is_down()
        });
        if ramps {
            state.say(now, EventKind::Ramping);
        }
    }

    /// Tells `kind` of it.
    pub fn tell(&self, at: Nanos, kind: EventKind) {
        self.known().say(at, kind);
    }
}

impl Signs {
    fn broke(&mut self, since: Nanos, now: Nanos, cause: Cause, until: Nanos) {
        if let Some(ledger) = self.ledger() {
            ledger.failure(cause);
            if ledger.is_open() {
                ledger.relapsed();
            } else {
                ledger.broke(since, now);
            }
            ledger.waits(until.since(now));
        }
        self.breaker.away(until);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{BreakerState, Clock, Health, Host, Parts, Rules, Snapshot};

    fn at(seconds: u64) -> Nanos {
        Nanos::ZERO.after(Duration::from_secs(seconds))
    }

    fn vitals() -> Vitals {
        Vitals::new(
            "poller",
            &Rules::default(),
            &Host::new(Clock(|| Nanos::ZERO)),
        )
    }

    fn broke(vitals: &Vitals, seconds: u64) {
        let wait = Duration::from_secs(1);
        vitals.broke(at(seconds), at(seconds), Cause::Panic, "why".into(), wait);
    }

    fn shot(vitals: &Vitals, seconds: u64) -> Snapshot {
        vitals.snapshot(at(seconds))
    }

    #[test]
    fn what_is_reported_away_is_down_until_it_is_reported_back() {
        let vitals = vitals();
        broke(&vitals, 10);
        let away = shot(&vitals, 11);
        assert_eq!(
            (away.health, away.state),
            (Health::Down, BreakerState::Open)
        );
        assert_eq!(vitals.due(at(10)), at(11));
        vitals.restored(at(12), at(13));
        let back = shot(&vitals, 22);
        assert_eq!(
            (back.health, back.state),
            (Health::Healthy, BreakerState::Closed)
        );
        let figures = back.reliability.unwrap();
        assert_eq!(figures.mtbf, Some(Duration::from_secs(20)));
        assert_eq!(figures.mttr, Some(Duration::from_secs(2)));
    }

    #[test]
    fn an_outage_goes_on_through_every_failed_return() {
        let vitals = vitals();
        for seconds in 10..15 {
            broke(&vitals, seconds);
            vitals.repaired(at(seconds));
        }
        vitals.restored(at(15), at(15));
        let [episode] = &shot(&vitals, 20).episodes[..] else {
            panic!("one outage");
        };
        assert_eq!(episode.lasted(at(20)), Duration::from_secs(5));
        assert_eq!(episode.causes.of(Cause::Panic), 5);
        assert_eq!(episode.repaired, Some(at(14)));
    }

    #[test]
    fn what_began_and_ended_is_counted() {
        let vitals = vitals();
        vitals.began();
        vitals.ended(Outcome::Failure(Cause::Panic));
        vitals.began();
        let counts = shot(&vitals, 0).counts;
        assert_eq!((counts.started, counts.in_flight()), (2, 1));
        assert_eq!(counts.failures.of(Cause::Panic), 1);
    }

    #[test]
    fn re_enters_by_degrees_where_a_breaker_is_at_work() {
        let ramps = vitals();
        ramps.reenters(at(1));
        assert_eq!(ramps.state(), BreakerState::Ramping);
        // Away, it goes the way of its own breaker.
        let away = vitals();
        broke(&away, 1);
        away.reenters(at(1));
        assert_eq!(away.state(), BreakerState::Open);
        let rules = Rules {
            parts: Parts {
                breaker: false,
                ..Parts::default()
            },
            ..Rules::default()
        };
        let unguarded = Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
        unguarded.reenters(at(1));
        assert_eq!(unguarded.state(), BreakerState::Closed);
    }
}
