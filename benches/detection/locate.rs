//! Is the culprit named? Calls with labels to a set in three zones, two versions and ten routes, of which one part fails.
//!
//! For each fault a fresh set: it learns what is usual from healthy calls, then the fault begins, and after so many
//! calls somebody asks where the fault is that shows in the calls since. Alarms are noted and not acted on
//! (`enforce = "off"`), so that all of those calls are made.

use std::{collections::HashMap, time::Duration};

use buttress::{Cause, Destination, Endpoint, Enforce, Labels, Nanos, Outcome, Place, Vitals};
use buttress_core::Rules;
use fastrand::Rng;

use crate::{draws::Plan, figure::Figure, policy, report::Report};

const ENDPOINTS: usize = 8;
const ZONES: [&str; ENDPOINTS] = ["a", "a", "a", "b", "b", "b", "c", "c"];
/// One version is a canary's, on two endpoints.
const VERSIONS: [&str; ENDPOINTS] = ["v1", "v1", "v1", "v1", "v2", "v1", "v1", "v2"];
/// Routes by popularity: each is asked for as often as its place says, the second half as often as the first (Zipf).
const ROUTES: [&str; 10] = ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9"];

/// Healthy calls from which the usual rate is learned.
const WARM_UP: u64 = 20_000;

/// Calls under the fault, of which one in five fails where the fault is.
const CALLS: u64 = 500;
const FAILING: f64 = 0.2;

/// Faults of each kind.
const RUNS: f64 = 500.0;

/// From this probability on it is sure.
const SURE: f64 = 0.9;

/// Which part fails: all calls that match.
#[derive(Clone, Copy, Default)]
struct Fault {
    endpoint: Option<usize>,
    zone: Option<&'static str>,
    version: Option<&'static str>,
    route: Option<usize>,
}

const NOWHERE: Fault = Fault {
    endpoint: None,
    zone: None,
    version: None,
    route: None,
};

const KINDS: [(&str, Fault); 8] = [
    (
        "endpoint",
        Fault {
            endpoint: Some(2),
            ..NOWHERE
        },
    ),
    (
        "canary_endpoint",
        Fault {
            endpoint: Some(7),
            ..NOWHERE
        },
    ),
    (
        "zone",
        Fault {
            zone: Some("b"),
            ..NOWHERE
        },
    ),
    (
        "version",
        Fault {
            version: Some("v2"),
            ..NOWHERE
        },
    ),
    (
        "route",
        Fault {
            route: Some(1),
            ..NOWHERE
        },
    ),
    (
        "route_endpoint",
        Fault {
            route: Some(0),
            endpoint: Some(5),
            ..NOWHERE
        },
    ),
    (
        "route_version",
        Fault {
            route: Some(0),
            version: Some("v2"),
            ..NOWHERE
        },
    ),
    ("everything", NOWHERE),
];

#[derive(Clone, Copy, Default)]
struct Found {
    runs: u64,
    right: u64,
    sure: u64,
    sure_and_right: u64,
    naively_right: u64,
    /// Sum of the rates that were taken for usual.
    usual: f64,
}

impl Found {
    fn plus(self, other: Self) -> Self {
        Self {
            runs: self.runs + other.runs,
            right: self.right + other.right,
            sure: self.sure + other.sure,
            sure_and_right: self.sure_and_right + other.sure_and_right,
            naively_right: self.naively_right + other.naively_right,
            usual: self.usual + other.usual,
        }
    }

    const fn calls(self) -> u64 {
        self.runs * (WARM_UP + CALLS)
    }
}

pub(crate) fn measure(report: &mut Report, plan: Plan) -> Result<(), String> {
    let rules = Rules {
        enforce: Enforce::OFF,
        ..policy::rules()
    };
    for (suffix, base) in [("", 0.002), ("_base1", 0.01)] {
        let mut all = Found::default();
        for (name, fault) in KINDS {
            let key = format!("locate.kind{suffix}.{name}");
            let runs = plan.each(RUNS);
            let streams = plan.streams(&key, |random| {
                (0..runs).try_fold(Found::default(), |sum, _| {
                    Ok::<_, String>(sum.plus(one(&rules, fault, base, random)?))
                })
            });
            let streams = streams.into_iter().collect::<Result<Vec<_>, _>>()?;
            let found = streams.into_iter().fold(Found::default(), Found::plus);
            report.add(&key, Figure::share(found.right, found.runs, found.calls()));
            all = all.plus(found);
        }
        for (name, hits, runs) in [
            ("locate.top1", all.right, all.runs),
            ("locate.calibration", all.sure_and_right, all.sure),
            ("locate.sure", all.sure, all.runs),
            ("control.max_rate.top1", all.naively_right, all.runs),
        ] {
            let share = Figure::share(hits, runs, all.calls());
            report.add(&format!("{name}{suffix}"), share);
        }
        let usual = Figure {
            runs: Some(all.runs),
            calls: all.calls(),
            ..Figure::exact(all.usual / all.runs as f64)
        };
        report.add(&format!("locate.usual{suffix}"), Some(usual));
    }
    Ok(())
}

