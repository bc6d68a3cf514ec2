//! What happened at every endpoint since trouble began at one, and what that says.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use super::Shared;
use crate::{
    Cause, Nanos, Sign, Tally, Verdict,
    locate::{Call, Candidate, Dimension, Ending, Evidence, Known, Sample, diagnose, healthy_rate},
    sync::Arc,
    vitals::VitalState,
};

/// Peers that are heard, at most: their word settles it, and reading the calls of thousands would take too long.
const HEARD: usize = 64;

/// Calls of several endpoints since trouble began.
pub(crate) struct Scene<'a> {
    shared: &'a Shared,
    since: Nanos,
    detected: Nanos,
    heard: Vec<Witness<'a>>,
}

/// One endpoint, its labels by number, and its calls.
struct Witness<'a> {
    state: &'a VitalState,
    zone: u16,
    version: u16,
    calls: Vec<Call>,
}

impl<'a> Scene<'a> {
    /// `first` is heard first, and then its peers.
    pub(crate) fn of(
        shared: &'a Shared,
        first: Option<&'a VitalState>,
        members: &'a [Arc<VitalState>],
        since: Nanos,
        now: Nanos,
    ) -> Self {
        let peers = members
            .iter()
            .map(|member| &**member)
            .filter(|member| first.is_none_or(|first| !std::ptr::eq(*member, first)));
        let (mut zones, mut versions) = (Numbers::default(), Numbers::default());
        let heard = first.into_iter().chain(peers.take(HEARD)).map(|state| {
            let endpoint = state.endpoint();
            Witness {
                state,
                zone: zones.number(endpoint.and_then(|endpoint| endpoint.in_zone())),
                version: versions.number(endpoint.and_then(|endpoint| endpoint.of_version())),
                calls: state
                    .recorded()
                    .filter(|call| call.began_since(since, now))
                    .collect(),
            }
        });
        Self {
            shared,
            since,
            detected: now,
            heard: heard.collect(),
        }
    }

    /// What was noticed at `detected`, on what has come since.
    pub(crate) const fn noticed(mut self, detected: Nanos) -> Self {
        self.detected = detected;
        self
    }

