//! What a policy's facts come to.

use std::{fmt, time::Duration};

use crate::{
    Enforce, EnforcePolicy, HealthPolicy, LimitPolicy, Rule, Rules, Window,
    health::{Bank, Ladder, Quiet, Rung},
    print_duration,
};

/// The traffic a policy is explained for. What is said here is measured where it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Traffic {
    /// Calls a second to one endpoint.
    pub calls_per_second: f64,
    /// Endpoints of the set; 1 for a service alone.
    pub endpoints: u32,
}

impl Default for Traffic {
    /// 100 calls a second to one service.
    fn default() -> Self {
        Self {
            calls_per_second: 100.0,
            endpoints: 1,
        }
    }
}

/// What a policy means, in numbers; it prints as sentences.
///
/// # Examples
///
/// ```
/// use buttress_core::{Rules, Traffic};
///
/// let means = Rules::default().explain(Traffic { calls_per_second: 100.0, endpoints: 3 });
/// assert_eq!(means.failures_in_a_row, Some(6));
/// assert_eq!(means.ejected_at_most, Some(1));
/// println!("{means}");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Explanation {
    /// The rule, in words.
    pub rule: &'static str,
    /// The counter for slow trouble, where thresholds are derived.
    pub slow: Option<Threshold>,
    /// The counter for fast trouble.
    pub fast: Option<Threshold>,
    /// Mean calls to one endpoint between false alarms, at exactly the tolerable rate.
    pub calls_between_false_alarms: Option<f64>,
    /// Mean time between false alarms of all endpoints together, at exactly the tolerable rate.
    pub time_between_false_alarms: Option<Duration>,
    /// So many failures in a row are an alarm.
    pub failures_in_a_row: Option<u32>,
    /// Mean calls until an alarm, by failure rate.
    pub delays: Vec<Delay>,
    /// At this age a call that is still unanswered is evidence, before anything is learned.
    pub late_after: Option<Duration>,
    /// Mean time until a server that answers nothing is noticed, before anything is learned.
    pub hang_noticed_in: Option<Duration>,
    /// How many of the set may be out at once; none for a service alone, which may always be.
    pub ejected_at_most: Option<u32>,
    /// How many alarms are acted on, by rule.
    pub enforce: EnforcePolicy,
    /// How many calls may be under way at once to one endpoint, where there is a limit.
    pub limit: Option<LimitPolicy>,
    /// The limit is reached when calls take so long, by Little's law.
    pub limit_reached_at: Option<Duration>,
    /// When a rule by name trips, in words, where no number of failures in a row says it.
    pub trips: Option<String>,
    traffic: Traffic,
    tolerable: f64,
}

/// A counter: it goes `up` with a failure, `down` with a success, not below zero, and alarms at `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Threshold {
    /// What a failure adds.
    pub up: u32,
    /// What a success takes.
    pub down: u32,
    /// What is enough.
    pub at: u32,
}

/// How long it takes to notice a failure rate.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Delay {
    /// The share of calls that fail.
    pub failing: f64,
    /// Mean calls until the alarm.
    pub calls: f64,
}

/// Failure rates that are explained.
const RATES: [f64; 5] = [0.05, 0.1, 0.2, 0.5, 1.0];

impl Rules {
    /// What these rules mean under `traffic`. Solves equations: milliseconds, not for every call.
    #[must_use]
    pub fn explain(&self, traffic: Traffic) -> Explanation {
        let tolerable = self.tolerable.as_f64();
        let mut means = Explanation {
            rule: self.health.name(),
            slow: None,
            fast: None,
            calls_between_false_alarms: None,
            time_between_false_alarms: None,
            failures_in_a_row: None,
            delays: Vec::new(),
            late_after: self
                .timeout
                .filter(|_| self.parts.health)
                .map(|timeout| timeout / 2),
            hang_noticed_in: None,
            ejected_at_most: (traffic.endpoints > 1)
                .then(|| self.ejection.allowed(traffic.endpoints as usize) as u32),
            enforce: self.enforced(),
            limit: self.limit,
            limit_reached_at: self.limit.and_then(|limit| {
                let seconds = f64::from(limit.most()) / traffic.calls_per_second;
                Duration::try_from_secs_f64(seconds).ok()
            }),
            trips: by_name(&self.health),
            traffic,
            tolerable,
        };
        match self.health {
            HealthPolicy::Cusum => means.derive(&self.bank(traffic)),
            HealthPolicy::Consecutive(failures) | HealthPolicy::ConsecutiveByOrigin(failures) => {
                means.failures_in_a_row = Some(failures);
            }
            HealthPolicy::Rate(_) | HealthPolicy::Ewma(_) | HealthPolicy::Phi(_) => {}
        }
        let rate = traffic.calls_per_second;
        if let (Some(late), Some(failures), true) =
            (means.late_after, means.failures_in_a_row, rate > 0.0)
        {
            let gaps = Duration::try_from_secs_f64(f64::from(failures) / rate);
            means.hang_noticed_in = gaps.ok().map(|gaps| late + gaps);
        }
        means
    }