/// One fault from its beginning to the answer.
fn one(rules: &Rules, fault: Fault, base: f64, random: &mut Rng) -> Result<Found, String> {
    let mut set = Set::new(rules, random)?;
    set.calls(WARM_UP, None, base, random);
    // By then what was seen last is believed.
    set.quiet(Duration::from_secs(3));
    let since = set.now;
    let naive = set.calls(CALLS, Some(fault), base, random);
    let verdict = set.destination.diagnose(since, set.now);
    let verdict = verdict.ok_or("there were calls, and no verdict on them")?;
    let truth = fault.place(&set.endpoints);
    let right = verdict.place == truth;
    let sure = verdict.probability > SURE;
    Ok(Found {
        runs: 1,
        right: right.into(),
        sure: sure.into(),
        sure_and_right: (right && sure).into(),
        naively_right: (naive == Some(truth)).into(),
        usual: verdict.usual,
    })
}

impl Fault {
    fn covers(&self, endpoint: usize, route: usize) -> bool {
        self.endpoint.is_none_or(|one| one == endpoint)
            && self.zone.is_none_or(|zone| zone == ZONES[endpoint])
            && self.version.is_none_or(|one| one == VERSIONS[endpoint])
            && self.route.is_none_or(|one| one == route)
    }

    /// What a verdict is to say.
    fn place(&self, endpoints: &[Endpoint]) -> Place {
        let with = match *self {
            Self {
                endpoint: Some(one),
                ..
            } => Some(Place::Endpoint(endpoints[one].address().into())),
            Self {
                zone: Some(zone), ..
            } => Some(Place::Zone(zone.into())),
            Self {
                version: Some(one), ..
            } => Some(Place::Version(one.into())),
            _ => None,
        };
        match (self.route, with) {
            (None, None) => Place::Everything,
            (None, Some(with)) => with,
            (Some(route), None) => Place::Route(ROUTES[route].into()),
            (Some(route), Some(with)) => Place::Pair {
                route: ROUTES[route].into(),
                with: Box::new(with),
            },
        }
    }
}

struct Set {
    destination: Destination,
    endpoints: Vec<Endpoint>,
    vitals: Vec<Vitals>,
    now: Nanos,
    ticked: Nanos,
}

impl Set {
    fn new(rules: &Rules, random: &mut Rng) -> Result<Self, String> {
        let destination = policy::destination(rules, random.u64(..));
        let endpoint = |index: usize| {
            let endpoint = Endpoint::new(format!("10.0.0.{index}:80"));
            let endpoint = endpoint.map_err(|error| error.to_string())?;
            Ok::<_, String>(endpoint.zone(ZONES[index]).version(VERSIONS[index]))
        };
        let endpoints = (0..ENDPOINTS)
            .map(endpoint)
            .collect::<Result<Vec<_>, _>>()?;
        let now = Nanos::ZERO.after(Duration::from_secs(1));
        let vitals = endpoints
            .iter()
            .map(|one| destination.endpoint(one.clone()));
        Ok(Self {
            vitals: vitals.collect(),
            destination,
            endpoints,
            now,
            ticked: Nanos::ZERO,
        })
    }

    /// Calls, 100 a second. Gives the label with the highest rate of failures among those with ten calls and more.
    fn calls(
        &mut self,
        calls: u64,
        fault: Option<Fault>,
        base: f64,
        random: &mut Rng,
    ) -> Option<Place> {
        let mut counts: HashMap<Place, (u32, u32)> = HashMap::new();
        for _ in 0..calls {
            self.quiet(Duration::from_millis(10));
            let (endpoint, route) = (random.usize(..ENDPOINTS), popular(random));
            let vitals = &self.vitals[endpoint];
            let Ok(mut permit) = vitals.permit(self.now) else {
                continue;
            };
            vitals.label(&mut permit, Labels::none().route(ROUTES[route]));
            let faulty = fault.is_some_and(|fault| fault.covers(endpoint, route));
            let failed = random.f64() < if faulty { FAILING } else { base };
            let outcome = if failed {
                Outcome::Failure(Cause::Error)
            } else {
                Outcome::Success
            };
            vitals.record(permit, self.now.after(Duration::from_millis(1)), outcome);
            if fault.is_some() {
                let labels = [
                    Place::Endpoint(self.endpoints[endpoint].address().into()),
                    Place::Zone(ZONES[endpoint].into()),
                    Place::Version(VERSIONS[endpoint].into()),
                    Place::Route(ROUTES[route].into()),
                ];
                for label in labels {
                    let (failures, calls) = counts.entry(label).or_default();
                    *failures += u32::from(failed);
                    *calls += 1;
                }
            }
        }
        let rate = |(failures, calls): &(u32, u32)| f64::from(*failures) / f64::from(*calls);
        let known = counts.into_iter().filter(|(_, (_, calls))| *calls >= 10);
        let worst = known.max_by(|(_, one), (_, other)| rate(one).total_cmp(&rate(other)));
        worst.map(|(label, _)| label)
    }

    /// Time passes, and every second somebody looks after the set.
    fn quiet(&mut self, span: Duration) {
        self.now = self.now.after(span);
        if self.now.since(self.ticked) >= Duration::from_secs(1) {
            self.ticked = self.now;
            let _ = self.destination.tick(self.now);
        }
    }
}

fn popular(random: &mut Rng) -> usize {
    let all: f64 = (1..=ROUTES.len()).map(|place| 1.0 / place as f64).sum();
    let mut draw = random.f64() * all;
    let found = (0..ROUTES.len()).find(|index| {
        draw -= 1.0 / (index + 1) as f64;
        draw < 0.0
    });
    found.unwrap_or(0)
}
