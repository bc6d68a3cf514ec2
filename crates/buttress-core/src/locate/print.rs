//! The verdict as one sentence, with words no surer than its probability and no place without its counts.

use std::{fmt, time::Duration};

use super::verdict::{Suspect, Verdict};
use crate::peers::Tally;

/// From these probabilities on: the words, in falling order.
const WORDS: [(f64, &str); 3] = [(0.95, "is"), (0.75, "is probably"), (0.5, "may be")];

/// What is less likely than this, beside a place that is surer than its opposite, is ruled out.
const RULED_OUT: f64 = 0.05;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = WORDS.iter().find(|(least, _)| self.probability >= *least);
        let Some((_, word)) = word else {
            return self.candidates(f);
        };
        write!(
            f,
            "{} {word} failing ({} %): ",
            self.place,
            chance(self.probability)
        )?;
        counts(
            f,
            self.here,
            Some(self.interval),
            self.elsewhere,
            self.usual,
        )?;
        write!(f, "; {}", self.kind)?;
        list(f, "; the same calls: ", &self.ties, |f, tie| {
            write!(f, "{tie}")
        })?;
        list(f, "; also ", &self.also, |f, fault| {
            write!(f, "{} ({} %): ", fault.place, chance(fault.probability))?;
            counts(f, fault.here, None, fault.elsewhere, self.usual)
        })?;
        write!(
            f,
            "; since {} before it was noticed",
            seconds(self.detected.since(self.since))
        )?;
        let (out, open): (Vec<&Suspect>, Vec<&Suspect>) = self
            .others
            .iter()
            .partition(|other| other.probability < RULED_OUT);
        let brief = |f: &mut fmt::Formatter<'_>, other: &&Suspect| {
            write!(f, "{} {} %", other.place, chance(other.probability))
        };
        list(f, "; less likely: ", &open, |f, other| {
            write!(f, "{} {} % (", other.place, chance(other.probability))?;
            counts(f, other.here, None, other.elsewhere, self.usual)?;
            f.write_str(")")
        })?;
        list(f, "; ruled out: ", &out, brief)
    }
}

impl Verdict {
    /// The sentence where no place is likelier than all others together.
    fn candidates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lead = Suspect {
            place: self.place.clone(),
            probability: self.probability,
            here: self.here,
            elsewhere: self.elsewhere,
        };
        let faults = std::iter::once(&lead).chain(&self.also);
        let others = self
            .others
            .iter()
            .filter(|other| other.probability >= RULED_OUT);
        let candidates: Vec<&Suspect> = faults.chain(others).collect();
        list(
            f,
            "not localised; candidates: ",
            &candidates,
            |f, suspect| {
                write!(f, "{} {} % (", suspect.place, chance(suspect.probability))?;
                counts(f, suspect.here, None, suspect.elsewhere, self.usual)?;
                f.write_str(")")
            },
        )?;
        write!(
            f,
            "; since {} before it was noticed",
            seconds(self.detected.since(self.since))
        )
    }
}

/// `41 of 96 calls failed (42.7 %, 95 % CI 33–53 %) against 3 of 612 elsewhere (0.5 %)`.
fn counts(
    f: &mut fmt::Formatter<'_>,
    here: Tally,
    interval: Option<(f64, f64)>,
    elsewhere: Tally,
    usual: f64,
) -> fmt::Result {
    write!(
        f,
        "{} of {} calls failed ({} %",
        here.failures,
        here.calls,
        rate(here)
    )?;
    if let Some((low, high)) = interval {
        // As many digits as the width deserves.
        let digits = if high - low >= 0.05 { 0 } else { 2 };
        write!(
            f,
            ", 95 % CI {:.digits$}–{:.digits$} %",
            low * 100.0,
            high * 100.0
        )?;
    }
    if elsewhere.calls == 0 {
        return write!(f, ") against {} % when all is well", percent(usual));
    }
    write!(
        f,
        ") against {} of {} elsewhere ({} %)",
        elsewhere.failures,
        elsewhere.calls,
        rate(elsewhere)
    )
}

