//! What came of it: a table for people, JSON for programs, and a verdict.

use std::{fmt, sync::Arc, time::Duration};

use buttress::{Event, EventKind, FaultKind, Nanos, Place, Snapshot, Verdict};
use serde_json::{Map, Value, json};

use crate::{
    clients::Client,
    faults::{Slot, Struck},
    fleet::NAMES,
    traffic::{Attempts, Sample},
};

pub(crate) struct Report {
    faults: Vec<FaultRow>,
    replicas: Vec<ReplicaRow>,
}

struct FaultRow {
    name: &'static str,
    replica: &'static str,
    naked: Figures,
    guarded: [Guarded; 3],
    /// What was said of it last, while it lasted.
    verdict: Option<Arc<Verdict>>,
    address: String,
    expected: &'static [FaultKind],
}

/// A guarded client in one slot.
struct Guarded {
    client: Client,
    figures: Figures,
    detected: Option<Duration>,
    restored: Option<Duration>,
}

/// What one client's calls in one slot came to.
struct Figures {
    good: usize,
    /// Of all calls, sorted.
    latencies: Vec<Duration>,
    /// Attempts beyond one for each call.
    extra: u64,
}

struct ReplicaRow {
    name: &'static str,
    known: Snapshot,
}

impl Report {
    pub(crate) fn new(
        slots: &[Slot],
        struck: &[Struck],
        events: &[Event],
        samples: &[Sample],
        sent: &[Attempts],
        snapshots: &[Snapshot],
        addresses: &[String],
    ) -> Self {
        let faults = slots
            .iter()
            .zip(struck)
            .zip(sent)
            .map(|((slot, struck), sent)| {
                let of = |client: Client| {
                    let address = addresses[slot.replica].as_str();
                    events.iter().filter(move |event| {
                        *event.policy == *client.name()
                            && event.endpoint.as_deref() == Some(address)
                    })
                };
                let guarded = |place: usize| {
                    let client = Client::GUARDED[place];
                    let first = |from: Nanos, kind: fn(&EventKind) -> bool| {
                        let mut later =
                            of(client).filter(|event| (from..slot.ends).contains(&event.at));
                        later
                            .find(|event| kind(&event.kind))
                            .map(|event| event.at.since(from))
                    };
                    let mut figures = Figures::of(client, slot, samples);
                    figures.extra = sent[place].saturating_sub(figures.latencies.len() as u64);
                    Guarded {
                        client,
                        figures,
                        detected: first(struck.from, |kind| {
                            matches!(kind, EventKind::Opened { .. })
                        }),
                        restored: first(struck.to, |kind| matches!(kind, EventKind::Closed)),
                    }
                };
                let mut said = of(Client::Failover)
                    .filter(|event| (struck.from..struck.to).contains(&event.at))
                    .filter_map(|event| match &event.kind {
                        EventKind::Diagnosed(verdict) => Some(Arc::clone(verdict)),
                        _ => None,
                    });
                FaultRow {
                    name: slot.fault.name(),
                    replica: NAMES[slot.replica],
                    naked: Figures::of(Client::Naked, slot, samples),
                    guarded: std::array::from_fn(guarded),
                    verdict: said.next_back(),
                    address: addresses[slot.replica].clone(),
                    expected: slot.fault.kinds(),
                }
            });
        let replicas = NAMES.iter().zip(addresses).filter_map(|(name, address)| {
            let known = snapshots.iter().find(|known| {
                *known.policy == *Client::Failover.name()
                    && known.endpoint.as_deref() == Some(address)
            })?;
            Some(ReplicaRow {
                name,
                known: known.clone(),
            })
        });
        Self {
            faults: faults.collect(),
            replicas: replicas.collect(),
        }
    }

    /// Was every fault named as what it was, and where it was?
    pub(crate) fn right(&self) -> bool {
        self.faults.iter().all(FaultRow::right)
    }

    /// Did the guarded clients do better under every fault?
    pub(crate) fn better(&self) -> bool {
        self.faults.iter().all(FaultRow::better)
    }

    pub(crate) fn json(&self) -> Value {
        let faults: Map<_, _> = self
            .faults
            .iter()
            .map(|row| (row.name.to_owned(), row.json()))
            .collect();
        let replicas: Map<_, _> = self
            .replicas
            .iter()
            .map(|row| (row.name.to_owned(), row.json()))
            .collect();
        json!({ "faults": faults, "replicas": replicas })
    }
}

impl FaultRow {
    fn better(&self) -> bool {
        self.guarded
            .iter()
            .all(|guarded| guarded.figures.beats(&self.naked))
    }

    /// Was the right replica named, with the right sort of fault?
    fn right(&self) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| {
            matches!(&verdict.place, Place::Endpoint(name) if **name == *self.address)
                && self.expected.contains(&verdict.kind)
        })
    }

    fn json(&self) -> Value {
        json!({
            "verdict": self.verdict.as_ref().map(|verdict| verdict.to_string()),
            "verdict_right": self.right(),
            "naked": self.naked.json(),
            "guarded": self.guarded.iter().map(Guarded::json).collect::<Map<_, _>>(),
        })
    }
}

impl Guarded {
    fn json(&self) -> (String, Value) {
        let mut figures = self.figures.json();
        figures["detected_ms"] = json!(self.detected.map(millis));
        figures["restored_ms"] = json!(self.restored.map(millis));
        (self.client.name().to_owned(), figures)
    }
}

