//! From the mix of evidence at a place to the sort of fault.

use std::{fmt, time::Duration};

use super::{place::Place, record::Ending};
use crate::Cause;

/// What sort of fault it is, as far as one client can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum FaultKind {
    /// Connections are refused or broken: the process is down.
    Crash,
    /// Calls are taken and not answered: a deadlock, a pause, a lost network path.
    Hang,
    /// Answers come, but late: too much load, or something slow behind it.
    Slow,
    /// It answers that it has too much to do.
    Overload,
    /// One route or method fails wherever it is called: a bug, or a bad dependency of its own.
    RouteBug,
    /// It fails with a version, or since one was rolled out.
    Release,
    /// Everything fails, and it is not us: the network, or something that all endpoints share.
    CommonCause,
    /// Probes find it well while calls fail.
    Grey,
    /// This process was stalled: what it missed says nothing of others.
    Ourselves,
    /// It answers with errors.
    Errors,
}

/// What the calls at a place ended as, and what else is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Evidence {
    /// Failures by cause, in the order of [`Cause::ALL`].
    pub(crate) causes: [u64; 8],
    /// Calls given up, or grown too old.
    pub(crate) late: u64,
    /// Answers that it has too much to do.
    pub(crate) overloads: u64,
    /// How many times as long as usual its answers take, if it answers.
    pub(crate) slowdown: Option<f64>,
    /// Did our own timers run late at the time?
    pub(crate) stalled: bool,
    /// Do probes find it well?
    pub(crate) probes_well: bool,
    /// How long before the trouble its version changed, if it did.
    pub(crate) released: Option<Duration>,
}

const _: () = assert!(Cause::ALL.len() == 8);

/// From this factor on answers count as slow: below it lie the ordinary swings of a day.
const SLOW: f64 = 2.0;

/// A release is suspect for this long: caches fill and leaks show within a minute, most bugs at once.
const SUSPECT: Duration = Duration::from_secs(60);

impl Evidence {
    /// Counts one call.
    pub(crate) const fn add(&mut self, ending: Ending) {
        let count = match ending {
            Ending::Failure(cause) => &mut self.causes[cause.index()],
            Ending::Late => &mut self.late,
            Ending::Overload => &mut self.overloads,
            Ending::Success | Ending::CallerFault => return,
        };
        *count = count.saturating_add(1);
    }

    /// What sort of fault this speaks for at `place`. The first rule that fits decides: who, then since when, then how.
    pub(crate) fn kind(&self, place: &Place) -> FaultKind {
        let version = match place {
            Place::Ourselves => return FaultKind::Ourselves,
            Place::Version(_) => true,
            Place::Pair { with, .. } => matches!(**with, Place::Version(_)),
            _ => false,
        };
        if version || self.released.is_some_and(|before| before <= SUSPECT) {
            return FaultKind::Release;
        }
        let failures = self.failures();
        if self.overloads > failures {
            return FaultKind::Overload;
        }
        match place {
            Place::Route(_) | Place::Method(_) | Place::Pair { .. } => FaultKind::RouteBug,
            Place::Everything => FaultKind::CommonCause,
            _ if self.probes_well => FaultKind::Grey,
            _ => self.manner(failures),
        }
    }

    /// How the calls of an endpoint or a zone fail.
    fn manner(&self, failures: u64) -> FaultKind {
        let slow = self.slowdown.is_some_and(|factor| factor >= SLOW);
        let of = |cause: Cause| self.causes[cause.index()];
        let most = |count: u64| count > 0 && count >= failures - count.min(failures);
        let broken = of(Cause::Connect).saturating_add(of(Cause::Reset));
        let unanswered = of(Cause::Timeout).saturating_add(self.late);
        if most(broken) {
            FaultKind::Crash
        } else if most(of(Cause::RemoteTimeout)) || slow && (failures == 0 || most(unanswered)) {
            FaultKind::Slow
        } else if most(unanswered) {
            FaultKind::Hang
        } else {
            FaultKind::Errors
        }
    }

