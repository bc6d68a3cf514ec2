//! What was found, for people and for programs.

use buttress::Enforce;
use serde_json::{Map, Value, json};

use crate::{draws::Plan, figure::Figure, policy};

/// Prints each figure as it comes, and keeps it.
#[derive(Debug)]
pub(crate) struct Report(Map<String, Value>);

impl Report {
    pub(crate) fn new(plan: Plan) -> Result<Self, String> {
        println!("{:<36}{:>16}{:>12}{:>10}", "figure", "value", "±", "runs");
        let mut report = Self(Map::new());
        report.note("seed", plan.seed);
        report.note("part", plan.part);
        let policies = [
            ("policy.all", policy::policy()),
            ("policy.locate", policy::policy().enforce(Enforce::OFF)),
        ];
        for (key, policy) in policies {
            let policy = serde_json::to_value(policy).map_err(|error| error.to_string())?;
            report.note(key, policy);
        }
        Ok(report)
    }

    /// A figure under its dotted name, with its error, runs and calls under the same name; what is absent stays absent.
    pub(crate) fn add(&mut self, key: &str, figure: Option<Figure>) {
        let Some(figure) = figure.filter(|figure| figure.value.is_finite()) else {
            println!("{key:<36}{:>16}", "absent");
            return;
        };
        let error = figure.error.map_or_else(String::new, short);
        let runs = figure
            .runs
            .map_or_else(String::new, |runs| runs.to_string());
        println!("{key:<36}{:>16}{error:>12}{runs:>10}", short(figure.value));
        self.note(key, figure.value);
        if let Some(error) = figure.error.filter(|error| error.is_finite()) {
            self.note(&format!("error.{key}"), error);
        }
        if let Some(runs) = figure.runs {
            self.note(&format!("runs.{key}"), runs);
        }
        if figure.calls > 0 {
            self.note(&format!("calls.{key}"), figure.calls);
        }
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
        let reached = targets(&found);
        if let Value::Object(found) = found {
            self.0 = found;
        }
        let mut told = Map::new();
        for (target, holds) in reached {
            println!("{} {target}", if holds { "holds: " } else { "MISSED:" });
            told.insert(target, json!(holds));
        }
        self.0.insert("targets".to_owned(), Value::Object(told));
        Value::Object(self.0)
    }
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{value:.3e}"),
        size if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.4}"),
    }
}
