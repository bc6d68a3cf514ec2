//! The one policy, and what it means.

use std::time::Duration;

use buttress::{
    Clock, Destination, Endpoint, Explanation, HealthPolicy, Nanos, PeersPolicy, Policy,
    RatePolicy, Ratio, Traffic, Vitals, Window,
};
use buttress_core::{Host, Parts, Rules};

/// How long an attempt may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

/// The failure rate that the default policy puts up with.
pub(crate) const TOLERABLE: f64 = 0.01;

/// Calls a second at which the default policy asks for just under 1e8 calls between false alarms: one in 30 days.
/// (Just under, since what is measured wavers, and the next design is for 3.2e8.)
pub(crate) const QUIET: Traffic = Traffic {
    calls_per_second: 38.0,
    endpoints: 1,
};

/// The default, and the fact that an attempt may take a second.
pub(crate) fn policy() -> Policy {
    Policy::new().attempt_timeout(TIMEOUT)
}

/// The same for the core.
pub(crate) fn rules() -> Rules {
    Rules {
        timeout: Some(TIMEOUT),
        ..Rules::default()
    }
}

/// Does the policy that is printed mean what the simulated rules mean?
pub(crate) fn is_the_same() -> bool {
    policy().explain(QUIET) == rules().explain(QUIET)
}

pub(crate) fn means() -> Explanation {
    rules().explain(QUIET)
}

/// Named rules for comparison.
pub(crate) fn judged_by(health: HealthPolicy) -> Rules {
    Rules { health, ..rules() }
}

/// The commonest crate default: half of the last hundred calls, once there were a hundred.
pub(crate) fn window_of_100() -> Rules {
    let mut window = RatePolicy::new().window(Window::Calls(100));
    window.failures = Ratio::percent(50);
    window.at_least = 100;
    judged_by(HealthPolicy::rate(window))
}

/// Evidence on completion only, as breakers without a clock have it.
pub(crate) fn on_completion() -> Rules {
    Rules {
        parts: Parts {
            health: false,
            ..Parts::default()
        },
        ..rules()
    }
}

/// Peers compared as Envoy does.
pub(crate) fn by_deviation() -> Rules {
    Rules {
        peers: PeersPolicy::Deviation,
        ..rules()
    }
}

/// A destination in virtual time, born at its beginning.
pub(crate) fn destination(rules: &Rules, seed: u64) -> Destination {
    let mut host = Host::new(Clock(|| Nanos::ZERO));
    host.seed = seed;
    Destination::new("bench", rules, &host)
}

/// Endpoints of a set.
pub(crate) fn endpoints(set: &Destination, count: usize) -> Result<Vec<Vitals>, String> {
    let endpoint = |number: usize| {
        let address = format!("10.0.{}.{}:80", number / 250, number % 250);
        let endpoint = Endpoint::new(address).map_err(|error| error.to_string())?;
        Ok(set.endpoint(endpoint))
    };
    (1..=count).map(endpoint).collect()
}
