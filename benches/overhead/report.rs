//! What was found, for people and for programs.

use serde_json::{Map, Value, json};

use crate::{
    CALLS, COUNTED,
    cases::{over_replicas, policy, staying_open},
    measure::Figures,
    support::Median,
};

/// Prints each case as it comes, and keeps it.
#[derive(Debug)]
pub(crate) struct Report(Map<String, Value>);

impl Report {
    pub(crate) fn new(seed: u64, rounds: u64) -> Self {
        println!(
            "{:<24}{:>9}{:>8}{:>9}{:>8}{:>9}{:>8}",
            "case", "ns", "±", "ratio", "clocks", "instr", "allocs"
        );
        let mut figures = Map::new();
        figures.insert("seed".to_owned(), json!(seed));
        figures.insert("runs".to_owned(), json!(rounds));
        figures.insert(
            "calls".to_owned(),
            json!({ "timed": CALLS, "allocs": COUNTED }),
        );
        figures.insert(
            "policy".to_owned(),
            json!({ "all": policy(), "dispatch": over_replicas(), "refusal": staying_open() }),
        );
        Self(figures)
    }

    pub(crate) fn case(&mut self, name: &str, figures: &Figures) {
        let Figures {
            ns,
            ratio,
            clocks,
            allocs,
            instructions,
            ends,
        } = figures;
        let counted = instructions.map_or_else(String::new, |count| format!("{count:.0}"));
        println!(
            "{name:<24}{:>9.1}{:>8.1}{:>9.1}{:>8.2}{counted:>9}{allocs:>8.3}",
            ns.value, ns.error, ratio.value, clocks.value
        );
        let mut found = json!({
            "ns": ns.value,
            "ratio": ratio.value,
            "clocks": clocks.value,
            "allocs": allocs,
            "error": { "ns": ns.error, "ratio": ratio.error, "clocks": clocks.error },
            "ends": {
                "answered": ends.answered,
                "failed": ends.failed,
                "refused": ends.refused,
                "unanswered": ends.unanswered,
            },
        });
        if let Some(count) = instructions {
            found["instructions"] = json!(count);
        }
        *self.at(name) = found;
    }

    pub(crate) fn scaling(&mut self, found: &[(&str, Option<Median>)]) {
        for (name, median) in found {
            let Some(Median { value, error }) = median else {
                println!("{name}.scaling: not measured");
                continue;
            };
            println!("{:<24}{value:>9.2}{error:>8.2}", format!("{name}.scaling"));
            let case = self.at(name);
            case["scaling"] = json!(value);
            case["error"]["scaling"] = json!(error);
        }
    }

    /// The place of a case; one named `a.b` lies in `a`.
    fn at(&mut self, name: &str) -> &mut Value {
        let (group, name) = name
            .split_once('.')
            .map_or((name, None), |(group, name)| (group, Some(name)));
        let place = self.0.entry(group).or_insert(Value::Null);
        match name {
            Some(name) => &mut place[name],
            None => place,
        }
    }

    pub(crate) fn figures(self) -> Value {
        Value::Object(self.0)
    }
}
