//! What was found, for people and for programs.

use serde_json::{Map, Value, json};

use crate::{plan::Plan, policy};

/// Prints each figure as it comes, and keeps it.
#[derive(Debug)]
pub(crate) struct Report(Map<String, Value>);

/// What each run of a case came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(pub(crate) Vec<f64>);

impl Runs {
    /// Their mean, and how far off it may be, where there were several.
    fn mean(&self) -> Option<(f64, Option<f64>)> {
        let runs = self.0.len() as f64;
        let mean = self.0.iter().sum::<f64>() / runs;
        let squares: f64 = self.0.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (runs > 1.0).then(|| (squares / (runs * (runs - 1.0))).sqrt());
        mean.is_finite().then_some((mean, error))
    }
}

impl Report {
    pub(crate) fn new(plan: &Plan) -> Result<Self, String> {
        println!("{:<40}{:>12}{:>10}{:>6}", "figure", "value", "±", "runs");
        let mut report = Self(Map::new());
        report.note("seed", plan.seed);
        report.note("clock", if plan.real { "real" } else { "paused" });
        let policy = serde_json::to_value(policy::policy()).map_err(|error| error.to_string())?;
        report.note("policy.all", policy);
        Ok(report)
    }

    /// A figure of a case under its dotted name, its error, and in how many runs and calls it was found. What is absent
    /// stays absent.
    pub(crate) fn add(&mut self, key: &str, runs: &Runs, calls: usize) {
        let Some((mean, error)) = runs.mean() else {
            println!("{key:<40}{:>12}", "absent");
            return;
        };
        self.figure(key, mean, error, runs.0.len());
        self.note(&format!("calls.{key}"), calls);
    }

    /// The same where the error is known otherwise.
    pub(crate) fn note_with_error(&mut self, key: &str, value: f64, error: f64, runs: usize) {
        self.figure(key, value, Some(error), runs);
    }

    fn figure(&mut self, key: &str, value: f64, error: Option<f64>, runs: usize) {
        let shown = error.map_or_else(String::new, |error| format!("{error:.4}"));
        println!("{key:<40}{value:>12.4}{shown:>10}{runs:>6}");
        self.note(key, value);
        if let Some(error) = error {
            self.note(&format!("error.{key}"), error);
        }
        self.note(&format!("runs.{key}"), runs);
    }

    /// Something else that whoever reads the figures may want to know.
    fn note(&mut self, key: &str, value: impl Into<Value>) {
        let mut names = key.split('.');
        let first = names.next().unwrap_or_default();
        let mut place = self.0.entry(first).or_insert(Value::Null);
        for name in names {
            place = &mut place[name];
        }
        *place = value.into();
    }

    /// All of it, with which of its `targets` are reached.
    pub(crate) fn figures(self, targets: fn(&Value) -> Vec<(String, bool)>) -> Value {
        let mut figures = Value::Object(self.0);
        let mut told = Map::new();
        for (target, holds) in targets(&figures) {
            println!("{} {target}", if holds { "holds: " } else { "MISSED:" });
            told.insert(target, json!(holds));
        }
        figures["targets"] = Value::Object(told);
        figures
    }
}
