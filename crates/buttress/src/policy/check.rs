//! Whether a policy can be.

use std::time::Duration;

use buttress_core::{MAX_ATTEMPTS, Parts, PolicyError, print_duration};

use super::Policy;

/// The longest time a policy may name: one day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Policy {
    /// Can it be? Layers ask this themselves, and so does every file that is read.
    ///
    /// # Errors
    ///
    /// Names the field, its value and what would do.
    pub fn check(&self) -> Result<(), PolicyError> {
        for (field, span) in [
            ("deadline", self.deadline),
            ("attempt_timeout", self.attempt_timeout),
        ] {
            if let Some(span) = span
                && !(Duration::from_millis(1)..=LONGEST).contains(&span)
            {
                return Err(PolicyError::new(field, print_duration(span), "1ms to 24h"));
            }
        }
        if let (Some(deadline), Some(attempt)) = (self.deadline, self.attempt_timeout)
            && deadline < attempt
        {
            let needs = format!("at least attempt_timeout, {}", print_duration(attempt));
            return Err(PolicyError::new(
                "deadline",
                print_duration(deadline),
                needs,
            ));
        }
        self.redundancy.check()?;
        if let (Some(deadline), Some(attempt)) = (self.deadline, self.attempt())
            && attempt < Duration::from_millis(1)
        {
            let attempts = self.redundancy.in_turn();
            let needs = format!("at least 1ms for each of {attempts} attempts");
            return Err(PolicyError::new(
                "deadline",
                print_duration(deadline),
                needs,
            ));
        }
        if let (Some(deadline), Some(wait)) = (self.deadline, self.limits().wait)
            && deadline <= wait
        {
            let needs = format!("less than deadline, {}", print_duration(deadline));
            return Err(PolicyError::new("limit.wait", print_duration(wait), needs));
        }
        self.pick.check()?;
        self.probe.check()?;
        self.check_extra_load()?;
        self.check_peak_load()?;
        self.rules(Parts::default()).check()
    }

    /// Copies that are sent with every call are to be paid for.
    fn check_extra_load(&self) -> Result<(), PolicyError> {
        let always = self.redundancy.always_extra();
        if always == 0 {
            return self.extra_load.check("extra_load");
        }
        let most = f64::from(MAX_ATTEMPTS - 1);
        if (f64::from(always)..=most).contains(&self.extra_load.as_f64()) {
            return Ok(());
        }
        let needs = format!(
            "{always} to {most}: redundancy = {} sends each call {} times",
            self.redundancy,
            always + 1
        );
        Err(PolicyError::new(
            "extra_load",
            self.extra_load.as_f64(),
            needs,
        ))
    }

    /// A queue is stable only while less comes in than can be served: peak · (1 + r) < 1.
    fn check_peak_load(&self) -> Result<(), PolicyError> {
        let Some(peak) = self.peak_load else {
            return Ok(());
        };
        let (peak, extra) = (peak.as_f64(), self.extra_load.as_f64());
        if !(peak > 0.0 && peak < 1.0) {
            return Err(PolicyError::new(
                "peak_load",
                peak,
                "more than 0 and less than 1",
            ));
        }
        if self.redundancy.attempts() == 1 || peak * (1.0 + extra) < 1.0 {
            return Ok(());
        }
        let most = ((1.0 / peak - 1.0) * 1000.0).floor() / 1000.0;
        let needs = format!("less than {most}: at a peak_load of {peak} more cannot be borne");
        Err(PolicyError::new("extra_load", extra, needs))
    }
}

#[cfg(test)]
mod tests {
    use buttress_core::{
        BreakerPolicy, HealthPolicy, LimitPolicy, Ratio, Redundancy, ThrottlePolicy,
    };

    use super::*;

    #[test]
    fn bad_policies_name_their_field() {
        let day = Duration::from_secs(86_401);
        for (policy, field) in [
            (Policy::new().deadline(Duration::ZERO), "deadline"),
            (Policy::new().deadline(Duration::MAX), "deadline"),
            (Policy::new().attempt_timeout(day), "attempt_timeout"),
            (
                Policy::new()
                    .deadline(Duration::from_millis(2))
                    .redundancy(Redundancy::failover(3)),
                "deadline",
            ),
            (Policy::new().caller_share(Ratio::new(0.0)), "caller_share"),
            (
                Policy::new()
                    .deadline(Duration::from_secs(1))
                    .limit(LimitPolicy::concurrency(1).wait(Duration::from_secs(1))),
                "limit.wait",
            ),
            (
                Policy::new().limit(LimitPolicy::concurrency(0)),
                "limit.concurrency",
            ),
            (
                Policy::new().throttle(ThrottlePolicy::new().at_most(Ratio::percent(100))),
                "throttle.at_most",
            ),
            (
                Policy::new().throttle(ThrottlePolicy::new().multiplier(f64::NAN)),
                "throttle.multiplier",
            ),
            (
                Policy::new().limit(LimitPolicy::concurrency(1).queue(1)),
                "limit.queue",
            ),
            (
                Policy::new().redundancy(Redundancy::failover(0)),
                "redundancy.failover",
            ),
            (Policy::new().extra_load(Ratio::new(f64::NAN)), "extra_load"),
            (Policy::new().extra_load(Ratio::percent(101)), "extra_load"),
            (
                Policy::new().health(HealthPolicy::consecutive(0)),
                "health.consecutive",
            ),
            (
                Policy::new().breaker(BreakerPolicy::new().close_after(0)),
                "breaker.close_after",
            ),
        ] {
            assert_eq!(policy.check().unwrap_err().field(), field);
        }
    }
}
