//! What was found, for people and for programs.

use serde_json::{Map, Value, json};

use crate::{
    kind::Kind,
    parent::{Found, Plan, Round},
    policy,
    stack::Stack,
    support::Median,
};

/// Bare against bare: further off than this, the machine is too noisy.
const QUIET: f64 = 0.02;

/// What a whole stack may cost.
const TARGET: f64 = 1.05;

pub(crate) struct Report {
    figures: Map<String, Value>,
    targets: Map<String, Value>,
}

impl Report {
    pub(crate) fn new(plan: &Plan) -> Result<Self, String> {
        let policy = policy::told()?;
        let mut figures = Map::new();
        figures.insert("policy".to_owned(), policy);
        figures.insert("rounds".to_owned(), plan.rounds.into());
        figures.insert("requests".to_owned(), plan.requests.into());
        println!(
            "{:<8}{:<12}{:>10}{:>9}{:>12}{:>12}{:>10}",
            "kind", "stack", "cpu_ratio", "±", "cpu, µs", "requests/s", "p99, ms"
        );
        Ok(Self {
            figures,
            targets: Map::new(),
        })
    }

    /// Adds what was found of a kind, unless its control says that the machine was too noisy.
    pub(crate) fn add(&mut self, kind: Kind, found: &Found) -> bool {
        let Some((_, identity)) = found.iter().find(|(stack, _)| *stack == Stack::Identity) else {
            return false;
        };
        let ratio = |rounds: &[Round]| {
            let pairs = rounds.iter().zip(identity);
            Median::of(pairs.map(|(one, bare)| one.cpu / bare.cpu).collect())
        };
        let mut stacks = Map::new();
        let mut quiet = false;
        for (stack, rounds) in found {
            let Some(cpu_ratio) = ratio(rounds) else {
                return false;
            };
            let middle = |of: fn(&Round) -> f64| {
                Median::of(rounds.iter().map(of).collect()).map_or(f64::NAN, |median| median.value)
            };
            let [cpu, throughput, p99] = [
                middle(|round| round.cpu / 1e3),
                middle(|round| round.throughput),
                middle(|round| round.p99_ms),
            ];
            println!(
                "{:<8}{:<12}{:>10.3}{:>9.3}{cpu:>12.2}{throughput:>12.0}{p99:>10.2}",
                kind.name(),
                stack.name(),
                cpu_ratio.value,
                cpu_ratio.error
            );
            quiet |= *stack == Stack::Control && (cpu_ratio.value - 1.0).abs() <= QUIET;
            if *stack != Stack::Identity {
                stacks.insert(
                    stack.name().to_owned(),
                    json!({ "cpu_ratio": cpu_ratio.value, "error": cpu_ratio.error, "cpu_us": cpu, "requests_per_second": throughput, "p99_ms": p99 }),
                );
                if Some(*stack) == Stack::OURS {
                    let target = format!(
                        "{}.{}.cpu_ratio at most {TARGET}",
                        kind.name(),
                        stack.name()
                    );
                    let holds = cpu_ratio.value <= TARGET;
                    println!("{} {target}", if holds { "holds: " } else { "MISSED:" });
                    self.targets.insert(target, holds.into());
                }
            }
        }
        self.figures.insert(kind.name().to_owned(), stacks.into());
        quiet
    }

    pub(crate) fn figures(mut self) -> Value {
        self.figures
            .insert("targets".to_owned(), self.targets.into());
        self.figures.into()
    }
}