    /// Failed calls out of calls, by endpoint.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        let tally = |witness: &Witness<'_>| {
            let calls = witness.calls.iter();
            calls.fold(Tally::default(), |sum, call| sum.plus(one(call)))
        };
        self.heard.iter().map(tally).collect()
    }

    /// Does the first still answer in time now and then, and was the rest too late, or given up?
    pub(crate) fn first_is_only_slow(&self) -> bool {
        let calls = || {
            self.heard
                .first()
                .into_iter()
                .flat_map(|first| &first.calls)
        };
        let slow = |call: &Call| {
            matches!(
                call.ending,
                Ending::Late | Ending::Failure(Cause::Timeout | Cause::RemoteTimeout)
            )
        };
        calls().any(|call| call.ending.sign() == Sign::Good)
            && calls().all(|call| call.ending.sign() != Sign::Bad || slow(call))
    }

    /// Where the fault is.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        let known = Known {
            names: &|dimension, number| self.name(dimension, number),
            evidence: &|candidate| self.evidence(candidate),
            usual: self.usual(),
            since: self.since,
            detected: self.detected,
        };
        Verdict::of(&diagnose(&self.samples(), known.usual), &known)
    }

    fn samples(&self) -> Vec<Sample> {
        let mut sums: BTreeMap<_, Tally> = BTreeMap::new();
        for (sample, call) in self.labelled() {
            let Sample {
                endpoint,
                zone,
                version,
                route,
                method,
                ..
            } = sample;
            let sum = sums
                .entry((endpoint, zone, version, route, method))
                .or_default();
            *sum = sum.plus(one(call));
        }
        let sample = |((endpoint, zone, version, route, method), tally)| Sample {
            endpoint,
            zone,
            version,
            route,
            method,
            tally,
        };
        sums.into_iter().map(sample).collect()
    }

    /// Every call with its labels. Endpoints count from 1.
    fn labelled(&self) -> impl Iterator<Item = (Sample, &Call)> + '_ {
        (1..).zip(&self.heard).flat_map(|(endpoint, witness)| {
            witness.calls.iter().map(move |call| {
                let sample = Sample {
                    endpoint,
                    zone: witness.zone,
                    version: witness.version,
                    route: call.route.into(),
                    method: call.method.into(),
                    ..Sample::default()
                };
                (sample, call)
            })
        })
    }

    fn evidence(&self, candidate: Candidate) -> Evidence {
        let mut evidence = Evidence {
            stalled: self.since < self.shared.norm.resumed(),
            ..Evidence::default()
        };
        for (sample, call) in self.labelled() {
            if candidate.covers(&sample) {
                evidence.add(call.ending);
            }
        }
        let usual = self.shared.norm.median().as_secs_f64();
        for (endpoint, witness) in (1..).zip(&self.heard) {
            let here = Sample {
                endpoint,
                zone: witness.zone,
                version: witness.version,
                ..Sample::default()
            };
            if !candidate.covers(&here) {
                continue;
            }
            if let Some(took) = witness.state.late_answer_since(self.since) {
                let factor = (took.as_secs_f64() / usual).min(1e6);
                evidence.slowdown =
                    Some(evidence.slowdown.map_or(factor, |other| other.max(factor)));
            }
            evidence.probes_well |= witness.state.probes_well_since(self.since);
            evidence.released = evidence.released.or(self.released(witness.state));
        }
        evidence
    }

    /// How long before the trouble an endpoint came with a version, if others were there before it.
    fn released(&self, state: &VitalState) -> Option<Duration> {
        state.endpoint()?.of_version()?;
        (state.born() > self.shared.born).then(|| self.since.since(state.born()))
    }

    fn usual(&self) -> f64 {
        let tolerable = self.shared.rules.tolerable.as_f64();
        self.shared.norm.base().unwrap_or_else(|| {
            let all = self.heard.iter().map(|witness| witness.state.tally());
            let all = all.fold(Tally::default(), Tally::plus);
            let recent = self
                .tallies()
                .into_iter()
                .fold(Tally::default(), Tally::plus);
            healthy_rate(all.minus(recent), tolerable)
        })
    }

    fn name(&self, dimension: Dimension, number: u16) -> Arc<str> {
        let witness = |of: fn(&Witness<'_>) -> u16| {
            let mut heard = self.heard.iter();
            heard
                .find(|witness| of(witness) == number)?
                .state
                .endpoint()
        };
        let named = match dimension {
            Dimension::Endpoint => {
                let witness = self.heard.get(usize::from(number).wrapping_sub(1));
                return witness
                    .and_then(|witness| witness.state.address())
                    .unwrap_or_else(|| Arc::clone(&self.shared.name));
            }
            Dimension::Zone => {
                witness(|witness| witness.zone).and_then(|one| one.in_zone().cloned())
            }
            Dimension::Version => {
                witness(|witness| witness.version).and_then(|one| one.of_version().cloned())
            }
            Dimension::Route | Dimension::Method => u8::try_from(number)
                .ok()
                .and_then(|number| self.shared.names().name(number)),
        };
        named.unwrap_or_else(|| "?".into())
    }
}

fn one(call: &Call) -> Tally {
    match call.ending.sign() {
        Sign::Good => Tally::new(0, 1),
        Sign::Bad => Tally::new(1, 1),
        Sign::Silent => Tally::default(),
    }
}

/// Numbers for names, from 1 on; 0 for none.
#[derive(Default)]
struct Numbers<'a>(HashMap<&'a str, u16>);

impl<'a> Numbers<'a> {
    fn number(&mut self, name: Option<&'a Arc<str>>) -> u16 {
        let next = self.0.len() as u16 + 1;
        name.map_or(0, |name| *self.0.entry(name).or_insert(next))
    }
}