    fn bank(&self, traffic: Traffic) -> Bank {
        let quiet = Quiet {
            rate: traffic.calls_per_second,
            seconds: self.false_alarm_every.as_secs_f64(),
            endpoints: traffic.endpoints,
        };
        Ladder::of(self.tolerable.as_f64()).bank(Rung::default().step(quiet))
    }
}

impl Explanation {
    fn derive(&mut self, bank: &Bank) {
        let [slow, fast] = bank.counters().map(|counter| Threshold {
            up: counter.steps.up,
            down: counter.steps.down,
            at: counter.threshold,
        });
        (self.slow, self.fast) = (Some(slow), Some(fast));
        let calls = bank.delay(self.tolerable);
        self.calls_between_false_alarms = Some(calls);
        let a_second = self.traffic.calls_per_second * f64::from(self.traffic.endpoints);
        self.time_between_false_alarms = Duration::try_from_secs_f64(calls / a_second).ok();
        self.failures_in_a_row = Some(slow.in_a_row().min(fast.in_a_row()));
        self.delays = RATES
            .into_iter()
            .filter(|failing| *failing > self.tolerable)
            .map(|failing| Delay {
                failing,
                calls: bank.delay(failing),
            })
            .collect();
    }
}

impl Threshold {
    const fn in_a_row(self) -> u32 {
        self.at.div_ceil(if self.up == 0 { 1 } else { self.up })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Traffic {
            calls_per_second,
            endpoints,
        } = self.traffic;
        write!(f, "rule {}: ", self.rule)?;
        if let Some(failures) = self.failures_in_a_row {
            write!(f, "trips after {failures} failures in a row")?;
        }
        if let Some(trips) = &self.trips {
            write!(f, "trips {trips}")?;
        }
        for delay in self.delays.iter().rev().filter(|delay| delay.failing < 1.0) {
            write!(
                f,
                ", about {:.0} calls at {:.0} %",
                delay.calls,
                delay.failing * 100.0
            )?;
        }
        if let Some(time) = self.time_between_false_alarms {
            let digits = if calls_per_second < 10.0 { 2 } else { 0 };
            write!(
                f,
                "; one false alarm in {} at {calls_per_second:.digits$} calls/s to each of {endpoints} if {} % fail",
                days(time),
                self.tolerable * 100.0,
            )?;
        }
        if let (Some(late), Some(hang)) = (self.late_after, self.hang_noticed_in) {
            write!(
                f,
                "; until it has learned better, a call is late after {late:.0?} and a frozen server is noticed in about {:.2} s",
                hang.as_secs_f64()
            )?;
        }
        if let Some(limit) = &self.limit {
            write!(f, "; {limit}")?;
        }
        if let Some(took) = self.limit_reached_at {
            write!(f, " (reached when calls take {took:.1?})")?;
        }
        match self.enforce.health {
            Enforce::ON => {}
            Enforce::OFF => return f.write_str("; alarms are only noted down (dry run)"),
            share => write!(
                f,
                "; {share} of the alarms are acted on, the others noted down"
            )?,
        }
        for rule in [Rule::Peers, Rule::Probes] {
            let enforce = self.enforce.of(rule);
            if endpoints > 1 && enforce != self.enforce.health {
                write!(f, "; those of {} are acted on: {enforce}", rule.name())?;
            }
        }
        match self.ejected_at_most {
            Some(most) => write!(f, "; at most {most} of {endpoints} ejected"),
            None => f.write_str("; it may stop all calls, being alone"),
        }
    }
}

