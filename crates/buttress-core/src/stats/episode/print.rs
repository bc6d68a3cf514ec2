//! An outage as one sentence for people.

use std::{fmt, time::Duration};

use super::{Episode, Recovery};
use crate::{Cause, wall::Wall};

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.policy)?;
        if let Some(endpoint) = &self.endpoint {
            write!(f, "/{endpoint}")?;
        }
        match self.restored {
            Some(restored) => write!(f, " was down {}", Span(restored.since(self.broke)))?,
            None => f.write_str(" is down")?,
        }
        if let Some(began) = self.began {
            write!(f, ", from {}", Wall::of(began))?;
        }
        let noticed = Span(self.time_to_detect());
        write!(f, ": broke {noticed} before it was noticed; ")?;
        self.lost(f)?;
        match &self.verdict {
            Some(verdict) if verdict.localised() => {
                // Downwards: nothing that is not certain is printed as certain.
                let sure = (verdict.probability * 100.0).floor();
                write!(f, "; {}: {}, {sure} % sure", verdict.place, verdict.kind)?;
            }
            Some(_) => f.write_str("; not localised")?,
            None => {}
        }
        write!(f, "{}", self.recovery)?;
        match (self.restored, self.repaired, self.relapsed) {
            (Some(_), _, Some(true)) => f.write_str("; relapsed"),
            (Some(_), _, Some(false)) => f.write_str("; no relapse"),
            (Some(_), _, None) => f.write_str("; no relapse so far"),
            (None, Some(repaired), _) => {
                let after = Span(repaired.since(self.broke));
                write!(f, "; answering again after {after}")
            }
            (None, None, _) => f.write_str("; not over"),
        }
    }
}

impl Episode {
    fn lost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.causes.total();
        write!(f, "{total} {} lost", plural(total, "call", "calls"))?;
        for (index, (cause, count)) in self.causes.iter().enumerate() {
            let lead = if index == 0 { " (" } else { ", " };
            write!(f, "{lead}{count} {}", word(cause, count))?;
        }
        f.write_str(if total > 0 { ")" } else { "" })
    }
}

/// What follows in a sentence; nothing if nothing was done.
impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return Ok(());
        }
        let probes = u64::from(self.probes);
        write!(f, "; {probes} {}", plural(probes, "probe", "probes"))?;
        match self.reopened {
            0 => {}
            1 => f.write_str(", re-opened once")?,
            times => write!(f, ", re-opened {times} times")?,
        }
        write!(f, ", {} of waits", Span(self.waited))
    }
}

const fn word(cause: Cause, count: u64) -> &'static str {
    match cause {
        Cause::Error => plural(count, "error", "errors"),
        Cause::Timeout => plural(count, "timeout", "timeouts"),
        Cause::RemoteTimeout => plural(count, "remote timeout", "remote timeouts"),
        Cause::Connect => plural(count, "failed connection", "failed connections"),
        Cause::Reset => plural(count, "reset", "resets"),
        Cause::Protocol => plural(count, "protocol error", "protocol errors"),
        Cause::Panic => plural(count, "panic", "panics"),
    }
}

const fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

/// A span in the two largest units that it has.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.as_secs();
        match whole {
            0 => write!(f, "{:.2} s", self.0.as_secs_f64()),
            1..60 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            60..3_600 => write!(f, "{} min {} s", whole / 60, whole % 60),
            3_600..86_400 => write!(f, "{} h {} min", whole / 3_600, whole / 60 % 60),
            _ => write!(f, "{} d {} h", whole / 86_400, whole / 3_600 % 24),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{Causes, Nanos};

    fn second(seconds: u64) -> Nanos {
        Nanos::ZERO.after(Duration::from_secs(seconds))
    }

    fn episode() -> Episode {
        let mut causes = Causes::default();
        (0..38).for_each(|_| causes.add(Cause::Timeout));
        causes.add(Cause::Connect);
        Episode {
            policy: "db".into(),
            endpoint: Some("10.0.0.2:80".into()),
            began: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_520_228)),
            broke: second(10),
            detected: second(10).after(Duration::from_millis(204)),
            repaired: Some(second(20)),
            restored: Some(second(22)),
            causes,
            relapsed: Some(false),
            verdict: None,
            recovery: Recovery {
                probes: 3,
                reopened: 1,
                waited: Duration::from_millis(6_540),
            },
        }
    }

    #[test]
    fn one_sentence_says_who_how_long_what_it_cost_and_what_was_done() {
        assert_eq!(
            episode().to_string(),
            "db/10.0.0.2:80 was down 12.0 s, from 2026-11-24 11:37:08 UTC: broke 0.20 s before it was noticed; \
             39 calls lost (38 timeouts, 1 failed connection); 3 probes, re-opened once, 6.5 s of waits; no relapse"
        );
    }

    #[test]
    fn one_that_lasts_and_one_of_which_little_is_known() {
        let lasting = Episode {
            endpoint: None,
            began: None,
            repaired: None,
            restored: None,
            causes: Causes::default(),
            relapsed: None,
            recovery: Recovery::default(),
            ..episode()
        };
        assert_eq!(
            lasting.to_string(),
            "db is down: broke 0.20 s before it was noticed; 0 calls lost; not over"
        );
        let answering = Episode {
            repaired: Some(second(75)),
            ..lasting
        };
        assert!(
            answering
                .to_string()
                .ends_with("; answering again after 1 min 5 s")
        );
        for (relapsed, end) in [(Some(true), "; relapsed"), (None, "; no relapse so far")] {
            let over = Episode {
                relapsed,
                ..episode()
            };
            assert!(over.to_string().ends_with(end), "{over}");
        }
    }

    #[test]
    fn spans_are_told_in_two_units() {
        for (seconds, text) in [
            (0, "0.00 s"),
            (59, "59.0 s"),
            (61, "1 min 1 s"),
            (7_260, "2 h 1 min"),
            (100_000, "1 d 3 h"),
        ] {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), text);
        }
    }

    #[test]
    fn an_outage_is_small_beside_its_verdict() {
        // 33 of them: 8 KiB at most, and as many verdicts.
        assert!(size_of::<Episode>() <= 248, "{}", size_of::<Episode>());
    }
}
