//! What was found, for people and for programs.

use serde_json::{Map, Value, json};

use crate::{plan::Plan, policy, support::Median};

/// Prints each figure as it comes, and keeps it.
#[derive(Debug)]
pub(crate) struct Report(Map<String, Value>);

/// What each run of a case came to. A run that never got there is infinite.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(pub(crate) Vec<f64>);

/// What they say, and how far off it may be.
pub(crate) type Said = Option<(f64, Option<f64>)>;

impl Runs {
    /// The largest: there is no telling how far off that is.
    pub(crate) fn worst(&self) -> Said {
        let worst = self.0.iter().copied().reduce(f64::max);
        worst.map(|worst| (worst, None))
    }

    pub(crate) fn median(&self) -> Said {
        Median::of(self.0.clone()).map(|median| (median.value, Some(median.error)))
    }

    pub(crate) fn mean(&self) -> Said {
        let runs = self.0.len() as f64;
        let mean = self.0.iter().sum::<f64>() / runs;
        let squares: f64 = self.0.iter().map(|value| (value - mean).powi(2)).sum();
        (runs > 0.0).then(|| (mean, Some((squares / (runs * (runs - 1.0))).sqrt())))
    }
}

/// What is not finite never came.
pub(crate) const NEVER: f64 = -1.0;

impl Report {
    pub(crate) fn new(plan: Plan) -> Result<Self, String> {
        println!("{:<44}{:>12}{:>12}{:>6}", "figure", "value", "±", "runs");
        let mut report = Self(Map::new());
        report.note("seed", plan.seed);
        for (name, policy) in policy::all() {
            let policy = serde_json::to_value(policy).map_err(|error| error.to_string())?;
            report.note(&format!("policy.{}", name.replace('.', "_")), policy);
        }
        Ok(report)
    }

    /// A figure of a case under its dotted name, and in how many runs and calls it was found.
    pub(crate) fn add(&mut self, key: &str, said: Said, runs: usize, calls: u64) {
        let Some((value, error)) = said else {
            println!("{key:<44}{:>12}", "absent");
            return;
        };
        let value = if value.is_finite() { value } else { NEVER };
        let error = error.filter(|error| error.is_finite());
        let shown = error.map_or_else(String::new, |error| format!("{error:.3}"));
        println!("{key:<44}{value:>12.3}{shown:>12}{runs:>6}");
        self.note(key, value);
        if let Some(error) = error {
            self.note(&format!("error.{key}"), error);
        }
        self.note(&format!("runs.{key}"), runs);
        self.note(&format!("calls.{key}"), calls);
    }

    /// Something else that whoever reads the figures may want to know.
    pub(crate) fn note(&mut self, key: &str, value: impl Into<Value>) {
        let mut names = key.split('.');
        let first = names.next().unwrap_or_default();
        let mut place = self.0.entry(first).or_insert(Value::Null);
        for name in names {
            place = &mut place[name];
        }
        *place = value.into();
    }

    /// All of it, with which of its `targets` are reached.
    pub(crate) fn figures(mut self, targets: fn(&Value) -> Vec<(String, bool)>) -> Value {
        let found = Value::Object(std::mem::take(&mut self.0));
        let mut told = Map::new();
        for (target, holds) in targets(&found) {
            println!("{} {target}", if holds { "holds: " } else { "MISSED:" });
            told.insert(target, json!(holds));
        }
        let mut figures = found;
        figures["targets"] = Value::Object(told);
        figures
    }
}