/// When a rule trips that looks at no run of failures.
fn by_name(health: &HealthPolicy) -> Option<String> {
    let over = |window: Window| match window {
        Window::Calls(calls) => format!("the last {calls}"),
        Window::Span(span) => format!("those of the last {}", print_duration(span)),
    };
    match health {
        HealthPolicy::Rate(rate) => {
            let slow = rate.slow.map_or_else(String::new, |slow| {
                let after = print_duration(slow.after);
                format!(", or {} take longer than {after}", slow.over)
            });
            Some(format!(
                "once {} of the calls fail{slow}, of {} and at least {}",
                rate.failures,
                over(rate.window),
                rate.at_least
            ))
        }
        HealthPolicy::Ewma(ewma) => Some(format!(
            "once the moving average of successes is below {}, over {} and at least {}",
            ewma.required,
            over(ewma.window),
            ewma.at_least
        )),
        HealthPolicy::Phi(phi) => Some(format!(
            "once it is silent for so long that a healthy one is as long once in 10^{} times, and {} more",
            phi.threshold,
            print_duration(phi.pause)
        )),
        _ => None,
    }
}

fn days(time: Duration) -> String {
    let hours = time.as_secs_f64() / 3600.0;
    if hours < 48.0 {
        format!("{hours:.1} hours")
    } else {
        format!("{:.0} days", hours / 24.0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{EwmaPolicy, PhiPolicy, RatePolicy, SlowPolicy};

    const BUSY: Traffic = Traffic {
        calls_per_second: 100.0,
        endpoints: 3,
    };

    #[test]
    fn a_policy_is_explained_in_one_sentence() {
        let rules = Rules {
            timeout: Some(Duration::from_millis(100)),
            ..Rules::default()
        };
        let text = rules.explain(BUSY).to_string();
        for part in [
            "trips after 6 failures in a row",
            "calls at 50 %",
            "one false alarm in",
            "a call is late after 50ms",
            "at most 1 of 3 ejected",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn the_allowance_is_kept_by_all_endpoints_together() {
        for endpoints in [1, 3, 100] {
            let means = Rules::default().explain(Traffic { endpoints, ..BUSY });
            let month = Rules::default().false_alarm_every;
            assert!(
                means.time_between_false_alarms >= Some(month),
                "{endpoints}"
            );
        }
    }

    #[test]
    fn what_is_not_acted_on_is_said_to_be_a_dry_run() {
        let text = |enforce| {
            let rules = Rules {
                enforce,
                ..Rules::default()
            };
            rules.explain(BUSY).to_string()
        };
        let says = |enforce: Enforce| text(enforce.into());
        let peers_off = EnforcePolicy::new().peers(Enforce::OFF);
        assert!(text(peers_off).contains("; those of peers are acted on: off;"));
        assert!(says(Enforce::OFF).ends_with("alarms are only noted down (dry run)"));
        let some = says(Enforce::percent(25));
        assert!(
            some.contains("25% of the alarms are acted on") && some.ends_with("1 of 3 ejected")
        );
    }

    #[test]
    fn every_rule_by_name_says_when_it_trips() {
        for (health, words) in [
            (
                HealthPolicy::rate(
                    RatePolicy::new().slow(SlowPolicy::after(Duration::from_secs(1))),
                ),
                "trips once 50 % of the calls fail, or 100 % take longer than 1s, of those of the last 10s and at least 20",
            ),
            (
                HealthPolicy::ewma(EwmaPolicy::new().window(Window::Calls(100))),
                "is below 80 %, over the last 100 and at least 5",
            ),
            (
                HealthPolicy::phi(PhiPolicy::new()),
                "once in 10^8 times, and 3s more",
            ),
        ] {
            let rules = Rules {
                health,
                ..Rules::default()
            };
            let text = rules.explain(BUSY).to_string();
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn no_traffic_and_nonsense_are_explained_too() {
        for calls_per_second in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let traffic = Traffic {
                calls_per_second,
                endpoints: 0,
            };
            assert!(!Rules::default().explain(traffic).to_string().is_empty());
        }
    }

    #[test]
    fn a_rule_by_name_is_explained_by_its_own_number() {
        let rules = Rules {
            health: HealthPolicy::consecutive(7),
            ..Rules::default()
        };
        let means = rules.explain(BUSY);
        assert_eq!((means.failures_in_a_row, means.slow), (Some(7), None));
    }
}