/// Items after `head`, with commas between them; nothing if there are none.
fn list<T>(
    f: &mut fmt::Formatter<'_>,
    head: &str,
    items: &[T],
    mut item: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, one) in items.iter().enumerate() {
        f.write_str(if index == 0 { head } else { ", " })?;
        item(f, one)?;
    }
    Ok(())
}

/// A probability in percent: nothing that is not certain is printed as certain.
fn chance(probability: f64) -> String {
    if probability > 0.995 && probability < 1.0 {
        return ">99".to_owned();
    }
    // Rounding can leave one just below zero.
    format!("{:.0}", probability.max(0.0) * 100.0 + 0.0)
}

fn rate(tally: Tally) -> String {
    tally.rate().map_or_else(|| "0".to_owned(), percent)
}

/// A rate in percent, to its first two digits at least.
fn percent(rate: f64) -> String {
    let digits = if rate > 0.0 && rate < 0.001 { 3 } else { 1 };
    format!("{:.digits$}", rate * 100.0)
}

fn seconds(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    let digits = if seconds < 10.0 { 2 } else { 0 };
    format!("{seconds:.digits$} s")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{
            candidate::{Candidate, Dimension},
            diagnosis::{Diagnosis, Finding},
            evidence::Evidence,
            verdict::Scene,
        },
        *,
    };
    use crate::Nanos;

    const SICK: Candidate = Candidate::Single(Dimension::Endpoint, 3);
    const ZONE: Candidate = Candidate::Single(Dimension::Zone, 2);

    fn finding(
        candidate: Candidate,
        probability: f64,
        here: (u64, u64),
        elsewhere: (u64, u64),
    ) -> Finding {
        Finding {
            candidate,
            ties: Vec::new(),
            probability,
            here: Tally::new(here.0, here.1),
            elsewhere: Tally::new(elsewhere.0, elsewhere.1),
        }
    }

    fn verdict(causes: Vec<Finding>, rivals: Vec<Finding>, evidence: Evidence) -> Verdict {
        let names = |dimension: Dimension, label: u16| -> Arc<str> {
            match dimension {
                Dimension::Endpoint => format!("10.0.0.{label}:80").into(),
                _ => format!("{dimension:?}-{label}").to_lowercase().into(),
            }
        };
        let scene = Scene {
            names: &names,
            evidence: &|_| evidence,
            usual: 0.002,
            since: Nanos::new(1_000_000_000),
            detected: Nanos::new(1_080_000_000),
        };
        Verdict::of(&Diagnosis { causes, rivals }, &scene).unwrap()
    }

    fn hang() -> Evidence {
        Evidence {
            late: 41,
            ..Evidence::default()
        }
    }

    fn sick(probability: f64) -> Finding {
        finding(SICK, probability, (41, 96), (3, 612))
    }

    #[test]
    fn one_sentence_says_where_how_sure_on_what_counts_and_what_it_is_not() {
        let rivals = vec![
            finding(ZONE, 0.01, (42, 250), (2, 458)),
            finding(Candidate::Everything, 1e-9, (44, 708), (0, 0)),
        ];
        assert_eq!(
            verdict(vec![sick(0.97)], rivals, hang()).to_string(),
            "endpoint 10.0.0.3:80 is failing (97 %): 41 of 96 calls failed (42.7 %, 95 % CI 33–53 %) against 3 of 612 \
             elsewhere (0.5 %); hang; since 0.08 s before it was noticed; ruled out: zone zone-2 1 %, everything 0 %"
        );
    }

    #[test]
    fn words_are_no_surer_than_the_probability() {
        for (probability, words) in [
            (1.0, "is failing (100 %)"),
            (0.999, "is failing (>99 %)"),
            (0.95, "is failing (95 %)"),
            (0.94, "is probably failing (94 %)"),
            (0.75, "is probably failing (75 %)"),
            (0.74, "may be failing (74 %)"),
            (0.5, "may be failing (50 %)"),
        ] {
            let sentence = verdict(vec![sick(probability)], Vec::new(), hang()).to_string();
            assert!(
                sentence.starts_with(&format!("endpoint 10.0.0.3:80 {words}: ")),
                "{sentence}"
            );
        }
    }

    #[test]
    fn below_a_half_every_candidate_is_told_with_its_counts() {
        let rivals = vec![
            finding(ZONE, 0.4, (9, 40), (1, 100)),
            finding(Candidate::Everything, 0.01, (10, 140), (0, 0)),
        ];
        assert_eq!(
            verdict(vec![sick(0.45)], rivals, hang()).to_string(),
            "not localised; candidates: endpoint 10.0.0.3:80 45 % (41 of 96 calls failed (42.7 %) against 3 of 612 \
             elsewhere (0.5 %)), zone zone-2 40 % (9 of 40 calls failed (22.5 %) against 1 of 100 elsewhere (1.0 %)); \
             since 0.08 s before it was noticed"
        );
    }

    #[test]
    fn everything_is_set_against_the_usual_rate_and_is_us_if_our_timers_were_late() {
        let everything = || vec![finding(Candidate::Everything, 0.99, (50, 100), (0, 0))];
        let stalled = Evidence {
            stalled: true,
            ..hang()
        };
        for (evidence, start, kind) in [
            (
                hang(),
                "everything is failing (99 %): 50 of 100 calls failed (50.0 %, ",
                "; a cause that all share; ",
            ),
            (
                stalled,
                "this process is failing (99 %): 50 of 100 calls failed (50.0 %, ",
                "; stalled; ",
            ),
        ] {
            let sentence = verdict(everything(), Vec::new(), evidence).to_string();
            assert!(sentence.starts_with(start), "{sentence}");
            assert!(
                sentence.contains(") against 0.2 % when all is well; "),
                "{sentence}"
            );
            assert!(sentence.contains(kind), "{sentence}");
        }
    }

    #[test]
    fn ties_further_faults_and_open_rivals_are_told() {
        let first = Finding {
            ties: vec![Candidate::Single(Dimension::Version, 2)],
            ..sick(0.8)
        };
        let pair = Candidate::Pair {
            route: 1,
            with: Dimension::Zone,
            label: 2,
        };
        let causes = vec![first, finding(pair, 0.7, (20, 40), (3, 612))];
        let rivals = vec![finding(ZONE, 0.15, (42, 250), (2, 458))];
        let sentence = verdict(causes, rivals, hang()).to_string();
        for part in [
            "; the same calls: version version-2; ",
            "; also route route-1 in zone zone-2 (70 %): 20 of 40 calls failed (50.0 %) against 3 of 612 elsewhere (0.5 %); ",
            "; less likely: zone zone-2 15 % (42 of 250 calls failed (16.8 %) against 2 of 458 elsewhere (0.4 %))",
        ] {
            assert!(sentence.contains(part), "{sentence}");
        }
        assert!(!sentence.contains("ruled out"), "{sentence}");
    }

    #[test]
    fn without_calls_there_is_no_verdict_and_without_a_cause_none_is_named() {
        let scene = Scene {
            names: &|_, _| "x".into(),
            evidence: &|_| Evidence::default(),
            usual: 0.0,
            since: Nanos::MAX,
            detected: Nanos::ZERO,
        };
        let nothing = Diagnosis {
            causes: Vec::new(),
            rivals: Vec::new(),
        };
        assert_eq!(Verdict::of(&nothing, &scene), None);
        let calm = verdict(
            Vec::new(),
            vec![finding(SICK, 0.0, (0, 9), (0, 80))],
            Evidence::default(),
        );
        assert!(!calm.localised() && calm.to_string().starts_with("not localised"));
    }
}
