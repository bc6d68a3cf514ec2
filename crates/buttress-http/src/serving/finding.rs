//! What is found, and what follows from it.

use std::{fmt, sync::Arc, time::Duration};

use buttress_core::{Destination, Force, Nanos, Vitals};

/// What is found of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) name: Arc<str>,
    pub(super) well: bool,
    /// Does the page fail with it?
    pub(super) counts: bool,
    pub(super) words: Option<String>,
}

/// Everything found for one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Findings {
    pub(super) page: &'static str,
    pub(super) all: Vec<Finding>,
}

impl Finding {
    /// Of something local: the page fails with it.
    pub(super) fn local(name: impl Into<Arc<str>>, well: bool, words: Option<String>) -> Self {
        Self {
            name: name.into(),
            well,
            counts: true,
            words,
        }
    }

    /// Of a process that is told to stop, or not.
    pub(super) fn shutdown(draining: bool) -> Self {
        let words = draining.then(|| "draining".to_owned());
        Self::local("shutdown", !draining, words)
    }

    /// Of something that has to give a sign each `within`, and did so `ago`.
    pub(super) fn heart(name: Arc<str>, ago: Duration, within: Duration) -> Self {
        let well = ago <= within;
        let words = (!well).then(|| format!("no beat for {ago:.1?}, needs one within {within:?}"));
        Self::local(name, well, words)
    }

    /// Of something depended on: some take calls, of all that are known. Where none is known yet nothing speaks against it.
    pub(super) fn dependency(
        name: impl Into<Arc<str>>,
        usable: usize,
        known: usize,
        required: bool,
    ) -> Self {
        let other = if required { "" } else { "; not required" };
        Self {
            name: name.into(),
            well: usable > 0 || known == 0,
            counts: required,
            words: Some(format!("{usable} of {known} take calls{other}")),
        }
    }

    pub(super) fn of(destination: &Destination, required: bool, now: Nanos) -> Self {
        let vitals = destination.vitals();
        let usable = vitals.iter().filter(|one| is_usable(one, now)).count();
        Self::dependency(destination.name(), usable, vitals.len(), required)
    }
}

/// Would a call go there? Also where the next one would be its probe: else a process that gets no calls because nothing
/// takes them would never learn that it is over.
fn is_usable(vitals: &Vitals, now: Nanos) -> bool {
    let withdrawn = matches!(vitals.forced(), Some(Force::Open | Force::Drain));
    !withdrawn && (vitals.share() > 0.0 || vitals.due(now) <= now)
}

impl Findings {
    pub(super) fn pass(&self) -> bool {
        self.all.iter().all(|one| one.well || !one.counts)
    }

    /// The page in the form that Kubernetes' own servers give it: every line if `verbose`, else those that fail it, or `ok`.
    pub(super) fn text(&self, verbose: bool) -> String {
        if self.pass() && !verbose {
            return "ok".to_owned();
        }
        let shown = |one: &&Finding| verbose || (one.counts && !one.well);
        let lines = self.all.iter().filter(shown).map(Finding::to_string);
        let end = if self.pass() { "passed" } else { "failed" };
        lines.collect::<String>() + &format!("{} check {end}\n", self.page)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, word) = if self.well {
            ('+', "ok")
        } else {
            ('-', "failed")
        };
        write!(f, "[{sign}]{} {word}", self.name)?;
        match &self.words {
            Some(words) => writeln!(f, ": {words}"),
            None => writeln!(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use buttress_core::{BreakerPolicy, Cause, Clock, HealthPolicy, Host, Outcome, Rules};

    use super::*;

    fn page(all: impl Into<Vec<Finding>>) -> Findings {
        Findings {
            page: "readyz",
            all: all.into(),
        }
    }

    #[test]
    fn what_is_not_required_is_shown_and_fails_nothing() {
        for (usable, known, required, pass) in [
            (3, 3, true, true),
            (1, 3, true, true),
            (0, 3, true, false),
            (0, 3, false, true),
            (0, 0, true, true),
        ] {
            let found = page([Finding::dependency("db", usable, known, required)]);
            assert_eq!(found.pass(), pass, "{usable} {known} {required}");
        }
    }

    #[test]
    fn pages_read_as_kubernetes_own() {
        let found = page([
            Finding::shutdown(false),
            Finding::dependency("mail", 0, 1, false),
        ]);
        assert_eq!(found.text(false), "ok");
        assert_eq!(
            found.text(true),
            "[+]shutdown ok\n[-]mail failed: 0 of 1 take calls; not required\nreadyz check passed\n"
        );
        let found = page([
            Finding::shutdown(true),
            Finding::dependency("db", 2, 3, true),
        ]);
        assert_eq!(
            found.text(false),
            "[-]shutdown failed: draining\nreadyz check failed\n"
        );
    }

    #[test]
    fn a_heart_is_fresh_up_to_its_time_and_not_beyond() {
        let within = Duration::from_secs(30);
        assert!(Finding::heart("poller".into(), within, within).well);
        let stale = Finding::heart("poller".into(), within + Duration::from_secs(1), within);
        assert_eq!(
            stale.to_string(),
            "[-]poller failed: no beat for 31.0s, needs one within 30s\n"
        );
    }

    #[test]
    fn what_is_out_counts_as_usable_again_when_its_next_probe_is_due() {
        let second = 1_000_000_000;
        let rules = Rules {
            health: HealthPolicy::consecutive(1),
            breaker: BreakerPolicy::new()
                .open_for(Duration::from_secs(1))
                .jitter(buttress_core::Ratio::new(0.0)),
            ..Rules::default()
        };
        let vitals = Vitals::new("db", &rules, &Host::new(Clock(|| Nanos::ZERO)));
        let usable = |at| is_usable(&vitals, Nanos::new(at));
        assert!(usable(0));
        vitals.record(
            vitals.permit(Nanos::ZERO).unwrap(),
            Nanos::ZERO,
            Outcome::Failure(Cause::Error),
        );
        assert!(!usable(0) && !usable(second - 1));
        assert!(usable(second));
        vitals.force(Some(Force::Drain), Nanos::new(second));
        assert!(!usable(second) && !usable(100 * second));
    }
}
