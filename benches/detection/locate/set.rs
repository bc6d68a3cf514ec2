//! A set in three zones, two versions and ten routes, and its calls.

use std::{collections::HashMap, time::Duration};

use buttress::{Cause, Destination, Endpoint, Labels, Nanos, Outcome, Place, Vitals};
use buttress_core::Rules;
use fastrand::Rng;

use super::fault::Fault;
use crate::policy;

const ENDPOINTS: usize = 8;
pub(super) const ZONES: [&str; ENDPOINTS] = ["a", "a", "a", "b", "b", "b", "c", "c"];
/// One version is a canary's, on two endpoints.
pub(super) const VERSIONS: [&str; ENDPOINTS] = ["v1", "v1", "v1", "v1", "v2", "v1", "v1", "v2"];
/// Routes by popularity: each is asked for as often as its place says, the second half as often as the first (Zipf).
pub(super) const ROUTES: [&str; 10] = ["/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9"];

/// The share of calls that fails where the fault is.
const FAILING: f64 = 0.2;

pub(super) struct Set {
    pub(super) destination: Destination,
    pub(super) endpoints: Vec<Endpoint>,
    vitals: Vec<Vitals>,
    pub(super) now: Nanos,
    ticked: Nanos,
}

impl Set {
    pub(super) fn new(rules: &Rules, random: &mut Rng) -> Result<Self, String> {
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
    pub(super) fn calls(
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
    pub(super) fn quiet(&mut self, span: Duration) {
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