impl Figures {
    /// More successes, or as many and a lower p99. All clients made the same number of calls; where none went well,
    /// the one that failed faster did no better.
    fn beats(&self, naked: &Self) -> bool {
        self.good > naked.good
            || self.good == naked.good && self.good > 0 && self.at(0.99) < naked.at(0.99)
    }

    fn of(client: Client, slot: &Slot, samples: &[Sample]) -> Self {
        let within = |sample: &&Sample| {
            sample.client == client && (slot.begins..slot.ends).contains(&sample.due)
        };
        let good = samples
            .iter()
            .filter(within)
            .filter(|sample| sample.good)
            .count();
        let mut latencies: Vec<Duration> = samples
            .iter()
            .filter(within)
            .map(|sample| sample.latency)
            .collect();
        latencies.sort_unstable();
        Self {
            good,
            latencies,
            extra: 0,
        }
    }

    /// The latency that a share of the calls stayed within, by nearest rank.
    fn at(&self, share: f64) -> Duration {
        let rank = (share * self.latencies.len() as f64).ceil() as usize;
        self.latencies
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    fn success(&self) -> f64 {
        self.good as f64 / self.latencies.len().max(1) as f64
    }

    fn json(&self) -> Value {
        json!({
            "calls": self.latencies.len(),
            "success": self.success(),
            "p50_ms": millis(self.at(0.5)),
            "p99_ms": millis(self.at(0.99)),
            "p999_ms": millis(self.at(0.999)),
            "extra": self.extra,
        })
    }
}

impl ReplicaRow {
    fn json(&self) -> Value {
        let Snapshot {
            counts,
            reliability,
            ..
        } = &self.known;
        let known = reliability.as_ref();
        json!({
            "calls": counts.started,
            "failures": counts.failures.total(),
            "episodes": known.map(|known| known.failures),
            "mtbf_s": known.and_then(|known| known.mtbf).map(|span| span.as_secs_f64()),
            "mtbf_at_least_s": known.map(|known| known.mtbf_at_least.as_secs_f64()),
            "mttr_s": known.and_then(|known| known.mttr).map(|span| span.as_secs_f64()),
            "availability": known.and_then(|known| known.availability),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "fault    on  client    calls    success      p50      p99    p99.9  extra  detected  restored  better"
        )?;
        for row in &self.faults {
            writeln!(
                f,
                "{:<7}  {:<2}  naked     {}",
                row.name, row.replica, row.naked
            )?;
            for guarded in &row.guarded {
                let (detected, restored) = (seconds(guarded.detected), seconds(guarded.restored));
                let better = if guarded.figures.beats(&row.naked) {
                    "yes"
                } else {
                    "NO"
                };
                let (name, figures) = (guarded.client.name(), &guarded.figures);
                writeln!(
                    f,
                    "{:13}{name:<10}{figures}{detected:>10}{restored:>10}{better:>8}",
                    ""
                )?;
            }
        }
        for row in &self.faults {
            let right = if row.right() { "right" } else { "WRONG" };
            let said = row
                .verdict
                .as_ref()
                .map_or_else(|| "nothing".to_owned(), |verdict| verdict.to_string());
            writeln!(f, "\n{:<7}  {right}: {said}", row.name)?;
        }
        writeln!(
            f,
            "\nlatencies in ms, from when a call was due; detected after the fault began, restored after it ended;\n\
             verdicts and replicas as the failover client sees them\n"
        )?;
        writeln!(
            f,
            "replica    calls  failures  episodes              MTBF      MTTR  availability"
        )?;
        for row in &self.replicas {
            writeln!(f, "{row}")?;
        }
        let worse: Vec<&str> = self
            .faults
            .iter()
            .filter(|row| !row.better())
            .map(|row| row.name)
            .collect();
        match worse.as_slice() {
            [] if self.right() => write!(
                f,
                "\nThe guarded clients did better under every fault, and it was rightly said what it was."
            ),
            [] => write!(
                f,
                "\nThe guarded clients did better under every fault, and some were not said rightly."
            ),
            worse => write!(
                f,
                "\nNot all guarded clients did better under: {}.",
                worse.join(", ")
            ),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| millis(self.at(share)));
        let (calls, success, extra) = (self.latencies.len(), 100.0 * self.success(), self.extra);
        write!(
            f,
            "{calls:>5}  {success:>7.2} %  {p50:>7.1}  {p99:>7.1}  {p999:>7.1}  {extra:>5}"
        )
    }
}

impl fmt::Display for ReplicaRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Snapshot {
            counts,
            reliability: Some(reliability),
            ..
        } = &self.known
        else {
            return write!(f, "{:<7}  no statistics", self.name);
        };
        let mtbf = match reliability.mtbf {
            Some(_) => seconds(reliability.mtbf),
            None => format!("at least {}", seconds(Some(reliability.mtbf_at_least))),
        };
        let mttr = seconds(reliability.mttr);
        let availability = reliability
            .availability
            .map_or("–".to_owned(), |share| format!("{:.2} %", 100.0 * share));
        let (calls, failures, episodes) = (
            counts.started,
            counts.failures.total(),
            reliability.failures,
        );
        write!(
            f,
            "{:<7}  {calls:>7}  {failures:>8}  {episodes:>8}  {mtbf:>16}  {mttr:>8}  {availability:>12}",
            self.name
        )
    }
}

fn millis(span: Duration) -> f64 {
    // Microseconds are as fine as this measures.
    (span.as_secs_f64() * 1e6).round() / 1e3
}

fn seconds(span: Option<Duration>) -> String {
    span.map_or("–".to_owned(), |span| {
        format!("{:.2} s", span.as_secs_f64())
    })
}
