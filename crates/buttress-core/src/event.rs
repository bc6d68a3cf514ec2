//! What operators are told.

use std::{collections::VecDeque, fmt, time::Duration};

use crate::{
    Force, Hold, Nanos, Ratio, Rule, Verdict,
    sync::{Arc, Mutex, Weak, lock},
};

/// Something that changed, worth telling.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Event {
    /// When, by the clock of the layers.
    pub at: Nanos,
    /// Under which policy.
    pub policy: Arc<str>,
    /// Of which endpoint, where there are several.
    pub endpoint: Option<Arc<str>>,
    /// What.
    pub kind: EventKind,
}

/// What changed.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum EventKind {
    /// It failed: calls stop for `wait`, or go on where no breaker acts.
    Opened {
        /// Until the first probe.
        wait: Duration,
        /// When the trouble began, as far as the evidence tells.
        since: Nanos,
        /// Which rule says so.
        by: Rule,
    },
    /// We ourselves were asleep for so long: nobody is blamed for that time. Said of no endpoint.
    Asleep(Duration),
    /// So few of a set take calls that its health no longer says whom to ask. Said of no endpoint.
    Panic {
        /// How many take calls.
        usable: usize,
        /// Of how many.
        known: usize,
    },
    /// Enough of the set take calls again. Said of no endpoint.
    PanicOver,
    /// Probes find it well while calls fail (grey failure): calls are believed.
    Grey,
    /// Its probes fail while calls go well: calls are believed.
    ProbesDisagree,
    /// The whole set fails more often than is tolerable: while it does, no endpoint's fault is told from it. Said of no
    /// endpoint.
    Intolerable {
        /// The share of calls that fail.
        failing: Ratio,
        /// What to declare as tolerable, if this is how it is to be.
        declare: Ratio,
    },
    /// There is enough evidence against it, and it is not acted on.
    Held(Hold),
    /// Where the fault is, as far as the calls tell; said again when more of them have made it surer, or another.
    Diagnosed(Arc<Verdict>),
    /// Somebody has taken it in hand, or let it go.
    Forced(Option<Force>),
    /// Somebody has said that what was known against it is to be forgotten.
    Reset,
    /// There were more keys than are kept apart: so many were forgotten since this was last said, a minute ago or longer.
    /// Said of no key.
    Forgotten(u64),
    /// A probe failed: calls stay stopped for `wait` more.
    Reopened {
        /// Until the next probe.
        wait: Duration,
    },
    /// Single probes go out.
    Probing,
    /// The first good probe of a recovery.
    FirstGood,
    /// It has passed its test: calls come back by degrees.
    Ramping,
    /// Well again: calls flow.
    Closed,
    /// A service that we run ended in failure, or a connection broke or could not be made.
    Failed {
        /// In its own words, as far as they may be told.
        why: Arc<str>,
        /// Until it is tried again; nothing where it is tried at once, or no more.
        wait: Duration,
    },
    /// A service that we run has failed too often of late: it is run no more.
    GaveUp {
        /// Restarts that did not help.
        restarts: u32,
    },
    /// A service that we run did not stop in time, and was aborted.
    Aborted,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened { wait, by, .. } => {
                f.write_str("down")?;
                if *by != Rule::Health {
                    write!(f, " by its {}", by.name())?;
                }
                if wait.is_zero() {
                    return Ok(());
                }
                write!(f, ", stopped for {wait:.1?}")
            }
            Self::Asleep(pause) => write!(f, "we were asleep for {pause:.1?}: nobody is blamed"),
            Self::Panic { usable, known } => {
                write!(f, "panic: only {usable} of {known} endpoints take calls")
            }
            Self::Intolerable { failing, declare } => write!(
                f,
                "{:.1} % of all calls fail, more than is tolerable; if that is usual, declare tolerable = {}",
                failing.as_f64() * 100.0,
                declare.as_f64()
            ),
            Self::PanicOver => f.write_str("panic is over"),
            Self::Grey => f.write_str("grey failure: probes find it well while calls fail"),
            Self::ProbesDisagree => f.write_str("probes fail while calls go well"),
            Self::Diagnosed(verdict) => verdict.fmt(f),
            Self::Forced(Some(force)) => write!(f, "{force}, by hand"),
            Self::Forced(None) => f.write_str("no longer by hand"),
            Self::Reset => f.write_str("reset by hand"),
            Self::Forgotten(1) => {
                f.write_str("one key forgotten, for there are more than are kept apart")
            }
            Self::Forgotten(keys) => write!(
                f,
                "{keys} keys forgotten, for there are more than are kept apart"
            ),
            Self::Held(Hold::ByHand) => f.write_str("ill, and by hand nothing is done"),
            Self::Held(Hold::DryRun(rule)) => {
                write!(f, "ill by its {}, which is only noted down", rule.name())
            }
            Self::Held(Hold::Ourselves) => f.write_str("looks ill, but we were asleep"),
            Self::Held(Hold::Route) => {
                f.write_str("fails on one route, which is no endpoint's fault")
            }
            Self::Held(Hold::CommonCause) => {
                f.write_str("ill with most of its set: a common cause, nobody is ejected")
            }
            Self::Held(Hold::Peers) => f.write_str("ill, but no more than its peers"),
            Self::Held(Hold::Cap) => f.write_str("ill, but as many of its set are out as may be"),
            Self::Reopened { wait } => write!(f, "probe failed, stopped for {wait:.1?} more"),
            Self::Probing => f.write_str("probing"),
            Self::FirstGood => f.write_str("first good probe"),
            Self::Ramping => f.write_str("passed its test, calls come back by degrees"),
            Self::Closed => f.write_str("restored"),
            Self::Failed { why, wait } if wait.is_zero() => write!(f, "failed: {why}"),
            Self::Failed { why, wait } => write!(f, "failed, again in {wait:.1?}: {why}"),
            Self::GaveUp { restarts } => write!(f, "given up after {restarts} restarts"),
            Self::Aborted => f.write_str("did not stop in time, aborted"),
        }
    }
}