    fn failures(&self) -> u64 {
        self.causes
            .iter()
            .fold(self.late, |sum, count| sum.saturating_add(*count))
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crash => "crash",
            Self::Hang => "hang",
            Self::Slow => "slow answers",
            Self::Overload => "overload",
            Self::RouteBug => "a bug or a bad dependency of the route",
            Self::Release => "suspect release",
            Self::CommonCause => "a cause that all share",
            Self::Grey => "grey failure: probes find it well",
            Self::Ourselves => "stalled",
            Self::Errors => "errors",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Place {
        Place::Endpoint("a:80".into())
    }

    fn of(endings: &[(Ending, usize)]) -> Evidence {
        let mut evidence = Evidence::default();
        for (ending, times) in endings {
            (0..*times).for_each(|_| evidence.add(*ending));
        }
        evidence
    }

    #[test]
    fn an_endpoints_fault_is_told_from_how_its_calls_fail() {
        use Ending::{Failure, Late, Overload, Success};
        for (endings, expected) in [
            (&[(Failure(Cause::Connect), 3)][..], FaultKind::Crash),
            (
                &[(Failure(Cause::Reset), 2), (Failure(Cause::Error), 1)],
                FaultKind::Crash,
            ),
            (
                &[
                    (Late, 4),
                    (Failure(Cause::Timeout), 2),
                    (Failure(Cause::Reset), 1),
                ],
                FaultKind::Hang,
            ),
            (&[(Failure(Cause::RemoteTimeout), 3)], FaultKind::Slow),
            (&[(Failure(Cause::Error), 5), (Late, 2)], FaultKind::Errors),
            (&[(Failure(Cause::Protocol), 1)], FaultKind::Errors),
            (
                &[(Overload, 5), (Failure(Cause::Error), 2)],
                FaultKind::Overload,
            ),
            (
                &[(Overload, 2), (Failure(Cause::Error), 5)],
                FaultKind::Errors,
            ),
            (&[(Success, 5)], FaultKind::Errors),
        ] {
            assert_eq!(of(endings).kind(&endpoint()), expected, "{endings:?}");
        }
    }

    #[test]
    fn late_answers_that_still_come_are_slow_and_no_hang() {
        let late = of(&[(Ending::Late, 9)]);
        let with = |slowdown| {
            Evidence {
                slowdown: Some(slowdown),
                ..late
            }
            .kind(&endpoint())
        };
        assert_eq!(
            (with(10.0), with(1.1), with(f64::NAN)),
            (FaultKind::Slow, FaultKind::Hang, FaultKind::Hang)
        );
        let healthy = Evidence {
            slowdown: Some(3.0),
            ..Evidence::default()
        };
        assert_eq!(healthy.kind(&endpoint()), FaultKind::Slow);
    }

    #[test]
    fn the_place_and_what_is_known_of_it_come_before_the_manner() {
        let errors = of(&[(Ending::Failure(Cause::Error), 9)]);
        let pair = |with: Place| Place::Pair {
            route: "/a".into(),
            with: Box::new(with),
        };
        for (place, expected) in [
            (Place::Everything, FaultKind::CommonCause),
            (Place::Ourselves, FaultKind::Ourselves),
            (Place::Zone("z".into()), FaultKind::Errors),
            (Place::Version("2".into()), FaultKind::Release),
            (Place::Route("/a".into()), FaultKind::RouteBug),
            (Place::Method("GET".into()), FaultKind::RouteBug),
            (pair(Place::Version("2".into())), FaultKind::Release),
            (pair(endpoint()), FaultKind::RouteBug),
        ] {
            assert_eq!(errors.kind(&place), expected, "{place}");
        }
        let grey = Evidence {
            probes_well: true,
            ..errors
        };
        assert_eq!(grey.kind(&endpoint()), FaultKind::Grey);
        assert_eq!(grey.kind(&Place::Route("/a".into())), FaultKind::RouteBug);
        let released = |seconds| Evidence {
            released: Some(Duration::from_secs(seconds)),
            ..errors
        };
        assert_eq!(released(60).kind(&endpoint()), FaultKind::Release);
        assert_eq!(released(61).kind(&endpoint()), FaultKind::Errors);
    }

    #[test]
    fn no_count_makes_it_panic() {
        let full = Evidence {
            causes: [u64::MAX; 8],
            late: u64::MAX,
            overloads: u64::MAX,
            ..Evidence::default()
        };
        let mut more = full;
        more.add(Ending::Late);
        assert_eq!(more, full);
        let _ = full.kind(&endpoint());
    }
}