/// The last events, for whoever comes to read them. Bounded, and never waited for.
#[derive(Debug)]
pub struct Events {
    log: Mutex<Log>,
    capacity: usize,
    listener: fn(&Event),
}

#[derive(Debug)]
struct Log {
    recent: VecDeque<Event>,
    /// How many were ever told.
    told: u64,
    /// Who else is told.
    listeners: Vec<Weak<Listener>>,
}

/// Is told of each event as it happens. It must not wait.
type Listener = dyn Fn(&Event) + Send + Sync;

impl Events {
    /// Keeps the last `capacity` events, and hands each to `listener` as it happens.
    #[must_use]
    pub fn new(capacity: usize, listener: fn(&Event)) -> Self {
        Self {
            log: Mutex::new(Log {
                recent: VecDeque::new(),
                told: 0,
                listeners: Vec::new(),
            }),
            capacity,
            listener,
        }
    }

    /// What was told since `cursor`: zero at first, then [`Recent::next`].
    #[must_use]
    pub fn since(&self, cursor: u64) -> Recent {
        let log = lock(&self.log);
        let oldest = log.told - log.recent.len() as u64;
        let skip = usize::try_from(cursor.saturating_sub(oldest)).unwrap_or(usize::MAX);
        Recent {
            events: log.recent.iter().skip(skip).cloned().collect(),
            missed: oldest.saturating_sub(cursor),
            next: log.told,
        }
    }

    /// Tells `listener` of each event from now on, on the thread on which it happens, for as long as somebody holds it.
    pub fn listen(&self, listener: Weak<dyn Fn(&Event) + Send + Sync>) {
        let mut log = lock(&self.log);
        log.listeners.retain(|listener| listener.strong_count() > 0);
        log.listeners.push(listener);
    }

    pub(crate) fn tell(&self, event: Event) {
        (self.listener)(&event);
        let mut log = lock(&self.log);
        let listeners: Vec<_> = log.listeners.iter().filter_map(Weak::upgrade).collect();
        log.told += 1;
        if log.recent.len() >= self.capacity {
            log.recent.pop_front();
        }
        let heard = (!listeners.is_empty()).then(|| event.clone());
        if self.capacity > 0 {
            log.recent.push_back(event);
        }
        drop(log);
        // Outside of the lock: a listener may look at the log.
        if let Some(event) = heard {
            listeners.iter().for_each(|listener| listener(&event));
        }
    }
}

/// The events since a cursor.
#[derive(Clone, Debug)]
pub struct Recent {
    /// In the order they were told.
    pub events: Vec<Event>,
    /// Told since the cursor, but no longer kept.
    pub missed: u64,
    /// The cursor for the next time.
    pub next: u64,
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn event(at: u64) -> Event {
        Event {
            at: Nanos::new(at),
            policy: "p".into(),
            endpoint: None,
            kind: EventKind::Probing,
        }
    }

    #[test]
    fn a_listener_is_told_at_once_for_as_long_as_it_is_held() {
        let events = Events::new(0, |_| {});
        let heard = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&heard);
        let listener: Arc<Listener> =
            Arc::new(move |event: &Event| lock(&into).push(event.at.as_u64()));
        events.listen(Arc::downgrade(&listener));
        events.tell(event(1));
        drop(listener);
        events.tell(event(2));
        assert_eq!(*lock(&heard), [1]);
        events.listen(Weak::<fn(&Event)>::new());
        assert_eq!(lock(&events.log).listeners.len(), 1, "the gone are pruned");
    }

    #[test]
    fn keeps_the_last_ones_and_counts_what_a_slow_reader_missed() {
        let events = Events::new(3, |_| {});
        (0..5).for_each(|at| events.tell(event(at)));
        let recent = events.since(0);
        let at: Vec<u64> = recent
            .events
            .iter()
            .map(|event| event.at.as_u64())
            .collect();
        assert_eq!(
            (at.as_slice(), recent.missed, recent.next),
            ([2, 3, 4].as_slice(), 2, 5)
        );
        events.tell(event(5));
        let recent = events.since(recent.next);
        assert_eq!((recent.events.len(), recent.missed, recent.next), (1, 0, 6));
        assert!(events.since(u64::MAX).events.is_empty());
    }
}
